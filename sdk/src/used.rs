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

use std::fmt;
use std::mem::{self, ManuallyDrop};
use std::ops::Deref;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// Tasks, what waits for them, and timers.
pub(crate) static TASKS: Mark = Mark::new();

/// Calls to other services.
pub(crate) static CALLS: Mark = Mark::new();

/// Responses that go through a task.
pub(crate) static RELAYS: Mark = Mark::new();

/// Requests that become others, whose answers a task gets.
pub(crate) static ROUTE_CALLS: Mark = Mark::new();

/// Rules that are kept for the next configuration.
pub(crate) static KEPT_RULES: Mark = Mark::new();

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

/// State of a part; its default owns nothing.
pub(crate) trait Part: Default {
    /// The mark of the part.
    fn mark() -> &'static Mark;
}

/// The state of a part that may not be used: dropping it drops nothing then.
#[derive(Default)]
pub(crate) struct Maybe<T: Part>(ManuallyDrop<T>);

impl<T: Part> Deref for Maybe<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: Part> Drop for Maybe<T> {
    #[inline]
    fn drop(&mut self) {
        if T::mark().is_set() {
            drop(mem::take(&mut *self.0));
        }
    }
}

impl<T: Part + fmt::Debug> fmt::Debug for Maybe<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::*;

    #[derive(Default)]
    struct Some(Option<Rc<()>>);

    impl Part for Some {
        fn mark() -> &'static Mark {
            static MARK: Mark = Mark::new();
            &MARK
        }
    }

    #[test]
    fn what_is_used_is_dropped() {
        let counted = Rc::new(());
        Some::mark().set();
        let part = Maybe(ManuallyDrop::new(Some(Option::Some(Rc::clone(&counted)))));
        assert!(part.0.0.is_some() && Rc::strong_count(&counted) == 2);
        drop(part);
        assert_eq!(Rc::strong_count(&counted), 1);
    }
}
