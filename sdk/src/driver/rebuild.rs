//! A fresh VM in the place of this one, when [`Plugin::REBUILD`] says that it is time.
//!
//! Higress makes one when it is asked. A stock Envoy makes one only in the place of a VM that has
//! trapped, with the first request that comes then, and only under the failure policy
//! `FAIL_RELOAD`; under any other a trap is the end. A plugin cannot read its failure policy, so
//! the VM's configuration has to say it. Then the VM traps on purpose, at a moment at which no
//! stream is open and no call is under way.

use std::cell::Cell;

use serde::Deserialize;

use super::Driver;
use crate::abi::{Buffer, host};
use crate::error::Result;
use crate::memory::end_vm;
use crate::plugin::{Plugin, Rebuild};

/// What a VM knows about its end.
#[derive(Debug, Default)]
pub(super) struct State {
    /// Requests since the last wish for a fresh VM.
    requests: Cell<u64>,
    /// The host has no fresh VMs, and the log says so.
    keeps_vm: Cell<bool>,
    /// When the VM started, where the host makes a fresh one of a VM that traps.
    reloads_since: Cell<Option<u64>>,
    /// It is time, and the VM ends as soon as nobody is in it.
    is_due: Cell<bool>,
    /// It has been time for long, and the log says so.
    is_late: Cell<bool>,
}

/// How old a VM has to be, in nanoseconds, before it ends itself.
///
/// Envoy makes no second VM within 1 to 1.5 times `reload_config.backoff.base_interval` of the first
/// one and answers requests with 503 meanwhile (`JitteredLowerBoundBackOffStrategy`); the default of
/// that interval is a second.
const LEAST_AGE: u64 = 2_000_000_000;

/// What the VM's configuration may say.
#[derive(Deserialize)]
struct VmConfiguration {
    failure_policy: Option<String>,
}

impl<P: Plugin> Driver<P> {
    /// The VM starts, and has a configuration.
    #[cold]
    pub(super) fn read_failure_policy(&self) {
        let since = || -> Result<Option<u64>> {
            let scope = self.vm.arena.scope();
            // What cannot be read is for somebody else.
            let configuration: Option<VmConfiguration> =
                serde_json::from_slice(host::whole_buffer(&scope, Buffer::VmConfiguration)?).ok();
            let policy = configuration.and_then(|configuration| configuration.failure_policy);
            if policy.as_deref() == Some("FAIL_RELOAD") { host::now().map(Some) } else { Ok(None) }
        };
        match since() {
            Ok(since) => self.rebuild.reloads_since.set(since),
            Err(error) => crate::warn!("the configuration of the VM: {error}"),
        }
    }

    /// A request begins.
    pub(super) fn consider_rebuild(&self) {
        let Rebuild { requests, memory } = P::REBUILD;
        let state = &self.rebuild;
        let seen = state.requests.get() + 1;
        let is_time = seen >= requests || memory_size() >= memory;
        if !is_time {
            return state.requests.set(seen);
        }
        if state.is_due.get() {
            let is_late = seen / 2 >= requests || memory_size() / 2 >= memory;
            // Before that it is too early, and nobody is in the way.
            if is_late && !state.is_late.get() && self.is_old_enough() {
                state.is_late.set(true);
                late(seen);
            }
            return state.requests.set(seen);
        }
        if state.keeps_vm.get() {
            return state.requests.set(0);
        }
        let asked = match self.vm.is_higress() {
            Ok(true) => host::set_property("wasm_need_rebuild", b"true"),
            Ok(false) if state.reloads_since.get().is_some() => {
                state.requests.set(seen);
                return state.is_due.set(true);
            }
            Ok(false) => {
                state.keeps_vm.set(true);
                crate::warn!(
                    "no fresh VM although it is time for one: this host is not Higress, and the \
                     VM's configuration does not say {{\"failure_policy\":\"FAIL_RELOAD\"}}"
                );
                Ok(())
            }
            Err(error) => Err(error),
        };
        state.requests.set(0);
        if let Err(error) = asked {
            crate::warn!("no fresh VM although it is time for one: {error}");
        }
    }

    /// A callback that no stream's answer depends on has ended: the moment to end the VM, if it is
    /// time and nobody is in it.
    #[inline]
    pub(super) fn end_if_idle(&self, context: u32) {
        if P::REBUILD != Rebuild::NEVER && self.rebuild.is_due.get() {
            self.end_where_idle(context);
        }
    }

    #[cold]
    fn end_where_idle(&self, context: u32) {
        let in_use = self.vm.is_running()
            || self.contexts.has_streams()
            || self.vm.calls.are_under_way()
            // The proxy is ending this VM by itself.
            || self.contexts.any_plugin().is_none();
        if !in_use && self.callback(context, || self.prepare_end()) {
            end_vm();
        }
    }

    /// Whether a proxy would make another VM by now.
    fn is_old_enough(&self) -> bool {
        let (Some(since), Ok(now)) = (self.rebuild.reloads_since.get(), host::now()) else {
            return false;
        };
        if now < since {
            // The clock was set back, and nobody knows how old the VM is.
            self.rebuild.reloads_since.set(Some(now));
        }
        now.saturating_sub(since) >= LEAST_AGE
    }

    /// Ends the plugins as a host would that ends the VM in order. False: it is too early.
    fn prepare_end(&self) -> bool {
        if !self.is_old_enough() {
            return false;
        }
        crate::info!(
            "ends this VM for a fresh one after {} requests, with {} KiB of memory",
            self.rebuild.requests.get(),
            memory_size() / 1024
        );
        while let Some(plugin) = self.contexts.any_plugin() {
            self.delete(plugin);
        }
        true
    }
}

#[cold]
#[inline(never)]
fn late(requests: u64) {
    crate::warn!(
        "no fresh VM although it is time for one: after {requests} requests and with {} KiB of \
         memory, there is always a stream open or a call under way",
        memory_size() / 1024
    );
}

/// Bytes of the module's memory. Natively there is none to speak of.
fn memory_size() -> usize {
    #[cfg(target_arch = "wasm32")]
    {
        /// Bytes of a page (WebAssembly core specification, 4.2.8).
        const PAGE: usize = 65_536;
        core::arch::wasm32::memory_size(0).saturating_mul(PAGE)
    }
    #[cfg(not(target_arch = "wasm32"))]
    0
}
