//! Traffic that a client and an upstream can really send.

use bench_host::traffic::{Body, Exchange, Headers, HttpVersion, Message};

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
    let method = exchange.request.headers.get(":method").cloned().unwrap_or_default();
    if http == HttpVersion::Http1
        && exchange.request.ends_with_headers()
        && !["GET", "HEAD", "DELETE", "CONNECT"].iter().any(|other| method == other)
    {
        // What a client writes where a body could be expected.
        exchange.request.headers.retain(|name, _| name != "content-length");
        exchange.request.headers.push("content-length", "0");
    }
    let is_head = method == "HEAD";
    // What the upstream answers where the trace does not say.
    let answer = exchange.response.get_or_insert_with(ok);
    if is_head || !may_have_body(answer) {
        answer.body = Body::None;
        answer.trailers = Headers::new();
        strip(answer);
        return exchange;
    }
    if http == HttpVersion::Http1 && !answer.trailers.is_empty() {
        // A server sends trailers to those who ask for them.
        exchange.request.headers.retain(|name, _| name != "te");
        exchange.request.headers.push("te", "trailers");
    }
    frame(answer, http);
    if http == HttpVersion::Http1 && answer.ends_with_headers() {
        // What a server writes where nothing else says that there is no body.
        answer.headers.retain(|name, _| name != "content-length");
        answer.headers.push("content-length", "0");
    }
    exchange
}

/// An answer that says nothing.
fn ok() -> Message {
    let mut answer = Message::default();
    answer.headers.push(":status", "200");
    answer
}

/// Takes out what belongs to a connection.
fn strip(message: &mut Message) {
    let is_te = |name: &[u8], value: &[u8]| name == b"te" && value != b"trailers";
    message.headers.retain(|name, value| {
        let is_framing = FRAMING.iter().any(|framing| name == framing);
        !is_framing && !is_te(name, value) && name != "host"
    });
}

/// Makes the headers say how the body is framed, as they do when a message comes off the wire.
fn frame(message: &mut Message, http: HttpVersion) {
    strip(message);
    let length = message.body.len().to_string();
    message.headers.retain(|name, value| name != "content-length" || value == length.as_bytes());
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
