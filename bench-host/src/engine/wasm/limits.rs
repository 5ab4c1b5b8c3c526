//! What a guest may use before it is stopped.

use std::time::Duration;

use wasmtime::ResourceLimiter;

use super::caller::State;

/// What a guest may use before it is stopped.
///
/// ```
/// use bench_host::engine::wasm::Limits;
///
/// let small = Limits { memory: 16 * 1024 * 1024, ..Limits::COUNTED };
/// assert_eq!(small.stopped().fuel, None);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Instructions in one callback; `None` counts none (and costs no time for counting).
    pub fuel: Option<u64>,
    /// Time for one callback, to a tenth of a second; `None` sets no limit (and costs no time for
    /// looking).
    pub deadline: Option<Duration>,
    /// Bytes of linear memory.
    pub memory: usize,
    /// Bytes of native stack that the guest's calls and the host calls in between may take, at most
    /// [`MOST_STACK`](Self::MOST_STACK).
    pub stack: usize,
}

impl Limits {
    /// Seconds of work for any machine, and still the end of an endless loop.
    pub const FUEL: u64 = 2_000_000_000;

    /// What the proxy-wasm C++ host allows: `PROXY_WASM_HOST_MAX_WASM_MEMORY_SIZE_BYTES`.
    pub const MEMORY: usize = 1024 * 1024 * 1024;

    /// Fuel does not count what host calls do for a guest, so time is limited besides: longer than
    /// any callback that a proxy would bear.
    pub const DEADLINE: Duration = Duration::from_secs(10);

    /// What wasmtime allows by default: `Config::max_wasm_stack`.
    pub const STACK: usize = 512 * 1024;

    /// Half of what a thread has by default (`std::thread`), so that the host keeps the rest.
    pub const MOST_STACK: usize = 1024 * 1024;

    /// Counts instructions, so that costs are exact.
    pub const COUNTED: Self = Self {
        fuel: Some(Self::FUEL),
        deadline: Some(Self::DEADLINE),
        memory: Self::MEMORY,
        stack: Self::STACK,
    };

    /// Counts nothing, so that time is what it is in a proxy. For traffic that the plugin has been
    /// through before: nothing stops it.
    pub const UNCOUNTED: Self = Self { fuel: None, deadline: None, ..Self::COUNTED };

    /// Counts nothing, and stops what does not end.
    pub const STOPPED: Self = Self { fuel: None, ..Self::COUNTED };

    /// These limits without counting anything, as [`UNCOUNTED`](Self::UNCOUNTED).
    #[must_use]
    pub const fn uncounted(self) -> Self {
        Self { fuel: None, deadline: None, ..self }
    }

    /// These limits without counting instructions, as [`STOPPED`](Self::STOPPED).
    #[must_use]
    pub const fn stopped(self) -> Self {
        Self { fuel: None, ..self }
    }
}

/// Entries of a table, and tables of a module: far beyond any program, and little for the host.
const TABLE_ELEMENTS: usize = 1_000_000;
const TABLES: usize = 16;

/// Asked whenever something of a guest is to grow.
impl ResourceLimiter for State {
    fn memory_growing(
        &mut self,
        _current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let most = maximum.map_or(self.most_memory, |maximum| maximum.min(self.most_memory));
        if desired > most {
            self.memory_refused = Some(most);
            return Ok(false);
        }
        self.host.memory_bytes = desired as u64;
        Ok(true)
    }

    fn memory_grow_failed(&mut self, _: wasmtime::Error) -> wasmtime::Result<()> {
        // More than 32 bits can address; or the machine has no more, which the next callback sees.
        self.memory_refused = Some(self.most_memory);
        Ok(())
    }

    fn table_growing(
        &mut self,
        _current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        Ok(desired <= maximum.map_or(TABLE_ELEMENTS, |maximum| maximum.min(TABLE_ELEMENTS)))
    }

    fn tables(&self) -> usize {
        TABLES
    }

    /// A limit is that of one memory, so their number needs one too.
    fn memories(&self) -> usize {
        1
    }
}
