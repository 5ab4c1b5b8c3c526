//! Root contexts: a plugin with one of its configurations.

use bytes::Bytes;

use super::Host;

/// How far the life of a root context has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// New streams belong to it.
    Live,
    /// A newer one has taken over: it ends with its last stream.
    Retired,
    /// `proxy_on_done` answered that it is still at work: it ends with `proxy_done`.
    AtWork,
    /// It is being deleted.
    Ending,
}

/// A root context.
#[derive(Debug)]
pub(super) struct Root {
    /// What the plugin was configured with.
    pub configuration: Bytes,
    /// Streams and connections that belong to it.
    pub open: u32,
    /// Nanoseconds between the end of a tick and the next one; 0 is no timer.
    pub tick_period: u64,
    /// How far its life has come.
    pub stage: Stage,
}

impl Root {
    pub fn new(configuration: Bytes) -> Self {
        Self { configuration, open: 0, tick_period: 0, stage: Stage::Live }
    }
}

impl Host {
    /// Sets the timer of the current root context; 0 ends it.
    pub(super) fn set_tick_period(&mut self, milliseconds: u32) {
        let root = self.root();
        let now = self.clock.now();
        let Some(of) = self.roots.get_mut(&root) else { return };
        of.tick_period = u64::from(milliseconds) * 1_000_000;
        if milliseconds > 0 {
            self.events.set_tick(root, now.saturating_add(of.tick_period));
        } else {
            self.events.clear_tick(root);
        }
    }
}
