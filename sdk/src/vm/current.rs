//! The VM whose task is being polled, for futures that are made without one.

use std::cell::RefCell;
use std::rc::Rc;

use super::Vm;

thread_local! {
    static CURRENT: RefCell<Option<(Rc<Vm>, Owner)>> = const { RefCell::new(None) };
}

/// Whom a task belongs to: a stream and its plugin, or a plugin alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Owner {
    pub context: u32,
    /// The context of the plugin.
    pub root: u32,
}

/// The VM whose task is being polled on this thread, and whose task it is.
pub(crate) fn current() -> Option<(Rc<Vm>, Owner)> {
    CURRENT.with_borrow(Clone::clone)
}

/// Runs a poll with a VM in place. Polls nest, because callbacks do.
pub(crate) fn while_current<R>(vm: &Rc<Vm>, owner: Owner, poll: impl FnOnce() -> R) -> R {
    let before = CURRENT.replace(Some((Rc::clone(vm), owner)));
    let result = poll();
    CURRENT.replace(before);
    result
}
