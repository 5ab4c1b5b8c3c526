//! What a module links only if its plugin uses it.
//!
//! A callback cannot know whether anybody waits for a task, so it has to ask, and whatever it asks
//! would be in every module. So each of these parts has a mark that is set where a plugin begins to
//! use it, and everything else of the part stands behind the mark. In a module whose plugin never
//! comes by, nothing sets the mark: link-time optimisation knows it for a constant, and drops what
//! stands behind it.
//!
//! Rules for those who set marks: only in functions that a plugin calls, and never behind another
//! mark; that would keep both of them.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// Tasks, what waits for them, and timers.
pub(crate) static TASKS: Mark = Mark::new();

/// Calls to other services.
pub(crate) static CALLS: Mark = Mark::new();

/// Responses that go through a task.
pub(crate) static RELAYS: Mark = Mark::new();

/// Bodies that are held until they are whole.
pub(crate) static WHOLE_BODIES: Mark = Mark::new();

/// Edits of bodies that may change their length.
pub(crate) static EDITS: Mark = Mark::new();

/// Requests that become others, whose answers a task gets.
pub(crate) static ROUTE_CALLS: Mark = Mark::new();

/// Whether a part is used. Natively by any plugin of the process, where nothing depends on it but
/// the work of finding that there is nothing to do.
#[derive(Debug)]
pub(crate) struct Mark(AtomicBool);

impl Mark {
    const fn new() -> Self {
        Self(AtomicBool::new(false))
    }

    /// Whether a plugin has begun to use the part.
    #[inline]
    pub fn is_set(&self) -> bool {
        self.0.load(Relaxed)
    }

    /// A plugin begins to use the part.
    #[inline]
    pub fn set(&self) {
        self.0.store(true, Relaxed);
    }
}
