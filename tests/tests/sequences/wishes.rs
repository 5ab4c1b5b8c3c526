//! What plugins of Higress wish for by properties and foreign functions, and what a stock Envoy
//! makes of it: filter state, and no such function.

use bench_host::host::{Profile, Settings, World};
use bench_host::testing::{Answer, Call, TestHost};

use chunkwise_tests::guest::{host_in, logging, stream_log};

use super::snippets::*;

fn host(profile: Profile, script: &[(&str, &str)]) -> TestHost {
    host_in(&logging(script), Settings::new(profile), World::default())
}

fn foreign(name: &str, arguments: &str) -> String {
    format!(
        "(call $status '{name}' (call $proxy_call_foreign_function '{name}' '{arguments}'
            (i32.const 0) (i32.const 4)))"
    )
}

/// How often the proxy looks for the route when the request's headers do this.
fn route_clears(profile: Profile, code: &[String]) -> u32 {
    let mut host = host(profile, &[("request_headers", &answering(&code.concat(), 0))]);
    host.send(Call::get("/")).unwrap().route_clears
}

#[test]
fn every_change_of_the_requests_headers_looks_for_the_route() {
    let all = "(call $status 'pairs' (call $proxy_set_header_map_pairs (i32.const 0)
        '\\00\\00\\00\\00'))";
    let edits = [add(0, "a", "1"), replace(0, "a", "2"), remove(0, "b"), all.to_owned()];
    for profile in [Profile::Envoy, Profile::Higress] {
        assert_eq!(route_clears(profile, &[]), 0);
        assert_eq!(route_clears(profile, &edits), 4);
        assert_eq!(
            route_clears(profile, &[header(0, ":path"), foreign("clear_route_cache", "")]),
            1
        );
    }
    // Those of the response have nothing to do with it.
    let script = [("response_headers", &*answering(&add(2, "a", "1"), 0))];
    assert_eq!(host(Profile::Higress, &script).send(Call::get("/")).unwrap().route_clears, 0);
}

#[test]
fn a_plugin_keeps_the_route_from_when_it_says_so() {
    let (off, on) = (property("clear_route_cache", "off"), property("clear_route_cache", "on"));
    let edit = || add(0, "a", "1");
    let before = [off.clone(), edit(), foreign("clear_route_cache", "")];
    let after = [edit(), off.clone(), edit()];
    let again = [off, edit(), on, edit(), edit()];
    for (code, envoy, higress) in [(&before[..], 2, 0), (&after, 2, 1), (&again, 3, 2)] {
        assert_eq!(route_clears(Profile::Envoy, code), envoy);
        assert_eq!(route_clears(Profile::Higress, code), higress);
    }
}

/// Four bytes are more than the limit that the plugin sets, and less than any other.
#[test]
fn a_limit_holds_for_one_stream_of_higress() {
    for path in ["set_decoder_buffer_limit", "set_encoder_buffer_limit"] {
        let limit = format!(
            "(if (i32.eq (local.get 0) (i32.const 2)) (then {})) (i32.const 0)",
            property(path, "3")
        );
        let script = [
            ("request_headers", &*limit),
            ("request_body", &*at_end(1, "", 0)),
            ("response_headers", "(i32.const 1)"),
        ];
        let call = || Call::post("/").chunks(["ab", "cd"]).answer(Answer::new(200).body("x"));
        let mut higress = host(Profile::Higress, &script);
        let outcome = higress.send(call()).unwrap();
        assert_eq!((&*outcome.details, outcome.buffer_limit), ("request_payload_too_large", 3));
        let outcome = higress.send(call()).unwrap();
        assert_eq!((&*outcome.upstream.text(), outcome.buffer_limit), ("abcd", 65_535));

        let mut envoy = host(Profile::Envoy, &script);
        let outcome = envoy.send(call()).unwrap();
        assert_eq!((&*outcome.upstream.text(), outcome.buffer_limit), ("abcd", 16 * 1024 * 1024));
        assert_eq!(outcome.state(path).unwrap(), "3");
    }
}

#[test]
fn requests_of_an_io_cycle_are_limited_by_higress() {
    let name = "set_global_max_requests_per_io_cycle";
    let code = [
        foreign(name, "\\09\\00\\00\\00\\00\\00\\00\\00"),
        foreign(name, "\\07\\00\\00\\00\\00\\00\\00\\00"),
        foreign(name, "\\08\\00\\00\\00\\00\\00\\00\\00"),
        foreign(name, "\\01\\00\\00\\00"),
    ];
    let script = [("request_headers", &*answering(&code.concat(), 0))];
    for (profile, answers, limit) in
        [(Profile::Envoy, ["1"; 4], None), (Profile::Higress, ["0", "0", "0", "2"], Some(7))]
    {
        let mut host = host(profile, &script);
        host.send(Call::get("/")).unwrap();
        let log = stream_log(&mut host);
        let said: Vec<_> = log.lines().filter_map(|line| line.strip_prefix(name)).collect();
        assert_eq!(said.iter().map(|answer| answer.trim()).collect::<Vec<_>>(), answers);
        assert_eq!(host.proxy().host().max_requests_per_io_cycle, limit);
    }
}
