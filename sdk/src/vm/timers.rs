//! What waits for a time.

use std::cell::{Cell, RefCell};
use std::task::Waker;

use crate::abi::host;
use crate::error::Result;

/// Everything in a VM that waits for a time.
///
/// A host has one timer for each plugin. It is set to the first of all times of that plugin, and
/// set again whenever that changes, so any period is possible and none drifts: what is due is due
/// at an absolute time, however late the host was before.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    waiting: RefCell<Vec<Timer>>,
    /// The host's timers as they were set last: plugin and period in milliseconds.
    set: RefCell<Vec<(u32, u32)>>,
    made: Cell<u64>,
    changed: Cell<bool>,
}

#[derive(Debug)]
struct Timer {
    number: u64,
    root: u32,
    due: u64,
    waker: Waker,
}

/// A timer that has been set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TimerId(u64);

const NANOSECONDS_A_MILLISECOND: u64 = 1_000_000;

impl Timers {
    /// Wakes somebody at a time of the host's clock.
    pub fn set(&self, root: u32, due: u64, waker: Waker) -> TimerId {
        let number = self.made.get() + 1;
        self.made.set(number);
        self.waiting.borrow_mut().push(Timer { number, root, due, waker });
        self.changed.set(true);
        TimerId(number)
    }

    /// Whether its time has not come.
    pub fn is_waiting(&self, id: TimerId) -> bool {
        self.waiting.borrow().iter().any(|timer| timer.number == id.0)
    }

    /// Whoever waits for it may have moved to another task.
    pub fn update(&self, id: TimerId, waker: &Waker) {
        let mut waiting = self.waiting.borrow_mut();
        if let Some(timer) = waiting.iter_mut().find(|timer| timer.number == id.0) {
            timer.waker.clone_from(waker);
        }
    }

    /// Nobody waits for it any more.
    pub fn cancel(&self, id: TimerId) {
        let mut waiting = self.waiting.borrow_mut();
        if let Some(at) = waiting.iter().position(|timer| timer.number == id.0) {
            let timer = waiting.swap_remove(at);
            drop(waiting);
            drop(timer);
            self.changed.set(true);
        }
    }

    /// Wakes whoever waits for a time up to now. The host's timer runs on with the period that it
    /// has, so it has to be set even if nothing was due.
    pub fn fire(&self, now: u64) {
        self.changed.set(true);
        loop {
            let mut waiting = self.waiting.borrow_mut();
            // The earliest first, so that what is due in order is woken in order.
            let due = waiting.iter().enumerate().filter(|(_, timer)| timer.due <= now);
            let Some((at, _)) = due.min_by_key(|(_, timer)| (timer.due, timer.number)) else {
                return;
            };
            let timer = waiting.swap_remove(at);
            drop(waiting);
            self.changed.set(true);
            timer.waker.wake();
        }
    }

    /// Whether the host's timers may have to be set.
    #[inline]
    pub fn changed(&self) -> bool {
        self.changed.get()
    }

    /// Sets the host's timers to what is due first; `act_on` chooses a plugin's context.
    ///
    /// # Errors
    /// The host's, and nothing fires then.
    pub fn arm(&self, act_on: impl Fn(u32) -> Result<()>) -> Result<()> {
        self.changed.set(false);
        let mut at = 0;
        while let Some(root) = self.root(at) {
            at += 1;
            let first = self
                .waiting
                .borrow()
                .iter()
                .filter(|timer| timer.root == root)
                .map(|timer| timer.due)
                .min();
            let period = match first {
                Some(due) => {
                    let left = due.saturating_sub(host::now()?);
                    // Rounded up: a timer that fires too early would have to be set once more.
                    let left = left.div_ceil(NANOSECONDS_A_MILLISECOND).max(1);
                    u32::try_from(left).unwrap_or(u32::MAX)
                }
                None => 0,
            };
            let known = self.period(root);
            if known != period {
                act_on(root)?;
                host::set_tick_period(period)?;
                self.note_period(root, period);
            }
        }
        Ok(())
    }

    /// Forgets a plugin that has ended; the host stops its timer by itself.
    pub fn close(&self, root: u32) {
        self.set.borrow_mut().retain(|(known, _)| *known != root);
    }

    /// The plugins that have or had a timer, each once.
    fn root(&self, at: usize) -> Option<u32> {
        let mut set = self.set.borrow_mut();
        for timer in self.waiting.borrow().iter() {
            if !set.iter().any(|(root, _)| *root == timer.root) {
                set.push((timer.root, 0));
            }
        }
        set.get(at).map(|(root, _)| *root)
    }

    fn period(&self, root: u32) -> u32 {
        self.set.borrow().iter().find(|(known, _)| *known == root).map_or(0, |(_, period)| *period)
    }

    fn note_period(&self, root: u32, period: u32) {
        if let Some(set) = self.set.borrow_mut().iter_mut().find(|(known, _)| *known == root) {
            set.1 = period;
        }
    }
}
