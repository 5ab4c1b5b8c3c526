//! What outlives a VM.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

use super::{Clock, Shared};
use crate::upstream::{MadeCall, Session, Upstreams};

/// What the VMs of a worker have in common: time, shared data, and what answers their calls.
#[derive(Clone, Debug)]
pub struct World {
    /// The worker's clock.
    pub clock: Clock,
    /// Data and queues.
    pub shared: Shared,
    /// What answers calls; a new VM does not make upstreams begin anew.
    pub(super) session: Arc<Mutex<Session>>,
    /// Which worker it is: no two of them draw the same random numbers.
    pub worker: u64,
    /// VMs that were made.
    made: Arc<AtomicU64>,
}

impl Default for World {
    fn default() -> Self {
        Self::new(Clock::default(), Shared::default(), &Upstreams::none())
    }
}

impl World {
    /// A world in which nothing has happened yet.
    pub fn new(clock: Clock, shared: Shared, upstreams: &Upstreams) -> Self {
        let session = Arc::new(Mutex::new(upstreams.session()));
        Self { clock, shared, session, worker: 0, made: Arc::default() }
    }

    /// Another number for each VM of each worker; 0 for the very first.
    pub(super) fn next_seed(&self) -> u64 {
        const WORKER: u32 = 40;
        (self.worker << WORKER).wrapping_add(self.made.fetch_add(1, Relaxed))
    }

    /// Keeps the HTTP calls that plugins make from now on, for whoever takes them.
    pub fn keep_calls(&self) {
        self.session.lock().unwrap_or_else(PoisonError::into_inner).keep_calls();
    }

    /// Takes the calls that were kept, in their order.
    pub fn take_calls(&self) -> Vec<MadeCall> {
        self.session.lock().unwrap_or_else(PoisonError::into_inner).take_calls()
    }

    /// Calls that no rule answered: the first ones that differ, and how many there were.
    pub fn unmatched(&self) -> (Vec<String>, u64) {
        let session = self.session.lock().unwrap_or_else(PoisonError::into_inner);
        (session.unmatched().to_vec(), session.unmatched_calls())
    }
}
