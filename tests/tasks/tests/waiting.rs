//! Streams that wait for a task with their headers.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use bench_host::host::Direction;
use bench_host::measure::Phase;
use bench_host::testing::{Answer, Call, Setup};
use chunkwise::call::{CallError, Client, TargetCluster};
use chunkwise::http::{BodyAction, HeadersAction, HeldHeaders, Reply, Resume};
use chunkwise::{Error, Result};
use chunkwise_task_tests::{AUTH, Case, Guard, Script, auth, data, headers, log, misuse, open};

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
