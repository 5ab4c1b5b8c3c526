//! What the views of a callback set besides single headers.

use bench_host::measure::Phase;
use bench_host::testing::{Call, Setup};
use chunkwise::http::{BodyAction, HeadersAction, Reply};
use chunkwise_task_tests::{Case, Script, log};

#[test]
fn all_headers_are_replaced_at_once() {
    for case in Case::PROXIES {
        let script = Script::new().request_headers(|headers| {
            let kept: Vec<_> = headers.iter()?.filter(|(name, _)| name.starts_with(b":")).collect();
            headers.set_all(&kept)?;
            headers.add("x-new", "1")?;
            Ok(HeadersAction::Continue)
        });
        let outcome =
            case.start(Setup::new(), script).send(Call::get("/p").header("x-old", "1")).unwrap();
        assert_eq!(outcome.upstream.header(":path").as_deref(), Some("/p"));
        assert_eq!(outcome.upstream.header("x-new").as_deref(), Some("1"));
        assert_eq!(outcome.upstream.header("x-old"), None);
    }
}

#[test]
fn a_property_is_set_for_whoever_comes_behind() {
    for case in Case::PROXIES {
        let script = Script::new()
            .request_headers(|headers| {
                headers.set_property(&["verdict"], "fine")?;
                headers.set_property(&["verdict", "why"], [0xff])?;
                Ok(HeadersAction::Continue)
            })
            .response_headers(|headers| {
                let seen = headers.property(&["verdict"])?.map(|value| value.bytes().to_vec());
                chunkwise::info!("{seen:?}");
                Ok(HeadersAction::Continue)
            });
        let mut host = case.start(Setup::new(), script);
        let outcome = host.send(Call::get("/")).unwrap();
        assert_eq!(outcome.state("verdict").as_deref(), Some("fine"));
        assert_eq!(log(&mut host), [format!("{:?}", Some(b"fine"))]);
    }
}

#[test]
fn a_function_that_the_proxy_does_not_have_is_none() {
    let script = Script::new().request_headers(|headers| {
        let unknown = headers.foreign_function("no_such_function", b"")?.is_none();
        let known = headers.foreign_function("clear_route_cache", b"")?.is_some();
        chunkwise::info!("{unknown} {known}");
        Ok(HeadersAction::Continue)
    });
    let mut host = Case::PROXIES[0].start(Setup::new(), script);
    assert_eq!(host.send(Call::get("/")).unwrap().route_clears, 1);
    assert_eq!(log(&mut host).last().map(String::as_str), Some("true true"));
}

#[test]
fn a_grpc_client_gets_the_status_that_the_plugin_says() {
    for (status, expected) in [(None, "16"), (Some(7), "7")] {
        let script = Script::new().request_headers(move |headers| {
            let reply = Reply::new(401);
            let reply = status.map_or(reply.clone(), |status| reply.grpc_status(status));
            headers.reply(&reply)
        });
        let call = Call::post("/").header("content-type", "application/grpc");
        let outcome = Case::PROXIES[0].start(Setup::new(), script).send(call).unwrap();
        assert_eq!(outcome.downstream.header("grpc-status").as_deref(), Some(expected));
    }
}

#[test]
fn room_that_was_made_before_stays_whoever_made_it() {
    const FRAME: usize = 128 * 1024;
    let [_, higress] = Case::PROXIES;
    for (before, wanted, limit) in [
        (None, 1000, 1000 + FRAME),
        (Some("9000000"), 1000, 9_000_000),
        (Some("1000"), 5000, 5000 + FRAME),
        (Some("0"), 1000, usize::MAX),
        (Some("many"), 1000, 1000 + FRAME),
    ] {
        for name in ["set_decoder_buffer_limit", "set_encoder_buffer_limit"] {
            for in_request in [true, false] {
                let script = Script::new()
                    .request_headers(move |headers| {
                        if let Some(before) = before {
                            headers.set_property(&[name], before)?;
                        }
                        if in_request {
                            headers.make_room(wanted)?;
                        }
                        Ok(HeadersAction::Continue)
                    })
                    .response_headers(move |headers| {
                        headers.make_room(wanted)?;
                        Ok(HeadersAction::Continue)
                    });
                let outcome = higress.start(Setup::new(), script).send(Call::get("/")).unwrap();
                assert_eq!(outcome.buffer_limit, limit, "{before:?} as {name}, then {wanted}");
            }
        }
    }
}

#[test]
fn a_response_takes_no_room_from_its_request() {
    let script = Script::new()
        .request_headers(|headers| {
            headers.make_room(1_000_000)?;
            Ok(HeadersAction::Continue)
        })
        .response_headers(|headers| {
            headers.make_room(1000)?;
            Ok(HeadersAction::Continue)
        });
    let [_, higress] = Case::PROXIES;
    let mut host = higress.start(Setup::new(), script);
    let outcome = host.send(Call::get("/")).unwrap();
    assert_eq!(outcome.buffer_limit, 1_000_000 + 128 * 1024);
    let calls = host.ledger().host_calls(Phase::ResponseHeaders);
    assert_eq!((calls["proxy_get_property"], calls["proxy_set_property"]), (2, 1));
}

#[test]
fn a_body_is_held_up_to_its_limit() {
    for case in Case::PROXIES {
        for (chunks, status, whole) in [
            (&["abc", "d"][..], "200", "abcd"),
            (&["abcd", ""], "200", "abcd"),
            (&["abc", "de", "f"], "413", ""),
            (&["abcde"], "413", ""),
            (&[""], "200", ""),
        ] {
            let call = Call::post("/").chunks(chunks.iter().copied());
            for call in [call.clone(), call.clone().trailer("t", "1"), call.http1()] {
                let outcome = case.start(Setup::new(), up_to_four_bytes()).send(call).unwrap();
                let seen = outcome.downstream.header(":status");
                assert_eq!(seen.as_deref(), Some(status), "{chunks:?}");
                assert_eq!(outcome.upstream.text(), whole);
                let seen = outcome.upstream.header("x-whole");
                assert_eq!(seen.as_deref(), (status == "200").then_some(whole));
            }
        }
    }
}

/// Tells the upstream in a header what the body is.
fn up_to_four_bytes() -> Script {
    Script::new().request_headers(|_| Ok(HeadersAction::Hold)).request_body(|chunk| {
        if let Some(answer) = chunk.hold_up_to(4, || Reply::new(413))? {
            return Ok(answer);
        }
        chunk.headers()?.set("x-whole", chunk.bytes()?)?;
        Ok(BodyAction::Pass)
    })
}
