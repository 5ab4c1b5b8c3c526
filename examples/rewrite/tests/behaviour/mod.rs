//! What the plugin does, whatever engine it runs on.

#![expect(clippy::unwrap_used, reason = "a test fails where it does not hold")]

use bench_host::engine::StartError;
use bench_host::host::Level;
use bench_host::measure::Phase;
use bench_host::testing::{Answer, Call, Setup, TestHost};

/// Starts the plugin in a proxy, with a configuration.
pub type Start = fn(&Setup, &str) -> Result<TestHost, StartError>;

/// Makes a test of every behaviour, for one engine.
macro_rules! tests {
    ($start:path) => {
        behaviour::tests! { $start =>
            paths_are_rewritten_with_their_query
            the_first_rule_that_fits_counts
            the_path_before_is_told_upstream
            the_route_is_kept_where_the_host_can
            a_host_that_cannot_is_named_once
            the_route_may_be_chosen_anew
            what_no_rule_is_for_passes
            bodies_and_trailers_pass
            a_path_costs_one_host_call_and_three_more_when_it_is_rewritten
            bad_configurations_name_the_field
        }
    };
    ($start:path => $($name:ident)*) => {$(
        #[test]
        fn $name() {
            behaviour::$name($start);
        }
    )*};
}
pub(crate) use tests;

/// A stock Envoy and Higress's.
fn proxies() -> [Setup; 2] {
    [Setup::new(), Setup::new().higress()]
}

const CONFIGURATION: &str = include_str!("../../config.json");

fn path(host: &mut TestHost, path: &str) -> String {
    let call = Call::get(path);
    let [http2, http1] = [call.clone(), call.http1()].map(|call| {
        let outcome = host.send(call).unwrap();
        assert!(!outcome.replied_locally);
        outcome.upstream.header(":path").unwrap().into_owned()
    });
    assert_eq!(http1, http2);
    http2
}

pub fn paths_are_rewritten_with_their_query(start: Start) {
    for setup in proxies() {
        let mut host = start(&setup, CONFIGURATION).unwrap();
        for (before, after) in [
            ("/api/v1/users?id=1&x=%2F", "/v1/users?id=1&x=%2F"),
            ("/api/v1/", "/v1/"),
            ("/api/v1", "/api/v1"),
            ("/shop/index.php", "/shop/index"),
            ("/status", "/healthz"),
            ("/status/", "/status/"),
            ("/", "/"),
            ("*", "*"),
        ] {
            assert_eq!(path(&mut host, before), after);
        }
    }
}

pub fn the_first_rule_that_fits_counts(start: Start) {
    let mut host = start(&Setup::new(), CONFIGURATION).unwrap();
    assert_eq!(path(&mut host, "/api/v1/a.php"), "/v1/a.php");
}

pub fn the_path_before_is_told_upstream(start: Start) {
    for setup in proxies() {
        let mut host = start(&setup, CONFIGURATION).unwrap();
        let call = |path| Call::get(path).header("x-envoy-original-path", "the client's");
        let outcome = host.send(call("/status?a")).unwrap();
        let original = outcome.upstream.headers.iter();
        let original = original.filter(|(name, _)| &name[..] == b"x-envoy-original-path");
        assert_eq!(original.map(|(_, value)| value).collect::<Vec<_>>(), [&b"/status?a"[..]]);
        let outcome = host.send(call("/other")).unwrap();
        assert_eq!(outcome.upstream.header("x-envoy-original-path").unwrap(), "the client's");
    }
}

pub fn the_route_is_kept_where_the_host_can(start: Start) {
    let mut host = start(&Setup::new().higress(), CONFIGURATION).unwrap();
    let outcome = host.send(Call::get("/status")).unwrap();
    assert_eq!((outcome.keeps_route, outcome.route_clears), (true, 0));
    let outcome = host.send(Call::get("/other")).unwrap();
    assert_eq!((outcome.keeps_route, outcome.route_clears), (false, 0));
    assert_eq!(host.log(), []);
}

pub fn a_host_that_cannot_is_named_once(start: Start) {
    let mut host = start(&Setup::new(), CONFIGURATION).unwrap();
    for _ in 0..3 {
        let outcome = host.send(Call::get("/status")).unwrap();
        assert_eq!(outcome.upstream.header(":path").unwrap(), "/healthz");
        assert_eq!((outcome.keeps_route, outcome.route_clears), (false, 2));
    }
    let [line] = host.log() else { panic!("{:?}", host.log()) };
    assert_eq!(line.level, Level::Warn);
    assert_eq!(line.message, "this host has no way to keep a route: Higress has; going on without");
    host.configure(CONFIGURATION).unwrap();
    host.send(Call::get("/status")).unwrap();
    assert_eq!(host.log().len(), 1, "it is the same host");
}

pub fn the_route_may_be_chosen_anew(start: Start) {
    let configuration = CONFIGURATION.replace("\"rules\"", "\"keep_route\": false, \"rules\"");
    for setup in proxies() {
        let mut host = start(&setup, &configuration).unwrap();
        let outcome = host.send(Call::get("/status")).unwrap();
        assert_eq!((outcome.keeps_route, outcome.route_clears), (false, 2));
        assert_eq!(host.log(), []);
    }
}

pub fn what_no_rule_is_for_passes(start: Start) {
    for setup in proxies() {
        let mut host = start(&setup, r#"{"rules":[]}"#).unwrap();
        assert_eq!(path(&mut host, "/status"), "/status");
        // A tunnel has no path at all.
        let stream = host.open();
        let request = [(":method", "CONNECT"), (":authority", "example.com:443")];
        host.headers(stream, bench_host::host::Direction::Request, &request, false).unwrap();
        let outcome = host.close(stream).unwrap().unwrap();
        assert_eq!(outcome.upstream.header(":method").unwrap(), "CONNECT");
        assert_eq!(host.log(), []);
    }
}

pub fn bodies_and_trailers_pass(start: Start) {
    let text = "some text";
    for setup in proxies() {
        let mut host = start(&setup, CONFIGURATION).unwrap();
        for cut in 0..=text.len() {
            let chunks = [&text[..cut], &text[cut..]];
            let answer = Answer::new(200).chunks(chunks).trailer("t", "1");
            let call = Call::post("/status").chunks(chunks).trailer("u", "2").answer(answer);
            for call in [call.clone(), call.http1()] {
                let outcome = host.send(call).unwrap();
                for (seen, trailer) in [(&outcome.upstream, "u"), (&outcome.downstream, "t")] {
                    assert_eq!(seen.text(), text);
                    assert!(seen.ended && seen.trailers.get(trailer.as_bytes()).is_some());
                }
            }
        }
        for phase in [Phase::RequestBody, Phase::ResponseHeaders, Phase::ResponseBody] {
            assert!(host.ledger().host_calls(phase).is_empty(), "{phase:?}");
        }
    }
}

pub fn a_path_costs_one_host_call_and_three_more_when_it_is_rewritten(start: Start) {
    let [get, replace] = ["proxy_get_header_map_value", "proxy_replace_header_map_value"];
    let rewritten = [(get, 1), (replace, 2)];
    let kept = [(get, 1), (replace, 2), ("proxy_set_property", 1)];
    // A stock Envoy is known by the second request.
    for (setup, path, wanted) in [
        (Setup::new(), "/other", &[(get, 1)][..]),
        (Setup::new(), "/status", &rewritten),
        (Setup::new().higress(), "/other", &[(get, 1)]),
        (Setup::new().higress(), "/status", &kept),
    ] {
        let mut host = start(&setup, CONFIGURATION).unwrap();
        host.send(Call::get("/status")).unwrap();
        let before = host.ledger().host_calls(Phase::RequestHeaders);
        host.send(Call::get(path)).unwrap();
        let after = host.ledger().host_calls(Phase::RequestHeaders);
        let more = |(name, count): (String, u64)| {
            let count = count - before.get(&name).unwrap_or(&0);
            (name, count)
        };
        let calls = after.into_iter().map(more).filter(|(_, count)| *count > 0);
        let wanted = wanted.iter().map(|(name, count)| (String::from(*name), *count));
        assert_eq!(calls.collect::<Vec<_>>(), wanted.collect::<Vec<_>>(), "{path}");
    }
}

pub fn bad_configurations_name_the_field(start: Start) {
    for (configuration, wanted) in [
        ("", "missing field `rules`"),
        (r#"{"rules":[{"from":"/a"}]}"#, "rules[0]: missing field `to`"),
        (r#"{"rules":[{"from":"/a","to":"b"}]}"#, "rules[0].to: a path begins with `/`"),
        (r#"{"rules":[{"from":"/a?b","to":"/b"}]}"#, "rules[0].from: a path has neither `?`"),
        (r#"{"rules":[{"from":"/*/*","to":"/b"}]}"#, "rules[0].from: a path has one `*`"),
        (r#"{"rules":[{"from":"/a","to":"/*"}]}"#, "rules[0].to: has a `*`, and `from`"),
        (r#"{"rules":[],"keep_routes":true}"#, "unknown field `keep_routes`"),
    ] {
        let error = start(&Setup::new(), configuration).unwrap_err().to_string();
        assert!(error.contains(wanted), "{configuration}: {error}");
    }
}
