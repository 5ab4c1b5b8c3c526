//! Calls that a plugin makes, and what arrives for them.
//!
//! Whatever the upstream scripts answer comes as events on the host's clock. Calls belong to the
//! root context, so they outlive the stream that was current when they were made.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;

use super::abi::{BufferKind, MapKind, Status};
use super::headers::HeaderMap;
use super::proxy::Proxy;
use super::{Host, Pairs};
use crate::engine::Callback;
use crate::upstream::{GrpcCall, GrpcEvent, GrpcKind, GrpcStep, GrpcStream, HttpAnswer, HttpCall};
use crate::upstream::{RedisAnswer, RedisCall, RedisOutcome};

/// Calls of one VM that are not over.
#[derive(Debug, Default)]
pub(super) struct Callouts {
    pending: BTreeMap<u32, Callout>,
    /// How many calls of each kind there have been.
    made: [u32; 4],
    /// Redis clusters that the plugin has initialised, and how long it waits for their answers.
    redis: BTreeMap<Vec<u8>, Option<Duration>>,
}

#[derive(Debug)]
struct Callout {
    root: u32,
    /// The upstream's end of a gRPC stream.
    stream: Option<GrpcStream>,
}

/// What a call is; the number is in the low two bits of its token, as in Envoy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Http = 0,
    GrpcCall = 1,
    GrpcStream = 2,
    Redis = 3,
}

/// What arrives for a call.
#[derive(Debug)]
pub(super) enum Arrival {
    Http(HttpAnswer),
    Grpc(GrpcEvent),
    Redis(RedisAnswer),
}

/// What has arrived for a call, while the plugin is told.
#[derive(Debug, Default)]
pub(super) struct Delivery {
    headers: Option<(MapKind, HeaderMap)>,
    trailers: Option<(MapKind, HeaderMap)>,
    body: Option<(BufferKind, Bytes)>,
    /// How the last call ended that did not end well: gRPC status, or the host's, and a message.
    pub status: (u32, Bytes),
}

/// Calls that may wait for an answer at once in a VM.
const MOST: usize = 1_024;

/// The soonest that anything arrives. A network takes some time, and time has to pass for a plugin
/// that calls again from every answer.
const SOONEST: Duration = Duration::from_micros(100);

impl Callouts {
    pub fn is_empty(&self) -> bool {
        self.pending.is_empty()
    }

    /// Drops the calls of a root context that is gone.
    pub fn cancel_of(&mut self, root: u32) {
        self.pending.retain(|_, callout| callout.root != root);
    }

    fn add(&mut self, kind: Kind, callout: Callout) -> Result<u32, Status> {
        if self.pending.len() == MOST {
            return Err(Status::InternalFailure);
        }
        let made = &mut self.made[kind as usize];
        *made = made.checked_add(1).filter(|made| *made < 1 << 30).unwrap_or(1);
        let token = (*made << 2) | kind as u32;
        self.pending.insert(token, callout);
        Ok(token)
    }
}

impl Delivery {
    pub fn buffer(&self, kind: BufferKind) -> Option<&Bytes> {
        self.body.as_ref().filter(|(of, _)| *of == kind).map(|(_, body)| body)
    }

    pub fn map(&self, kind: MapKind) -> Option<&HeaderMap> {
        let maps = [self.headers.as_ref(), self.trailers.as_ref()];
        maps.into_iter().flatten().find(|(of, _)| *of == kind).map(|(_, map)| map)
    }
}

impl Host {
    /// Whether a script has the cluster; a call to another one is noted.
    fn is_known(&self, cluster: &[u8]) -> bool {
        let mut upstreams = self.upstreams();
        let known = upstreams.knows(cluster);
        if !known {
            upstreams.refused(cluster);
        }
        known
    }

    /// Makes an HTTP call; answers its token.
    pub(super) fn http_call(
        &mut self,
        cluster: &[u8],
        headers: &Pairs,
        body: &[u8],
        trailers: &Pairs,
        timeout: u32,
    ) -> Result<u32, Status> {
        // The real host reads the number as a signed one, and refuses what is below zero.
        let timeout = i32::try_from(timeout).map_err(|_| Status::BadArgument)?;
        let has = |name: &[u8]| headers.iter().any(|(known, _)| known.eq_ignore_ascii_case(name));
        let complete = has(b":path") && has(b":method") && has(b":authority");
        if !complete || !self.is_known(cluster) {
            return Err(Status::BadArgument);
        }
        let token = self.add_callout(Kind::Http, None)?;
        let timeout = Duration::from_millis(u64::from(timeout.unsigned_abs()));
        let timeout = Some(timeout).filter(|timeout| !timeout.is_zero());
        let call = HttpCall { headers, body, trailers, timeout };
        // Without an outcome the upstream never answers, and nobody waits for it.
        let outcome = self.upstreams().http(cluster, &call);
        let arrives = outcome.map_or(Ok(()), |outcome| {
            self.arrives(token, outcome.after, Arrival::Http(outcome.what))
        });
        self.made(token, arrives)
    }

    /// Makes a gRPC call, or opens a stream; answers its token.
    pub(super) fn grpc_call(&mut self, cluster: &[u8], call: &GrpcCall<'_>) -> Result<u32, Status> {
        if !self.is_known(cluster) {
            return Err(Status::ParseFailure);
        }
        let kind = match call.kind {
            GrpcKind::Unary => Kind::GrpcCall,
            GrpcKind::Stream => Kind::GrpcStream,
        };
        let token = self.add_callout(kind, None)?;
        let Some(outcome) = self.upstreams().grpc(cluster, call) else { return Ok(token) };
        if let Some(callout) = self.callouts.pending.get_mut(&token) {
            callout.stream = outcome.stream;
        }
        let arrives = self.steps(token, outcome.steps);
        self.made(token, arrives)
    }

    /// Sends a message on a gRPC stream.
    pub(super) fn grpc_send(&mut self, token: u32, end: bool) -> Result<(), Status> {
        let stream = self.grpc_stream(token)?;
        let steps = stream.map(|stream| stream.sent(end)).unwrap_or_default();
        self.steps(token, steps)
    }

    /// Ends the plugin's side of a gRPC stream.
    pub(super) fn grpc_close(&mut self, token: u32) -> Result<(), Status> {
        if token & 3 == Kind::GrpcCall as u32 {
            return self.grpc_cancel(token);
        }
        let stream = self.grpc_stream(token)?;
        let steps = stream.map(GrpcStream::ended).unwrap_or_default();
        self.steps(token, steps)
    }

    /// Gives a gRPC call or stream up; nothing arrives for it any more.
    pub(super) fn grpc_cancel(&mut self, token: u32) -> Result<(), Status> {
        if !matches!(token & 3, 1 | 2) {
            return Err(Status::BadArgument);
        }
        self.callouts.pending.remove(&token).map(drop).ok_or(Status::NotFound)
    }

    fn grpc_stream(&mut self, token: u32) -> Result<Option<&mut GrpcStream>, Status> {
        if token & 3 != Kind::GrpcStream as u32 {
            return Err(Status::BadArgument);
        }
        let callout = self.callouts.pending.get_mut(&token).ok_or(Status::NotFound)?;
        Ok(callout.stream.as_mut())
    }

    /// Prepares a Redis cluster. Whether it can be reached, only its calls tell.
    pub(super) fn redis_init(&mut self, cluster: &[u8], timeout: u32) -> Result<(), Status> {
        if !self.is_known(cluster) {
            return Err(Status::BadArgument);
        }
        let timeout = Duration::from_millis(timeout.into());
        let timeout = Some(timeout).filter(|timeout| !timeout.is_zero());
        self.callouts.redis.insert(cluster.to_vec(), timeout);
        Ok(())
    }

    /// Makes a Redis call; answers its token.
    pub(super) fn redis_call(&mut self, cluster: &[u8], query: &[u8]) -> Result<u32, Status> {
        if !self.is_known(cluster) {
            return Err(Status::BadArgument);
        }
        let timeout = *self.callouts.redis.get(cluster).ok_or(Status::InternalFailure)?;
        let token = self.add_callout(Kind::Redis, None)?;
        let now = Duration::from_nanos(self.clock.now());
        let call = RedisCall { query, timeout, now };
        let outcome = self.upstreams().redis(cluster, &call);
        let arrives = outcome.map_or(Ok(()), |RedisOutcome { after, what }| {
            self.arrives(token, after, Arrival::Redis(what))
        });
        self.made(token, arrives)
    }

    fn add_callout(&mut self, kind: Kind, stream: Option<GrpcStream>) -> Result<u32, Status> {
        let root = self.root();
        self.callouts.add(kind, Callout { root, stream })
    }

    fn steps(&mut self, token: u32, steps: Vec<GrpcStep>) -> Result<(), Status> {
        let mut steps = steps.into_iter();
        steps.try_for_each(|step| self.arrives(token, step.after, Arrival::Grpc(step.what)))
    }

    fn arrives(&mut self, token: u32, after: Duration, arrival: Arrival) -> Result<(), Status> {
        let after = u64::try_from(after.max(SOONEST).as_nanos()).unwrap_or(u64::MAX);
        let at = self.clock.now().saturating_add(after);
        if self.events.is_full() {
            // Calls that were given up have left theirs behind.
            self.events.keep(|token| self.callouts.pending.contains_key(&token));
        }
        if self.events.add(at, token, arrival) { Ok(()) } else { Err(Status::InternalFailure) }
    }

    /// The token of a call, unless its answer has no place among those that are under way.
    fn made(&mut self, token: u32, arrives: Result<(), Status>) -> Result<u32, Status> {
        if arrives.is_err() {
            self.callouts.pending.remove(&token);
            self.quota.refuse("answers under way", 0);
        }
        arrives.map(|()| token)
    }
}

impl Proxy {
    /// Tells the plugin what has arrived for a call, unless the call is over.
    pub(super) fn arrive(&mut self, token: u32, arrival: Arrival) {
        let host = self.host();
        let Some(callout) = host.callouts.pending.get(&token) else { return };
        let context = callout.root;
        let unary = token & 3 == Kind::GrpcCall as u32;
        let over = match &arrival {
            Arrival::Http(_) | Arrival::Redis(_) => true,
            Arrival::Grpc(GrpcEvent::Close { .. }) => true,
            Arrival::Grpc(GrpcEvent::Message(_)) => unary,
            Arrival::Grpc(_) => false,
        };
        if over {
            host.callouts.pending.remove(&token);
        }
        let (delivery, callback) = delivered(context, token, arrival);
        let status = delivery.status.clone();
        host.delivery = delivery;
        self.call(callback);
        let host = self.host();
        // What has arrived is gone before anything happens that the plugin has put off.
        host.delivery = Delivery { status, ..Delivery::default() };
        host.stopped = false;
        self.act();
    }
}

/// What the plugin can read, and what it is told.
fn delivered(context: u32, token: u32, arrival: Arrival) -> (Delivery, Callback) {
    let mut delivery = Delivery::default();
    let count = |map: &HeaderMap| u32::try_from(map.len()).unwrap_or(u32::MAX);
    let size = |body: &Bytes| u32::try_from(body.len()).unwrap_or(u32::MAX);
    let callback = match arrival {
        Arrival::Http(HttpAnswer::Response { headers, body, trailers }) => {
            let (headers, trailers) = (HeaderMap::from(headers), HeaderMap::from(trailers));
            let (headers_count, trailers_count) = (count(&headers), count(&trailers));
            let body_size = size(&body);
            delivery.headers = Some((MapKind::HttpCallHeaders, headers));
            delivery.trailers = Some((MapKind::HttpCallTrailers, trailers));
            delivery.body = Some((BufferKind::HttpCallBody, body));
            Callback::HttpCallResponse {
                context,
                token,
                headers: headers_count,
                size: body_size,
                trailers: trailers_count,
            }
        }
        Arrival::Http(HttpAnswer::Reset) => {
            delivery.status = (Status::BrokenConnection as u32, Bytes::from_static(b"reset"));
            Callback::HttpCallResponse { context, token, headers: 0, size: 0, trailers: 0 }
        }
        Arrival::Redis(RedisAnswer::Reply(body)) => {
            let size = size(&body);
            delivery.body = Some((BufferKind::RedisResponse, body));
            Callback::RedisCallResponse { context, token, status: 0, size }
        }
        Arrival::Redis(RedisAnswer::NetworkError) => {
            Callback::RedisCallResponse { context, token, status: 1, size: 0 }
        }
        Arrival::Grpc(GrpcEvent::InitialMetadata(pairs)) => {
            let map = HeaderMap::from(pairs);
            let count = count(&map);
            delivery.headers = Some((MapKind::GrpcInitialMetadata, map));
            Callback::GrpcInitialMetadata { context, token, count }
        }
        Arrival::Grpc(GrpcEvent::Message(body)) => {
            let size = size(&body);
            delivery.body = Some((BufferKind::GrpcMessage, body));
            Callback::GrpcMessage { context, token, size }
        }
        Arrival::Grpc(GrpcEvent::TrailingMetadata(pairs)) => {
            let map = HeaderMap::from(pairs);
            let count = count(&map);
            delivery.trailers = Some((MapKind::GrpcTrailingMetadata, map));
            Callback::GrpcTrailingMetadata { context, token, count }
        }
        Arrival::Grpc(GrpcEvent::Close { status, message }) => {
            delivery.status = (status, message);
            Callback::GrpcClose { context, token, status }
        }
    };
    (delivery, callback)
}
