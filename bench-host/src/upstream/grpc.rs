//! gRPC calls and streams: what a plugin sends, and what it hears at which time.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;

use super::{grpc_rule::GrpcScript, grpc_stream::GrpcStream, local_reply, rule::Fail};

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
    /// The upstream's end of a stream, to tell it what the plugin sends; `None` for a call, and for
    /// a stream that no rule answers.
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
            let (steps, stream) = GrpcStream::open(Arc::clone(script), latency);
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
pub(super) fn failure(fail: Fail) -> Option<GrpcEvent> {
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
pub(super) mod tests {
    use super::{super::Upstreams, *};

    pub(in super::super) fn outcome(rule: &str, call: &GrpcCall<'_>) -> GrpcOutcome {
        let script = format!("[[cluster.a.grpc]]\n{rule}");
        Upstreams::parse(&script, "up.toml").unwrap().session().grpc(b"a", call).unwrap()
    }

    /// Steps in short: milliseconds and what.
    pub(in super::super) fn short(steps: &[GrpcStep]) -> Vec<String> {
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
}
