//! A stream that is over.

use super::control::Site;
use super::headers::Headers;
use crate::abi::Map;

/// A stream that is over, well or badly, as an access log sees it.
///
/// # Cost
/// Nothing before something is asked for.
#[derive(Debug)]
pub struct EndedStream<'a> {
    site: Site<'a>,
}

impl<'a> EndedStream<'a> {
    pub(crate) fn new(site: Site<'a>) -> Self {
        Self { site }
    }

    /// The request's headers as they were sent on.
    pub fn request_headers(&self) -> Headers<'a> {
        Headers::new(self.site, Map::RequestHeaders, 0)
    }

    /// The response's headers as they were sent on.
    pub fn response_headers(&self) -> Headers<'a> {
        Headers::new(self.site, Map::ResponseHeaders, 0)
    }

    /// The response's trailers.
    pub fn response_trailers(&self) -> Headers<'a> {
        Headers::new(self.site, Map::ResponseTrailers, 0)
    }
}
