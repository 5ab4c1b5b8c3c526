//! What a VM knows apart from the author's types: its arena, pending calls, timers and tasks.
//!
//! Everything that outlives a callback (handles to streams, pending calls, tasks) reaches the host
//! through here. The driver is built on it.

mod calls;
mod current;
mod deadlines;
mod holds;
mod host_timer;
mod naming;
mod pool;
mod ready;
mod shared;
mod tasks;
mod timers;

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use crate::abi::host;
use crate::error::{Error, Result};
use crate::memory::{Arena, Scope};
use crate::rules::last_good::LastGood;
use crate::rules::lookup::Lookups;
use crate::used::TASKS;

pub(crate) use calls::Calls;
pub(crate) use current::{Owner, current, while_current};
pub(crate) use deadlines::TimerId;
pub(crate) use holds::Holds;
pub(crate) use naming::Naming;
pub(crate) use pool::Pool;
pub(crate) use shared::SharedVm;
pub(crate) use tasks::{BoxedTask, Polled, Purpose, Started, TaskId, Tasks};
pub(crate) use timers::Timers;

/// One VM.
#[derive(Debug, Default)]
pub(crate) struct Vm {
    pub arena: Arena,
    pub calls: Calls,
    pub holds: Holds,
    pub pool: Pool,
    pub tasks: Tasks,
    pub timers: Timers,
    /// Rules that configurations may come back to.
    pub last_good: Rc<LastGood>,
    /// How rules ask for what they look at.
    pub lookups: Lookups,
    /// The context whose callback the host runs.
    running: Cell<u32>,
    /// The stream whose callback the host waits for, unless that has no answer; 0 for none.
    pub answering: Cell<u32>,
    /// The context that host calls act on now.
    effective: Cell<u32>,
    /// Whether the host is Higress, once that is known.
    pub higress: Cell<Option<bool>>,
    /// What the host calls routes and clusters, once that is known.
    naming: Cell<Option<Naming>>,
    /// What the log says that the host does not have.
    missed: RefCell<Vec<&'static str>>,
}

/// What a callback found that the host made in the middle of another one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Before {
    running: u32,
    effective: u32,
}

impl Before {
    /// Whether it is no nested callback.
    #[inline]
    pub fn is_outermost(self) -> bool {
        self.running == 0
    }
}

impl Vm {
    /// One whose host asks another allocator than the arena.
    #[cfg(feature = "proxy-wasm")]
    pub fn lending() -> Self {
        Self { arena: Arena::lending(), ..Self::default() }
    }

    /// Notes that the host runs a callback of this context; the answer is what was before, to be
    /// given back with [`leave`](Self::leave).
    #[inline]
    pub fn enter(&self, context: u32) -> Before {
        let effective = self.effective.replace(context);
        Before { running: self.running.replace(context), effective }
    }

    /// The callback ends. The host has that context chosen again which was before a nested callback
    /// (proxy-wasm C++ host, `SaveRestoreContext`).
    #[inline]
    pub fn leave(&self, before: Before) {
        self.effective.set(before.effective);
        self.running.set(before.running);
    }

    /// Whether the host waits for a callback.
    #[inline]
    pub fn is_running(&self) -> bool {
        self.running.get() != 0
    }

    /// Whether something is to be done before the host gets its answer.
    #[inline]
    pub fn has_work(&self) -> bool {
        TASKS.is_set() && (self.tasks.any_ready() || self.timers.changed())
    }

    /// Drops all tasks of a context that has ended.
    #[inline]
    pub fn close_tasks(&self, context: u32) {
        if TASKS.is_set() {
            self.tasks.close(context);
        }
    }

    /// Does something on a context other than the one whose callback runs, if it is another one.
    ///
    /// # Errors
    /// [`Error::StreamGone`] when the host does not know the context any more.
    pub fn on_context<R>(
        &self,
        context: u32,
        work: impl FnOnce(&Scope<'_>) -> Result<R>,
    ) -> Result<R> {
        let before = self.effective.get();
        self.act_on(context)?;
        let result = work(&self.arena.scope());
        if before != context {
            // The callback that runs goes on with its own. It may have ended meanwhile.
            let _ = self.act_on(before);
        }
        result
    }

    /// Whether the host is Higress. Where the plugin does not say so, the host is asked once, for a
    /// property that only Higress has.
    pub fn is_higress(&self) -> Result<bool> {
        if let Some(known) = self.higress.get() {
            return Ok(known);
        }
        let is_higress = host::property(&self.arena.scope(), "plugin_vm_memory")?.is_some();
        self.higress.set(Some(is_higress));
        Ok(is_higress)
    }

    /// Goes on without what the host does not have, and says so once.
    pub fn where_possible(&self, done: Result<()>) -> Result<bool> {
        match done {
            Ok(()) => Ok(true),
            Err(error @ Error::NeedsHost { what, .. }) => {
                let is_known = self.missed.borrow().contains(&what);
                if !is_known {
                    self.missed.borrow_mut().push(what);
                    crate::warn!("{error}; going on without");
                }
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    /// Refuses what other hosts would take and not do.
    ///
    /// # Errors
    /// [`Error::NeedsHost`] where the host is not Higress.
    pub fn higress_only(&self, what: &'static str) -> Result<()> {
        if self.is_higress()? { Ok(()) } else { Err(Error::NeedsHost { what, host: "Higress" }) }
    }

    /// Whether a local reply to this context would stop another stream: hosts stop whatever their
    /// callback is about, whichever context a reply was for.
    pub fn reply_would_stop_another(&self, context: u32) -> bool {
        let answering = self.answering.get();
        answering != 0 && answering != context
    }

    /// Makes host calls act on this context from now on.
    pub fn act_on(&self, context: u32) -> Result<()> {
        if self.effective.get() != context {
            host::set_effective_context(context).map_err(|_| Error::StreamGone)?;
            self.effective.set(context);
        }
        Ok(())
    }
}
