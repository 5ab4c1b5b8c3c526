//! What waits for a time.

use std::cell::{Cell, RefCell};
use std::mem;
use std::task::Waker;

use super::deadlines::{Deadlines, TimerId};
use super::host_timer::HostTimer;
use crate::abi::host;
use crate::error::Result;

/// Everything in a VM that waits for a time.
///
/// A host has one timer for each plugin. It is set to the first of all times of that plugin, so any
/// period is possible and none drifts: what is due is due at an absolute time, however late the
/// host was before.
///
/// # Cost
/// The host's timer is set when something is due before it fires, and when it has fired and goes on
/// with another period than is needed. What is cancelled leaves it alone: a limit on how long a
/// request may take, set and cancelled for every request, costs no host call but now and then one.
/// For the work in the plugin, see [`Deadlines`].
#[derive(Debug, Default)]
pub(crate) struct Timers {
    waiting: RefCell<Deadlines<Timer>>,
    hosts: RefCell<Vec<HostTimer>>,
    changed: Cell<bool>,
}

#[derive(Debug)]
struct Timer {
    root: u32,
    waker: Waker,
}

impl Timers {
    /// Wakes somebody at a time of the host's clock.
    pub fn set(&self, root: u32, due: u64, waker: Waker) -> TimerId {
        let id = self.waiting.borrow_mut().insert(due, Timer { root, waker });
        let mut hosts = self.hosts.borrow_mut();
        let host = match hosts.iter_mut().find(|host| host.root == root) {
            Some(known) => known,
            None => hosts.push_mut(HostTimer::new(root)),
        };
        if host.is_too_late_for(due) {
            self.changed.set(true);
        }
        id
    }

    /// Whether its time has not come.
    pub fn is_waiting(&self, id: TimerId) -> bool {
        self.waiting.borrow_mut().get_mut(id).is_some()
    }

    /// Whoever waits for it may have moved to another task.
    pub fn update(&self, id: TimerId, waker: &Waker) {
        let mut new = waker.clone();
        let mut waiting = self.waiting.borrow_mut();
        if let Some(timer) = waiting.get_mut(id) {
            mem::swap(&mut timer.waker, &mut new);
        }
        // Dropped without the borrow: the last of a combinator's wakers may drop a future.
        drop(waiting);
        drop(new);
    }

    /// Nobody waits for it any more.
    pub fn cancel(&self, id: TimerId) {
        let timer = self.waiting.borrow_mut().remove(id);
        // Dropped without the borrow, as above.
        drop(timer);
    }

    /// Wakes whoever waits for a time up to now, because a host's timer has fired. That one runs on
    /// with the period that it has, so it has to be looked at even if nothing was due.
    pub fn fire(&self, now: u64) {
        self.changed.set(true);
        HostTimer::fired(&mut self.hosts.borrow_mut(), now);
        loop {
            // The earliest first, so that what is due in order is woken in order.
            let timer = self.waiting.borrow_mut().pop_due(now);
            let Some(timer) = timer else { return };
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
    /// The first of the host's. Other plugins' timers are set all the same.
    pub fn arm(&self, act_on: impl Fn(u32) -> Result<()>) -> Result<()> {
        self.changed.set(false);
        let mut armed = Ok(());
        while let Some(root) = self.take_unsettled() {
            armed = armed.and(self.arm_one(root, &act_on));
        }
        armed
    }

    /// Forgets a plugin that has ended; the host stops its timer by itself.
    pub fn close(&self, root: u32) {
        self.hosts.borrow_mut().retain(|host| host.root != root);
    }

    fn arm_one(&self, root: u32, act_on: impl Fn(u32) -> Result<()>) -> Result<()> {
        let first = self.first(root);
        let now = match first {
            Some(_) => host::now()?,
            None => 0,
        };
        let Some(period) = self.with_host(root, |host| host.period_for(first, now)) else {
            return Ok(());
        };
        if act_on(root).is_err() {
            // The host has ended the plugin without saying so. Its tasks end when they are polled.
            self.abandon(root);
            return Ok(());
        }
        host::set_tick_period(period)?;
        self.with_host(root, |host| {
            host.was_set(period, now);
            None
        });
        Ok(())
    }

    fn with_host(
        &self,
        root: u32,
        work: impl FnOnce(&mut HostTimer) -> Option<u32>,
    ) -> Option<u32> {
        let mut hosts = self.hosts.borrow_mut();
        hosts.iter_mut().find(|host| host.root == root).and_then(work)
    }

    /// A plugin whose timer may have to be set, each once.
    fn take_unsettled(&self) -> Option<u32> {
        let mut hosts = self.hosts.borrow_mut();
        let host = hosts.iter_mut().find(|host| host.unsettled)?;
        host.unsettled = false;
        Some(host.root)
    }

    fn first(&self, root: u32) -> Option<u64> {
        let waiting = self.waiting.borrow();
        match waiting.first()? {
            (due, timer) if timer.root == root => Some(due),
            // Several plugins in one VM are rare.
            _ => {
                waiting.iter().filter(|(.., timer)| timer.root == root).map(|(_, due, _)| due).min()
            }
        }
    }

    /// Wakes all that wait for a plugin that has gone.
    fn abandon(&self, root: u32) {
        self.close(root);
        let gone: Vec<_> = {
            let waiting = self.waiting.borrow();
            waiting.iter().filter(|(.., timer)| timer.root == root).map(|(id, ..)| id).collect()
        };
        for id in gone {
            // Each looked up again: a waker may cancel others.
            let timer = self.waiting.borrow_mut().remove(id);
            if let Some(timer) = timer {
                timer.waker.wake();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
    use std::sync::{Arc, Mutex};
    use std::task::Wake;

    use super::*;

    /// Notes who was woken, in order.
    struct Bell(u64, Arc<Mutex<Vec<u64>>>);

    impl Wake for Bell {
        fn wake(self: Arc<Self>) {
            self.1.lock().unwrap().push(self.0);
        }
    }

    fn wakers() -> (impl Fn(u64) -> Waker, Arc<Mutex<Vec<u64>>>) {
        let woken = Arc::<Mutex<Vec<u64>>>::default();
        let bells = Arc::clone(&woken);
        (move |number| Arc::new(Bell(number, Arc::clone(&bells))).into(), woken)
    }

    #[test]
    fn what_is_due_is_woken_in_the_order_in_which_it_is_due() {
        let (waker, woken) = wakers();
        let timers = Timers::default();
        for (number, due) in [(1, 30), (2, 10), (3, 41), (4, 20), (5, 10), (6, 40)] {
            timers.set(1, due, waker(number));
        }
        timers.fire(40);
        assert_eq!(*woken.lock().unwrap(), [2, 5, 4, 1, 6]);
        timers.fire(40);
        assert_eq!(woken.lock().unwrap().len(), 5, "nothing is woken twice");
    }

    #[test]
    fn a_cancelled_timer_wakes_nobody_and_leaves_the_host_alone() {
        let (waker, woken) = wakers();
        let timers = Timers::default();
        let kept = timers.set(1, 10, waker(1));
        timers.changed.set(false);
        let cancelled = timers.set(1, 10, waker(2));
        timers.cancel(cancelled);
        timers.cancel(cancelled);
        assert!(timers.is_waiting(kept) && !timers.is_waiting(cancelled));
        timers.fire(10);
        assert_eq!(*woken.lock().unwrap(), [1]);
    }

    #[test]
    fn the_waker_that_was_given_last_is_woken() {
        let (waker, woken) = wakers();
        let timers = Timers::default();
        let id = timers.set(1, 10, waker(1));
        timers.update(id, &waker(2));
        timers.fire(10);
        timers.update(id, &waker(3));
        assert_eq!(*woken.lock().unwrap(), [2]);
    }

    /// A waker whose last drop cancels a timer, as that of a combinator that owns its futures does.
    struct Owner(Arc<AtomicU64>);

    impl Wake for Owner {
        fn wake(self: Arc<Self>) {}
    }

    thread_local! {
        static TIMERS: Timers = Timers::default();
        static SECOND: Cell<Option<TimerId>> = const { Cell::new(None) };
    }

    impl Drop for Owner {
        fn drop(&mut self) {
            TIMERS.with(|timers| timers.cancel(SECOND.get().unwrap()));
            self.0.fetch_add(1, Relaxed);
        }
    }

    #[test]
    fn a_waker_that_is_dropped_may_cancel_a_timer() {
        let dropped = Arc::<AtomicU64>::default();
        TIMERS.with(|timers| {
            let first = timers.set(1, 10, Arc::new(Owner(Arc::clone(&dropped))).into());
            let second = timers.set(1, 20, Waker::noop().clone());
            SECOND.set(Some(second));
            timers.update(first, Waker::noop());
            assert_eq!(dropped.load(Relaxed), 1);
            assert!(!timers.is_waiting(second));
        });
    }

    #[test]
    fn a_plugin_that_has_gone_takes_its_timers_along() {
        let (waker, woken) = wakers();
        let timers = Timers::default();
        let (one, other) = (timers.set(1, 10, waker(1)), timers.set(2, 10, waker(2)));
        timers.abandon(1);
        assert!(!timers.is_waiting(one) && timers.is_waiting(other));
        assert_eq!(*woken.lock().unwrap(), [1], "its tasks are polled, and end");
        assert_eq!((timers.take_unsettled(), timers.take_unsettled()), (Some(2), None));
    }
}
