//! HTTP calls: what a plugin sends, what it gets, and the rules between the two.

use std::{num::NonZeroU64, path::PathBuf, time::Duration};

use bytes::Bytes;
use serde::Deserialize;

use super::{
    http_match::HttpMatch,
    local_reply,
    rule::{Fail, Pace},
    value::{Data, Fields, OrText},
    wait::Wait,
};

/// An HTTP call as the plugin dispatched it.
#[derive(Clone, Copy, Debug, Default)]
pub struct HttpCall<'a> {
    /// The headers, pseudo headers (`:method`, `:path`, `:authority`) included.
    pub headers: &'a [(Bytes, Bytes)],
    /// The body.
    pub body: &'a [u8],
    /// The trailers.
    pub trailers: &'a [(Bytes, Bytes)],
    /// How long the plugin waits; `None` and zero both mean for ever, as in Envoy.
    pub timeout: Option<Duration>,
}

/// What comes of an HTTP call; the timeout has already been applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpOutcome {
    /// When the plugin hears of it, counted from the call.
    pub after: Duration,
    /// What it hears.
    pub what: HttpAnswer,
}

/// What a plugin hears of its HTTP call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HttpAnswer {
    /// A response: the upstream's, or the 503 or 504 that Envoy makes up.
    Response {
        /// The headers; `:status` comes first.
        headers: Vec<(Bytes, Bytes)>,
        /// The body.
        body: Bytes,
        /// The trailers.
        trailers: Vec<(Bytes, Bytes)>,
    },
    /// The stream was reset: `proxy_on_http_call_response` with no headers, body or trailers.
    Reset,
}

impl HttpAnswer {
    /// A response that Envoy makes up.
    fn local(status: &'static str, body: &'static str) -> Self {
        let headers = local_reply::headers(status, body);
        Self::Response { headers, body: Bytes::from_static(body.as_bytes()), trailers: Vec::new() }
    }
}

/// An HTTP rule, ready to answer once its body is loaded.
#[derive(Clone, Debug)]
pub(super) struct HttpScript {
    pub(super) matches: HttpMatch,
    pub(super) then: Then,
}

/// What an HTTP rule does.
#[derive(Clone, Debug)]
pub(super) enum Then {
    Answer(HttpAnswer),
    Fail(Fail),
}

/// An HTTP rule as it is written.
#[derive(Debug, Deserialize)]
#[serde(try_from = "RawHttpRule")]
pub(super) struct HttpRule {
    pub(super) pace: Pace,
    pub(super) script: HttpScript,
    /// Where the body is, if it is in a file.
    pub(super) body_file: Option<PathBuf>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawHttpRule {
    #[serde(default, rename = "match")]
    matches: HttpMatch,
    status: Option<u16>,
    headers: Option<Fields>,
    body: Option<OrText<Data>>,
    body_file: Option<PathBuf>,
    json: Option<serde_json::Value>,
    trailers: Option<Fields>,
    fail: Option<Fail>,
    latency: Option<Wait>,
    latencies: Option<Vec<Wait>>,
    times: Option<NonZeroU64>,
}

impl TryFrom<RawHttpRule> for HttpRule {
    type Error = String;

    fn try_from(raw: RawHttpRule) -> Result<Self, String> {
        let pace = Pace::new(raw.latency, raw.latencies, raw.times)?;
        let bodies = [raw.body.is_some(), raw.body_file.is_some(), raw.json.is_some()];
        let bodies = bodies.into_iter().filter(|given| *given).count();
        if bodies > 1 {
            return Err("give one of `body`, `body_file` and `json`".to_owned());
        }
        let answers =
            bodies > 0 || raw.status.is_some() || raw.headers.is_some() || raw.trailers.is_some();
        let then = match raw.fail {
            Some(_) if answers => {
                return Err("`fail` leaves no room for an answer; remove `status`, `headers`, \
                            `trailers` and the body, or `fail`"
                    .to_owned());
            }
            Some(fail) => Then::Fail(fail),
            None => {
                let status = raw.status.unwrap_or(200);
                if !(200..=599).contains(&status) {
                    return Err(format!("status {status} is not between 200 and 599"));
                }
                let fields = raw.headers.unwrap_or_default();
                let mut headers = vec![(Bytes::from_static(b":status"), status.to_string().into())];
                if raw.json.is_some() && !fields.has("content-type") {
                    headers.push(("content-type".into(), "application/json".into()));
                }
                headers.extend(fields.0);
                let json = raw.json.map(|json| json.to_string().into());
                let body = raw.body.map(|body| body.0.0).or(json).unwrap_or_default();
                let trailers = raw.trailers.unwrap_or_default().0;
                Then::Answer(HttpAnswer::Response { headers, body, trailers })
            }
        };
        let script = HttpScript { matches: raw.matches, then };
        Ok(Self { pace, script, body_file: raw.body_file })
    }
}

impl HttpRule {
    /// Puts a body that was read from a file into the answer.
    pub(super) fn set_body(&mut self, bytes: Bytes) {
        if let Then::Answer(HttpAnswer::Response { body, .. }) = &mut self.script.then {
            *body = bytes;
        }
    }
}

/// Applies latency and timeout; `None` when nothing ever comes.
pub(super) fn outcome(
    then: &Then,
    latency: Duration,
    timeout: Option<Duration>,
) -> Option<HttpOutcome> {
    let timeout = timeout.filter(|timeout| !timeout.is_zero());
    let too_late =
        |after| HttpOutcome { after, what: HttpAnswer::local("504", local_reply::TIMEOUT) };
    let what = match (then, timeout) {
        (Then::Fail(Fail::Never), None) => return None,
        (Then::Fail(Fail::Never | Fail::Timeout), Some(timeout)) => return Some(too_late(timeout)),
        (Then::Fail(Fail::Timeout), None) => return Some(too_late(latency)),
        (_, Some(timeout)) if latency > timeout => return Some(too_late(timeout)),
        (Then::Fail(Fail::Reset), _) => HttpAnswer::Reset,
        (Then::Fail(Fail::Connect), _) => HttpAnswer::local("503", local_reply::CONNECT),
        (Then::Fail(Fail::Disconnect), _) => HttpAnswer::local("503", local_reply::DISCONNECT),
        (Then::Answer(answer), _) => answer.clone(),
    };
    Some(HttpOutcome { after: latency, what })
}

/// What a call gets that no rule answers.
pub(super) fn unscripted() -> HttpOutcome {
    HttpOutcome { after: Duration::ZERO, what: HttpAnswer::local("503", local_reply::UNSCRIPTED) }
}

#[cfg(test)]
mod tests {
    use super::{super::Upstreams, *};

    fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    /// Status, body and time of the answer to one call.
    fn answer(rule: &str, timeout: Option<Duration>) -> Option<(String, String, Duration)> {
        let script = format!("[[cluster.a.http]]\n{rule}");
        let mut session = Upstreams::parse(&script, "up.toml").unwrap().session();
        let outcome = session.http(b"a", &HttpCall { timeout, ..HttpCall::default() })?;
        let (status, body) = match outcome.what {
            HttpAnswer::Reset => ("reset".into(), Bytes::new()),
            HttpAnswer::Response { headers, body, .. } => (headers[0].1.clone(), body),
        };
        let text = |bytes: Bytes| String::from_utf8_lossy(&bytes).into_owned();
        Some((text(status), text(body), outcome.after))
    }

    #[test]
    fn failures_are_what_envoy_makes_of_them() {
        let late = |after| Some(("504".into(), "upstream request timeout".into(), after));
        let some = |status: &str, body: &str, after| Some((status.into(), body.into(), after));
        for (rule, timeout, expected) in [
            ("latency = '5ms'", Some(ms(5)), some("200", "", ms(5))),
            ("latency = '5ms'", Some(ms(4)), late(ms(4))),
            ("latency = '5ms'", Some(ms(0)), some("200", "", ms(5))),
            ("latency = '5ms'", None, some("200", "", ms(5))),
            ("fail = 'never'", Some(ms(9)), late(ms(9))),
            ("fail = 'never'", Some(ms(0)), None),
            ("fail = 'never'", None, None),
            ("fail = 'timeout'\nlatency = '5ms'", Some(ms(9)), late(ms(9))),
            ("fail = 'timeout'\nlatency = '5ms'", None, late(ms(5))),
            ("fail = 'reset'\nlatency = '5ms'", Some(ms(9)), some("reset", "", ms(5))),
            ("fail = 'reset'\nlatency = '5ms'", Some(ms(1)), late(ms(1))),
            ("fail = 'connect'\nlatency = '5ms'", None, some("503", local_reply::CONNECT, ms(5))),
            ("fail = 'disconnect'", None, some("503", local_reply::DISCONNECT, ms(0))),
        ] {
            assert_eq!(answer(rule, timeout), expected, "{rule} {timeout:?}");
        }
    }

    #[test]
    fn a_local_reply_says_how_long_its_text_is() {
        let HttpAnswer::Response { headers, body, .. } =
            HttpAnswer::local("503", local_reply::CONNECT)
        else {
            panic!("a local reply is a response")
        };
        let fields = [(":status", "503"), ("content-length", "98"), ("content-type", "text/plain")];
        assert_eq!(headers, fields.map(|(name, value)| (name.into(), value.into())));
        assert_eq!(body.len(), 98);
    }
}
