//! Calls that wait for their answers.

use std::cell::RefCell;
use std::task::Waker;

use crate::call::{CallError, CallReply};
use crate::table::Table;

/// All calls of a VM that are not answered yet, by the number that the host gave them.
///
/// # Cost
/// The table keeps its memory, so a call allocates nothing here in steady state.
#[derive(Debug, Default)]
pub(crate) struct Calls {
    pending: RefCell<Table<Pending>>,
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
        let before = self.pending.borrow_mut().insert(token, Pending::default());
        // A host that gives a number twice ends the older call, and 0 is no number; both are dropped
        // without the borrow.
        drop(before);
        self.knows(token)
    }

    /// Whether somebody waits for this answer.
    pub fn knows(&self, token: u32) -> bool {
        self.pending.borrow_mut().get_mut(token).is_some_and(|call| call.answer.is_none())
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
                match &mut call.waker {
                    Some(known) => known.clone_from(waker),
                    none => *none = Some(waker.clone()),
                }
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
