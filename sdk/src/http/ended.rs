//! A stream that is over.

use std::ops::Deref;

use super::control::Site;
use super::headers::Headers;
use super::stream_view::Stream;
use crate::abi::Map;

/// A stream that is over, well or badly, as an access log sees it.
///
/// # Cost
/// Nothing before something is asked for.
#[derive(Debug)]
pub struct EndedStream<'a> {
    stream: Stream<'a>,
}

impl<'a> EndedStream<'a> {
    pub(crate) fn new(site: Site<'a>) -> Self {
        Self { stream: Stream(site) }
    }

    /// The request's headers as they were sent on.
    pub fn request_headers(&self) -> Headers<'a> {
        Headers::new(self.stream.0, Map::RequestHeaders, 0)
    }

    /// The response's headers as they were sent on.
    pub fn response_headers(&self) -> Headers<'a> {
        Headers::new(self.stream.0, Map::ResponseHeaders, 0)
    }

    /// The response's trailers.
    pub fn response_trailers(&self) -> Headers<'a> {
        Headers::new(self.stream.0, Map::ResponseTrailers, 0)
    }
}

impl<'a> Deref for EndedStream<'a> {
    type Target = Stream<'a>;

    fn deref(&self) -> &Stream<'a> {
        &self.stream
    }
}
