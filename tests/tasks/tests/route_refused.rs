//! Requests that cannot be rewritten, and are left as they came.

#![expect(clippy::unwrap_used, reason = "a test fails where it does not hold")]

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use bench_host::testing::{Answer, Call};
use chunkwise::http::{BodyAction, BodyMode, HeadersAction, RouteCall};
use chunkwise::{Chunk, Error};
use chunkwise_task_tests::{AUTH, Case, Script};

/// What is refused changes nothing.
#[test]
fn what_is_no_request_is_refused_before_anything_is_changed() {
    let good = || RouteCall::new("PUT", "/x").body("new");
    let bad = [
        RouteCall::new("", "/x"),
        RouteCall::new("P T", "/x"),
        RouteCall::new("PUT\r\nx: y", "/x"),
        RouteCall::new("P:T", "/x"),
        RouteCall::new("P(T", "/x"),
        RouteCall::new("PÜT", "/x"),
        RouteCall::new("PUT", "/x y"),
        RouteCall::new("PUT", "/x\r\ny"),
        RouteCall::new("PUT", "/x\0"),
        RouteCall::new("PUT", "http://"),
        RouteCall::new("PUT", "http:///x"),
        RouteCall::new("PUT", "ftp://h/x"),
        RouteCall::new("PUT", "http://user@h/x"),
        RouteCall::new("PUT", "http://h:0/x"),
        RouteCall::new("PUT", "http://h:port/x"),
        RouteCall::new("PUT", "http://h\"/x"),
        good().header("", "1"),
        good().header(":path", "/y"),
        good().header("x y", "1"),
        good().header("x(y", "1"),
        good().header("x\r\n", "1"),
        good().header("x", "1\r\ny: 2"),
        good().header("x", "1\n"),
        good().header("x", b"\0"),
        good().header("Host", "other"),
        good().header("content-length", "7"),
        good().header("transfer-encoding", "chunked"),
        good().header("x-fine", "1").header("x", "\r"),
    ];
    for case in Case::PROXIES {
        for call in &bad {
            let error: Rc<Cell<Option<Error>>> = Rc::default();
            let (noted, call) = (Rc::clone(&error), call.clone());
            let said = format!("{call:?}");
            let script = Script::new()
                .request_headers(|headers| {
                    headers.body_mode(BodyMode::Buffer);
                    Ok(HeadersAction::Hold)
                })
                .request_body(move |chunk| {
                    let result = chunk.route(&call, async |_| panic!("it was refused"));
                    noted.set(result.err());
                    Ok(BodyAction::Pass)
                })
                .response_headers(|headers| {
                    headers.set("x-callback", "1")?;
                    Ok(HeadersAction::Continue)
                });
            let mut host = case.with(AUTH, script);
            let call =
                Call::post("/first").header("accept-encoding", "br").header("content-length", "1");
            let outcome = host.send(call.body("a")).unwrap();
            assert!(error.get().is_some(), "{said}");
            let fields: Vec<_> = outcome
                .upstream
                .headers
                .iter()
                .map(|(name, value)| {
                    format!("{}={}", String::from_utf8_lossy(name), String::from_utf8_lossy(value))
                })
                .collect();
            let untouched = [
                ":method=POST",
                ":scheme=https",
                ":authority=example.com",
                ":path=/first",
                "accept-encoding=br",
                "content-length=1",
            ];
            assert_eq!(fields, untouched, "{said}");
            assert_eq!(outcome.upstream.text(), "a");
            assert_eq!(outcome.downstream.header("x-callback").as_deref(), Some("1"));
        }
    }
}

/// Runs `route` where it has no place, and gives its errors.
fn misplaced(
    case: Case,
    call: Call,
    hold: bool,
    response: bool,
) -> (Vec<Error>, bench_host::testing::Outcome) {
    let errors: Rc<RefCell<Vec<Error>>> = Rc::default();
    let noted = Rc::clone(&errors);
    let route = move |chunk: &mut Chunk<'_>| {
        let result = chunk.route(&RouteCall::new("PUT", "/other").body("new body"), async |_| {
            panic!("it was refused")
        });
        noted.borrow_mut().extend(result.err());
        Ok(if chunk.is_last() { BodyAction::Pass } else { BodyAction::Hold })
    };
    let action = move || Ok(if hold { HeadersAction::Hold } else { HeadersAction::Continue });
    let script = if response {
        Script::new().response_headers(move |_| action()).response_body(route)
    } else {
        Script::new().request_headers(move |_| action()).request_body(route)
    };
    let outcome = case.with(AUTH, script).send(call).unwrap();
    let errors = errors.take();
    (errors, outcome)
}

#[test]
fn it_has_its_place_in_the_last_chunk_of_a_request_that_is_held() {
    for case in Case::PROXIES {
        let call = || Call::post("/first").chunks(["a", "b"]);
        let (errors, outcome) = misplaced(case, call(), false, false);
        assert_eq!(errors, [Error::BodyIncomplete, Error::HeadersReleased]);
        assert_eq!(outcome.upstream.text(), "ab");
        assert_eq!(outcome.upstream.header(":path").as_deref(), Some("/first"));
        for hold in [false, true] {
            let answer = Answer::new(200).chunks(["c", "d"]);
            let (errors, outcome) = misplaced(case, call().answer(answer), hold, true);
            assert_eq!(errors.len(), 2, "{errors:?}");
            assert_eq!(outcome.downstream.text(), "cd");
        }
        // A body that trailers end, and of which the host has nothing, takes no other.
        let (errors, outcome) =
            misplaced(case, Call::post("/first").trailer("t", "1"), true, false);
        assert_eq!(errors, [Error::BodyReleased]);
        assert_eq!(outcome.upstream.header(":path").as_deref(), Some("/first"));
        assert_eq!(outcome.upstream.header("x-envoy-original-path"), None);
        assert!(outcome.downstream.ended);
    }
}
