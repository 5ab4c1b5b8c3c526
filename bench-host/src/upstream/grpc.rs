//! gRPC calls and streams: what a plugin sends, and what it hears at which time.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;

use super::{
    grpc_rule::{GrpcScript, When},
    local_reply,
    rule::Fail,
};

/// Status codes that Envoy gives to calls which fail outside of the upstream's code
/// (`docs/statuscodes.md` of the gRPC project).
mod status {
    pub(super) const OK: u32 = 0;
    pub(super) const INTERNAL: u32 = 13;
    pub(super) const UNAVAILABLE: u32 = 14;
}

/// Whether a plugin makes one call or opens a stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum GrpcKind {
    /// `proxy_grpc_call`: the message is known, and one message or a failure comes back.
    #[default]
    Unary,
    /// `proxy_grpc_stream`: messages come and go later.
    Stream,
}

/// A gRPC call, or the opening of a stream, as the plugin dispatched it.
#[derive(Clone, Copy, Debug, Default)]
pub struct GrpcCall<'a> {
    /// Call or stream.
    pub kind: GrpcKind,
    /// The service with its package, such as `envoy.service.auth.v3.Authorization`.
    pub service: &'a [u8],
    /// The method.
    pub method: &'a [u8],
    /// The metadata that the plugin adds.
    pub initial_metadata: &'a [(Bytes, Bytes)],
    /// The message of a unary call; empty for a stream.
    pub message: &'a [u8],
    /// How long the plugin waits; `None` and zero both mean for ever. Streams have none.
    pub timeout: Option<Duration>,
}

/// What comes of a gRPC call or of the opening of a stream.
#[derive(Clone, Debug)]
pub struct GrpcOutcome {
    /// What the plugin hears, in order; none when the upstream stays silent.
    pub steps: Vec<GrpcStep>,
    /// The upstream's end of a stream, to tell it what the plugin sends; `None` for a call.
    pub stream: Option<GrpcStream>,
}

/// One thing that a plugin hears.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GrpcStep {
    /// When, counted from the call, from the opening, or from the message that it answers.
    pub after: Duration,
    /// What.
    pub what: GrpcEvent,
}

/// What a plugin may hear of a gRPC call or stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GrpcEvent {
    /// `proxy_on_grpc_receive_initial_metadata`; streams only.
    InitialMetadata(Vec<(Bytes, Bytes)>),
    /// `proxy_on_grpc_receive`. After it a unary call is over: Envoy reports no close.
    Message(Bytes),
    /// `proxy_on_grpc_receive_trailing_metadata`; streams only.
    TrailingMetadata(Vec<(Bytes, Bytes)>),
    /// `proxy_on_grpc_close`, after which nothing follows.
    Close {
        /// The gRPC status.
        status: u32,
        /// The message, which `proxy_get_status` answers.
        message: Bytes,
    },
}

impl GrpcEvent {
    fn close(status: u32, message: &'static str) -> Self {
        Self::Close { status, message: Bytes::from_static(message.as_bytes()) }
    }
}

/// The upstream's end of an open gRPC stream: it reacts to what the plugin sends.
///
/// # Cost
///
/// Holds the rule by reference count and two counters; each message sent costs the steps that
/// answer it.
#[derive(Clone, Debug)]
pub struct GrpcStream {
    script: Arc<GrpcScript>,
    latency: Duration,
    sent: u64,
    half_closed: bool,
    closed: bool,
}

impl GrpcStream {
    /// Takes a message from the plugin; answers what that causes, counted from now.
    ///
    /// `end_of_stream` says that the plugin sends nothing more. After the steps have closed the
    /// stream there are no further ones.
    pub fn sent(&mut self, end_of_stream: bool) -> Vec<GrpcStep> {
        if self.half_closed {
            return Vec::new();
        }
        self.sent = self.sent.saturating_add(1);
        let mut steps = Vec::new();
        self.react(When::Nth(self.sent), &mut steps);
        if end_of_stream {
            self.end(&mut steps);
        }
        steps
    }

    /// Takes the end of what the plugin sends, without a message.
    pub fn ended(&mut self) -> Vec<GrpcStep> {
        let mut steps = Vec::new();
        self.end(&mut steps);
        steps
    }

    /// Whether the upstream has closed the stream.
    pub fn is_closed(&self) -> bool {
        self.closed
    }

    fn end(&mut self, steps: &mut Vec<GrpcStep>) {
        if !std::mem::replace(&mut self.half_closed, true) {
            self.react(When::End, steps);
        }
    }

    /// Adds what `now` causes; what one moment causes comes one after another.
    fn react(&mut self, now: When, steps: &mut Vec<GrpcStep>) {
        if self.closed || self.script.fail.is_some() {
            return;
        }
        let mut after = steps.last().map_or(Duration::ZERO, |step| step.after);
        // The latency of the rule delays what comes first, the others follow at once.
        let mut default = if steps.is_empty() { self.latency } else { Duration::ZERO };
        for message in &self.script.messages {
            if message.when.is(now) {
                after = after.saturating_add(message.latency.unwrap_or(default));
                default = Duration::ZERO;
                let what = GrpcEvent::Message(message.data.clone());
                steps.push(GrpcStep { after, what });
            }
        }
        if self.script.close.is_some_and(|when| when.is(now)) {
            let what = GrpcEvent::TrailingMetadata(self.script.trailing_metadata.clone());
            steps.push(GrpcStep { after, what });
            let what = GrpcEvent::Close {
                status: self.script.status,
                message: self.script.message.clone(),
            };
            steps.push(GrpcStep { after, what });
            self.closed = true;
        }
    }
}

/// Applies a rule to a call; `timeout` counts for unary calls.
pub(super) fn outcome(
    script: &Arc<GrpcScript>,
    latency: Duration,
    call: &GrpcCall<'_>,
) -> GrpcOutcome {
    match call.kind {
        GrpcKind::Unary => {
            let timeout = call.timeout.filter(|timeout| !timeout.is_zero());
            let step = unary(script, latency, timeout);
            GrpcOutcome { steps: step.into_iter().collect(), stream: None }
        }
        GrpcKind::Stream => {
            let script = Arc::clone(script);
            let mut stream =
                GrpcStream { script, latency, sent: 0, half_closed: false, closed: false };
            let mut steps = Vec::new();
            match stream.script.fail {
                Some(fail) => {
                    let what = failure(fail);
                    stream.closed = what.is_some();
                    steps.extend(what.map(|what| GrpcStep { after: latency, what }));
                }
                None => {
                    let what = GrpcEvent::InitialMetadata(stream.script.initial_metadata.clone());
                    steps.push(GrpcStep { after: latency, what });
                    stream.react(When::Open, &mut steps);
                }
            }
            GrpcOutcome { steps, stream: Some(stream) }
        }
    }
}

/// The one thing that a unary call hears.
fn unary(script: &GrpcScript, latency: Duration, timeout: Option<Duration>) -> Option<GrpcStep> {
    let too_late = |after| {
        let what = GrpcEvent::close(status::UNAVAILABLE, local_reply::TIMEOUT);
        Some(GrpcStep { after, what })
    };
    let first = script.messages.first();
    let after = latency.saturating_add(first.and_then(|m| m.latency).unwrap_or_default());
    match (script.fail, timeout) {
        (Some(Fail::Never), None) => return None,
        (Some(Fail::Never | Fail::Timeout), Some(timeout)) => return too_late(timeout),
        (_, Some(timeout)) if after > timeout => return too_late(timeout),
        _ => {}
    }
    let what = match (script.fail, first) {
        (Some(fail), _) => failure(fail)?,
        (None, Some(message)) if script.status == status::OK => {
            GrpcEvent::Message(message.data.clone())
        }
        (None, _) if script.status != status::OK => {
            GrpcEvent::Close { status: script.status, message: script.message.clone() }
        }
        // Envoy's client takes an OK without a message for a broken upstream
        // (`source/common/grpc/async_client_impl.cc`, `onRemoteClose`).
        (None, _) => GrpcEvent::close(status::INTERNAL, ""),
    };
    Some(GrpcStep { after, what })
}

/// How a failure closes a call or a stream; `None` when it never does.
fn failure(fail: Fail) -> Option<GrpcEvent> {
    // A local reply to a gRPC request carries the status that belongs to 503 or 504, which is the
    // same (`http-grpc-status-mapping.md` of the gRPC project), and the text as its message.
    Some(match fail {
        Fail::Never => return None,
        Fail::Connect => GrpcEvent::close(status::UNAVAILABLE, local_reply::CONNECT),
        Fail::Disconnect => GrpcEvent::close(status::UNAVAILABLE, local_reply::DISCONNECT),
        Fail::Timeout => GrpcEvent::close(status::UNAVAILABLE, local_reply::TIMEOUT),
        Fail::Reset => GrpcEvent::close(status::INTERNAL, ""),
    })
}

/// What a call gets that no rule answers.
pub(super) fn unscripted() -> GrpcOutcome {
    let what = GrpcEvent::close(status::UNAVAILABLE, local_reply::UNSCRIPTED);
    GrpcOutcome { steps: vec![GrpcStep { after: Duration::ZERO, what }], stream: None }
}

/// Whether a rule answers a call.
pub(super) fn matches(script: &GrpcScript, call: &GrpcCall<'_>) -> bool {
    script.matches(call.service, call.method)
}

#[cfg(test)]
mod tests {
    use super::{super::Upstreams, *};

    fn outcome(rule: &str, call: &GrpcCall<'_>) -> GrpcOutcome {
        let script = format!("[[cluster.a.grpc]]\n{rule}");
        Upstreams::parse(&script, "up.toml").unwrap().session().grpc(b"a", call).unwrap()
    }

    /// Steps in short: milliseconds and what.
    fn short(steps: &[GrpcStep]) -> Vec<String> {
        let text = |bytes: &Bytes| String::from_utf8_lossy(bytes).into_owned();
        let pairs = |fields: &[(Bytes, Bytes)]| {
            fields.iter().map(|(n, v)| format!("{}={}", text(n), text(v))).collect::<Vec<_>>()
        };
        let short = |step: &GrpcStep| {
            let what = match &step.what {
                GrpcEvent::InitialMetadata(fields) => format!("initial {}", pairs(fields).len()),
                GrpcEvent::Message(bytes) => text(bytes),
                GrpcEvent::TrailingMetadata(fields) => {
                    format!("trailing {}", pairs(fields).join(" "))
                }
                GrpcEvent::Close { status, message } => format!("close {status} {}", text(message)),
            };
            format!("{} {what}", step.after.as_millis())
        };
        steps.iter().map(short).collect()
    }

    #[test]
    fn a_call_hears_one_thing() {
        let timeout = |ms| Some(Duration::from_millis(ms));
        let late = "upstream request timeout";
        for (rule, timeout, expected) in [
            ("latency = '3ms'\nmessages = ['yes', 'more']", None, "3 yes".to_owned()),
            ("latency = '3ms'\nmessages = ['yes']", timeout(3), "3 yes".to_owned()),
            ("latency = '3ms'\nmessages = ['yes']", timeout(2), format!("2 close 14 {late}")),
            (
                "latency = '3ms'\nmessages = [{ text = 'yes', latency = '4ms' }]",
                timeout(0),
                "7 yes".to_owned(),
            ),
            ("messages = ['yes']\nstatus = 7\nmessage = 'no'", None, "0 close 7 no".to_owned()),
            ("", None, "0 close 13 ".to_owned()),
            ("fail = 'reset'", None, "0 close 13 ".to_owned()),
            ("fail = 'connect'", None, format!("0 close 14 {}", local_reply::CONNECT)),
            ("fail = 'disconnect'", None, format!("0 close 14 {}", local_reply::DISCONNECT)),
            ("fail = 'timeout'\nlatency = '3ms'", None, format!("3 close 14 {late}")),
            ("fail = 'timeout'\nlatency = '3ms'", timeout(9), format!("9 close 14 {late}")),
            ("fail = 'never'", timeout(9), format!("9 close 14 {late}")),
        ] {
            let outcome = outcome(rule, &GrpcCall { timeout, ..GrpcCall::default() });
            assert_eq!(short(&outcome.steps), [expected], "{rule} {timeout:?}");
            assert!(outcome.stream.is_none());
        }
        assert!(outcome("fail = 'never'", &GrpcCall::default()).steps.is_empty());
    }

    fn open(rule: &str) -> (Vec<String>, GrpcStream) {
        let outcome = outcome(rule, &GrpcCall { kind: GrpcKind::Stream, ..GrpcCall::default() });
        (short(&outcome.steps), outcome.stream.unwrap())
    }

    #[test]
    fn a_stream_without_reactions_closes_itself() {
        let (steps, mut stream) = open(
            "latency = '2ms'\ninitial_metadata = { a = '1' }\nstatus = 5\nmessage = 'gone'\n\
             messages = ['x', { text = 'y', latency = '3ms' }]\ntrailing_metadata = { b = '2' }",
        );
        assert_eq!(
            steps,
            [
                "2 initial 3",
                "2 x",
                "5 y",
                "5 trailing grpc-status=5 grpc-message=gone b=2",
                "5 close 5 gone"
            ]
        );
        assert!(stream.is_closed());
        assert!(stream.sent(true).is_empty());
    }

    #[test]
    fn a_stream_reacts_to_what_is_sent() {
        let rule = "latency = '2ms'\nmessages = [{ text = 'each', when = 'each' }, \
                    { text = 'second', when = 2, latency = '5ms' }, \
                    { text = 'end', when = 'end' }, { text = 'more', when = 'end' }]";
        let (steps, mut stream) = open(rule);
        assert_eq!(steps, ["2 initial 2"]);
        assert_eq!(short(&stream.sent(false)), ["2 each"]);
        assert_eq!(short(&stream.sent(false)), ["2 each", "7 second"]);
        assert!(!stream.is_closed());
        let end = ["2 end", "2 more", "2 trailing grpc-status=0", "2 close 0 "];
        assert_eq!(short(&stream.clone().ended()), end);
        assert_eq!(short(&stream.sent(true))[..2], ["2 each", "2 end"]);
        assert!(stream.is_closed());
        assert!(stream.sent(false).is_empty() && stream.ended().is_empty());
    }

    #[test]
    fn a_stream_closes_when_it_is_told_or_never() {
        let (_, mut stream) = open("close = 2");
        assert!(stream.sent(false).is_empty());
        assert_eq!(short(&stream.sent(false)), ["0 trailing grpc-status=0", "0 close 0 "]);

        let (steps, mut stream) = open("close = 'never'");
        assert_eq!(steps, ["0 initial 2"]);
        assert!(stream.sent(true).is_empty() && !stream.is_closed());

        let (steps, stream) = open("fail = 'reset'\nlatency = '4ms'");
        assert_eq!((&steps[..], stream.is_closed()), (&["4 close 13 ".to_owned()][..], true));
        let (steps, mut stream) = open("fail = 'never'");
        assert!(steps.is_empty() && stream.sent(true).is_empty() && !stream.is_closed());
    }
}
