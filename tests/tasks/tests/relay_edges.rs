//! Relayed responses at their limits: of memory, of the host's buffer, of streams that end.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use bench_host::host::{Direction, HeaderMap};
use bench_host::testing::{Answer, Call, Setup};
use chunkwise::http::{HeadersAction, Relay};
use chunkwise::{Error, time};
use chunkwise_task_tests::{Case, Script, auth, data, headers, latencies, log, misuse, open};

/// A task that is busy while more than it may queue comes.
#[test]
fn what_waits_in_the_plugin_is_bounded() {
    for refuse in [false, true] {
        let case = Case { higress: true, refuse };
        let script = Script::new().response_headers(|headers| {
            Ok(headers.relay(async |mut body| {
                let first = body.next().await.unwrap();
                time::sleep(Duration::from_secs(5)).await?;
                assert!(body.waiting() <= Relay::LIMIT);
                body.send(first)
            }))
        });
        let setup = Setup::new().buffer_limit(64 * 1024 * 1024);
        let mut host = case.start(setup, script);
        let chunks: Vec<Vec<u8>> = (0..6_u8).map(|n| vec![b'a' + n; 1024 * 1024]).collect();
        let outcome = host.send(Call::get("/").answer(Answer::new(200).chunks(&chunks))).unwrap();
        assert_eq!(outcome.stalled, None);
        assert_eq!(misuse(&mut host), [""; 0]);
        let lines = log(&mut host);
        assert_eq!(lines.len(), 1);
        assert!(lines[0].contains("wait for the plugin, more than it may queue"), "{lines:?}");
        if refuse {
            assert!(outcome.reset && !outcome.downstream.ended);
            assert_eq!(outcome.downstream.body.len(), 0);
        } else {
            assert!(outcome.downstream.body == chunks.concat() && outcome.downstream.ended);
        }
    }
}

/// What was taken and not answered waits as well, where it goes on when the task fails.
#[test]
fn what_is_not_answered_is_bounded_too() {
    for refuse in [false, true] {
        let case = Case { higress: true, refuse };
        let script = Script::new().response_headers(|headers| {
            Ok(headers.relay(async |mut body| {
                let mut taken = 0;
                while let Some(chunk) = body.next().await {
                    taken += chunk.len();
                }
                body.send(taken.to_string())
            }))
        });
        let mut host = case.start(Setup::new(), script);
        let chunks: Vec<Vec<u8>> = (0..6_u8).map(|n| vec![b'a' + n; 1024 * 1024]).collect();
        let outcome = host.send(Call::get("/").answer(Answer::new(200).chunks(&chunks))).unwrap();
        assert!(outcome.downstream.ended);
        if refuse {
            assert_eq!(outcome.downstream.text(), (6 * 1024 * 1024).to_string());
        } else {
            assert!(outcome.downstream.body == chunks.concat());
        }
        assert_eq!(log(&mut host).len(), usize::from(!refuse));
    }
}

/// A relay that was given away, when the task that it was made for has ended.
#[test]
fn a_relay_without_its_task_sends_nothing() {
    for case in Case::ALL {
        let error: Rc<std::cell::Cell<Option<Error>>> = Rc::default();
        let noted = Rc::clone(&error);
        let script = Script::new().response_headers(move |headers| {
            let noted = Rc::clone(&noted);
            let kept: Rc<RefCell<Option<Relay>>> = Rc::default();
            let keep = Rc::clone(&kept);
            headers.spawn(async move {
                time::sleep(Duration::from_millis(5)).await?;
                let mut relay = kept.take().unwrap();
                noted.set(relay.send("late").err());
                Ok(())
            });
            Ok(headers.relay(async move |body| {
                keep.replace(Some(body));
                Ok(())
            }))
        });
        let mut host = case.with(&latencies(), script);
        let stream = open(&mut host);
        headers(&mut host, stream, Direction::Request, &[], true);
        headers(&mut host, stream, Direction::Response, &[], false);
        data(&mut host, stream, Direction::Response, b"a", false);
        host.run_for(Duration::from_millis(10)).unwrap();
        data(&mut host, stream, Direction::Response, b"b", true);
        let closed = host.slot().close(stream).unwrap();
        assert_eq!(error.get(), Some(Error::StreamGone), "{case:?}");
        assert_eq!(closed.response.received.body(), b"ab");
        assert!(closed.response.received.ended);
        assert_eq!(misuse(&mut host), [""; 0]);
    }
}

/// What is sent in the callback of the trailers leaves in it, and does not wait for the task.
#[test]
fn what_a_task_sends_when_trailers_come_leaves_at_once() {
    let script = Script::new().response_headers(|headers| {
        Ok(headers.relay(async |mut body| {
            assert_eq!(body.next().await, None);
            body.send("first")?;
            time::sleep(Duration::from_millis(10)).await?;
            body.send(" second")
        }))
    });
    let mut host = Case { higress: true, refuse: true }.start(Setup::new(), script);
    let stream = open(&mut host);
    headers(&mut host, stream, Direction::Request, &[], true);
    headers(&mut host, stream, Direction::Response, &[], false);
    let trailers = HeaderMap::from(vec![("t".into(), "1".into())]);
    let proxy = host.slot().proxy(stream).unwrap();
    proxy.trailers(stream.context, Direction::Response, trailers);
    assert_eq!(host.slot().stream(stream).unwrap().response.received.body(), b"first");
    host.run_for(Duration::from_millis(20)).unwrap();
    let closed = host.slot().close(stream).unwrap();
    assert_eq!(closed.response.received.body(), b"first second");
    assert!(closed.response.received.ended);
    assert_eq!(log(&mut host), [""; 0]);
}

/// ... may fill it to the brim.
#[test]
fn what_fits_is_queued() {
    let case = Case { higress: true, refuse: true };
    let script = Script::new().response_headers(|headers| {
        Ok(headers.relay(async |body| {
            time::sleep(Duration::from_secs(5)).await?;
            assert_eq!(body.waiting(), Relay::LIMIT);
            Ok(())
        }))
    });
    let mut host = case.start(Setup::new(), script);
    let chunks = vec![vec![b'a'; 1024 * 1024]; 4];
    let outcome = host.send(Call::get("/").answer(Answer::new(200).chunks(&chunks))).unwrap();
    assert!(outcome.downstream.body == chunks.concat() && outcome.downstream.ended);
    assert_eq!(log(&mut host), [""; 0]);
}

/// A stock host holds what the task has no time for, and refuses what is too much.
#[test]
fn a_stock_host_holds_up_to_its_limit() {
    for refuse in [false, true] {
        let case = Case { higress: false, refuse };
        for sizes in [[9, 0, 0], [5, 4, 0], [20, 0, 0], [9, 9, 9]] {
            let script = Script::new().response_headers(|headers| {
                Ok(headers.relay(async |mut body| {
                    while let Some(chunk) = body.next().await {
                        time::sleep(Duration::from_secs(5)).await?;
                        body.send(chunk)?;
                    }
                    Ok(())
                }))
            });
            let setup = Setup::new().buffer_limit(10);
            let mut host = case.start(setup, script);
            let chunks = sizes.map(|size| vec![b'a'; size]);
            let whole = chunks.concat();
            let outcome =
                host.send(Call::get("/").answer(Answer::new(200).chunks(&chunks))).unwrap();
            assert_eq!((&outcome.stalled, misuse(&mut host).len()), (&None, 0));
            if outcome.reset {
                assert!(whole.len() > 10 && !outcome.downstream.ended, "{sizes:?}");
                assert!(whole.starts_with(&outcome.downstream.body));
            } else {
                assert_eq!(outcome.downstream.body, whole, "{sizes:?} {:?}", outcome.details);
                assert!(outcome.downstream.ended);
            }
        }
    }
}

/// A task that never takes a chunk, and one that ends before the first.
#[test]
fn a_task_need_not_take_anything() {
    for case in Case::ALL {
        for fails in [false, true] {
            for sleeps in [false, true] {
                for trailers in [false, true] {
                    let script = Script::new().response_headers(move |headers| {
                        Ok(headers.relay(async move |_| {
                            if sleeps {
                                time::sleep(Duration::from_millis(10)).await?;
                            }
                            if fails { Err(Error::Plugin("no")) } else { Ok(()) }
                        }))
                    });
                    let mut host = case.with(&latencies(), script);
                    let answer = Answer::new(200).chunks(["a", "b", "c"]);
                    let answer = if trailers { answer.trailer("t", "1") } else { answer };
                    let outcome = host.send(Call::get("/").answer(answer)).unwrap();
                    assert_eq!(outcome.stalled, None, "{case:?} {fails} {sleeps}");
                    if fails && case.refuse {
                        assert!(
                            outcome.reset || outcome.downstream.header(":status").unwrap() == "500"
                        );
                        assert_eq!(outcome.downstream.text(), "");
                    } else {
                        assert_eq!(outcome.downstream.text(), "abc", "{case:?} {fails} {sleeps}");
                        assert_eq!(outcome.downstream.trailers.is_empty(), !trailers);
                        assert!(outcome.downstream.ended);
                    }
                    assert_eq!(misuse(&mut host), [""; 0]);
                }
            }
        }
    }
}

/// Many relayed responses at once do not mix.
#[test]
fn relayed_responses_do_not_mix() {
    for case in Case::ALL {
        let script = Script::new().response_headers(|headers| {
            let number = String::from_utf8_lossy(headers.get("x-number")?.unwrap()).into_owned();
            let latency = number.parse::<u64>().unwrap() % 19 + 1;
            Ok(headers.relay(async move |mut body| {
                while let Some(chunk) = body.next().await {
                    auth().get(&format!("/{latency}")).send().await?;
                    body.send(format!("<{number}>"))?;
                    body.send(chunk)?;
                }
                body.send(&number)
            }))
        });
        let mut host = case.with(&latencies(), script);
        let calls = (0..64).map(|number: u32| {
            let number = number.to_string();
            let answer = Answer::new(200).header("x-number", &number).chunks(["a", "b", "c"]);
            Call::get("/").answer(answer)
        });
        let outcomes = host.interleave(calls.collect::<Vec<_>>()).unwrap();
        for (number, outcome) in outcomes.iter().enumerate() {
            let text = outcome.downstream.text();
            let plain = text.replace(&format!("<{number}>"), "");
            assert_eq!(plain, format!("abc{number}"), "{text}");
            assert!(outcome.downstream.ended && outcome.stalled.is_none());
        }
        assert_eq!(log(&mut host), [""; 0]);
    }
}

/// What is sent to a stream that has ended.
#[test]
fn a_relay_of_an_ended_stream_says_so() {
    for case in Case::PROXIES {
        let kept: Rc<RefCell<Option<Relay>>> = Rc::default();
        let keep = Rc::clone(&kept);
        let script = Script::new().response_headers(move |headers| {
            let keep = Rc::clone(&keep);
            if headers.get("x-use")?.is_some() {
                let mut relay = keep.take().unwrap();
                assert_eq!(relay.send("late").err(), Some(Error::StreamGone));
                return Ok(HeadersAction::Continue);
            }
            Ok(headers.relay(async move |body| {
                keep.replace(Some(body));
                time::sleep(Duration::from_secs(100)).await
            }))
        });
        let mut host = case.with(&latencies(), script);
        let stream = open(&mut host);
        headers(&mut host, stream, Direction::Request, &[], true);
        headers(&mut host, stream, Direction::Response, &[], false);
        data(&mut host, stream, Direction::Response, b"a", false);
        host.slot().close(stream).unwrap();
        let answer = Answer::new(200).header("x-use", "1").body("mine");
        let outcome = host.send(Call::get("/").answer(answer)).unwrap();
        assert_eq!(outcome.downstream.text(), "mine");
        assert_eq!(misuse(&mut host), [""; 0]);
    }
}
