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
    let _before = Before(CURRENT.replace(Some((Rc::clone(vm), owner))));
    poll()
}

/// What was in place before. Natively a host survives a poll that panics, and so must this.
struct Before(Option<(Rc<Vm>, Owner)>);

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

    #[test]
    fn polls_nest_and_may_panic() {
        let vm = Rc::<Vm>::default();
        let owner = |context| Owner { context, root: 1 };
        let context = || current().map(|(_, owner)| owner.context);
        while_current(&vm, owner(1), || {
            let inner = AssertUnwindSafe(|| while_current(&vm, owner(2), || panic!("in a poll")));
            assert!(catch_unwind(inner).is_err());
            assert_eq!(context(), Some(1));
        });
        assert_eq!(context(), None);
        assert_eq!(Rc::strong_count(&vm), 1);
    }
}
