//! Find and replace in a plugin that somebody else dispatches.

use super::Stream;
use crate::http::ReplaceBody;
use crate::plugin::OnError;
use crate::stream::{Replacer, RuleError};

/// Rules of a plugin on the crate `proxy-wasm`: what its `RootContext` keeps.
///
/// # Cost
/// That of a [`Replacer`].
#[derive(Clone, Debug)]
pub struct Replace {
    replacer: Replacer,
}

impl Replace {
    /// Compiles rules, each a needle and what to put in its place.
    ///
    /// # Errors
    /// As [`Replacer::new`].
    pub fn new<F: AsRef<[u8]>, W: AsRef<[u8]>>(
        rules: impl IntoIterator<Item = (F, W)>,
    ) -> Result<Self, RuleError> {
        Replacer::new(rules).map(Self::from)
    }

    /// For one stream: `replace.stream(Action::Continue, Action::Pause)`.
    ///
    /// # Cost
    /// At most one allocation for each direction, and none where an earlier stream was dropped.
    pub fn stream<A: Copy>(&self, proceed: A, pause: A) -> ReplaceStream<A> {
        ReplaceStream {
            stream: Stream::new(proceed, pause),
            request: ReplaceBody::new(&self.replacer),
            response: ReplaceBody::new(&self.replacer),
        }
    }
}

impl From<Replacer> for Replace {
    fn from(replacer: Replacer) -> Self {
        Self { replacer }
    }
}

/// Find and replace on the bodies of one stream; a field of the author's `HttpContext`.
///
/// Call the three methods of a direction from its three callbacks and return what they answer; a
/// direction that is not called passes untouched. [`ReplaceBody`] says what is replaced and which
/// bodies are left alone, [`Stream`] what becomes of errors.
///
/// # Cost
/// As [`ReplaceBody`]: one host call to read a chunk, one more where something was replaced, and no
/// allocation in steady state.
#[derive(Debug)]
pub struct ReplaceStream<A> {
    stream: Stream<A>,
    request: ReplaceBody,
    response: ReplaceBody,
}

impl<A: Copy> ReplaceStream<A> {
    /// What becomes of the stream after an error; [`OnError::Refuse`] unless it is said here.
    #[must_use]
    pub fn on_error(self, on_error: OnError) -> Self {
        Self { stream: self.stream.on_error(on_error), ..self }
    }

    /// Request headers arrived; a `content-length` that may not hold any more is removed.
    pub fn request_headers(&mut self, end_of_stream: bool) -> A {
        // How many there are is no matter here.
        self.stream.request_headers(0, end_of_stream, |headers| self.request.request(headers))
    }

    /// A part of the request body arrived.
    pub fn request_body(&mut self, body_size: usize, end_of_stream: bool) -> A {
        self.stream.request_body(body_size, end_of_stream, |chunk| self.request.chunk(chunk))
    }

    /// Request trailers arrived.
    pub fn request_trailers(&mut self) -> A {
        self.stream.request_trailers(|chunk| self.request.chunk(chunk))
    }

    /// Response headers arrived; a `content-length` that may not hold any more is removed.
    pub fn response_headers(&mut self, end_of_stream: bool) -> A {
        self.stream.response_headers(0, end_of_stream, |headers| self.response.response(headers))
    }

    /// A part of the response body arrived.
    pub fn response_body(&mut self, body_size: usize, end_of_stream: bool) -> A {
        self.stream.response_body(body_size, end_of_stream, |chunk| self.response.chunk(chunk))
    }

    /// Response trailers arrived.
    pub fn response_trailers(&mut self) -> A {
        self.stream.response_trailers(|chunk| self.response.chunk(chunk))
    }
}
