//! Requests and answers as a test writes them.

use bytes::Bytes;

use crate::traffic::{Body, Exchange, Headers, HttpVersion, Message};

/// A request, with the answer that the upstream will give.
#[derive(Clone, Debug)]
pub struct Call {
    http: HttpVersion,
    request: Message,
    answer: Answer,
}

/// What the upstream answers.
#[derive(Clone, Debug)]
pub struct Answer(Message);

impl Call {
    /// A `GET` without a body; the upstream answers 200 without one.
    pub fn get(path: &str) -> Self {
        Self::new("GET", path)
    }

    /// A `POST`; give it a body.
    pub fn post(path: &str) -> Self {
        Self::new("POST", path)
    }

    /// Any method, to `https://example.com`.
    pub fn new(method: &str, path: &str) -> Self {
        let mut headers = Headers::new();
        headers.push(":method", method.to_owned());
        headers.push(":scheme", "https");
        headers.push(":authority", "example.com");
        headers.push(":path", path.to_owned());
        let request = Message { headers, ..Message::default() };
        Self { http: HttpVersion::Http2, request, answer: Answer::new(200) }
    }

    /// Speaks HTTP/1.1: a frame of its own ends every body.
    #[must_use]
    pub fn http1(mut self) -> Self {
        self.http = HttpVersion::Http1;
        self
    }

    /// Sends it to another host than `example.com`.
    #[must_use]
    pub fn authority(mut self, authority: &str) -> Self {
        self.request.headers.replace(":authority", authority.to_owned());
        self
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.request.headers.push(name.to_ascii_lowercase(), value.to_owned());
        self
    }

    /// Sets the body, in one chunk.
    #[must_use]
    pub fn body(self, body: impl AsRef<[u8]>) -> Self {
        self.chunks([body])
    }

    /// Sets the body, in these chunks.
    #[must_use]
    pub fn chunks<B: AsRef<[u8]>>(mut self, chunks: impl IntoIterator<Item = B>) -> Self {
        self.request.body = body(chunks);
        self
    }

    /// Adds a trailer.
    #[must_use]
    pub fn trailer(mut self, name: &str, value: &str) -> Self {
        self.request.trailers.push(name.to_ascii_lowercase(), value.to_owned());
        self
    }

    /// What the upstream answers.
    #[must_use]
    pub fn answer(mut self, answer: Answer) -> Self {
        self.answer = answer;
        self
    }
}

/// As a trace holds it.
impl From<Call> for Exchange {
    fn from(call: Call) -> Self {
        Self {
            label: String::new(),
            start: None,
            http: call.http,
            request: call.request,
            response: Some(call.answer.0),
        }
    }
}

/// What a trace holds, to be sent by a test. An exchange without a response gets an empty `200`.
impl From<Exchange> for Call {
    fn from(exchange: Exchange) -> Self {
        let answer = exchange.response.map_or_else(|| Answer::new(200), Answer);
        Self { http: exchange.http, request: exchange.request, answer }
    }
}

impl Answer {
    /// An answer without a body.
    pub fn new(status: u16) -> Self {
        let mut headers = Headers::new();
        headers.push(":status", status.to_string());
        Self(Message { headers, ..Message::default() })
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.0.headers.push(name.to_ascii_lowercase(), value.to_owned());
        self
    }

    /// Sets the body, in one chunk.
    #[must_use]
    pub fn body(self, body: impl AsRef<[u8]>) -> Self {
        self.chunks([body])
    }

    /// Sets the body, in these chunks.
    #[must_use]
    pub fn chunks<B: AsRef<[u8]>>(mut self, chunks: impl IntoIterator<Item = B>) -> Self {
        self.0.body = body(chunks);
        self
    }

    /// Adds a trailer.
    #[must_use]
    pub fn trailer(mut self, name: &str, value: &str) -> Self {
        self.0.trailers.push(name.to_ascii_lowercase(), value.to_owned());
        self
    }
}

fn body<B: AsRef<[u8]>>(chunks: impl IntoIterator<Item = B>) -> Body {
    Body::Chunks(chunks.into_iter().map(|chunk| Bytes::copy_from_slice(chunk.as_ref())).collect())
}
