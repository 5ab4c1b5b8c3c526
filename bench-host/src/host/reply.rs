//! Responses that no upstream gave, and streams that are cut off.

use std::mem;

use bytes::Bytes;

use super::abi::{Direction, PeerKind, StreamKind};
use super::headers::HeaderMap;
use super::joined::joined;
use super::proxy::Proxy;
use super::stream::LocalReply;

impl Proxy {
    /// Answers a stream with a response that no upstream gave, through the filter's own response
    /// callbacks where no response has begun.
    pub fn reply(&mut self, context: u32, reply: LocalReply) {
        let Some(stream) = self.stream(context).filter(|stream| !stream.is_over()) else { return };
        if stream.reply_waits {
            stream.details_to_come = Some(reply.details);
            return;
        }
        stream.replied_locally = true;
        let (headers, body) = response(&stream.request.headers, &reply);
        // The access log tells why, even where it is too late for a reply.
        stream.details = reply.details;
        if stream.response.headers_sent {
            stream.reset = true;
            return;
        }
        stream.request.abort();
        if stream.response.begun {
            // A response is in this filter's hands: the reply takes its place and passes no filter.
            let half = &mut stream.response;
            half.abort();
            half.trailers = None;
            half.headers = headers;
            half.complete = true;
            half.in_body = false;
            half.held.push(body);
            half.release();
            return;
        }
        let end = body.is_empty();
        self.headers(context, Direction::Response, headers, end);
        // The plugin may have answered its own answer.
        let over = self.stream(context).is_none_or(|stream| stream.is_over());
        if !end && !over {
            self.data(context, Direction::Response, body, true);
        }
    }

    /// More is held than the buffer limit allows.
    pub(super) fn too_large(&mut self, context: u32, direction: Direction) {
        let (status, details, body) = match direction {
            Direction::Request => (413, "request_payload_too_large", "Payload Too Large"),
            Direction::Response => (500, "response_payload_too_large", "Internal Server Error"),
        };
        let body = Bytes::from_static(body.as_bytes());
        let said = self.stream(context).map(|stream| mem::take(&mut stream.details_to_come));
        let details = said.flatten().unwrap_or_else(|| details.to_owned());
        self.reply(context, LocalReply::new(status, &details, body));
    }

    /// The plugin's VM is dead, and streams are not to pass without it: 503, past the filter.
    pub(super) fn fail_stream(&mut self, context: u32) {
        let Some(stream) = self.stream(context).filter(|stream| !stream.failed) else { return };
        stream.failed = true;
        // Nothing asks the filter any more, so whatever was there of a response makes way.
        stream.response.begun = true;
        self.reply(context, LocalReply::new(503, "wasm_fail_stream", Bytes::new()));
    }

    /// Cuts off what a plugin closes.
    pub(super) fn cut_off(&mut self, context: u32, kind: StreamKind) {
        match kind {
            StreamKind::Request | StreamKind::Response => {
                if let Some(stream) = self.stream(context) {
                    stream.reset = true;
                    if stream.details.is_empty() {
                        stream.details = "wasm_close_stream".to_owned();
                    }
                }
            }
            StreamKind::Downstream | StreamKind::Upstream => {
                self.end_connection(context, PeerKind::Local);
            }
        }
    }
}

impl LocalReply {
    /// A reply without headers of its own.
    pub fn new(status: u32, details: &str, body: Bytes) -> Self {
        let details = details.to_owned();
        Self { status, details, headers: Vec::new(), body, grpc_status: None }
    }

    /// Bytes that it takes until it is sent.
    pub(super) fn memory(&self) -> u64 {
        let pairs = self.headers.iter().map(|(name, value)| name.len() + value.len());
        (self.body.len() + self.details.len() + pairs.sum::<usize>()) as u64
    }
}

/// The headers and the body of a reply, as the client of that request can read them (Envoy's
/// `Utility::sendLocalReply`).
fn response(request: &HeaderMap, reply: &LocalReply) -> (HeaderMap, Bytes) {
    let content_type = request.get(b"content-type");
    let grpc = content_type.is_some_and(|value| {
        value.strip_prefix(b"application/grpc").is_some_and(|rest| matches!(rest, [] | [b'+', ..]))
    });
    let mut map = HeaderMap::default().joining(joined(Direction::Response));
    let status = if grpc { 200 } else { reply.status };
    map.add(b":status", status.to_string().as_bytes());
    for (name, value) in &reply.headers {
        map.add(name, value);
    }
    if grpc {
        map.set(b"content-type", b"application/grpc");
        let code = reply.grpc_status.unwrap_or_else(|| grpc_status(reply.status));
        map.set(b"grpc-status", code.to_string().as_bytes());
        if !reply.body.is_empty() {
            map.set(b"grpc-message", &percent_encoded(&reply.body));
        }
        map.remove(b"content-length");
        return (map, Bytes::new());
    }
    if reply.body.is_empty() {
        map.remove(b"content-length");
        map.remove(b"content-type");
        return (map, Bytes::new());
    }
    map.set(b"content-length", reply.body.len().to_string().as_bytes());
    if map.get(b"content-type").is_none() {
        map.add(b"content-type", b"text/plain");
    }
    let head = request.get(b":method").is_some_and(|method| &method[..] == b"HEAD");
    (map, if head { Bytes::new() } else { reply.body.clone() })
}

/// The gRPC status that stands for an HTTP status (gRPC's `http-grpc-status-mapping.md`).
fn grpc_status(http: u32) -> u32 {
    match http {
        400 => 13,
        401 => 16,
        403 => 7,
        404 => 12,
        429 | 502 | 503 | 504 => 14,
        _ => 2,
    }
}

/// Bytes outside of printable ASCII, and `%`, as gRPC writes them in `grpc-message`.
fn percent_encoded(text: &[u8]) -> Vec<u8> {
    let mut encoded = Vec::with_capacity(text.len());
    for &byte in text {
        if (0x20..0x7f).contains(&byte) && byte != b'%' {
            encoded.push(byte);
        } else {
            encoded.extend_from_slice(format!("%{byte:02X}").as_bytes());
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(headers: &[(&str, &str)]) -> HeaderMap {
        headers.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())).collect()
    }

    #[test]
    fn a_client_that_speaks_grpc_gets_trailers_only() {
        let reply = LocalReply::new(403, "d", Bytes::from_static(b"no 100%"));
        let request = request(&[("content-type", "application/grpc+proto")]);
        let (headers, body) = response(&request, &reply);
        assert!(body.is_empty());
        assert_eq!(headers.get(b":status").unwrap(), "200");
        assert_eq!(headers.get(b"grpc-status").unwrap(), "7");
        assert_eq!(headers.get(b"grpc-message").unwrap(), "no 100%25");
    }

    #[test]
    fn the_answer_to_head_has_a_length_and_no_body() {
        let reply = LocalReply::new(200, "d", Bytes::from_static(b"four"));
        let (headers, body) = response(&request(&[(":method", "HEAD")]), &reply);
        assert_eq!(headers.get(b"content-length").unwrap(), "4");
        assert!(body.is_empty());
    }
}
