//! Scripts with mistakes, scripts in other files, and arbitrary ones.

use std::time::Duration;

use proptest::prelude::*;

use super::*;

fn message(text: &str) -> String {
    Upstreams::parse(text, "up.toml").unwrap_err().to_string()
}

#[test]
fn mistakes_are_named_with_their_place() {
    for (text, expected) in [
        ("[cluster.a", "line 1, column 11: unclosed table, expected `]`"),
        ("clusters = 1", "line 1, column 1: clusters: unknown field `clusters`"),
        ("# é\n'é' = 1", "line 2, column 1: é: unknown field `é`"),
        ("[cluster.a]\nlatncy = '5ms'", "line 2, column 1: cluster.a.latncy: unknown field"),
        (
            "[cluster.a]\nlatency = '5 parsecs'",
            "line 2, column 11: cluster.a.latency: `5 parsecs` is not a duration",
        ),
        (
            "[cluster.a]\nhosts = ['b', { adress = 'c' }]",
            "line 2, column 17: cluster.a.hosts[1].adress: unknown field `adress`",
        ),
        (
            "[[cluster.a.http]]\nmatch = { method = 'GET', pth = '/' }",
            "line 2, column 27: cluster.a.http[0].match.pth: unknown field `pth`",
        ),
        (
            "[[cluster.a.http]]\n[[cluster.a.http]]\n\nstatus = 99\ntimes = 1",
            "line 4, column 1: cluster.a.http[1]: status 99 is not between 200 and 599",
        ),
        (
            "[[cluster.a.http]]\nbody = 'a'\njson = {}",
            "line 2, column 1: cluster.a.http[0]: give one of `body`, `body_file` and `json`",
        ),
        ("[[cluster.a.http]]\nfail = 'reset'\nstatus = 200", "`fail` leaves no room"),
        ("[[cluster.a.http]]\nfail = 'later'", "http[0].fail: unknown variant `later`"),
        ("[[cluster.a.http]]\ntimes = 0", "http[0].times: invalid value: integer `0`"),
        (
            "[[cluster.a.grpc]]\nmessages = ['b', { text = 'a', when = 0 }]",
            "line 2, column 39: cluster.a.grpc[0].messages[1].when: invalid value",
        ),
        ("[[cluster.a.grpc]]\nclose = 'each'", "a stream is closed once"),
        ("[[cluster.a.grpc]]\nclose = 'soon'", "grpc[0].close: expected \"open\""),
        ("[[cluster.a.grpc]]\nstatus = 17", "status 17 is not between 0 and 16"),
        ("[[cluster.a.grpc]]\nfail = 'reset'\nmessages = ['']", "`fail` leaves no room"),
        ("[[cluster.a.redis]]\nstring = 'a'\nnil = true", "give exactly one of `string`"),
        ("[[cluster.a.redis]]", "line 1, column 1: cluster.a.redis[0]: give exactly one"),
        ("[[cluster.a.redis]]\nnil = false", "`nil` can only be true"),
        ("[[cluster.a.redis]]\nargs = ['a']\nnil = true", "`args` needs a `command`"),
        ("[[cluster.a.redis]]\narray = ['a', 1.5]", "redis[0].array[1]: invalid type"),
    ] {
        let said = message(text);
        assert!(said.starts_with("upstream script up.toml, line "), "{said}");
        assert!(said.contains(expected), "{text}\n{said}\n{expected}");
    }
}

#[test]
fn a_table_of_another_file_is_a_script_too() {
    let table = toml::from_str("[cluster.a]\n[[cluster.a.http]]\njson = {}").unwrap();
    let upstreams = Upstreams::from_table(table, Path::new(".")).unwrap();
    assert!(upstreams.session().knows(b"a"));

    let table = toml::from_str("[[cluster.a.redis]]\ncomand = 'GET'").unwrap();
    let error = Upstreams::from_table(table, Path::new(".")).unwrap_err().to_string();
    assert!(error.starts_with("upstreams: cluster.a.redis[0].comand: unknown field"), "{error}");
    assert!(!Upstreams::none().session().knows(b"a"));
}

#[test]
fn bodies_are_read_beside_the_script() {
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("up.toml");
    fs::write(&script, "[[cluster.a.http]]\nbody_file = 'answer.bin'").unwrap();
    let error = Upstreams::read(&script).unwrap_err().to_string();
    assert!(error.contains("cluster.\"a\".http[0]: body_file "), "{error}");
    assert!(error.contains("answer.bin: cannot be read: "), "{error}");

    fs::write(folder.path().join("answer.bin"), b"\xff\0").unwrap();
    let mut session = Upstreams::read(&script).unwrap().session();
    let answer = session.http(b"a", &HttpCall::default()).unwrap().what;
    assert!(matches!(answer, HttpAnswer::Response { body, .. } if body == b"\xff\0"[..]));

    let absent = Upstreams::read(&folder.path().join("absent.toml")).unwrap_err();
    assert!(matches!(absent, UpstreamError::Io { .. }));
}

/// Lines of scripts, so that arbitrary texts of them get past the parser of TOML.
const LINES: &str = "(\\[\\[cluster.a.(http|grpc|redis)\\]\\]|\\[cluster.a\\]|latency = '[1µ]ms'|\
    times = [0-3]|status = (1|200|'OK')|fail = '(reset|never|x)'|match = \\{ path_regex = '[.(]' \\}|\
    messages = \\['a', \\{ hex = '0a?', when = [0-2] \\}\\]|body = \\{ base64 = 'aG?' \\}|\
    json = \\{ a = 1 \\}|array = \\[1, \\['a'\\]\\]|close = '(end|each)'|\\PC)";

/// Rules that may stand together in any order.
const RULES: [&str; 12] = [
    "[[cluster.a.http]]\nlatencies = ['1ms', '3ms']\ntimes = 2\nbody = 'b'",
    "[[cluster.a.http]]\nlatency = '2ms'\nfail = 'reset'\ntimes = 1",
    "[[cluster.a.http]]\nfail = 'timeout'\ntimes = 1",
    "[[cluster.a.http]]\nfail = 'never'\ntimes = 1",
    "[[cluster.a.grpc]]\nmessages = ['a', { text = 'b', when = 'each', latency = '9ms' }]\ntimes = 2",
    "[[cluster.a.grpc]]\nmessages = [{ text = 'b', when = 1 }, { text = 'c', when = 'end' }]\ntimes = 1",
    "[[cluster.a.grpc]]\nstatus = 3\ntimes = 1\nlatency = '2ms'",
    "[[cluster.a.grpc]]\nfail = 'never'\ntimes = 1",
    "[[cluster.a.redis]]\ninteger = 7\ntimes = 2\nlatencies = ['2ms', '0ms']",
    "[[cluster.a.redis]]\nfail = 'connect'\nlatency = '2ms'\ntimes = 1",
    "[[cluster.a.redis]]\nfail = 'never'\ntimes = 1",
    "[[cluster.a.redis]]\ncommand = 'GET'\nnil = true",
];

/// Makes calls of four kinds with timeouts; answers what is heard of each, and when.
fn run(mut session: Session, calls: &[(u8, Duration)]) -> Vec<(String, Vec<Duration>)> {
    let mut call = |(kind, timeout): &(u8, Duration)| {
        let timeout = Some(*timeout);
        match kind {
            0 => {
                let outcome = session.http(b"a", &HttpCall { timeout, ..HttpCall::default() });
                (format!("{outcome:?}"), outcome.iter().map(|outcome| outcome.after).collect())
            }
            1 => {
                let query = &resp::command(&["INCR", "k"])[..];
                let call = RedisCall { query, timeout, ..RedisCall::default() };
                let outcome = session.redis(b"a", &call);
                (format!("{outcome:?}"), outcome.iter().map(|outcome| outcome.after).collect())
            }
            2 => {
                let call = GrpcCall { timeout, ..GrpcCall::default() };
                let steps = session.grpc(b"a", &call).unwrap().steps;
                (format!("{steps:?}"), steps.iter().map(|step| step.after).collect())
            }
            _ => {
                let call = GrpcCall { kind: GrpcKind::Stream, ..GrpcCall::default() };
                let GrpcOutcome { mut steps, stream } = session.grpc(b"a", &call).unwrap();
                let opened = format!("{steps:?}");
                if let Some(mut stream) = stream {
                    steps = stream.sent(true);
                }
                (format!("{opened}{steps:?}"), steps.iter().map(|step| step.after).collect())
            }
        }
    };
    calls.iter().map(&mut call).collect()
}

proptest! {
    #[test]
    fn any_text_is_taken_without_a_panic(
        text in "\\PC*",
        lines in prop::collection::vec(LINES, 0..6),
    ) {
        let _ = Upstreams::parse(&text, "up.toml");
        let _ = Upstreams::parse(&lines.join("\n"), "up.toml");
    }

    #[test]
    fn outcomes_are_the_same_twice_in_order_and_in_time(
        rules in prop::collection::vec(prop::sample::select(&RULES[..]), 0..8),
        calls in prop::collection::vec((0..4_u8, (1..4_u64).prop_map(Duration::from_millis)), 0..12),
    ) {
        let text = format!("[cluster.a]\nlatency = '1ms'\nstore = true\n{}", rules.join("\n"));
        let upstreams = Upstreams::parse(&text, "up.toml").unwrap();
        let heard = run(upstreams.session(), &calls);
        prop_assert_eq!(&heard, &run(upstreams.session(), &calls));
        for ((_, times), (kind, timeout)) in heard.iter().zip(&calls) {
            prop_assert!(times.is_sorted());
            prop_assert!(*kind == 3 || (times.len() == 1 && times[0] <= *timeout));
        }
    }
}
