//! Calls that a plugin makes.

use std::time::Duration;

use super::{Answer, Caller, Span, only_higress, put_u32, take, take_pairs};
use crate::host::protobuf::{self, Field};
use crate::upstream::{GrpcCall, GrpcKind};

/// What a plugin passes to `proxy_http_call`.
#[derive(Clone, Copy, Debug)]
pub struct HttpCallArguments {
    /// The cluster to call.
    pub cluster: Span,
    /// Headers, as pairs.
    pub headers: Span,
    /// Body.
    pub body: Span,
    /// Trailers, as pairs.
    pub trailers: Span,
    /// Milliseconds; 0 waits for ever.
    pub timeout: u32,
}

/// `proxy_http_call`
pub fn http_call<C: Caller>(c: &mut C, arguments: HttpCallArguments, token: u64) -> Answer<C> {
    put_u32(c, token, 0)?;
    let cluster = take(c, arguments.cluster)?;
    let mut headers = take_pairs(c, arguments.headers)?;
    let body = take(c, arguments.body)?;
    let trailers = take_pairs(c, arguments.trailers)?;
    if !body.is_empty() {
        headers.retain(|(name, _)| &name[..] != b"content-length");
        headers.push(("content-length".into(), body.len().to_string().into()));
    }
    let number = c.host().http_call(&cluster, &headers, &body, &trailers, arguments.timeout)?;
    Ok(put_u32(c, token, number)?)
}

/// What a plugin passes to `proxy_grpc_call` and `proxy_grpc_stream`.
#[derive(Clone, Copy, Debug)]
pub struct GrpcCallArguments {
    /// The target: Envoy's `GrpcService` as a protocol buffer, or the name of a cluster.
    pub target: Span,
    /// The service.
    pub service: Span,
    /// The method.
    pub method: Span,
    /// Initial metadata, as pairs.
    pub initial_metadata: Span,
    /// The message; `None` opens a stream.
    pub message: Option<Span>,
    /// Milliseconds; 0 waits for ever.
    pub timeout: u32,
}

/// `proxy_grpc_call` and `proxy_grpc_stream`
pub fn grpc_call<C: Caller>(c: &mut C, arguments: GrpcCallArguments, token: u64) -> Answer<C> {
    put_u32(c, token, 0)?;
    let target = take(c, arguments.target)?;
    let service = take(c, arguments.service)?;
    let method = take(c, arguments.method)?;
    let initial_metadata = take_pairs(c, arguments.initial_metadata)?;
    let message = arguments.message.map(|message| take(c, message)).transpose()?;
    let timeout = Duration::from_millis(arguments.timeout.into());
    let call = GrpcCall {
        kind: if message.is_some() { GrpcKind::Unary } else { GrpcKind::Stream },
        service: &service,
        method: &method,
        initial_metadata: &initial_metadata,
        message: message.as_deref().unwrap_or_default(),
        timeout: Some(timeout).filter(|timeout| !timeout.is_zero()),
    };
    let cluster = cluster_of(&target).unwrap_or(&target);
    let number = c.host().grpc_call(cluster, &call)?;
    Ok(put_u32(c, token, number)?)
}

/// `proxy_grpc_send`
pub fn grpc_send<C: Caller>(c: &mut C, token: u32, message: Span, end: u32) -> Answer<C> {
    take(c, message)?;
    Ok(c.host().grpc_send(token, end != 0)?)
}

/// `proxy_grpc_close`
pub fn grpc_close<C: Caller>(c: &mut C, token: u32) -> Answer<C> {
    Ok(c.host().grpc_close(token)?)
}

/// `proxy_grpc_cancel`
pub fn grpc_cancel<C: Caller>(c: &mut C, token: u32) -> Answer<C> {
    Ok(c.host().grpc_cancel(token)?)
}

/// `proxy_redis_init` (Higress): the user and the password are not looked at.
pub fn redis_init<C: Caller>(
    c: &mut C,
    cluster: Span,
    user: Span,
    password: Span,
    timeout: u32,
) -> Answer<C> {
    only_higress(c, "proxy_redis_init")?;
    let cluster = take(c, cluster)?;
    take(c, user)?;
    take(c, password)?;
    Ok(c.host().redis_init(without_parameters(&cluster), timeout)?)
}

/// `proxy_redis_call` (Higress)
pub fn redis_call<C: Caller>(c: &mut C, cluster: Span, query: Span, token: u64) -> Answer<C> {
    only_higress(c, "proxy_redis_call")?;
    let cluster = take(c, cluster)?;
    let query = take(c, query)?;
    let number = c.host().redis_call(without_parameters(&cluster), &query)?;
    Ok(put_u32(c, token, number)?)
}

/// Higress takes `cluster?db=1&…`, and the name ends at the question mark.
fn without_parameters(cluster: &[u8]) -> &[u8] {
    cluster.split(|byte| *byte == b'?').next().unwrap_or_default()
}

/// The cluster that a serialised `envoy.config.core.v3.GrpcService` names: field 1 (`envoy_grpc`)
/// or 2 (`google_grpc`), and in it field 1 (`cluster_name`, `target_uri`).
fn cluster_of(service: &[u8]) -> Option<&[u8]> {
    let target = field(service, 1).or_else(|| field(service, 2))?;
    field(target, 1)
}

/// A field of a protocol buffer that is delimited by its length; the last one counts.
fn field(message: &[u8], number: u64) -> Option<&[u8]> {
    let mut found = None;
    for field in protobuf::fields(message) {
        match field {
            Ok((of, Field::Bytes(value))) if of == number => found = Some(value),
            Ok(_) => {}
            Err(_) => return None,
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cluster_of_a_grpc_service_is_found() {
        let envoy = b"\x0a\x06\x0a\x04auth\x1a\x02\x08\x05";
        assert_eq!(cluster_of(envoy), Some(&b"auth"[..]));
        let google = b"\x12\x08\x0a\x06host:1";
        assert_eq!(cluster_of(google), Some(&b"host:1"[..]));
        assert_eq!(cluster_of(b"auth"), None);
        assert_eq!(cluster_of(b"\x0a\xff\xff\xff\xff\xff"), None);
        assert_eq!(cluster_of(b""), None);
    }

    #[test]
    fn parameters_of_a_redis_cluster_are_no_part_of_its_name() {
        assert_eq!(without_parameters(b"outbound|6379||r.dns?db=1"), b"outbound|6379||r.dns");
        assert_eq!(without_parameters(b"r"), b"r");
    }
}
