//! Changes headers in body callbacks, whether or not it holds them, and says what it is told.

use chunkwise::http::{BodyAction, HeadersAction, RequestHeaders, ResponseHeaders};
use chunkwise::{Chunk, Config, ConfigError, Filter, Plugin, Result};

chunkwise::plugin!(Forgetful);

/// The plugin.
#[derive(Debug)]
pub struct Forgetful {
    /// Whether it keeps errors to itself, or fails with them.
    careful: bool,
    /// Whether it holds headers for the body.
    holds: bool,
}

impl Plugin for Forgetful {
    type Filter = Stream;

    fn configure(config: &Config<'_>) -> Result<Self, ConfigError> {
        let words = config.bytes()?;
        let has = |word: &[u8]| words.windows(word.len()).any(|window| window == word);
        Ok(Self { careful: has(b"careful"), holds: has(b"holds") })
    }

    fn filter(&self) -> Stream {
        Stream
    }
}

impl Forgetful {
    fn headers(&self, has_body: bool) -> Result<HeadersAction> {
        let hold = self.holds && has_body;
        Ok(if hold { HeadersAction::Hold } else { HeadersAction::Continue })
    }

    fn body(&self, chunk: &mut Chunk<'_>) -> Result<BodyAction> {
        let set = chunk.headers().and_then(|headers| headers.set("x-late", "1"));
        match set {
            Ok(()) => chunkwise::info!("set"),
            Err(error) if self.careful => chunkwise::info!("careful: {error:?}"),
            Err(error) => return Err(error),
        }
        Ok(BodyAction::Pass)
    }
}

/// One stream.
#[derive(Debug)]
pub struct Stream;

impl Filter<Forgetful> for Stream {
    fn request_headers(
        &mut self,
        plugin: &Forgetful,
        headers: &RequestHeaders<'_>,
    ) -> Result<HeadersAction> {
        plugin.headers(headers.has_body())
    }

    fn response_headers(
        &mut self,
        plugin: &Forgetful,
        headers: &ResponseHeaders<'_>,
    ) -> Result<HeadersAction> {
        plugin.headers(headers.has_body())
    }

    fn request_body(&mut self, plugin: &Forgetful, chunk: &mut Chunk<'_>) -> Result<BodyAction> {
        plugin.body(chunk)
    }

    fn response_body(&mut self, plugin: &Forgetful, chunk: &mut Chunk<'_>) -> Result<BodyAction> {
        plugin.body(chunk)
    }
}
