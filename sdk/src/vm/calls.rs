//! Calls that wait for their answers.

use std::cell::{Cell, RefCell};
use std::task::Waker;

use crate::call::{CallError, CallReply};
use crate::table::Table;
use crate::used::CALLS;

/// All calls of a VM that are not answered yet, by the number that the host gave them.
///
/// # Cost
/// The table keeps its memory, so a call allocates nothing here in steady state.
#[derive(Debug, Default)]
pub(crate) struct Calls {
    pending: RefCell<Table<Pending>>,
    /// Calls that the host has not answered, those included for which nobody waits.
    under_way: Cell<u32>,
}

/// One call.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    /// Whoever waits for it.
    waker: Option<Waker>,
    answer: Option<Result<CallReply, CallError>>,
}

impl Calls {
    /// A call was sent. The answer is false for a number that cannot be one.
    pub fn sent(&self, token: u32) -> bool {
        CALLS.set();
        let before = self.pending.borrow_mut().insert(token, Pending::default());
        // A host that gives a number twice ends the older call, and 0 is no number; both are dropped
        // without the borrow.
        drop(before);
        self.under_way.set(self.under_way.get().saturating_add(1));
        self.knows(token)
    }

    /// Whether somebody waits for this answer.
    pub fn knows(&self, token: u32) -> bool {
        self.pending.borrow_mut().get_mut(token).is_some_and(|call| call.answer.is_none())
    }

    /// The host has made the callback that it makes once for each call.
    pub fn ended(&self) {
        self.under_way.set(self.under_way.get().saturating_sub(1));
    }

    /// A plugin has ended, and with it the host ends its calls without a word. Others in the same VM
    /// are rare; of theirs, those are known still for whose answers somebody waits.
    pub fn plugin_ended(&self) {
        self.under_way.set(0);
    }

    /// Whether the host is busy with a call, so that ending the VM would cut it.
    pub fn are_under_way(&self) -> bool {
        self.under_way.get() > 0 || !self.pending.borrow().is_empty()
    }

    /// The answer has come.
    pub fn answered(&self, token: u32, answer: Result<CallReply, CallError>) {
        let mut pending = self.pending.borrow_mut();
        let Some(call) = pending.get_mut(token) else { return };
        call.answer = Some(answer);
        let waker = call.waker.take();
        drop(pending);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Takes the answer, or notes who waits for it.
    pub fn poll(&self, token: u32, waker: &Waker) -> Option<Result<CallReply, CallError>> {
        let mut pending = self.pending.borrow_mut();
        let Some(call) = pending.get_mut(token) else { return Some(Err(CallError::StreamGone)) };
        let answer = call.answer.take();
        match answer {
            Some(answer) => {
                pending.remove(token);
                Some(answer)
            }
            None => {
                if call.waker.as_ref().is_some_and(|known| known.will_wake(waker)) {
                    return None;
                }
                let before = call.waker.replace(waker.clone());
                // Dropped without the borrow: the last of a combinator's wakers may drop a call.
                drop(pending);
                drop(before);
                None
            }
        }
    }

    /// Nobody waits any more; the host has no way to cancel a call, so its answer is ignored.
    pub fn forget(&self, token: u32) {
        let call = self.pending.borrow_mut().remove(token);
        drop(call);
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
    use std::task::Wake;

    use super::*;

    #[derive(Default)]
    struct Bell(AtomicU32);

    impl Wake for Bell {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Relaxed);
        }
    }

    const RESET: Result<CallReply, CallError> = Err(CallError::Reset);

    #[test]
    fn an_answer_is_given_once_to_whoever_waited_last() {
        let calls = Calls::default();
        let (first, last) = (Arc::<Bell>::default(), Arc::<Bell>::default());
        assert!(calls.sent(7) && calls.knows(7) && !calls.knows(8));
        assert!(calls.poll(7, &Arc::clone(&first).into()).is_none());
        assert!(calls.poll(7, &Arc::clone(&last).into()).is_none());
        calls.answered(7, RESET);
        calls.answered(8, RESET);
        assert_eq!((first.0.load(Relaxed), last.0.load(Relaxed)), (0, 1));
        assert!(!calls.knows(7), "a second answer is not read");
        assert!(matches!(calls.poll(7, Waker::noop()), Some(Err(CallError::Reset))));
        assert!(matches!(calls.poll(7, Waker::noop()), Some(Err(CallError::StreamGone))));
    }

    #[test]
    fn a_call_is_under_way_until_the_host_says_otherwise() {
        let calls = Calls::default();
        calls.ended();
        assert!(!calls.are_under_way());
        calls.sent(7);
        calls.forget(7);
        assert!(calls.are_under_way(), "nobody waits, and the host still sends it");
        calls.ended();
        assert!(!calls.are_under_way());
        calls.sent(8);
        calls.plugin_ended();
        assert!(calls.are_under_way());
        calls.forget(8);
        assert!(!calls.are_under_way());
    }

    #[test]
    fn the_answer_to_a_call_that_was_forgotten_is_nobodys() {
        let calls = Calls::default();
        let bell = Arc::<Bell>::default();
        calls.sent(7);
        assert!(calls.poll(7, &Arc::clone(&bell).into()).is_none());
        calls.forget(7);
        assert!(!calls.knows(7));
        calls.answered(7, RESET);
        assert_eq!(bell.0.load(Relaxed), 0);
        assert!(!calls.sent(0), "0 is no call");
    }

    thread_local! {
        static CALLS: Calls = Calls::default();
        static FORGOT: Cell<bool> = const { Cell::new(false) };
    }

    /// A waker that owns a call.
    struct Owner;

    impl Wake for Owner {
        fn wake(self: Arc<Self>) {}
    }

    impl Drop for Owner {
        fn drop(&mut self) {
            CALLS.with(|calls| calls.forget(2));
            FORGOT.set(true);
        }
    }

    #[test]
    fn a_waker_that_is_dropped_may_forget_a_call() {
        CALLS.with(|calls| {
            assert!(calls.sent(1) && calls.sent(2));
            assert!(calls.poll(1, &Arc::new(Owner).into()).is_none());
            assert!(calls.poll(1, Waker::noop()).is_none());
            assert!(FORGOT.get() && !calls.knows(2) && calls.knows(1));
        });
    }
}
