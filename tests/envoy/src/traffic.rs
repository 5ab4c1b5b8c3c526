//! Traffic that a client and an upstream can really send.

use bench_host::traffic::{Body, Exchange, HttpVersion, Message};

use crate::upstream::EXCHANGE;

/// Headers that belong to a connection, which an HTTP library writes itself.
const FRAMING: [&str; 6] =
    ["connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade", "expect"];

/// The exchange as it can be sent over a connection without TLS, marked so that the upstream knows
/// its answer. Both gateways get the result, so that both plugins see the same.
pub fn on_the_wire(mut exchange: Exchange, key: &str) -> Exchange {
    exchange.request.headers.replace(":scheme", "http");
    exchange.request.headers.push(EXCHANGE, key.to_owned());
    let http = exchange.http;
    frame(&mut exchange.request, http);
    if let Some(answer) = &mut exchange.response {
        frame(answer, http);
        if http == HttpVersion::Http1 && answer.ends_with_headers() && may_have_body(answer) {
            // What a server writes where nothing else says that there is no body.
            answer.headers.retain(|name, _| name != "content-length");
            answer.headers.push("content-length", "0");
        }
    }
    exchange
}

/// Makes the headers say how the body is framed, as they do when a message comes off the wire.
fn frame(message: &mut Message, http: HttpVersion) {
    let length = message.body.len().to_string();
    let is_te = |name: &[u8], value: &[u8]| name == b"te" && value != b"trailers";
    message.headers.retain(|name, value| {
        let is_framing = FRAMING.iter().any(|framing| name == framing);
        let is_wrong = name == "content-length" && value != length.as_bytes();
        !is_framing && !is_wrong && !is_te(name, value) && name != "host"
    });
    let has_length = message.headers.get("content-length").is_some();
    if http == HttpVersion::Http1 && has_length && message.body.is_empty() {
        // There is no way to send an empty body of a known length after the headers.
        message.body = Body::None;
    }
    let has_body = !matches!(message.body, Body::None) || !message.trailers.is_empty();
    if http == HttpVersion::Http1 && has_body && !has_length {
        message.headers.push("transfer-encoding", "chunked");
    }
    if http == HttpVersion::Http1 && !message.trailers.is_empty() {
        // The HTTP library sends the trailers that are announced.
        let names: Vec<_> = message.trailers.iter().map(|(name, _)| name.to_vec()).collect();
        message.headers.push("trailer", names.join(&b", "[..]));
    }
}

/// Whether a response with this status has a length, be it none.
fn may_have_body(answer: &Message) -> bool {
    let status = answer.headers.get(":status").map_or(&b""[..], |status| status);
    !matches!(status, [b'1', ..] | b"204" | b"304")
}
