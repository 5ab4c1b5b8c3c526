//! Requests that go to their own route's upstream in another form.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use bench_host::host::{Direction, LocalReply};
use bench_host::testing::{Answer, Call, Setup};
use chunkwise::http::{BodyMode, HeadersAction, Reply, Resume, RouteCall, RouteReply};
use chunkwise::{Error, Result};
use chunkwise_task_tests::{AUTH, Case, Guard, Script, auth, data, headers, log, misuse, open};

type Answered = Result<Resume>;

/// Sends every request with this call, and gives the response to this task. No callback of the
/// filter may see the response.
fn rewriting(
    call: RouteCall,
    task: impl AsyncFn(RouteReply) -> Answered + Clone + 'static,
) -> Script {
    Script::new()
        .request_headers(|headers| {
            headers.body_mode(BodyMode::Buffer);
            Ok(HeadersAction::Hold)
        })
        .request_body(move |chunk| {
            let task = task.clone();
            chunk.route(&call, async move |reply| task(reply).await)
        })
        .response_headers(|_| panic!("the task has the response"))
        .response_body(|_| panic!("the task has the response"))
        .response_trailers(|_| panic!("the task has the response"))
}

fn put() -> RouteCall {
    RouteCall::new("PUT", "/other?x=%2F&y").header("X-New", "1").body("new body")
}

/// All forms of a request.
fn requests() -> Vec<Call> {
    let mut all = Vec::new();
    for http1 in [false, true] {
        for trailers in [false, true] {
            for length in [false, true] {
                let call =
                    Call::post("/first").header("accept-encoding", "gzip").chunks(["ab", "cd"]);
                let call = if http1 { call.http1() } else { call };
                let call = if trailers { call.trailer("t", "1") } else { call };
                all.push(if length { call.header("content-length", "4") } else { call });
            }
        }
    }
    all
}

/// All forms of an answer, with the body.
fn answers() -> Vec<(Answer, &'static str, bool)> {
    let new = || Answer::new(201).header("x-up", "1");
    let length = |length: &str| new().header("content-length", length);
    vec![
        (new(), "", false),
        (length("0"), "", false),
        (new().body(""), "", true),
        (length("0").body(""), "", true),
        (new().chunks(["x", "y"]), "xy", true),
        (length("2").chunks(["x", "y"]), "xy", true),
        (new().chunks(["x", "y"]).trailer("t", "1"), "xy", true),
        (new().body("").trailer("t", "1"), "", true),
        (new().trailer("t", "1"), "", true),
    ]
}

#[test]
fn the_upstream_gets_the_other_form() {
    for case in Case::ALL {
        for (at, call) in requests().into_iter().enumerate() {
            let script = rewriting(put(), async |reply| {
                assert_eq!(reply.status()?, 200);
                Ok(Resume::Continue)
            });
            let mut host = case.with(AUTH, script);
            let outcome = host.send(call).unwrap();
            let up = |name: &str| outcome.upstream.header(name).map(|value| value.into_owned());
            assert_eq!(outcome.stalled, None, "{case:?} {at}");
            assert_eq!(outcome.upstream.text(), "new body", "{case:?} {at}");
            assert_eq!(up(":method").as_deref(), Some("PUT"));
            assert_eq!(up(":path").as_deref(), Some("/other?x=%2F&y"));
            assert_eq!(up(":authority").as_deref(), Some("example.com"));
            assert_eq!(up("x-envoy-original-method").as_deref(), Some("POST"));
            assert_eq!(up("x-envoy-original-path").as_deref(), Some("/first"));
            assert_eq!(up("x-envoy-original-host").as_deref(), Some("example.com"));
            assert_eq!(up("x-new").as_deref(), Some("1"));
            assert_eq!(up("accept-encoding"), None);
            assert!(up("content-length").is_none_or(|length| length == "8"));
            assert!(outcome.downstream.ended && outcome.upstream.ended);
            assert_eq!(log(&mut host), [""; 0]);
        }
    }
}

#[test]
fn without_a_body_of_its_own_the_request_keeps_its() {
    for case in Case::PROXIES {
        for call in requests() {
            let script = rewriting(RouteCall::new("PATCH", "https://other:81?q#f"), async |_| {
                Ok(Resume::Continue)
            });
            let mut host = case.with(AUTH, script);
            let outcome = host.send(call).unwrap();
            assert_eq!(outcome.upstream.text(), "abcd");
            assert_eq!(outcome.upstream.header(":path").as_deref(), Some("/?q"));
            assert_eq!(outcome.upstream.header(":authority").as_deref(), Some("other:81"));
            assert_eq!(
                outcome.upstream.header("x-envoy-original-host").as_deref(),
                Some("example.com")
            );
            assert!(outcome.upstream.header("content-length").is_none_or(|length| length == "4"));
        }
    }
}

#[test]
fn paths_go_byte_for_byte() {
    for (url, path, authority) in [
        ("/a/../%2e?x=1&x=%20", "/a/../%2e?x=1&x=%20", "example.com"),
        ("a", "/a", "example.com"),
        ("", "/", "example.com"),
        ("?a=b", "/?a=b", "example.com"),
        ("//a//b", "//a//b", "example.com"),
        ("/a#b?c", "/a", "example.com"),
        ("http://h", "/", "h"),
        ("HTTPS://h:8080/x?y=http://z/", "/x?y=http://z/", "h:8080"),
        ("http://[::1]:80/x", "/x", "[::1]:80"),
    ] {
        let case = Case { higress: true, refuse: true };
        let script = rewriting(RouteCall::new("GET", url), async |_| Ok(Resume::Continue));
        let outcome = case.with(AUTH, script).send(Call::post("/").body("a")).unwrap();
        assert_eq!(outcome.upstream.header(":path").as_deref(), Some(path), "{url}");
        assert_eq!(outcome.upstream.header(":authority").as_deref(), Some(authority), "{url}");
    }
}

#[test]
fn every_answer_is_given_whole() {
    for case in Case::ALL {
        for http1 in [false, true] {
            for (answer, body, has_body) in answers() {
                let seen = Rc::new(Cell::new(0));
                let counted = Rc::clone(&seen);
                let script = rewriting(put(), async move |reply| {
                    counted.set(counted.get() + 1);
                    assert_eq!(reply.status()?, 201);
                    assert_eq!(reply.get("x-up")?.as_deref(), Some(&b"1"[..]));
                    assert_eq!((reply.bytes()?, reply.has_body()), (body.into(), has_body));
                    auth().get("/").send().await?;
                    assert_eq!(reply.bytes()?, body);
                    reply.set("x-task", "1")?;
                    Ok(Resume::Continue)
                });
                let mut host = case.with(AUTH, script);
                let call = Call::post("/").chunks(["ab"]).answer(answer.clone());
                let outcome = host.send(if http1 { call.http1() } else { call }).unwrap();
                assert_eq!(outcome.stalled, None, "{case:?} {answer:?}");
                assert_eq!(seen.get(), 1, "{case:?} {answer:?}");
                let down = &outcome.downstream;
                assert_eq!(down.text(), body);
                assert_eq!(down.header("x-task").as_deref(), Some("1"), "{case:?} {answer:?}");
                assert!(down.ended);
                assert_eq!(log(&mut host), [""; 0]);
            }
        }
    }
}

#[test]
fn the_answer_can_be_replaced() {
    for case in Case::ALL {
        for waits in [false, true] {
            for (answer, body, has_body) in answers() {
                let nothing_to_replace = body.is_empty() && format!("{answer:?}").contains("\"t\"");
                let script = rewriting(put(), async move |reply| {
                    if waits {
                        auth().get("/").send().await?;
                    }
                    reply.set("x-task", "1")?;
                    if reply.has_body() {
                        reply.replace("replaced")?;
                    }
                    Ok(Resume::Continue)
                });
                let mut host = case.with(AUTH, script);
                let call = Call::post("/").chunks(["ab"]).answer(answer.clone());
                let outcome = host.send(call).unwrap();
                assert_eq!(outcome.stalled, None);
                if nothing_to_replace {
                    // A body of no bytes that trailers end has no place for any.
                    continue;
                }
                let expected = if has_body { "replaced" } else { "" };
                let down = &outcome.downstream;
                assert_eq!(down.text(), expected, "{case:?} {answer:?}, {:?}", log(&mut host));
                let length = expected.len().to_string();
                assert!(down.header("content-length").is_none_or(|said| said == length));
                assert!(down.ended);
                assert_eq!(log(&mut host), [""; 0]);
            }
        }
    }
}

#[test]
fn the_answer_can_be_another_one() {
    for case in Case::ALL {
        for waits in [false, true] {
            for (answer, ..) in answers() {
                let script = rewriting(put(), async move |reply| {
                    if waits {
                        auth().get("/").send().await?;
                    }
                    let status = reply.status()?.to_string();
                    reply.reply(&Reply::new(418).header("x-was", status).body(b"teapot"))
                });
                let mut host = case.with(AUTH, script);
                let call = Call::post("/").chunks(["ab"]).answer(answer.clone());
                let outcome = host.send(call).unwrap();
                assert_eq!(outcome.downstream.text(), "teapot", "{case:?} {waits} {answer:?}");
                assert_eq!(outcome.downstream.header("x-was").as_deref(), Some("201"));
                assert!(outcome.downstream.ended && outcome.stalled.is_none());
                assert_eq!(log(&mut host), [""; 0]);
            }
        }
    }
}

#[test]
fn a_task_that_fails_is_an_error_of_the_response() {
    for case in Case::ALL {
        for waits in [false, true] {
            for (answer, body, _) in answers() {
                let script = rewriting(put(), async move |_| {
                    if waits {
                        auth().get("/").send().await?;
                    }
                    Err(Error::Plugin("no"))
                });
                let mut host = case.with(AUTH, script);
                let call = Call::post("/").chunks(["ab"]).answer(answer.clone());
                let outcome = host.send(call).unwrap();
                let status = outcome.downstream.header(":status").unwrap().into_owned();
                assert_eq!(outcome.stalled, None);
                if case.refuse {
                    assert_eq!(status, "500", "{case:?} {waits} {answer:?}");
                } else {
                    assert_eq!((&*status, &*outcome.downstream.text()), ("201", body));
                }
                assert!(outcome.downstream.ended);
                assert_eq!(log(&mut host).len(), 1);
            }
        }
    }
}

/// The proxy answers for an upstream that cannot be reached, and the task gets that.
#[test]
fn an_answer_of_the_proxy_is_an_answer() {
    for case in Case::ALL {
        let seen = Rc::new(Cell::new(0));
        let noted = Rc::clone(&seen);
        let script = rewriting(put(), async move |reply| {
            noted.set(reply.status()?);
            reply.set("x-task", "1")?;
            Ok(Resume::Continue)
        });
        let mut host = case.with(AUTH, script);
        let stream = open(&mut host);
        headers(&mut host, stream, Direction::Request, &[], false);
        data(&mut host, stream, Direction::Request, b"a", true);
        let reply = LocalReply::new(503, "no_healthy_upstream", "unreachable".into());
        host.slot().proxy(stream).unwrap().reply(stream.context, reply);
        host.run_for(Duration::from_secs(1)).unwrap();
        assert_eq!(seen.get(), 503, "{case:?}");
        let closed = host.slot().close(stream).unwrap();
        assert_eq!(closed.response.received.body(), b"unreachable");
        assert!(closed.response.received.headers.unwrap().get(b"x-task").is_some());
        assert_eq!(log(&mut host), [""; 0]);
    }
}

#[test]
fn a_client_that_leaves_takes_the_task_along() {
    for case in Case::ALL {
        for answered in [false, true] {
            let drops = Rc::new(Cell::new(0));
            let counted = Rc::clone(&drops);
            let script = Script::new()
                .request_headers(|headers| {
                    headers.body_mode(BodyMode::Buffer);
                    Ok(HeadersAction::Hold)
                })
                .request_body(move |chunk| {
                    let guard = Guard(Rc::clone(&counted));
                    chunk.route(&put(), async move |_| {
                        let _guard = guard;
                        auth().get("/").send().await?;
                        panic!("the stream has ended")
                    })
                });
            let mut host = case.with(AUTH, script);
            let stream = open(&mut host);
            headers(&mut host, stream, Direction::Request, &[], false);
            data(&mut host, stream, Direction::Request, b"a", true);
            if answered {
                headers(&mut host, stream, Direction::Response, &[], false);
                data(&mut host, stream, Direction::Response, b"a", true);
            }
            assert_eq!((drops.get(), host.slot().awaits_answers()), (0, answered));
            host.slot().close(stream).unwrap();
            assert_eq!(drops.get(), 1);
            host.run_for(Duration::from_secs(1)).unwrap();
            assert_eq!(log(&mut host), [""; 0]);
        }
    }
}

#[test]
fn an_answer_over_the_limit_is_the_proxys_to_refuse() {
    for case in Case::ALL {
        let drops = Rc::new(Cell::new(0));
        let counted = Rc::clone(&drops);
        let script = Script::new()
            .request_headers(|headers| {
                headers.body_mode(BodyMode::Buffer);
                Ok(HeadersAction::Hold)
            })
            .request_body(move |chunk| {
                let guard = Guard(Rc::clone(&counted));
                chunk.route(&put(), async move |_| {
                    let _guard = guard;
                    Ok(Resume::Continue)
                })
            });
        let mut host = case.start(Setup::new().buffer_limit(10), script);
        let answer = Answer::new(200).chunks(["123456", "123456"]);
        let outcome = host.send(Call::post("/").body("a").answer(answer)).unwrap();
        assert_eq!(outcome.downstream.header(":status").as_deref(), Some("500"));
        assert_eq!((drops.get(), misuse(&mut host).len()), (1, 0));
    }
}

/// The rewritten request may wait for its response while other streams pass.
#[test]
fn rewritten_requests_do_not_mix() {
    for case in Case::ALL {
        let script = Script::new()
            .request_headers(|headers| {
                headers.body_mode(BodyMode::Buffer);
                Ok(HeadersAction::Hold)
            })
            .request_body(|chunk| {
                let body = String::from_utf8_lossy(chunk.bytes()?).into_owned();
                let call = RouteCall::new("PUT", format!("/{body}")).body(format!("<{body}>"));
                chunk.route(&call, async move |reply| {
                    auth().get("/").send().await?;
                    let text = reply.bytes()?;
                    reply.replace([body.as_bytes(), &text[..]].concat())?;
                    Ok(Resume::Continue)
                })
            });
        let mut host = case.with(AUTH, script);
        let calls: Vec<_> = (0..64)
            .map(|n| {
                Call::post("/").body(n.to_string()).answer(Answer::new(200).chunks(["a", "b"]))
            })
            .collect();
        for (number, outcome) in host.interleave(calls).unwrap().iter().enumerate() {
            assert_eq!(outcome.upstream.header(":path").unwrap(), format!("/{number}"));
            assert_eq!(outcome.upstream.text(), format!("<{number}>"));
            assert_eq!(outcome.downstream.text(), format!("{number}ab"));
        }
        assert_eq!(log(&mut host), [""; 0]);
    }
}
