//! What the plugin does, whatever engine and host it runs on.

#![expect(clippy::unwrap_used, reason = "a test fails where it does not hold")]

use bench_host::engine::StartError;
use bench_host::measure::Phase;
use bench_host::testing::{Call, Outcome, Setup, TestHost};

/// Starts the plugin in a proxy with a configuration.
pub type Start = fn(&Setup, &str) -> Result<TestHost, StartError>;

/// Makes a test of every behaviour, for one engine.
macro_rules! tests {
    ($start:path) => {
        behaviour::tests! { $start =>
            a_signature_is_found_however_the_body_is_cut
            a_signature_is_found_across_windows
            what_is_clean_passes_untouched
            a_large_upload_takes_one_window_of_memory
            a_request_without_a_body_costs_nothing
            what_cannot_be_looked_at_is_refused
            what_is_too_long_is_refused
            a_host_with_a_limit_of_its_own_is_told_of_once
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

/// Looks for `worm` and for `\x7fELF`.
const CONFIG: &str = r#"{"signatures": [
    {"name": "a worm", "hex": "776f726d"},
    {"name": "a program", "hex": "7f454C46"}
], "max_bytes": 67108864}"#;

const WINDOW: usize = 64 * 1024;

fn hosts() -> [Setup; 2] {
    [Setup::new(), Setup::new().higress()]
}

/// The host calls of a phase, by name.
fn calls(host: &mut TestHost, phase: Phase) -> String {
    let calls = host.ledger().host_calls(phase).into_iter();
    calls.map(|(name, count)| format!("{name}={count}")).collect::<Vec<_>>().join(" ")
}

/// The upstream may have seen headers, and no byte of the body.
#[track_caller]
fn refused(outcome: &Outcome, status: &str) {
    assert_eq!(outcome.downstream.header(":status").unwrap(), status, "{outcome:?}");
    assert!(outcome.upstream.body.is_empty() && !outcome.upstream.ended);
    assert!(outcome.downstream.ended && outcome.stalled.is_none());
}

pub fn a_signature_is_found_however_the_body_is_cut(start: Start) {
    let body = "an earthwoworms";
    for setup in hosts() {
        let mut host = start(&setup, CONFIG).unwrap();
        for first in 0..=body.len() {
            for second in first..=body.len() {
                let chunks = [&body[..first], &body[first..second], &body[second..]];
                let call = Call::post("/").chunks(chunks);
                refused(&host.send(call.clone()).unwrap(), "422");
                refused(&host.send(call.clone().http1()).unwrap(), "422");
                refused(&host.send(call.trailer("sum", "1")).unwrap(), "422");
            }
        }
        let line = host.log().last().unwrap();
        assert_eq!(line.message, "upload refused: it contains a worm");
    }
}

pub fn a_signature_is_found_across_windows(start: Start) {
    let mut host = start(&hosts()[1], CONFIG).unwrap();
    for at in WINDOW - 5..WINDOW + 2 {
        let mut body = vec![b'w'; 3 * WINDOW];
        body[at..at + 4].copy_from_slice(b"\x7fELF");
        refused(&host.send(Call::post("/").chunks(body.chunks(16_384))).unwrap(), "422");
    }
}

pub fn what_is_clean_passes_untouched(start: Start) {
    for setup in hosts() {
        let mut host = start(&setup, CONFIG).unwrap();
        let chunks = ["an earthwo", "r", "", "n m"];
        let call = Call::post("/").header("content-length", "14").chunks(chunks);
        for call in [call.clone(), call.clone().http1(), call.trailer("sum", "1")] {
            let outcome = host.send(call).unwrap();
            assert_eq!(outcome.upstream.text(), "an earthworn m");
            assert!(outcome.upstream.ended && !outcome.replied_locally);
        }
        for empty in [Call::post("/").body(""), Call::post("/").trailer("sum", "1")] {
            for call in [empty.clone(), empty.http1()] {
                assert!(host.send(call).unwrap().upstream.ended);
            }
        }
    }
}

pub fn a_large_upload_takes_one_window_of_memory(start: Start) {
    const FRAME: usize = 16 * 1024;
    const SIZE: usize = 32 * 1024 * 1024;
    let mut host = start(&hosts()[1], CONFIG).unwrap();
    let frame = vec![b'.'; FRAME];
    let call = Call::post("/").chunks(vec![&frame; SIZE / FRAME]);
    let outcome = host.send(call.clone()).unwrap();
    assert_eq!((outcome.upstream.body.len(), outcome.upstream.ended), (SIZE, true));
    assert_eq!(outcome.buffer_limit, 64 * 1024 * 1024);

    assert_eq!(
        calls(&mut host, Phase::RequestHeaders),
        "proxy_get_header_map_value=3 proxy_get_property=1 proxy_set_property=1"
    );
    let windows = SIZE / WINDOW;
    let read = format!("proxy_get_buffer_bytes={windows}");
    assert_eq!(calls(&mut host, Phase::RequestBody), read);
    let body = host.ledger().phase(Phase::RequestBody);
    assert_eq!((body.calls, body.bytes_in), ((SIZE / FRAME) as u64, SIZE as u64));
    // Natively there are no pages to count, and no books.
    let before = body.allocations;
    host.send(call).unwrap();
    assert_eq!(host.ledger().phase(Phase::RequestBody).allocations, before);
    let pages = host.proxy().guest().heap().pages;
    assert!(pages * 65_536 < 2 * 1024 * 1024, "{pages} pages");
}

pub fn a_request_without_a_body_costs_nothing(start: Start) {
    let mut host = start(&hosts()[0], CONFIG).unwrap();
    assert!(host.send(Call::get("/")).unwrap().upstream.ended);
    for phase in [Phase::RequestHeaders, Phase::ResponseHeaders, Phase::Done] {
        assert_eq!(calls(&mut host, phase), "", "{phase:?}");
    }
}

pub fn what_cannot_be_looked_at_is_refused(start: Start) {
    let mut host = start(&hosts()[0], CONFIG).unwrap();
    let encoded = |coding| Call::post("/").header("content-encoding", coding).body("clean");
    // Hosts tell the first line of a header, and upstreams read all of them.
    let in_a_second_line = |first| encoded(first).header("content-encoding", "gzip");
    for call in [encoded("gzip"), in_a_second_line("identity"), in_a_second_line("")] {
        let outcome = host.send(call).unwrap();
        refused(&outcome, "415");
        assert!(outcome.upstream.headers.is_empty());
    }
    let twice_nothing = encoded("identity").header("content-encoding", "identity, ");
    assert!(host.send(twice_nothing).unwrap().upstream.ended);
}

pub fn what_is_too_long_is_refused(start: Start) {
    let limited = CONFIG.replace("67108864", "10");
    for setup in hosts() {
        let mut host = start(&setup, &limited).unwrap();
        let sized = Call::post("/").header("content-length", "11").body("12345678901");
        refused(&host.send(sized).unwrap(), "413");
        assert_eq!(calls(&mut host, Phase::RequestBody), "");
        let fits = Call::post("/").header("content-length", "10").body("1234567890");
        assert!(host.send(fits).unwrap().upstream.ended);
        let chunks = vec!["12345678901"; 3];
        refused(&host.send(Call::post("/").chunks(chunks)).unwrap(), "413");
    }
}

pub fn a_host_with_a_limit_of_its_own_is_told_of_once(start: Start) {
    let mut host = start(&hosts()[0].clone().buffer_limit(20), CONFIG).unwrap();
    for _ in 0..3 {
        assert!(host.send(Call::post("/").body("clean")).unwrap().upstream.ended);
        refused(&host.send(Call::post("/").chunks(["x"; 30])).unwrap(), "413");
    }
    let lines: Vec<_> = host.log().iter().map(|line| line.message.as_str()).collect();
    assert_eq!(
        lines,
        ["this host has no buffer limits for single requests: Higress has; going on without"]
    );
}

pub fn bad_configurations_name_the_field(start: Start) {
    let signature = |hex: &str| {
        format!(r#"{{"signatures": [{{"name": "a", "hex": "{hex}"}}], "max_bytes": 1}}"#)
    };
    start(&hosts()[0], include_str!("../../config.json")).unwrap();
    for (configuration, expected) in [
        (String::new(), "missing field `signatures`"),
        (r#"{"signatures": [], "max_bytes": 1}"#.into(), "signatures: there are no rules"),
        (CONFIG.replace("67108864", "0"), "max_bytes: 0 lets nothing through"),
        (CONFIG.replace("67108864", "5e9"), "max_bytes: invalid type"),
        (signature("4"), "signatures[0].hex: it is not a list of bytes, two digits each"),
        (signature("4x"), "signatures[0].hex: it is not"),
        (signature("+4"), "signatures[0].hex: it is not"),
        (signature(""), "signatures: rule 0 has an empty needle"),
        (CONFIG.replace("max", "most"), "most_bytes: unknown field `most_bytes`"),
    ] {
        let error = start(&hosts()[0], &configuration).unwrap_err().to_string();
        assert!(error.contains(expected), "{configuration}\n{error}");
    }
}
