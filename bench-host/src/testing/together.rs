//! Workers of one proxy, side by side.

use std::time::Duration;

use super::TestHost;
use crate::engine::Fault;

/// Lets time pass for several workers that are started from one set-up with
/// [`Setup::workers`](super::Setup::workers): timers and answers of all of them come in the order
/// in which they are due.
///
/// Hosts with clocks of their own pass the time one after the other.
///
/// # Errors
/// [`Fault`] when the plugin trapped or panicked in one of them; the time has passed all the same.
pub fn run_together(hosts: &mut [&mut TestHost], time: Duration) -> Result<(), Fault> {
    let time = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
    let ends: Vec<_> = hosts.iter().map(|host| host.slot.now().saturating_add(time)).collect();
    for _ in 0..MOST_EVENTS {
        let due = hosts.iter_mut().zip(&ends).enumerate().filter_map(|(at, (host, end))| {
            let due = host.slot.next_due().filter(|due| due <= end)?;
            Some((due, at))
        });
        let Some((due, at)) = due.min() else { break };
        hosts[at].slot.run_until(due);
    }
    for (host, end) in hosts.iter_mut().zip(ends) {
        host.slot.run_until(end);
        host.slot.note_faults(None);
    }
    hosts.iter_mut().try_for_each(|host| host.interleave([]).map(drop))
}

/// Timers and answers that come in their order; beyond them, one worker after the other.
const MOST_EVENTS: u32 = 100_000;
