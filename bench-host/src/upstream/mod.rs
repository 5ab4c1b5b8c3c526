//! Scripted upstreams: what answers the calls that a plugin makes itself.
//!
//! A plugin may call other services over HTTP, gRPC and Redis. A script says for each cluster what
//! comes back, how late, and how it fails, so that a run needs no network and is the same each
//! time. There is no clock in here and no thread: a call is answered at once with its *outcome*,
//! which says after which time the plugin hears what; the host moves its virtual clock and
//! delivers.
//!
//! ```
//! use std::time::Duration;
//!
//! use bench_host::upstream::{HttpAnswer, HttpCall, Upstreams};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let script = r#"
//!     [cluster."outbound|80||auth.dns"]
//!     latency = "5ms"
//!
//!     [[cluster."outbound|80||auth.dns".http]]
//!     match = { method = "POST", path = "/check" }
//!     status = 403
//! "#;
//! let mut session = Upstreams::parse(script, "auth.toml")?.session();
//!
//! let headers = [(":method", "POST"), (":path", "/check")].map(|(n, v)| (n.into(), v.into()));
//! let call = HttpCall { headers: &headers, ..HttpCall::default() };
//! let outcome = session.http(b"outbound|80||auth.dns", &call).ok_or("no answer")?;
//! assert_eq!(outcome.after, Duration::from_millis(5));
//! let HttpAnswer::Response { headers, .. } = outcome.what else { return Err("reset".into()) };
//! assert_eq!(headers[0], (":status".into(), "403".into()));
//!
//! assert!(!session.knows(b"outbound|80||other.dns"));
//! # Ok(())
//! # }
//! ```
//!
//! `docs/upstreams.md` describes every key.

mod error;
mod grpc;
mod grpc_rule;
mod host;
mod http;
mod http_match;
mod local_reply;
mod redis;
mod resp;
mod rule;
mod script;
mod session;
mod store;
mod value;
mod wait;

use std::{fs, path::Path, sync::Arc};

pub use error::UpstreamError;
pub use grpc::{GrpcCall, GrpcEvent, GrpcKind, GrpcOutcome, GrpcStep, GrpcStream};
pub use host::{Health, UpstreamHost};
pub use http::{HttpAnswer, HttpCall, HttpOutcome};
pub use redis::{RedisAnswer, RedisCall, RedisOutcome};
use script::{RawScript, Script};
pub use session::Session;

/// The upstreams of a script; cloning shares them.
#[derive(Clone, Debug, Default)]
pub struct Upstreams(Arc<Script>);

impl Upstreams {
    /// No upstreams: no cluster is known.
    pub fn none() -> Self {
        Self::default()
    }

    /// Reads a script from a file; the files that it names are looked for beside it.
    ///
    /// # Errors
    ///
    /// [`UpstreamError::Io`] when the file cannot be read, else as [`parse`](Self::parse).
    pub fn read(path: &Path) -> Result<Self, UpstreamError> {
        let script = path.display().to_string();
        let text = fs::read_to_string(path)
            .map_err(|cause| UpstreamError::Io { script: script.clone(), cause })?;
        Self::from_text(&text, &script, folder(path))
    }

    /// Parses a script; `name` is its path for messages, and `body_file` is looked for beside it.
    ///
    /// # Errors
    ///
    /// [`UpstreamError::Line`] when the text is no TOML, or has keys or values that mean nothing;
    /// [`UpstreamError::BodyFile`] when a body cannot be read.
    pub fn parse(text: &str, name: &str) -> Result<Self, UpstreamError> {
        Self::from_text(text, name, folder(Path::new(name)))
    }

    /// Takes a script that is part of another file: a table with the key `cluster`.
    ///
    /// # Errors
    ///
    /// [`UpstreamError::Table`], which knows the key but not the line, when the table has keys or
    /// values that mean nothing; [`UpstreamError::BodyFile`] when a body, looked for in `base`,
    /// cannot be read.
    pub fn from_table(table: toml::Table, base: &Path) -> Result<Self, UpstreamError> {
        let raw: RawScript = serde_path_to_error::deserialize(toml::Value::Table(table))
            .map_err(|error| UpstreamError::table(&error))?;
        Script::new(raw, "upstreams", base).map(|script| Self(Arc::new(script)))
    }

    /// Starts a run: no rule has answered yet.
    pub fn session(&self) -> Session {
        Session::new(Arc::clone(&self.0))
    }

    fn from_text(text: &str, name: &str, base: &Path) -> Result<Self, UpstreamError> {
        let deserializer = toml::Deserializer::parse(text)
            .map_err(|error| UpstreamError::syntax(name, text, &error))?;
        let raw: RawScript = serde_path_to_error::deserialize(deserializer)
            .map_err(|error| UpstreamError::value(name, text, &error))?;
        Script::new(raw, name, base).map(|script| Self(Arc::new(script)))
    }
}

/// The folder of a file.
fn folder(path: &Path) -> &Path {
    path.parent().unwrap_or_else(|| Path::new(""))
}

#[cfg(test)]
mod tests {
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
        assert!(
            error.starts_with("upstreams: cluster.a.redis[0].comand: unknown field"),
            "{error}"
        );
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
        assert!(matches!(answer, HttpAnswer::Response { body, .. } if body == &b"\xff\0"[..]));

        let absent = Upstreams::read(&folder.path().join("absent.toml")).unwrap_err();
        assert!(matches!(absent, UpstreamError::Io { .. }));
    }

    /// Words of the language, so that arbitrary texts of them get past the parser of TOML.
    const WORDS: &str = "(\\[\\[cluster.a.(http|grpc|redis)\\]\\]|\\[cluster.a\\]|latency = '1ms'|\
        latencies = \\['1ms', '9h'\\]|times = [0-3]|status = (1|200|'OK')|fail = '(reset|never|connect)'|\
        match = \\{ path_regex = '.' \\}|messages = \\['a', \\{ hex = '0a', when = [0-2] \\}\\]|store = true|\
        body = \\{ base64 = 'aGk=' \\}|json = \\{ a = 1 \\}|string = 'x'|array = \\[1, \\['a'\\]\\]|close = 'end'|\\PC)";

    proptest! {
        #[test]
        fn any_text_is_taken_without_a_panic(text in "\\PC*") {
            let _ = Upstreams::parse(&text, "up.toml");
        }

        #[test]
        fn any_script_answers_the_same_twice(
            lines in prop::collection::vec(WORDS, 0..8),
            calls in prop::collection::vec((0..4, 0_u64..3), 0..12),
        ) {
            let Ok(upstreams) = Upstreams::parse(&lines.join("\n"), "up.toml") else {
                return Ok(());
            };
            let run = |mut session: Session| -> Vec<String> {
                let call = |(kind, ms): &(i32, u64)| {
                    let timeout = Some(std::time::Duration::from_millis(*ms));
                    match kind {
                        0 => format!("{:?}", session.http(b"a", &HttpCall { timeout, ..HttpCall::default() })),
                        1 => {
                            let query = &resp::command(&["INCR", "k"])[..];
                            let call = RedisCall { query, timeout, ..RedisCall::default() };
                            format!("{:?}", session.redis(b"a", &call))
                        }
                        2 => format!("{:?}", session.grpc(b"a", &GrpcCall { timeout, ..GrpcCall::default() })),
                        _ => {
                            let kind = GrpcKind::Stream;
                            let outcome = session.grpc(b"a", &GrpcCall { kind, ..GrpcCall::default() });
                            let mut stream = outcome.and_then(|outcome| outcome.stream);
                            format!("{:?}", stream.as_mut().map(|stream| (stream.sent(false), stream.ended())))
                        }
                    }
                };
                calls.iter().map(call).collect()
            };
            prop_assert_eq!(run(upstreams.session()), run(upstreams.session()));
        }
    }
}
