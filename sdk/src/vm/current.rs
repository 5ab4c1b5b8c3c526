//! The VM whose task is being polled, for futures that are made without one.

use std::cell::RefCell;

use super::SharedVm;

thread_local! {
    static CURRENT: RefCell<Option<(SharedVm, Owner)>> = const { RefCell::new(None) };
}

/// Whom a task belongs to: a stream and its plugin, or a plugin alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Owner {
    pub context: u32,
    /// The context of the plugin.
    pub root: u32,
}

/// The VM whose task is being polled on this thread, and whose task it is.
pub(crate) fn current() -> Option<(SharedVm, Owner)> {
    CURRENT.with_borrow(Clone::clone)
}

/// Runs a poll with a VM in place. Polls nest, because callbacks do.
pub(crate) fn while_current<R>(vm: &SharedVm, owner: Owner, poll: impl FnOnce() -> R) -> R {
    let _before = Before(CURRENT.replace(Some((vm.clone(), owner))));
    poll()
}

/// What was in place before. Natively a host survives a poll that panics, and so must this.
struct Before(Option<(SharedVm, Owner)>);

impl Drop for Before {
    fn drop(&mut self) {
        let ended = CURRENT.replace(self.0.take());
        drop(ended);
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;
    use crate::vm::Vm;

    #[test]
    fn polls_nest_and_may_panic() {
        let vm = SharedVm::new(Vm::default());
        let owner = |context| Owner { context, root: 1 };
        let context = || current().map(|(_, owner)| owner.context);
        while_current(&vm, owner(1), || {
            let inner = AssertUnwindSafe(|| while_current(&vm, owner(2), || panic!("in a poll")));
            assert!(catch_unwind(inner).is_err());
            assert_eq!(context(), Some(1));
        });
        assert_eq!(context(), None);
        assert_eq!(vm.handles(), 1);
    }
}
