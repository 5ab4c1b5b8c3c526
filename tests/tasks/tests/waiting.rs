//! Streams that wait for a task with their headers.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use bench_host::host::Direction;
use bench_host::measure::Phase;
use bench_host::testing::{Answer, Call, Setup};
use chunkwise::call::{CallError, Client, TargetCluster};
use chunkwise::http::{
    BodyAction, BodyMode, HeadersAction, HeldBody, HeldHeaders, Reply, Resume, TrailersAction,
};
use chunkwise::{Error, Result};
use chunkwise_task_tests::{
    AUTH, Case, Guard, Script, Signal, auth, data, headers, log, misuse, open,
};
use proptest::prelude::*;

const SCRIPT: &str = r#"
[cluster.auth]
latency = "2ms"
[[cluster.auth.http]]
match = { path = "/deny" }
status = 403
body = "no"
[[cluster.auth.http]]
match = { path = "/slow" }
latency = "10s"
[[cluster.auth.http]]
match = { path = "/reset" }
fail = "reset"
[[cluster.auth.http]]
headers = { x-user = "jo" }
body = "ok"
"#;

/// Asks for the path that a header names, and lets pass what is allowed.
async fn check(client: Client, path: String, held: HeldHeaders) -> Result<Resume> {
    let reply = client.get(&path).send().await?;
    if !reply.is_success() {
        let status = Reply::new(reply.status()).body(reply.body().to_vec());
        return held.reply(&status);
    }
    held.set("x-user", reply.header("x-user").unwrap_or_default())?;
    held.add("x-more", "1")?;
    held.remove("x-secret")?;
    assert_eq!(held.get("x-user")?.as_deref(), Some(&b"jo"[..]));
    assert_eq!(held.get("x-secret")?, None);
    Ok(Resume::Continue)
}

fn guarded(phase: Direction) -> Script {
    match phase {
        Direction::Request => Script::new().request_headers(|headers| {
            let Some(path) = headers.get("x-check")? else { return Ok(HeadersAction::Continue) };
            let path = String::from_utf8_lossy(path).into_owned();
            Ok(headers.wait(async move |held| check(auth(), path, held).await))
        }),
        Direction::Response => Script::new().response_headers(|headers| {
            let Some(path) = headers.get("x-check")? else { return Ok(HeadersAction::Continue) };
            let path = String::from_utf8_lossy(path).into_owned();
            Ok(headers.wait(async move |held| check(auth(), path, held).await))
        }),
    }
}

fn calls(path: &str) -> [(Call, Direction); 2] {
    let request = Call::get("/").header("x-check", path).header("x-secret", "1");
    let answer = Answer::new(200).header("x-check", path).header("x-secret", "1");
    [(request, Direction::Request), (Call::get("/").answer(answer), Direction::Response)]
}

#[test]
fn what_is_allowed_goes_on_with_the_edits() {
    for case in Case::ALL {
        for (call, phase) in calls("/allow") {
            let mut host = case.with(SCRIPT, guarded(phase));
            let outcome = host.send(call).unwrap();
            assert_eq!(outcome.stalled, None);
            let seen =
                if phase == Direction::Request { &outcome.upstream } else { &outcome.downstream };
            assert_eq!(seen.header("x-user").as_deref(), Some("jo"), "{case:?} {phase:?}");
            assert_eq!(seen.header("x-more").as_deref(), Some("1"));
            assert_eq!(seen.header("x-secret"), None);
            assert!(outcome.downstream.ended && !outcome.replied_locally && !outcome.reset);
            assert_eq!(log(&mut host), [""; 0]);
            assert_eq!(host.take_callouts().len(), 1);
        }
    }
}

#[test]
fn what_is_denied_is_answered() {
    for case in Case::ALL {
        for (call, phase) in calls("/deny") {
            let mut host = case.with(SCRIPT, guarded(phase));
            let outcome = host.send(call).unwrap();
            assert_eq!(outcome.downstream.header(":status").as_deref(), Some("403"));
            assert_eq!(outcome.downstream.text(), "no");
            assert!(outcome.replied_locally && outcome.downstream.ended);
            assert_eq!(outcome.upstream.ended, phase == Direction::Response);
            assert_eq!(log(&mut host), [""; 0]);
        }
    }
}

#[test]
fn a_timeout_is_a_reply() {
    for case in Case::ALL {
        for (call, phase) in calls("/slow") {
            let mut host = case.with(SCRIPT, guarded(phase));
            let outcome = host.send(call).unwrap();
            assert_eq!(outcome.downstream.header(":status").as_deref(), Some("504"));
            assert_eq!(outcome.downstream.text(), "upstream request timeout");
            assert_eq!(log(&mut host), [""; 0]);
        }
    }
}

#[test]
fn a_failed_task_is_an_error_of_its_stream() {
    for case in Case::ALL {
        for (call, phase) in calls("/reset") {
            let mut host = case.with(SCRIPT, guarded(phase));
            let outcome = host.send(call).unwrap();
            assert_eq!(outcome.stalled, None, "{case:?} {phase:?}");
            let status = outcome.downstream.header(":status");
            assert_eq!(status.as_deref(), Some(if case.refuse { "500" } else { "200" }));
            assert_eq!(outcome.replied_locally, case.refuse);
            if !case.refuse {
                let seen = if phase == Direction::Request {
                    &outcome.upstream
                } else {
                    &outcome.downstream
                };
                assert_eq!(seen.header("x-secret").as_deref(), Some("1"), "untouched");
            }
            let log = log(&mut host);
            assert_eq!(log.len(), 1);
            assert!(log[0].contains("the connection was reset before an answer"), "{log:?}");
        }
    }
}

#[test]
fn a_failed_task_ends_the_callbacks_where_errors_pass() {
    let case = Case { higress: true, refuse: false };
    let script = Script::new()
        .request_headers(|headers| {
            Ok(headers.wait(async |_| {
                auth().get("/reset").send().await?;
                Ok(Resume::Continue)
            }))
        })
        .request_body(|_| panic!("a callback after an error"))
        .response_headers(|_| panic!("a callback after an error"));
    let mut host = case.with(SCRIPT, script);
    let outcome =
        host.send(Call::post("/").chunks(["a", "b"]).answer(Answer::new(200).body("c"))).unwrap();
    assert_eq!((&*outcome.upstream.text(), &*outcome.downstream.text()), ("ab", "c"));
}

#[test]
fn an_unknown_cluster_is_an_error() {
    for case in Case::ALL {
        let seen = Rc::new(Cell::new(None));
        let noted = Rc::clone(&seen);
        let script = Script::new().request_headers(move |headers| {
            let noted = Rc::clone(&noted);
            Ok(headers.wait(async move |_| {
                let nobody = Client::new(TargetCluster::new("nobody", "nobody"));
                let result = nobody.get("/").send().await;
                noted.set(result.as_ref().err().copied());
                result?;
                Ok(Resume::Continue)
            }))
        });
        let mut host = case.with(SCRIPT, script);
        let outcome = host.send(Call::get("/")).unwrap();
        assert_eq!(seen.get(), Some(CallError::UnknownCluster));
        assert_eq!(outcome.stalled, None);
        assert_eq!(
            outcome.downstream.header(":status").as_deref(),
            Some(if case.refuse { "500" } else { "200" })
        );
    }
}

#[test]
fn a_task_that_never_waits_is_an_answer() {
    for case in Case::ALL {
        let script = Script::new()
            .request_headers(|headers| {
                let deny = headers.get("x-deny")?.is_some();
                let fail = headers.get("x-fail")?.is_some();
                Ok(headers.wait(async move |held| {
                    if fail {
                        return Err(Error::Plugin("at once"));
                    }
                    held.set("x-a", "1")?;
                    if deny { held.reply(&Reply::new(401)) } else { Ok(Resume::Continue) }
                }))
            })
            .response_headers(|headers| {
                Ok(headers.wait(async |held| {
                    held.set("x-b", "2")?;
                    Ok(Resume::Continue)
                }))
            });
        let mut host = case.with(SCRIPT, script);
        for body in [false, true] {
            let call = if body { Call::post("/").chunks(["a", "b"]) } else { Call::get("/") };
            let answer = if body { Answer::new(200).chunks(["c", "d"]) } else { Answer::new(200) };
            let outcome = host.send(call.clone().answer(answer.clone())).unwrap();
            assert_eq!(outcome.stalled, None);
            assert_eq!(outcome.upstream.header("x-a").as_deref(), Some("1"));
            assert_eq!(outcome.downstream.header("x-b").as_deref(), Some("2"));
            assert_eq!(outcome.upstream.text(), if body { "ab" } else { "" });
            assert_eq!(outcome.downstream.text(), if body { "cd" } else { "" });
            let denied = host.send(call.clone().header("x-deny", "1")).unwrap();
            assert_eq!(denied.downstream.header(":status").as_deref(), Some("401"));
            assert_eq!(denied.stalled, None);
            let failed = host.send(call.header("x-fail", "1").answer(answer)).unwrap();
            assert_eq!(failed.stalled, None);
            let status = failed.downstream.header(":status");
            assert_eq!(status.as_deref(), Some(if case.refuse { "500" } else { "200" }));
        }
        assert_eq!(misuse(&mut host), [""; 0]);
    }
}

#[test]
fn bodies_that_come_meanwhile_are_kept_in_order() {
    for case in Case::ALL {
        for http1 in [false, true] {
            for trailers in [false, true] {
                let chunks = Rc::new(RefCell::new((Vec::new(), 0, Vec::new(), 0)));
                let (requests, responses) = (Rc::clone(&chunks), Rc::clone(&chunks));
                let script = Script::new()
                    .request_headers(|headers| {
                        Ok(headers.wait(async |_| {
                            auth().get("/").send().await?;
                            auth().get("/").send().await?;
                            auth().get("/").send().await?;
                            Ok(Resume::Continue)
                        }))
                    })
                    .request_body(move |chunk| {
                        let mut seen = requests.borrow_mut();
                        seen.0.extend_from_slice(chunk.bytes()?);
                        seen.1 += u32::from(chunk.is_last());
                        Ok(BodyAction::Pass)
                    })
                    .response_headers(|headers| {
                        Ok(headers.wait(async |_| {
                            auth().get("/").send().await?;
                            Ok(Resume::Continue)
                        }))
                    })
                    .response_body(move |chunk| {
                        let mut seen = responses.borrow_mut();
                        seen.2.extend_from_slice(chunk.bytes()?);
                        seen.3 += u32::from(chunk.is_last());
                        Ok(BodyAction::Pass)
                    });
                // What is held while a task works is slowed down, not refused.
                let setup = Setup::new().upstreams(AUTH).unwrap().buffer_limit(8);
                let mut host = case.start(setup, script);
                let parts: Vec<_> = (0..100).map(|number| format!("{number},")).collect();
                let mut call = Call::post("/").chunks(&parts);
                let mut answer = Answer::new(200).chunks(&parts);
                if http1 {
                    call = call.http1();
                }
                if trailers {
                    call = call.trailer("t", "1");
                    answer = answer.trailer("t", "2");
                }
                let outcome = host.send(call.answer(answer)).unwrap();
                let whole = parts.concat();
                assert_eq!(outcome.stalled, None, "{case:?}");
                assert_eq!(outcome.upstream.text(), whole);
                assert_eq!(outcome.downstream.text(), whole);
                assert_eq!(outcome.downstream.trailers.is_empty(), !trailers);
                assert_eq!(outcome.upstream.trailers.is_empty(), !trailers);
                let expected = (whole.clone().into_bytes(), 1, whole.into_bytes(), 1);
                assert_eq!(*chunks.borrow(), expected, "{case:?} {http1} {trailers}");
                assert_eq!(host.take_callouts().len(), 4);
                assert_eq!(log(&mut host), [""; 0]);
            }
        }
    }
}

#[test]
fn detached_streams_get_no_later_callback() {
    for case in Case::PROXIES {
        let script = Script::new()
            .request_headers(|headers| {
                Ok(headers.wait(async |_| {
                    auth().get("/").send().await?;
                    Ok(Resume::Detach)
                }))
            })
            .request_body(|_| panic!("detached"))
            .request_trailers(|_| panic!("detached"))
            .response_headers(|_| panic!("detached"))
            .response_body(|_| panic!("detached"));
        let mut host = case.with(AUTH, script);
        let answer = Answer::new(200).chunks(["c"]);
        let call = Call::post("/").chunks(["a", "b"]).trailer("t", "1").answer(answer);
        let outcome = host.send(call).unwrap();
        assert_eq!((&*outcome.upstream.text(), &*outcome.downstream.text()), ("ab", "c"));
        assert!(!outcome.upstream.trailers.is_empty());
    }
}

/// A client that leaves while its request, or its response, waits.
#[test]
fn a_client_that_leaves_takes_its_task_along() {
    for case in Case::ALL {
        for direction in [Direction::Request, Direction::Response] {
            let (drops, done) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
            let (counted, ends) = (Rc::clone(&drops), Rc::clone(&done));
            let task = move || {
                let guard = Guard(Rc::clone(&counted));
                async move |_: HeldHeaders| {
                    let _guard = guard;
                    auth().get("/").send().await?;
                    panic!("the stream has ended");
                }
            };
            let script = Script::new().done(move || ends.set(ends.get() + 1));
            let script = match direction {
                Direction::Request => script.request_headers(move |h| Ok(h.wait(task()))),
                Direction::Response => script.response_headers(move |h| Ok(h.wait(task()))),
            };
            let mut host = case.with(AUTH, script);
            let stream = open(&mut host);
            headers(&mut host, stream, Direction::Request, &[], true);
            if direction == Direction::Response {
                headers(&mut host, stream, Direction::Response, &[], false);
            }
            assert!(host.slot().awaits_answers());
            assert_eq!(drops.get(), 0);
            host.slot().close(stream).unwrap();
            assert_eq!((drops.get(), done.get()), (1, 1));
            host.run_for(Duration::from_secs(1)).unwrap();
            assert_eq!(log(&mut host), [""; 0]);
            assert_eq!(host.ledger().phase(Phase::CallResponse).calls, 1);
            let late = host.ledger().host_calls(Phase::CallResponse);
            assert!(late.is_empty(), "host calls for a late answer: {late:?}");
            assert_eq!(drops.get(), 1);
        }
    }
}

#[test]
fn both_directions_of_a_stream_can_wait_at_once() {
    for case in Case::ALL {
        let script = Script::new()
            .request_headers(|headers| {
                // Goes on beside the stream, and sees its end.
                headers.spawn(async {
                    for _ in 0..100 {
                        auth().get("/beside").send().await?;
                    }
                    Ok(())
                });
                Ok(headers.wait(async |held| {
                    let reply = auth().get("/request").send().await?;
                    held.set("x-request", reply.body())?;
                    Ok(Resume::Continue)
                }))
            })
            .response_headers(|headers| {
                Ok(headers.wait(async |held| {
                    let reply = auth().get("/response").send().await?;
                    held.set("x-response", reply.body())?;
                    Ok(Resume::Continue)
                }))
            });
        let mut host = case.with(AUTH, script);
        let outcome = host.send(Call::get("/").answer(Answer::new(200).chunks(["a"]))).unwrap();
        assert_eq!(outcome.upstream.header("x-request").as_deref(), Some("ok"));
        assert_eq!(outcome.downstream.header("x-response").as_deref(), Some("ok"));
        assert_eq!(outcome.downstream.text(), "a");
        host.run_for(Duration::from_secs(1)).unwrap();
        assert!(host.take_callouts().len() < 10, "a task of a stream that has ended goes on");
        assert_eq!(log(&mut host), [""; 0]);
    }
}

/// The response arrives while the request's headers still wait (an upstream's early answer, or a
/// local reply of another filter).
#[test]
fn a_response_may_overtake_the_request() {
    for case in Case::PROXIES {
        let script = Script::new()
            .request_headers(|headers| {
                Ok(headers.wait(async |held| {
                    auth().get("/request").send().await?;
                    held.set("x-request", "1")?;
                    Ok(Resume::Continue)
                }))
            })
            .response_headers(|headers| {
                Ok(headers.wait(async |held| {
                    auth().get("/response").send().await?;
                    held.set("x-response", "1")?;
                    Ok(Resume::Continue)
                }))
            });
        let mut host = case.with(AUTH, script);
        let stream = open(&mut host);
        headers(&mut host, stream, Direction::Request, &[], false);
        headers(&mut host, stream, Direction::Response, &[], false);
        data(&mut host, stream, Direction::Response, b"early", true);
        host.run_for(Duration::from_millis(10)).unwrap();
        let closed = host.slot().close(stream).unwrap();
        let sent = closed.response.received.headers.as_ref().unwrap();
        assert!(sent.get(b"x-response").is_some());
        assert_eq!(closed.response.received.body(), b"early");
        assert!(closed.response.received.ended);
        assert_eq!(log(&mut host), [""; 0]);
    }
}

#[test]
fn handles_of_ended_streams_say_so() {
    for case in Case::PROXIES {
        let kept: Rc<RefCell<Option<HeldHeaders>>> = Rc::default();
        let (keep, forever) = (Rc::clone(&kept), Signal::default());
        let script = Script::new().request_headers(move |headers| {
            let (keep, forever) = (Rc::clone(&keep), forever.clone());
            if headers.get("x-use")?.is_none() {
                return Ok(headers.wait(async move |held| {
                    held.set("x-open", "1")?;
                    keep.replace(Some(held));
                    forever.await;
                    Ok(Resume::Continue)
                }));
            }
            let held = keep.take().unwrap();
            let results = [
                held.get("x").err(),
                held.set("x", "1").err(),
                held.add("x", "1").err(),
                held.remove("x").err(),
                held.reply(&Reply::new(200)).err(),
            ];
            assert_eq!(results, [Some(Error::StreamGone); 5]);
            headers.set("x-mine", "1")?;
            Ok(HeadersAction::Continue)
        });
        let mut host = case.with(AUTH, script);
        let stream = open(&mut host);
        headers(&mut host, stream, Direction::Request, &[], true);
        host.slot().close(stream).unwrap();
        let outcome = host.send(Call::get("/").header("x-use", "1")).unwrap();
        assert_eq!(outcome.upstream.header("x-mine").as_deref(), Some("1"));
        assert_eq!(outcome.upstream.header("x"), None);
        assert!(!outcome.replied_locally);
    }
}

/// Handles that are kept beyond the release of what they are for: the host must not be asked, which
/// takes edits of a response's headers that come too late.
#[test]
fn handles_of_released_messages_say_so() {
    for case in Case::PROXIES {
        let headers: Rc<RefCell<Vec<HeldHeaders>>> = Rc::default();
        let bodies: Rc<RefCell<Vec<HeldBody>>> = Rc::default();
        let errors: Rc<RefCell<Vec<Option<Error>>>> = Rc::default();
        let keep = |kept: &Rc<RefCell<Vec<HeldHeaders>>>| {
            let kept = Rc::clone(kept);
            async move |held: HeldHeaders| {
                auth().get("/").send().await?;
                held.set("x-in-time", "1")?;
                kept.borrow_mut().push(held);
                Ok(Resume::Continue)
            }
        };
        let keep_body = |kept: &Rc<RefCell<Vec<HeldBody>>>| {
            let kept = Rc::clone(kept);
            async move |held: HeldBody| {
                auth().get("/").send().await?;
                held.replace("in time")?;
                kept.borrow_mut().push(held);
                Ok(Resume::Continue)
            }
        };
        let (one, other, noted) = (Rc::clone(&headers), Rc::clone(&headers), Rc::clone(&errors));
        let (one_body, other_body) = (Rc::clone(&bodies), Rc::clone(&bodies));
        let script = Script::new()
            .request_headers(move |headers| {
                headers.body_mode(BodyMode::Buffer);
                Ok(headers.wait(keep(&one)))
            })
            .request_body(move |chunk| chunk.wait(keep_body(&one_body)))
            .response_headers(move |headers| {
                headers.body_mode(BodyMode::Buffer);
                Ok(headers.wait(keep(&other)))
            })
            .response_body(move |chunk| chunk.wait(keep_body(&other_body)))
            .response_trailers(move |trailers| {
                let (headers, bodies) = (headers.take(), bodies.take());
                let noted = Rc::clone(&noted);
                trailers.spawn(async move {
                    auth().get("/").send().await?;
                    for held in headers {
                        noted.borrow_mut().push(held.set("x-late", "1").err());
                    }
                    for held in bodies {
                        noted.borrow_mut().push(held.replace("late").err());
                        noted.borrow_mut().push(held.bytes().err());
                    }
                    Ok(())
                });
                Ok(TrailersAction::Continue)
            });
        let mut host = case.with(AUTH, script);
        let stream = open(&mut host);
        let both = [Direction::Request, Direction::Response];
        for direction in both {
            chunkwise_task_tests::headers(&mut host, stream, direction, &[], false);
            host.run_for(Duration::from_millis(5)).unwrap();
            data(&mut host, stream, direction, b"body", direction == Direction::Request);
            host.run_for(Duration::from_millis(5)).unwrap();
        }
        let trailers = vec![("t".into(), "1".into())].into();
        let proxy = host.slot().proxy(stream).unwrap();
        proxy.trailers(stream.context, Direction::Response, trailers);
        host.run_for(Duration::from_millis(5)).unwrap();
        let closed = host.slot().close(stream).unwrap();
        let released = [Some(Error::HeadersReleased); 2];
        let errors = errors.take();
        assert_eq!(log(&mut host), [""; 0]);
        assert_eq!(errors[..2], released, "{errors:?}");
        // Only the request's body was sent on before the response's trailers came.
        assert_eq!(errors[2..4], [Some(Error::BodyReleased); 2], "{errors:?}");
        for half in [closed.request, closed.response] {
            assert_eq!(half.received.body(), b"in time");
            let headers = half.received.headers.unwrap();
            assert!(headers.get(b"x-in-time").is_some() && headers.get(b"x-late").is_none());
            assert!(half.received.ended);
        }
    }
}

/// One stream's task waits for what another stream does.
#[test]
fn a_task_is_woken_by_another_stream() {
    for case in Case::ALL {
        let signal = Signal::default();
        let script = Script::new().request_headers(move |headers| {
            let signal = signal.clone();
            if headers.get("x-first")?.is_some() {
                return Ok(headers.wait(async move |held| {
                    signal.await;
                    held.set("x-woken", "1")?;
                    Ok(Resume::Continue)
                }));
            }
            headers.set("x-second", "1")?;
            signal.set();
            headers.set("x-mine", "1")?;
            Ok(HeadersAction::Continue)
        });
        let mut host = case.with(AUTH, script);
        let calls = [
            Call::post("/").header("x-first", "1").chunks(["a", "b", "c"]),
            Call::post("/").header("x-first", "1").trailer("t", "1"),
            Call::get("/"),
        ];
        let outcomes = host.interleave(calls).unwrap();
        for first in &outcomes[..2] {
            assert_eq!(first.stalled, None, "{case:?}");
            assert_eq!(first.upstream.header("x-woken").as_deref(), Some("1"));
            assert_eq!(first.upstream.header("x-mine"), None);
        }
        assert_eq!(outcomes[0].upstream.text(), "abc");
        assert_eq!(outcomes[2].upstream.header("x-mine").as_deref(), Some("1"));
        assert_eq!(outcomes[2].upstream.header("x-woken"), None);
        assert_eq!(log(&mut host), [""; 0]);
    }
}

/// ... and by one that ends.
#[test]
fn a_task_is_woken_by_the_end_of_another_stream() {
    for case in Case::PROXIES {
        let signal = Signal::default();
        let set = signal.clone();
        let script = Script::new()
            .request_headers(move |headers| {
                if headers.get("x-first")?.is_none() {
                    return Ok(HeadersAction::Continue);
                }
                let signal = signal.clone();
                Ok(headers.wait(async move |held| {
                    signal.await;
                    held.set("x-woken", "1")?;
                    Ok(Resume::Continue)
                }))
            })
            .done(move || set.set());
        let mut host = case.with(AUTH, script);
        let first = open(&mut host);
        headers(&mut host, first, Direction::Request, &[("x-first", "1")], true);
        host.send(Call::get("/")).unwrap();
        let closed = host.slot().close(first).unwrap();
        let sent = closed.request.received.headers.unwrap();
        assert!(sent.get(b"x-woken").is_some());
        assert!(closed.request.received.ended);
        assert_eq!(log(&mut host), [""; 0]);
    }
}

/// A reply of each kind of task, in each phase; headers that were sent make it a reset.
#[test]
fn tasks_of_every_phase_can_reply() {
    for case in Case::PROXIES {
        for hold in [false, true] {
            let held = move || if hold { HeadersAction::Hold } else { HeadersAction::Continue };
            let reply = |name: &'static str| Reply::new(418).body(name.as_bytes());
            let script = move |response: bool| {
                let script = Script::new();
                if response {
                    script.response_headers(move |_| Ok(held())).response_body(move |chunk| {
                        if !chunk.is_last() {
                            return Ok(BodyAction::Hold);
                        }
                        chunk.wait(async move |body| {
                            auth().get("/").send().await?;
                            body.reply(&reply("response body"))
                        })
                    })
                } else {
                    script.request_headers(move |_| Ok(held())).request_body(move |chunk| {
                        if !chunk.is_last() {
                            return Ok(BodyAction::Hold);
                        }
                        chunk.wait(async move |body| {
                            auth().get("/").send().await?;
                            body.reply(&reply("request body"))
                        })
                    })
                }
            };
            for trailers in [false, true] {
                let with = |call: Call, answer: Answer| {
                    if trailers {
                        call.trailer("t", "1").answer(answer.trailer("t", "1"))
                    } else {
                        call.answer(answer)
                    }
                };
                let call = || {
                    with(Call::post("/").chunks(["a", "b"]), Answer::new(200).chunks(["c", "d"]))
                };
                let mut host = case.with(AUTH, script(false));
                let outcome = host.send(call()).unwrap();
                assert_eq!(outcome.downstream.text(), "request body", "{case:?} {hold} {trailers}");
                assert_eq!(outcome.upstream.text(), "");
                assert!(!outcome.upstream.ended && outcome.downstream.ended);
                assert_eq!(misuse(&mut host), [""; 0]);
                let mut host = case.with(AUTH, script(true));
                let outcome = host.send(call()).unwrap();
                assert_eq!(outcome.upstream.text(), "ab");
                if hold {
                    assert_eq!(outcome.downstream.text(), "response body");
                    assert_eq!(outcome.downstream.header(":status").as_deref(), Some("418"));
                } else {
                    assert!(outcome.reset, "{case:?} {trailers}");
                    assert_eq!(outcome.downstream.text(), "");
                }
                assert_eq!(misuse(&mut host), [""; 0]);
            }
        }
    }
}

/// A task that waits at first, and is woken by another one before the host has its answer.
#[test]
fn a_task_may_end_in_the_callback_that_it_holds() {
    // Waits for a task that is polled behind it, and that ends by itself.
    fn behind(view: &chunkwise::http::Stream<'_>) -> Signal {
        let (first, signal) = (Signal::default(), Signal::default());
        let (wait, set) = (first.clone(), signal.clone());
        view.spawn(async move {
            wait.await;
            set.set();
            Ok(())
        });
        view.spawn(async move {
            first.set();
            Ok(())
        });
        signal
    }
    for case in Case::ALL {
        for trailers in [false, true] {
            let script = Script::new()
                .request_headers(|headers| {
                    headers.body_mode(BodyMode::Buffer);
                    let signal = behind(headers);
                    Ok(headers.wait(async move |held| {
                        signal.await;
                        held.set("x-headers", "1")?;
                        Ok(Resume::Continue)
                    }))
                })
                .request_body(|chunk| {
                    let signal = behind(chunk);
                    chunk.wait(async move |held| {
                        signal.await;
                        held.replace("request")?;
                        Ok(Resume::Continue)
                    })
                })
                .response_headers(|headers| {
                    headers.body_mode(BodyMode::Buffer);
                    let signal = behind(headers);
                    Ok(headers.wait(async move |held| {
                        signal.await;
                        held.set("x-headers", "1")?;
                        Ok(Resume::Continue)
                    }))
                })
                .response_body(|chunk| {
                    let signal = behind(chunk);
                    chunk.wait(async move |held| {
                        signal.await;
                        held.replace("response")?;
                        Ok(Resume::Continue)
                    })
                });
            let mut host = case.with(AUTH, script);
            let (mut call, mut answer) = (Call::post("/").body("a"), Answer::new(200).body("b"));
            if trailers {
                (call, answer) = (call.trailer("t", "1"), answer.trailer("t", "2"));
            }
            let outcome = host.send(call.answer(answer)).unwrap();
            assert_eq!(outcome.stalled, None, "{case:?} {trailers}");
            assert_eq!(
                (&*outcome.upstream.text(), &*outcome.downstream.text()),
                ("request", "response")
            );
            for seen in [&outcome.upstream, &outcome.downstream] {
                assert!(seen.ended && seen.header("x-headers").is_some());
                assert_eq!(seen.trailers.is_empty(), !trailers);
            }
            assert_eq!(log(&mut host), [""; 0]);
        }
    }
}

/// The last answer that is due may come at any moment between the turns of streams.
#[test]
fn nobody_is_given_up_whose_answer_has_just_come() {
    for case in Case::PROXIES {
        for frames in 0..40 {
            let script = Script::new().request_headers(|headers| {
                if headers.get("x-check")?.is_none() {
                    return Ok(HeadersAction::Continue);
                }
                Ok(headers.wait(async |_| {
                    auth().get("/").send().await?;
                    Ok(Resume::Continue)
                }))
            });
            let mut host = case.with(AUTH, script);
            let other = Call::post("/").chunks(vec!["a"; frames]);
            let outcomes = host.interleave([Call::get("/").header("x-check", "1"), other]).unwrap();
            assert_eq!(outcomes[0].stalled, None, "beside {frames} frames");
            assert!(outcomes[0].downstream.ended);
        }
    }
}

/// A reply is the end of it, whatever its task says then.
#[test]
fn a_stream_that_was_answered_does_not_go_on() {
    for case in Case::ALL {
        for response in [false, true] {
            for (waits_before, waits_after) in
                [(false, false), (true, false), (false, true), (true, true)]
            {
                for end in 0..3 {
                    let task = move || {
                        async move |held: HeldHeaders| {
                            if waits_before {
                                auth().get("/").send().await?;
                            }
                            let replied = held.reply(&Reply::new(401).body(b"who?"))?;
                            if waits_after {
                                auth().get("/").send().await?;
                            }
                            match end {
                                0 => Ok(replied),
                                1 => Ok(Resume::Continue),
                                _ => Err(Error::Plugin("too late")),
                            }
                        }
                    };
                    let script = Script::new();
                    let script = if response {
                        script.response_headers(move |headers| {
                            if headers.get(":status")? == Some(b"401") {
                                return Ok(HeadersAction::Continue);
                            }
                            Ok(headers.wait(task()))
                        })
                    } else {
                        script.request_headers(move |headers| Ok(headers.wait(task())))
                    };
                    let mut host = case.with(AUTH, script);
                    let call = Call::post("/").chunks(["a", "b"]);
                    let outcome = host.send(call.answer(Answer::new(200).body("c"))).unwrap();
                    let what = format!("{case:?} {response} {waits_before} {waits_after} {end}");
                    let fails_at_once = end == 2 && !waits_after && case.refuse;
                    if fails_at_once && outcome.downstream.text() != "who?" {
                        // Then it was answered twice in one callback, and both refuse.
                        assert_eq!(outcome.downstream.header(":status").as_deref(), Some("500"));
                    } else {
                        assert_eq!(outcome.downstream.text(), "who?", "{what}");
                        assert_eq!(outcome.downstream.header(":status").as_deref(), Some("401"));
                    }
                    assert!(outcome.downstream.ended && !outcome.reset, "{what}");
                    assert!(response || !outcome.upstream.ended, "{what}");
                    assert_eq!((outcome.stalled, misuse(&mut host)), (None, vec![]), "{what}");
                }
            }
        }
    }
}

#[test]
fn a_call_outside_of_a_task_is_refused() {
    let mut call = Box::pin(auth().get("/").send());
    let context = &mut std::task::Context::from_waker(std::task::Waker::noop());
    let std::task::Poll::Ready(result) = call.as_mut().poll(context) else { panic!("it waits") };
    assert_eq!(result.err(), Some(CallError::OutsideOfTask));
}

#[test]
fn a_call_in_a_callback_but_outside_of_a_task_is_refused() {
    for case in Case::PROXIES {
        let script = Script::new().request_headers(|_| {
            let mut call = Box::pin(auth().get("/").send());
            let context = &mut std::task::Context::from_waker(std::task::Waker::noop());
            let std::task::Poll::Ready(result) = call.as_mut().poll(context) else {
                panic!("it waits")
            };
            assert_eq!(result.err(), Some(CallError::OutsideOfTask));
            Ok(HeadersAction::Continue)
        });
        let mut host = case.with(AUTH, script);
        assert!(host.send(Call::get("/")).unwrap().downstream.ended);
        assert!(host.take_callouts().is_empty());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    /// 64 streams at once; each makes its own number of calls, whose answers come in any order, and
    /// gets its own answers.
    #[test]
    fn streams_do_not_mix(
        plans in prop::collection::vec((prop::collection::vec(1_u64..400, 0..4), 0_u8..4), 64),
        higress: bool,
        refuse: bool,
    ) {
        let mut upstreams = String::from("[cluster.auth]\n");
        for (stream, (latencies, _)) in plans.iter().enumerate() {
            for (call, latency) in latencies.iter().enumerate() {
                upstreams.push_str(&format!(
                    "[[cluster.auth.http]]\nmatch = {{ path = \"/{stream}/{call}\" }}\n\
                     latency = \"{latency}ms\"\nbody = \"{stream}.{call};\"\n"
                ));
            }
        }
        let counts: Vec<_> = plans.iter().map(|(latencies, _)| latencies.len()).collect();
        let script = Script::new().request_headers(move |headers| {
            let number = headers.get("x-number")?.unwrap();
            let number: usize = String::from_utf8_lossy(number).parse().unwrap();
            let count = counts[number];
            Ok(headers.wait(async move |held| {
                let mut all = String::new();
                for call in 0..count {
                    let reply = auth().get(&format!("/{number}/{call}")).send().await?;
                    all.push_str(&String::from_utf8_lossy(reply.body()));
                    held.set("x-all", &all)?;
                }
                if number % 5 == 4 {
                    return held.reply(&Reply::new(403).body(all.as_bytes()));
                }
                if number % 7 == 6 {
                    return Err(Error::Plugin("seven"));
                }
                Ok(Resume::Continue)
            }))
        });
        let mut host = Case { higress, refuse }.with(&upstreams, script);
        let calls = plans.iter().enumerate().map(|(number, (_, kind))| {
            let call = Call::post("/").header("x-number", &number.to_string());
            match kind {
                0 => call,
                1 => call.chunks([format!("{number}"), "x".to_owned()]),
                2 => call.chunks([format!("{number}x")]).trailer("t", "1"),
                _ => call.http1().chunks([format!("{number}x")]),
            }
        });
        let outcomes = host.interleave(calls.collect::<Vec<_>>()).unwrap();
        for (number, outcome) in outcomes.iter().enumerate() {
            let (latencies, kind) = &plans[number];
            let all: String = (0..latencies.len()).map(|call| format!("{number}.{call};")).collect();
            prop_assert_eq!(&outcome.stalled, &None);
            if number % 5 == 4 {
                prop_assert_eq!(outcome.downstream.header(":status").unwrap(), "403");
                prop_assert_eq!(outcome.downstream.text(), all);
                prop_assert_eq!(outcome.upstream.text(), "");
            } else if number % 7 == 6 && refuse {
                prop_assert_eq!(outcome.downstream.header(":status").unwrap(), "500");
                prop_assert_eq!(outcome.upstream.text(), "");
            } else {
                let expected = if *kind == 0 { String::new() } else { format!("{number}x") };
                prop_assert_eq!(outcome.upstream.text(), expected);
                prop_assert_eq!(outcome.upstream.header("x-all").unwrap_or_default(), all);
                prop_assert_eq!(outcome.downstream.header(":status").unwrap(), "200");
            }
        }
        prop_assert_eq!(misuse(&mut host), [""; 0]);
    }
}
