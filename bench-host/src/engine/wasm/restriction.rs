//! What a guest may call before it runs, and while it allocates.
//!
//! The proxy-wasm C++ host restricts both (`setRestrictedCallback`): there is no context yet, or
//! another host call is under way.

use super::wasi;

/// What a guest is doing that restricts it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Restriction {
    /// Nothing: it may call everything.
    None,
    /// It runs `_initialize`, `main` or `_start`.
    Starting,
    /// It was asked for memory, on a stock Envoy.
    Allocating,
}

impl Restriction {
    /// What ends a guest that calls `import` all the same.
    #[cold]
    pub fn refuse(self, import: &str) -> wasmtime::Error {
        wasmtime::Error::msg(match self {
            Self::Starting => format!(
                "the plugin called {import} while it was starting; until `_initialize`, `main` or \
                 `_start` returns, hosts allow proxy_log and the harmless part of WASI only \
                 (restricted_callback): do it in proxy_on_vm_start or later"
            ),
            Self::None | Self::Allocating => format!(
                "the plugin called {import} in its allocator; while it hands out memory, a stock \
                 Envoy allows proxy_log, fd_write and clock_time_get only (restricted_callback)"
            ),
        })
    }
}

/// When an import may be called, besides always.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Allowed {
    starting: bool,
    allocating: bool,
}

/// An import, as its function knows it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Import {
    /// Its place in the ledger.
    pub place: usize,
    /// When it may be called.
    pub allowed: Allowed,
}

impl Allowed {
    /// At any time: functions that no proxy-wasm host has, and which therefore it cannot restrict.
    pub const EVERYWHERE: Self = Self { starting: true, allocating: true };

    /// As the hosts' lists have it.
    pub fn of(module: &str, name: &str) -> Self {
        let wasi = wasi::is(module);
        // Whether real hosts mean the two of Emscripten as well is not settled. They do nothing, and
        // its allocator calls the second one whenever memory has grown.
        let harmless = ["proxy_log", "pthread_equal", "emscripten_notify_memory_growth"];
        let always = module == "env" && harmless.contains(&name);
        let starting = always || wasi && !NOT_WHILE_STARTING.contains(&name);
        let allocating = always || wasi && matches!(name, "fd_write" | "clock_time_get");
        Self { starting, allocating }
    }

    pub fn during(self, restriction: Restriction) -> bool {
        match restriction {
            Restriction::None => true,
            Restriction::Starting => self.starting,
            Restriction::Allocating => self.allocating,
        }
    }
}

/// The functions of WASI that a guest must not call before it has started.
const NOT_WHILE_STARTING: [&str; 6] =
    ["sched_yield", "path_open", "fd_read", "fd_seek", "fd_close", "proc_exit"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lists_are_those_of_the_hosts() {
        use Restriction::{Allocating, None, Starting};

        for (module, name, starting, allocating) in [
            ("env", "proxy_log", true, true),
            ("env", "proxy_get_property", false, false),
            ("env", "proxy_done", false, false),
            ("env", "pthread_equal", true, true),
            ("env", "emscripten_notify_memory_growth", true, true),
            ("wasi_snapshot_preview1", "fd_write", true, true),
            ("wasi_unstable", "fd_write", true, true),
            ("wasi_snapshot_preview1", "clock_time_get", true, true),
            ("wasi_snapshot_preview1", "random_get", true, false),
            ("wasi_unstable", "environ_get", true, false),
            ("wasi_unstable", "path_link", true, false),
            ("wasi_unstable", "sock_recv", true, false),
            ("wasi_unstable", "path_open", false, false),
            ("wasi_snapshot_preview1", "sched_yield", false, false),
            ("wasi_snapshot_preview1", "proc_exit", false, false),
            ("elsewhere", "fd_write", false, false),
        ] {
            let allowed = Allowed::of(module, name);
            assert_eq!(
                [None, Starting, Allocating].map(|restriction| allowed.during(restriction)),
                [true, starting, allocating],
                "{module}.{name}"
            );
        }
    }
}
