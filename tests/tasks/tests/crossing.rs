//! Tasks that are woken in the middle of a callback: of their own stream, and of another one.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use bench_host::testing::{Answer, Call};
use chunkwise::http::{BodyAction, HeadersAction, Reply, Resume, TrailersAction};
use chunkwise::{Error, time};
use chunkwise_task_tests::{AUTH, Case, Script, Signal, log, misuse};

/// A relay that waits for another task, which answers before the host has got its own answer: a
/// resume would come before the stop that it ends.
#[test]
fn a_relay_is_woken_in_the_callback_of_its_own_chunk() {
    for case in Case::ALL {
        for trailers in [false, true] {
            for fails in [false, true] {
                let script = Script::new().response_headers(move |headers| {
                    let (ask, answer) = (Signal::default(), Signal::default());
                    let (asked, answered) = (ask.clone(), answer.clone());
                    headers.spawn(async move {
                        asked.await;
                        answered.set();
                        Ok(())
                    });
                    Ok(headers.relay(async move |mut body| {
                        let mut all = Vec::new();
                        while let Some(chunk) = body.next().await {
                            all.extend_from_slice(&chunk);
                        }
                        ask.set();
                        answer.await;
                        if fails {
                            return Err(Error::Plugin("in the end"));
                        }
                        body.send(&all)
                    }))
                });
                let mut host = case.with(AUTH, script);
                let answer = Answer::new(200).chunks(["a", "b", "c"]);
                let answer = if trailers { answer.trailer("t", "1") } else { answer };
                let outcome = host.send(Call::get("/").answer(answer)).unwrap();
                let what = format!("{case:?} {trailers} {fails} {:?}", log(&mut host));
                assert_eq!(outcome.stalled, None, "{what}");
                assert_eq!(misuse(&mut host), [""; 0], "{what}");
                if fails && case.refuse {
                    assert!(outcome.reset, "{what}");
                    assert_eq!(outcome.downstream.text(), "", "{what}");
                } else if case.higress || !trailers {
                    assert_eq!(outcome.downstream.text(), "abc", "{what}");
                    assert!(outcome.downstream.ended && !outcome.reset, "{what}");
                }
            }
        }
    }
}

/// Whoever sends a local reply stops what the host's callback is about. That must not be another
/// stream, which nobody would let go.
#[test]
fn a_reply_does_not_stop_the_stream_whose_callback_woke_its_task() {
    for case in Case::ALL {
        for phase in 0..4 {
            for fails in [false, true] {
                let signal = Signal::default();
                let [at_headers, at_body, at_trailers, at_response] =
                    [0, 1, 2, 3].map(|number| (number == phase).then(|| signal.clone()));
                let set = |signal: &Option<Signal>| signal.iter().for_each(Signal::set);
                let script = Script::new()
                    .request_headers(move |headers| {
                        if headers.get("x-first")?.is_some() {
                            let signal = signal.clone();
                            return Ok(headers.wait(async move |held| {
                                signal.await;
                                if fails {
                                    return Err(Error::Plugin("no"));
                                }
                                held.reply(&Reply::new(401))
                            }));
                        }
                        set(&at_headers);
                        Ok(HeadersAction::Continue)
                    })
                    .request_body(move |_| {
                        set(&at_body);
                        Ok(BodyAction::Pass)
                    })
                    .request_trailers(move |_| {
                        set(&at_trailers);
                        Ok(TrailersAction::Continue)
                    })
                    .response_body(move |_| {
                        set(&at_response);
                        Ok(BodyAction::Pass)
                    });
                let mut host = case.with(AUTH, script);
                let calls = [
                    Call::get("/").header("x-first", "1"),
                    Call::post("/")
                        .chunks(["a", "b"])
                        .trailer("t", "1")
                        .answer(Answer::new(200).chunks(["c", "d"])),
                ];
                let outcomes = host.interleave(calls).unwrap();
                let what = format!("{case:?} {phase} {fails} {:?}", log(&mut host));
                let first = match (fails, case.refuse) {
                    (true, true) => "500",
                    (true, false) => "200",
                    (false, _) => "401",
                };
                let [replied, other] = &outcomes[..] else { panic!("{what}") };
                assert_eq!(replied.downstream.header(":status").as_deref(), Some(first), "{what}");
                assert_eq!((&replied.stalled, &other.stalled), (&None, &None), "{what}");
                assert_eq!(other.upstream.text(), "ab", "{what}");
                assert_eq!(other.downstream.text(), "cd", "{what}");
            }
        }
    }
}

/// ... nor does one that is tried in that callback itself.
#[test]
fn a_handle_of_another_stream_cannot_reply_in_a_callback() {
    for case in Case::PROXIES {
        let (error, kept) = (Rc::<Cell<Option<Error>>>::default(), Rc::<RefCell<_>>::default());
        let noted = Rc::clone(&error);
        let script = Script::new().request_headers(move |headers| {
            if headers.get("x-first")?.is_some() {
                kept.replace(Some(headers.handle()));
                return Ok(headers.wait(async |_| {
                    time::sleep(Duration::from_millis(5)).await?;
                    Ok(Resume::Continue)
                }));
            }
            if let Some(first) = &*kept.borrow() {
                noted.set(first.reply(&Reply::new(401)).err());
            }
            Ok(HeadersAction::Continue)
        });
        let mut host = case.with(AUTH, script);
        let calls = [Call::get("/").header("x-first", "1"), Call::get("/")];
        for outcome in host.interleave(calls).unwrap() {
            assert_eq!(outcome.stalled, None, "{case:?}");
            assert_eq!(outcome.downstream.header(":status").as_deref(), Some("200"));
        }
        assert!(matches!(error.get(), Some(Error::Plugin(_))), "{case:?}");
    }
}
