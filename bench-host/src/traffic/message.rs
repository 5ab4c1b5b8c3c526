//! What one request and its response are made of.

use std::time::Duration;

use super::{Body, Headers};

/// One request and the response that was recorded for it.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// What messages and reports call it: method and URL without the query, which may hold secrets.
    pub label: String,
    /// When the request started, counted from the first request of the trace, if that is known.
    pub start: Option<Duration>,
    /// Which protocol the client spoke.
    pub http: HttpVersion,
    /// What the client sent.
    pub request: Message,
    /// What the upstream answered; `None` when the trace has no answer.
    pub response: Option<Message>,
}

/// The protocol of an exchange, as far as a filter can tell the difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HttpVersion {
    /// HTTP/1.1 and older.
    Http1,
    /// HTTP/2 and HTTP/3.
    Http2,
}

impl HttpVersion {
    /// As the property `request.protocol` shows it.
    pub const fn protocol(self) -> &'static str {
        match self {
            Self::Http1 => "HTTP/1.1",
            Self::Http2 => "HTTP/2",
        }
    }
}

/// Headers, body and trailers of a request or of a response.
#[derive(Clone, Debug, Default)]
pub struct Message {
    /// Header fields, pseudo headers first.
    pub headers: Headers,
    /// What follows the headers.
    pub body: Body,
    /// Fields after the body; empty when there are none.
    pub trailers: Headers,
}

impl Message {
    /// Whether the headers are all there is: no body, not even an empty chunk, and no trailers.
    pub fn ends_with_headers(&self) -> bool {
        matches!(self.body, Body::None) && self.trailers.is_empty()
    }
}

/// Names an exchange for messages: `GET https://host/path`, with `?…` where a query was.
pub(crate) fn label(method: &str, scheme: &str, authority: &str, path: &str) -> String {
    let (path, query) = match path.split_once('?') {
        Some((path, _)) => (path, "?…"),
        None => (path, ""),
    };
    format!("{method} {scheme}://{authority}{path}{query}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_hide_the_query() {
        assert_eq!(
            label("GET", "https", "example.com", "/a?token=secret"),
            "GET https://example.com/a?…"
        );
    }

    #[test]
    fn trailers_keep_a_message_open_after_its_headers() {
        let mut message = Message::default();
        assert!(message.ends_with_headers());
        message.trailers.push("grpc-status", "0");
        assert!(!message.ends_with_headers());
    }
}
