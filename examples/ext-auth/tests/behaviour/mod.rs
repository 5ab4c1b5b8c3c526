//! What the plugin does, whatever engine it runs on.

#![expect(clippy::unwrap_used, reason = "a test fails where it does not hold")]

use std::time::Duration;

use bench_host::engine::StartError;
use bench_host::host::Direction::{Request, Response};
use bench_host::host::Level;
use bench_host::measure::Phase;
use bench_host::testing::{Answer, Call, Setup, TestHost};

/// Starts the plugin in a proxy with a configuration.
pub type Start = fn(&Setup, &str) -> Result<TestHost, StartError>;

/// Makes a test of every behaviour, for one engine.
macro_rules! tests {
    ($start:path) => {
        behaviour::tests! { $start =>
            allowed_requests_get_what_the_service_says
            bodies_wait_and_lose_nothing
            denials_are_the_services_own
            failures_refuse_or_let_pass
            two_services_are_asked_at_once
            both_services_have_to_allow
            answers_are_remembered_for_a_while
            denials_and_failures_are_not_remembered
            strangers_do_not_get_what_is_remembered
            a_client_that_goes_leaves_nothing_behind
            requests_side_by_side_do_not_mix
            the_audit_is_told_everything_and_holds_nothing_up
            what_is_remembered_costs_few_host_calls
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

const PLAIN: &str = r#"{
    "service": { "cluster": { "type": "target", "cluster": "auth", "host": "auth" },
                 "path": "/check", "timeout_ms": 100 },
    "copy": ["X-User", "x-group"]
}"#;

const UPSTREAMS: &str = r#"
[cluster.auth]
latency = "10ms"
[[cluster.auth.http]]
match = { header.authorization = "jo" }
headers = { x-user = "jo", x-group = ["a", "b"], x-internal = "no" }
[[cluster.auth.http]]
match = { header.authorization = "al" }
headers = { x-user = "al" }
[[cluster.auth.http]]
match = { header.authorization = "broken" }
status = 500
[[cluster.auth.http]]
match = { header.authorization = "slow" }
latency = "1s"
[[cluster.auth.http]]
match = { header.authorization = "reset" }
fail = "reset"
[[cluster.auth.http]]
match = { header.authorization = "down" }
fail = "connect"
[[cluster.auth.http]]
status = 401
headers = { www-authenticate = "Bearer", content-type = "text/plain", x-internal = "no" }
body = "who are you?"

[cluster.also]
latency = "10ms"
[[cluster.also.http]]
match = { header.authorization = "al" }
status = 403
[[cluster.also.http]]
headers = { x-group = "also" }

[cluster.audit]
[[cluster.audit.http]]
match = { path = "/slow" }
fail = "never"
[[cluster.audit.http]]
match = { path = "/full" }
status = 507
[[cluster.audit.http]]
"#;

/// The plain configuration with more keys.
fn with(keys: &str) -> String {
    PLAIN.replacen('{', &format!("{{ {keys},"), 1)
}

fn setups() -> [Setup; 2] {
    [Setup::new(), Setup::new().higress()].map(|setup| setup.upstreams(UPSTREAMS).unwrap())
}

fn host(start: Start, configuration: &str) -> TestHost {
    start(&setups()[0], configuration).unwrap()
}

fn from(user: &str) -> Call {
    Call::get("/a?b=c").header("authorization", user)
}

pub fn allowed_requests_get_what_the_service_says(start: Start) {
    for setup in setups() {
        let mut host = start(&setup, PLAIN).unwrap();
        // What the client says of itself does not count.
        let call = from("jo").header("x-user", "admin").header("x-group", "wheel");
        let call = call.header("x-other", "stays").answer(Answer::new(200).body("hello"));
        let outcome = host.send(call).unwrap();
        assert_eq!(outcome.stalled, None);
        assert_eq!(outcome.downstream.text(), "hello");
        let seen = &outcome.upstream;
        assert_eq!(seen.header("x-user").unwrap(), "jo");
        let groups = seen.headers.iter().filter(|(name, _)| &name[..] == b"x-group");
        assert_eq!(groups.map(|(_, value)| value.to_vec()).collect::<Vec<_>>(), [b"a", b"b"]);
        assert_eq!((seen.header("x-internal"), seen.header("x-other").is_some()), (None, true));

        let asked = &host.take_callouts()[..];
        assert_eq!(asked.len(), 1);
        let get = |name: &str| asked[0].header(name).unwrap_or_default().into_owned();
        assert_eq!(
            (get(":method"), get(":path"), get(":authority")),
            three("GET", "/check", "auth")
        );
        let original = ["method", "uri", "host"].map(|what| get(&format!("x-original-{what}")));
        assert_eq!(original, ["GET", "/a?b=c", "example.com"]);
        assert_eq!((get("authorization"), get("x-user")), ("jo".into(), String::new()));

        let outcome = host.send(from("al").header("x-group", "wheel")).unwrap();
        assert_eq!(outcome.upstream.header("x-group"), None, "not the client's");
    }
}

fn three(a: &str, b: &str, c: &str) -> (String, String, String) {
    (a.into(), b.into(), c.into())
}

pub fn bodies_wait_and_lose_nothing(start: Start) {
    for setup in setups() {
        let mut host = start(&setup, PLAIN).unwrap();
        let call = Call::post("/").header("authorization", "jo");
        let bodies: [&[&str]; 4] = [&["one, ", "two"], &["x"], &[""], &[]];
        for chunks in bodies {
            let call = call.clone().chunks(chunks);
            for call in [call.clone(), call.clone().http1(), call.trailer("sum", "1")] {
                let has_trailer = format!("{call:?}").contains("sum");
                let outcome = host.send(call).unwrap();
                assert_eq!(outcome.upstream.text(), chunks.concat());
                assert!(outcome.upstream.ended && outcome.downstream.ended);
                assert_eq!(outcome.upstream.trailers.is_empty(), !has_trailer);
                assert_eq!(outcome.upstream.header("x-user").unwrap(), "jo");
            }
        }
    }
}

pub fn denials_are_the_services_own(start: Start) {
    for setup in setups() {
        let mut host = start(&setup, PLAIN).unwrap();
        for call in [Call::get("/"), Call::post("/").body("secret").http1(), from("nobody")] {
            let outcome = host.send(call).unwrap();
            assert!(outcome.replied_locally && outcome.upstream.headers.is_empty());
            let seen = &outcome.downstream;
            assert_eq!(seen.header(":status").unwrap(), "401");
            assert_eq!(seen.header("www-authenticate").unwrap(), "Bearer");
            assert_eq!((seen.text(), seen.header("x-internal")), ("who are you?".into(), None));
        }
    }
}

pub fn failures_refuse_or_let_pass(start: Start) {
    let unknown = PLAIN.replace(r#""cluster": "auth""#, r#""cluster": "nowhere""#);
    for setup in setups() {
        for user in ["broken", "slow", "reset", "down", "unknown"] {
            let configuration = if user == "unknown" { &unknown } else { PLAIN };
            let mut host = start(&setup, configuration).unwrap();
            let outcome = host.send(from(user).header("x-user", "admin")).unwrap();
            assert_eq!(outcome.downstream.header(":status").unwrap(), "503", "{user}");
            assert!(outcome.upstream.headers.is_empty(), "{user}");
            let line = host.log().last().unwrap();
            assert!(line.level == Level::Warn && line.message.starts_with("a service "), "{user}");

            let open = configuration.replacen('{', r#"{ "on_failure": "open","#, 1);
            let mut host = start(&setup, &open).unwrap();
            let outcome = host.send(from(user).header("x-user", "admin")).unwrap();
            assert_eq!(outcome.downstream.header(":status").unwrap(), "200", "{user}");
            assert_eq!(outcome.upstream.header("x-user"), None, "{user}: nobody has said so");
            let outcome = host.send(Call::get("/")).unwrap();
            let denied = if user == "unknown" { "200" } else { "401" };
            assert_eq!(outcome.downstream.header(":status").unwrap(), denied, "{user}");
        }
    }
}

const ALSO: &str = r#""also": { "cluster": { "type": "target", "cluster": "also", "host": "h" } }"#;

pub fn two_services_are_asked_at_once(start: Start) {
    for setup in setups() {
        let mut host = start(&setup, &with(ALSO)).unwrap();
        let began = host.slot().now();
        let outcome = host.send(from("jo")).unwrap();
        assert!(host.slot().now() - began < 20_000_000, "each takes 10 ms");
        assert_eq!(host.take_callouts().len(), 2);
        let groups = outcome.upstream.headers.iter().filter(|(name, _)| &name[..] == b"x-group");
        assert_eq!(groups.count(), 3, "a, b and also");
    }
}

pub fn both_services_have_to_allow(start: Start) {
    let mut host = host(start, &with(ALSO));
    for (user, status) in [("jo", "200"), ("al", "403"), ("nobody", "401"), ("broken", "503")] {
        let outcome = host.send(from(user)).unwrap();
        assert_eq!(outcome.downstream.header(":status").unwrap(), status, "{user}");
    }
}

const CACHE: &str = r#""cache": { "seconds": 60, "entries": 2 }"#;

pub fn answers_are_remembered_for_a_while(start: Start) {
    for setup in setups() {
        let mut host = start(&setup, &with(CACHE)).unwrap();
        for calls in [1, 0, 0] {
            let outcome = host.send(from("jo").header("x-user", "admin")).unwrap();
            assert_eq!(outcome.upstream.header("x-user").unwrap(), "jo");
            assert_eq!(host.take_callouts().len(), calls);
        }
        host.run_for(Duration::from_secs(61)).unwrap();
        host.send(from("jo")).unwrap();
        assert_eq!(host.take_callouts().len(), 1, "too old");
        for path in ["/1", "/2"] {
            host.send(Call::get(path).header("authorization", "jo")).unwrap();
        }
        host.take_callouts();
        host.send(from("jo")).unwrap();
        assert_eq!(host.take_callouts().len(), 1, "two are remembered, and it was the third");
    }
}

pub fn denials_and_failures_are_not_remembered(start: Start) {
    let mut host = host(start, &with(&format!(r#"{CACHE}, "on_failure": "open""#)));
    for user in ["nobody", "broken", "reset"] {
        for _ in 0..2 {
            host.send(from(user)).unwrap();
            assert_eq!(host.take_callouts().len(), 1, "{user}");
        }
    }
}

pub fn strangers_do_not_get_what_is_remembered(start: Start) {
    let mut host = host(start, &with(CACHE));
    host.send(from("jo")).unwrap();
    let others = [
        from("nobody"),
        Call::get("/a?b=c"),
        Call::post("/a?b=c").header("authorization", "jo"),
        Call::get("/other").header("authorization", "jo"),
        from("jo").authority("elsewhere.com"),
        from("jo").header("cookie", "a=1"),
        from("jo").header("authorization", "nobody"),
    ];
    for call in others {
        host.take_callouts();
        host.send(call.clone()).unwrap();
        assert_eq!(host.take_callouts().len(), 1, "{call:?}");
    }
}

pub fn a_client_that_goes_leaves_nothing_behind(start: Start) {
    for setup in setups() {
        let mut host = start(&setup, &with(&format!("{CACHE}, {ALSO}"))).unwrap();
        let stream = host.open();
        let headers = [(":method", "GET"), (":path", "/a?b=c"), ("authorization", "jo")];
        host.headers(stream, Request, &headers, true).unwrap();
        host.run_for(Duration::from_millis(5)).unwrap();
        assert!(host.seen(stream, Request).unwrap().headers.is_empty(), "it waits");
        let outcome = host.close(stream).unwrap().unwrap();
        assert!(!outcome.downstream.ended);
        host.run_for(Duration::from_secs(1)).unwrap();
        assert_eq!((host.take_callouts().len(), host.log().len()), (2, 0));
        let outcome = host.send(from("jo")).unwrap();
        assert_eq!(outcome.upstream.header("x-user").unwrap(), "jo");
        assert_eq!(host.take_callouts().len(), 2, "nobody was there to remember the answers");
        assert!(host.seen(stream, Response).is_none());
    }
}

pub fn requests_side_by_side_do_not_mix(start: Start) {
    for setup in setups() {
        let mut host = start(&setup, &with(CACHE)).unwrap();
        let users = ["jo", "al", "nobody", "slow", "jo"].into_iter().cycle().take(50);
        let outcomes = host.interleave(users.clone().map(from)).unwrap();
        for (user, outcome) in users.zip(outcomes) {
            let status = outcome.downstream.header(":status").unwrap().into_owned();
            match user {
                "nobody" => assert_eq!(status, "401"),
                "slow" => assert_eq!(status, "503"),
                user => assert_eq!(outcome.upstream.header("x-user").unwrap(), user),
            }
        }
    }
}

pub fn the_audit_is_told_everything_and_holds_nothing_up(start: Start) {
    let audit = |path: &str| {
        let cluster = r#"{ "type": "target", "cluster": "audit", "host": "h" }"#;
        format!(r#"{CACHE}, "audit": {{ "cluster": {cluster}, "path": "{path}" }}"#)
    };
    for setup in setups() {
        for path in ["/", "/full", "/slow"] {
            let mut host = start(&setup, &with(&audit(path))).unwrap();
            let mut told = Vec::new();
            for user in ["jo", "jo", "nobody", "broken"] {
                let began = host.slot().now();
                host.send(from(user)).unwrap();
                assert!(host.slot().now() - began < 20_000_000, "nothing waits for {path}");
                for record in host.take_callouts().iter().filter(|call| call.cluster == "audit") {
                    let get = |name| record.header(name).unwrap().into_owned();
                    told.push((get("x-decision"), get("x-status")));
                }
            }
            let expected =
                [("allowed", "200"), ("remembered", "200"), ("denied", "401"), ("failed", "503")];
            assert_eq!(told, expected.map(|(decision, status)| (decision.into(), status.into())));
            host.run_for(Duration::from_secs(2)).unwrap();
        }
    }
}

pub fn what_is_remembered_costs_few_host_calls(start: Start) {
    let mut host = host(start, &with(CACHE));
    host.send(from("jo")).unwrap();
    let before = host.ledger().host_calls(Phase::RequestHeaders);
    host.send(from("jo")).unwrap();
    let after = host.ledger().host_calls(Phase::RequestHeaders);
    let more: Vec<_> = after
        .iter()
        .map(|(name, count)| (name.as_str(), count - before.get(name).unwrap_or(&0)))
        .filter(|(_, count)| *count > 0)
        .collect();
    assert_eq!(
        more,
        [
            ("proxy_add_header_map_value", 1), // the second group
            ("proxy_get_current_time_nanoseconds", 1),
            ("proxy_get_header_map_pairs", 1),
            ("proxy_replace_header_map_value", 2),
        ]
    );
    for phase in [Phase::ResponseHeaders, Phase::Log, Phase::Done] {
        assert!(host.ledger().host_calls(phase).is_empty(), "{phase:?}");
    }
}

pub fn bad_configurations_name_the_field(start: Start) {
    let cases = [
        ("{}".to_owned(), "missing field `service`"),
        (PLAIN.replace("/check", "/a b"), "service: the plugin's call has a url"),
        (PLAIN.replace("100", "0"), "service: the plugin's call has a timeout of zero"),
        (PLAIN.replace("target", "k8s"), "service.cluster: the k8s cluster's field"),
        (PLAIN.replace("X-User", ":path"), "copy[0]: `:path` is no header"),
        (PLAIN.replace("x-group", "Host"), "copy[1]: `host` is no header"),
        (with(r#""forward": ["x-original-uri"]"#), "forward[0]: `x-original-uri`"),
        (with(r#""on_failure": "maybe""#), "on_failure: unknown variant `maybe`"),
        (with(r#""cache": { "seconds": 0 }"#), "cache: `seconds` and `entries` begin with 1"),
        (with(r#""caches": {}"#), "unknown field `caches`"),
    ];
    for (configuration, expected) in cases {
        let error = start(&setups()[0], &configuration).unwrap_err().to_string();
        assert!(error.contains(expected), "{configuration}\n{error}");
    }
    let example = include_str!("../../config.json");
    assert!(start(&setups()[0], example).is_ok());
}
