//! How long headers, trailers and buffers are there, and what statuses mean under which ABI.

use bench_host::host::{Profile, Settings, World};
use bench_host::testing::{Call, TestHost};

use chunkwise_tests::guest::{HIGRESS, host_in, logging, stream_log};

use super::snippets::*;
use super::steps::*;

fn host_of(profile: Profile, abi: &str, script: &[(&str, &str)]) -> TestHost {
    host_in(&format!("{abi}{}", logging(script)), Settings::new(profile), World::default())
}

fn host(script: &[(&str, &str)]) -> TestHost {
    host_of(Profile::Higress, HIGRESS, script)
}

/// Resuming forgets the request's headers; those of a response are taken and go nowhere.
#[test]
fn after_resuming_only_the_requests_headers_are_known_to_be_gone() {
    let change = format!(
        "(if {} (then {}) (else {}))",
        "(global.get $responding)",
        [effective(2), resume(1)].concat(),
        [effective(2), resume(0)].concat()
    );
    let script = [
        ("configure", &*answering(&tick_period(100), 1)),
        ("tick", &change),
        ("request_headers", "(i32.const 4)"),
        ("request_body", &answering(&replace(0, "x", "1"), 0)),
        ("response_headers", "(global.set $responding (i32.const 1)) (i32.const 4)"),
        ("response_body", &answering(&replace(2, "x", "1"), 0)),
    ];
    let module = format!("(global $responding (mut i32) (i32.const 0)){}", logging(&script));
    let mut host = host_in(&module, Settings::new(Profile::Higress), World::default());
    let slot = host.slot();
    let id = request(slot, false);
    data(slot, id, Request, "ab", true);
    pass(slot, 100);
    assert_eq!(received(slot, id, Request), "headers [ab] end");
    response(slot, id, false);
    data(slot, id, Response, "xyz", true);
    pass(slot, 100);
    assert_eq!(received(slot, id, Response), "headers [xyz] end");
    let stream = close(slot, id);
    assert!(stream.request.received.headers.unwrap().get(b"x").is_none());
    assert!(stream.response.received.headers.unwrap().get(b"x").is_none());
    insta::assert_snapshot!(stream_log(&mut host), @"
    request_headers 2 4 0
    tick 1
    effective 0
    continue 0
    request_body 2 2 1
    replace 2
    response_headers 2 1 0
    tick 1
    effective 0
    continue 0
    response_body 2 3 1
    replace 0
    log 2
    done 2
    delete 2
    ");
}

/// Bodies and connections read as empty where there are none; an answer to a call and the
/// plugin's configuration are not there at all.
#[test]
fn buffers_at_other_times() {
    let kinds: String = (0..=7).map(body).collect();
    let script = [
        ("configure", &*answering(&tick_period(100), 1)),
        ("request_headers", &answering(&kinds, 0)),
        ("tick", &kinds),
    ];
    let mut host = host(&script);
    host.send(Call::get("/")).unwrap();
    pass(host.slot(), 100);
    insta::assert_snapshot!(stream_log(&mut host), @"
    request_headers 2 4 1
    body=
    body=
    body=
    body=
    body fails 1
    body=
    body=
    body fails 1
    response_headers 2 1 1
    log 2
    done 2
    delete 2
    tick 1
    body=
    body=
    body=
    body=
    body fails 1
    body=
    body=
    body fails 1
    ");
}

/// Higress reads request headers of a stream at any time, and a stock Envoy while they wait.
#[test]
fn request_headers_that_went_on_can_be_read_by_higress() {
    let look = [header(0, ":path"), replace(0, "x", "1")].concat();
    for (profile, path) in [(Profile::Higress, ":path=/"), (Profile::Envoy, ":path fails 2")] {
        let script =
            [("request_body", &*answering(&look, 0)), ("response_headers", &answering(&look, 0))];
        let mut host = host_of(profile, "", &script);
        let outcome = host.send(Call::post("/").body("ab")).unwrap();
        assert!(outcome.upstream.header("x").is_none());
        let expected = format!(
            "request_headers 2 4 0\n\
             request_body 2 2 1\n{path}\nreplace 2\n\
             response_headers 2 1 1\n{path}\nreplace 2\n\
             log 2\ndone 2\ndelete 2"
        );
        assert_eq!(stream_log(&mut host), expected);
    }
}

/// The ABI speaks through the callback for request headers: without one nothing is converted.
#[test]
fn only_a_plugin_with_request_headers_has_its_stops_converted() {
    let answers = |headers: &str| {
        format!(
            r#"(func (export "proxy_on_response_headers") (param i32 i32 i32) (result i32)
                (i32.const 1))
            (func (export "proxy_on_response_body") (param i32 i32 i32) (result i32)
                (call $say 'body') (i32.const 0)) {headers}"#
        )
    };
    let with = r#"(func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
        (i32.const 0))"#;
    for (module, expected) in [(answers(with), "nothing []"), (answers(""), "headers [xyz] end")] {
        let mut host = host_in(&module, Settings::new(Profile::Higress), World::default());
        let slot = host.slot();
        let id = request(slot, true);
        response(slot, id, false);
        data(slot, id, Response, "xyz", true);
        assert_eq!(received(slot, id, Response), expected);
    }
}

#[test]
fn what_is_not_there_cannot_be_written() {
    let kinds: String = (0..=7).map(|kind| set_body(kind, "x")).collect();
    let mut host = host(&[("request_headers", &answering(&kinds, 0))]);
    host.send(Call::get("/")).unwrap();
    let log = stream_log(&mut host);
    let answers: Vec<_> = log.lines().filter_map(|line| line.strip_prefix("set ")).collect();
    assert_eq!(answers, ["2", "2", "2", "2", "1", "2", "2", "1"]);
}
