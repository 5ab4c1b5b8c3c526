//! Changes headers in body callbacks, whether or not it holds them, and says what it is told; has
//! headers wait for a task, and takes the body behind them as a whole; or says again and again
//! whether its VM leads.

use std::time::Duration;

use chunkwise::http::{
    BodyAction, BodyMode, HeadersAction, HeldHeaders, RequestHeaders, ResponseHeaders, Resume,
};
use chunkwise::{Chunk, Config, ConfigError, Filter, Plugin, PluginContext, Result, time};

chunkwise::plugin!(Probe);

/// The plugin.
#[derive(Debug)]
pub struct Probe {
    /// Whether it takes part in an election.
    leads: bool,
    /// Whether it keeps errors to itself, or fails with them.
    careful: bool,
    /// Whether it holds headers for the body.
    holds: bool,
    /// Whether headers wait for a task.
    waits: bool,
}

impl Plugin for Probe {
    type Filter = Stream;

    fn start(&self, context: &PluginContext<Self>) -> Result<()> {
        if self.leads {
            let leader = context.lead();
            context.every(Duration::from_millis(100), move |_| {
                chunkwise::info!("leads: {}", leader.is_leader()?);
                Ok(())
            });
        }
        Ok(())
    }

    fn configure(config: &Config<'_>) -> Result<Self, ConfigError> {
        let words = config.bytes()?;
        let has = |word: &[u8]| words.windows(word.len()).any(|window| window == word);
        Ok(Self {
            leads: has(b"leads"),
            careful: has(b"careful"),
            holds: has(b"holds"),
            waits: has(b"waits"),
        })
    }

    fn filter(&self) -> Stream {
        Stream
    }
}

impl Probe {
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

/// So long that whatever a client sends meanwhile has come.
async fn a_while(_: HeldHeaders) -> Result<Resume> {
    time::sleep(Duration::from_millis(150)).await?;
    Ok(Resume::Continue)
}

/// One stream.
#[derive(Debug)]
pub struct Stream;

impl Filter<Probe> for Stream {
    fn request_headers(
        &mut self,
        plugin: &Probe,
        headers: &RequestHeaders<'_>,
    ) -> Result<HeadersAction> {
        if plugin.waits {
            headers.body_mode(BodyMode::Buffer);
            return Ok(headers.wait(a_while));
        }
        plugin.headers(headers.has_body())
    }

    fn response_headers(
        &mut self,
        plugin: &Probe,
        headers: &ResponseHeaders<'_>,
    ) -> Result<HeadersAction> {
        if plugin.waits {
            headers.body_mode(BodyMode::Buffer);
            return Ok(headers.wait(a_while));
        }
        plugin.headers(headers.has_body())
    }

    fn request_body(&mut self, plugin: &Probe, chunk: &mut Chunk<'_>) -> Result<BodyAction> {
        plugin.body(chunk)
    }

    fn response_body(&mut self, plugin: &Probe, chunk: &mut Chunk<'_>) -> Result<BodyAction> {
        plugin.body(chunk)
    }
}
