//! What runs a plugin: wasmtime, or the plugin's own code linked natively.

mod callback;
pub mod native;
#[cfg(feature = "wasm")]
pub mod wasm;

pub use callback::Callback;

use crate::host::{Host, Settings};
use crate::measure::{Allocations, Gauge};

/// A VM with a plugin in it.
///
/// The host's state lives inside, since host calls reach it in the middle of a callback.
pub trait Guest {
    /// Makes a callback. `None`: the plugin does not have it.
    ///
    /// # Errors
    /// [`Fault`] when the plugin trapped; nothing may be called afterwards.
    fn call(&mut self, callback: Callback) -> Result<Option<u32>, Fault>;

    /// Reads what the guest has used so far.
    fn gauge(&mut self) -> Gauge;

    /// Reads the guest's own books on live memory.
    fn heap(&mut self) -> Heap;

    /// The host.
    fn host(&mut self) -> &mut Host;

    /// Ends the VM and gives the host back.
    fn into_host(self: Box<Self>) -> Host;
}

/// The guest's memory at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Heap {
    /// Pages of linear memory (64 KiB each); 0 natively.
    pub pages: u64,
    /// By the guest's books, where it keeps any.
    pub books: Option<HeapBooks>,
}

/// What a guest's books say of its heap, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HeapBooks {
    /// Allocations so far.
    pub allocations: Allocations,
    /// Allocated and not freed.
    pub live: u64,
    /// The most that was ever live.
    pub peak: u64,
    /// Held by the arena.
    pub arena: u64,
}

/// A plugin that cannot go on. It is the plugin's fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the plugin{} failed in {callback}{}: {reason}{}",
    named(.plugin), inside(.host_call.as_deref()), stack_lines(.stack, *.more_frames)
)]
pub struct Fault {
    /// The plugin's name, as the proxy knows it.
    pub plugin: String,
    /// The export that was running.
    pub callback: &'static str,
    /// The host call during which it happened, since it asked the plugin for memory.
    pub host_call: Option<String>,
    /// What happened.
    pub reason: String,
    /// The guest's stack, innermost first; empty where it is not known.
    pub stack: Vec<String>,
    /// Frames of the stack that were left away, those outside.
    pub more_frames: u32,
    /// The plugin ended its VM on purpose, for a fresh one (`Plugin::REBUILD` of the SDK).
    pub on_purpose: bool,
}

impl Fault {
    /// The same, where the plugin's code says that it wanted it.
    #[cold]
    pub(crate) fn on_purpose(self) -> Self {
        let reason = "it ended its VM to be given a fresh one, which a proxy does with the failure \
                      policy FAIL_RELOAD alone";
        Self { reason: reason.to_owned(), on_purpose: true, ..self }
    }
}

/// Why a plugin could not be started. It is the plugin's fault, or its configuration's.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// It trapped.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// The module cannot be compiled or linked.
    #[error("the plugin does not {what}: {reason}")]
    Module {
        /// `compile` or `load`.
        what: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// It answered no.
    #[error("the plugin refused {what}{}", reasons(.log))]
    Refused {
        /// What it refused.
        what: &'static str,
        /// What it logged at error level or above.
        log: Vec<String>,
    },
}

impl StartError {
    /// What [`Refused`](Self::Refused) names when the configuration is at fault.
    pub const CONFIGURATION: &'static str = "its configuration";
}

/// What VMs are made of: a compiled module, or a plugin of this process.
pub trait Plugin: Sync {
    /// Makes a VM and runs what comes before its first callback.
    ///
    /// # Errors
    /// [`StartError`] when the module does not fit the host or traps.
    fn guest(&self, host: Host) -> Result<Box<dyn Guest>, StartError>;
}

fn reasons(log: &[String]) -> String {
    if log.is_empty() {
        " without saying why".to_owned()
    } else {
        format!("; it logged: {}", log.join("; "))
    }
}

/// A name says something where the proxy's operator chose it.
fn named(plugin: &str) -> String {
    if plugin == Settings::PLUGIN_NAME { String::new() } else { format!(" `{plugin}`") }
}

fn inside(host_call: Option<&str>) -> String {
    host_call.map_or_else(String::new, |name| format!(", inside its call of {name}"))
}

fn stack_lines(stack: &[String], more: u32) -> String {
    let mut lines = String::new();
    for (depth, frame) in stack.iter().enumerate() {
        lines.push_str(&format!("\n  {depth:>2}: {frame}"));
    }
    if more > 0 {
        lines.push_str(&format!("\n  and {more} more"));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_names_the_callback_and_shows_the_stack() {
        let fault = Fault {
            plugin: Settings::PLUGIN_NAME.to_owned(),
            callback: "proxy_on_request_body",
            host_call: None,
            reason: "unreachable executed".to_owned(),
            stack: vec!["core::panicking::panic".to_owned(), "plugin::body".to_owned()],
            more_frames: 0,
            on_purpose: false,
        };
        insta::assert_snapshot!(fault, @r"
        the plugin failed in proxy_on_request_body: unreachable executed
           0: core::panicking::panic
           1: plugin::body
        ");
        let fault = Fault {
            plugin: "waf".to_owned(),
            host_call: Some("proxy_get_buffer_bytes".to_owned()),
            more_frames: 40,
            ..fault
        };
        insta::assert_snapshot!(fault, @r"
        the plugin `waf` failed in proxy_on_request_body, inside its call of proxy_get_buffer_bytes: unreachable executed
           0: core::panicking::panic
           1: plugin::body
          and 40 more
        ");
    }
}
