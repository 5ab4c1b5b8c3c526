//! A plugin that sees the bodies of answers and changes nothing: what streaming takes at least.

use chunkwise::http::{BodyAction, Chunk};
use chunkwise::{Config, ConfigError, Filter, Plugin, Result};

chunkwise::plugin!(Body);

#[derive(Debug)]
struct Body;

#[derive(Debug)]
struct Stream {
    bytes: usize,
}

impl Plugin for Body {
    type Filter = Stream;

    fn configure(_: &Config<'_>) -> Result<Self, ConfigError> {
        Ok(Self)
    }

    fn filter(&self) -> Stream {
        Stream { bytes: 0 }
    }
}

impl Filter<Body> for Stream {
    fn response_body(&mut self, _: &Body, chunk: &mut Chunk<'_>) -> Result<BodyAction> {
        self.bytes += chunk.len();
        if chunk.is_last() {
            chunkwise::info!("{} bytes", self.bytes);
        }
        Ok(BodyAction::Pass)
    }
}
