//! Responses that Envoy makes up where an upstream gives none.

use bytes::Bytes;

/// What Envoy's router answers when the time is up (`source/common/router/router.cc`,
/// `onUpstreamTimeoutAbort`), with status 504.
pub(super) const TIMEOUT: &str = "upstream request timeout";

/// What Envoy's router answers when there is no connection (the same file, `onUpstreamReset`),
/// with status 503. Versions differ in what follows the reason.
pub(super) const CONNECT: &str = "upstream connect error or disconnect/reset before headers. reset reason: remote connection failure";

/// The same for a connection that ends before the response starts.
pub(super) const DISCONNECT: &str = "upstream connect error or disconnect/reset before headers. \
                                     reset reason: connection termination";

/// What a call gets that no rule of the script answers, with status 503.
pub(super) const UNSCRIPTED: &str = "no rule of the upstream script answers this call";

/// The headers of a local reply with a text: status, length and type, in Envoy's order
/// (`source/common/http/utility.cc`, `prepareLocalReply`).
pub(super) fn headers(status: &'static str, body: &'static str) -> Vec<(Bytes, Bytes)> {
    vec![
        (Bytes::from_static(b":status"), Bytes::from_static(status.as_bytes())),
        (Bytes::from_static(b"content-length"), body.len().to_string().into()),
        (Bytes::from_static(b"content-type"), Bytes::from_static(b"text/plain")),
    ]
}
