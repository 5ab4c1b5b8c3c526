//! A plugin that does nothing: what every module is at least.

use chunkwise::{Config, ConfigError, Filter, Plugin};

chunkwise::plugin!(Nothing);

#[derive(Debug)]
struct Nothing;

#[derive(Debug)]
struct Stream;

impl Plugin for Nothing {
    type Filter = Stream;

    fn configure(_: &Config<'_>) -> Result<Self, ConfigError> {
        Ok(Self)
    }

    fn filter(&self) -> Stream {
        Stream
    }
}

impl Filter<Nothing> for Stream {}
