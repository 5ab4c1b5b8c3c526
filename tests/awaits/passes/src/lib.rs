//! The beginning of `waits` without its calls: what the SDK is without tasks.

use chunkwise::http::{HeadersAction, RequestHeaders};
use chunkwise::{Config, ConfigError, Filter, Plugin, Result};

chunkwise::plugin!(Passes);

#[derive(Debug)]
struct Passes;

#[derive(Debug)]
struct Stream;

impl Plugin for Passes {
    type Filter = Stream;

    fn configure(_: &Config<'_>) -> Result<Self, ConfigError> {
        Ok(Self)
    }

    fn filter(&self) -> Stream {
        Stream
    }
}

impl Filter<Passes> for Stream {
    fn request_headers(
        &mut self,
        _: &Passes,
        headers: &RequestHeaders<'_>,
    ) -> Result<HeadersAction> {
        let calls = headers.get("x-calls")?.unwrap_or_default();
        let calls =
            str::from_utf8(calls).ok().and_then(|calls| calls.parse().ok()).unwrap_or(0_u32);
        headers.set("x-user", if calls == 0 { "none" } else { "some" })?;
        Ok(HeadersAction::Continue)
    }
}
