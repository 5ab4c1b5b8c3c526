//! Waiting for a time, in tasks.

use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;

use crate::abi::host;
use crate::error::{Error, Result};
use crate::vm::{SharedVm, TimerId, current};

/// The host's clock: the time since 1970.
///
/// # Cost
/// One host call.
pub fn now() -> Result<Duration> {
    host::now().map(Duration::from_nanos)
}

/// Waits at least this long.
///
/// # Cost
/// One host call, which reads the clock; where nothing was due before, one more and one that sets
/// the host's timer.
///
/// # Errors
/// [`Error::Plugin`] outside of a task of this plugin, and the host's.
pub async fn sleep(time: Duration) -> Result<()> {
    sleep_until(host::now()?.saturating_add(nanoseconds(time))).await
}

/// Something that is due again and again.
#[derive(Debug)]
pub struct Interval {
    next: u64,
    period: u64,
}

/// Begins an interval: its first tick is one period from now.
///
/// # Errors
/// The host's.
pub fn interval(period: Duration) -> Result<Interval> {
    let period = nanoseconds(period).max(1);
    Ok(Interval { next: host::now()?.saturating_add(period), period })
}

impl Interval {
    /// Waits for the next tick. Those that have passed meanwhile are left out.
    ///
    /// # Errors
    /// As for [`sleep`].
    pub async fn tick(&mut self) -> Result<()> {
        sleep_until(self.next).await?;
        let late = host::now()?.saturating_sub(self.next);
        // Never sooner than a whole period after the tick that was due, and always a multiple of it.
        let periods = late / self.period + 1;
        self.next = self.next.saturating_add(periods.saturating_mul(self.period));
        Ok(())
    }
}

/// Waits until a time of the host's clock; for one that has passed, until a timer fires.
pub(crate) async fn sleep_until(due: u64) -> Result<()> {
    let mut timer: Option<Timer> = None;
    poll_fn(|context| {
        match &timer {
            None => {
                let (vm, task) = current().ok_or(OUTSIDE)?;
                let id = vm.timers.set(task.root, due, context.waker().clone());
                timer = Some(Timer { vm, id });
            }
            Some(set) if set.vm.timers.is_waiting(set.id) => {
                set.vm.timers.update(set.id, context.waker());
            }
            Some(_) => return Poll::Ready(Ok(())),
        }
        Poll::Pending
    })
    .await
}

const OUTSIDE: Error = Error::Plugin("time can only be waited for in a task of this plugin");

/// A timer that is set; dropped with the task that waits for it.
struct Timer {
    vm: SharedVm,
    id: TimerId,
}

impl Drop for Timer {
    fn drop(&mut self) {
        self.vm.timers.cancel(self.id);
    }
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
