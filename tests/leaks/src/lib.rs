//! Forgets memory on purpose, and has its VM made anew at 16 MiB.
//!
//! A request is told which VM it went through, whether that one leads, and what is shared:
//! `x-leak` says how many bytes are forgotten with it, `x-keep` what is shared from now on.

use std::cell::OnceCell;
use std::time::Duration;

use chunkwise::http::{HeadersAction, RequestHeaders, ResponseHeaders};
use chunkwise::lease::Leader;
use chunkwise::metrics::{Counter, Gauge};
use chunkwise::{Config, ConfigError, Filter, Plugin, PluginContext, Rebuild, Result};

chunkwise::plugin!(Leaks);

/// Bytes that are forgotten with each request that does not say how many.
const LEAK: usize = 512;

const KEPT: &str = "leaks.kept";

struct Leaks {
    /// The most pages of memory that any VM of the proxy has had.
    most: Gauge,
    /// Which VM of the proxy this is, from 1, those counted in which a configuration was tried.
    vm: u64,
    /// Whose VM has had a request stands for election: Envoy's main thread has one that never has.
    leader: OnceCell<Leader>,
    context: OnceCell<PluginContext<Self>>,
}

#[derive(Debug)]
struct LeaksFilter;

impl Plugin for Leaks {
    type Filter = LeaksFilter;

    const REBUILD: Rebuild = Rebuild::NEVER.at_memory(16 * 1024 * 1024);

    fn configure(_: &Config<'_>) -> Result<Self, ConfigError> {
        let started = Counter::define("leaks.started")?;
        started.add(1)?;
        let most = Gauge::define("leaks.most_pages")?;
        let (leader, context) = (OnceCell::new(), OnceCell::new());
        Ok(Self { most, vm: started.value()?, leader, context })
    }

    fn start(&self, context: &PluginContext<Self>) -> Result<()> {
        let _ = self.context.set(context.clone());
        Ok(())
    }

    fn filter(&self) -> LeaksFilter {
        LeaksFilter
    }
}

impl Filter<Leaks> for LeaksFilter {
    fn request_headers(
        &mut self,
        plugin: &Leaks,
        headers: &RequestHeaders<'_>,
    ) -> Result<HeadersAction> {
        let leak = headers.get("x-leak")?.and_then(|leak| str::from_utf8(leak).ok()?.parse().ok());
        forget(leak.unwrap_or(LEAK));
        if let Some(kept) = headers.get("x-keep")? {
            headers.shared_data().set(KEPT, kept)?;
        }
        let pages = pages();
        if pages > plugin.most.value()? {
            plugin.most.set(pages)?;
        }
        Ok(HeadersAction::Continue)
    }

    fn response_headers(
        &mut self,
        plugin: &Leaks,
        headers: &ResponseHeaders<'_>,
    ) -> Result<HeadersAction> {
        headers.set("x-vm", plugin.vm.to_string())?;
        if let Some(context) = plugin.context.get() {
            let leader = plugin.leader.get_or_init(|| context.lead_for(Duration::from_secs(3)));
            headers.set("x-leads", if leader.is_leader()? { "1" } else { "0" })?;
        }
        if let Some(kept) = headers.shared_data().get(KEPT)? {
            headers.set("x-kept", kept.value)?;
        }
        Ok(HeadersAction::Continue)
    }
}

fn forget(bytes: usize) {
    // Looked at, so that no optimiser takes it away.
    std::hint::black_box(vec![1_u8; bytes].leak());
}

fn pages() -> u64 {
    #[cfg(target_arch = "wasm32")]
    return core::arch::wasm32::memory_size(0) as u64;
    #[cfg(not(target_arch = "wasm32"))]
    0
}
