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
