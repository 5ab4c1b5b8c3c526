//! Which tasks want to be polled.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Wake, Waker};

/// The places of tasks that were woken, in the order of their waking.
///
/// Wakers have to be `Send`, so this is shared with an `Arc` and locked; a plugin has one thread,
/// and nobody ever waits.
#[derive(Debug, Default)]
pub(super) struct Ready {
    any: AtomicBool,
    queue: Mutex<Vec<u32>>,
}

impl Ready {
    /// Whether a task may be waiting; what every callback looks at.
    #[inline]
    pub fn any(&self) -> bool {
        self.any.load(Relaxed)
    }

    /// Moves what was woken into `places`, which is empty.
    pub fn drain_into(&self, places: &mut Vec<u32>) {
        self.any.store(false, Relaxed);
        places.append(&mut self.queue.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn push(&self, place: u32) {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner).push(place);
        self.any.store(true, Relaxed);
    }
}

/// The waker of the task at one place. It outlives the task: one that is woken by a waker of the
/// task before it is polled once for nothing.
#[derive(Debug)]
pub(super) struct Doorbell {
    place: u32,
    rung: AtomicBool,
    ready: Arc<Ready>,
}

impl Doorbell {
    pub fn waker(place: u32, ready: &Arc<Ready>) -> (Arc<Self>, Waker) {
        let bell = Arc::new(Self { place, rung: AtomicBool::new(false), ready: Arc::clone(ready) });
        (Arc::clone(&bell), Waker::from(bell))
    }

    /// Whether the task was woken since it was polled.
    pub fn has_rung(&self) -> bool {
        self.rung.load(Relaxed)
    }

    /// Lets it be rung again; called before the task is polled.
    pub fn answered(&self) {
        self.rung.store(false, Relaxed);
    }
}

impl Wake for Doorbell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.rung.swap(true, Relaxed) {
            self.ready.push(self.place);
        }
    }
}
