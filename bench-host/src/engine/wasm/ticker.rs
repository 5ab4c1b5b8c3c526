//! The clock by which callbacks that do not end are stopped.

use std::io;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread;
use std::time::Duration;

use wasmtime::Engine;

/// How long an epoch is.
const EPOCH: Duration = Duration::from_millis(100);

/// Moves an engine's epoch on until it is dropped.
#[derive(Debug)]
pub(super) struct Ticker {
    // Dropping it is what tells the thread to end.
    _stop: Sender<()>,
}

impl Ticker {
    /// Starts the clock.
    ///
    /// # Errors
    /// When the machine starts no more threads.
    pub fn start(engine: &Engine) -> io::Result<Self> {
        let engine = engine.clone();
        let (stop, stopped) = mpsc::channel::<()>();
        thread::Builder::new().spawn(move || {
            while let Err(RecvTimeoutError::Timeout) = stopped.recv_timeout(EPOCH) {
                engine.increment_epoch();
            }
        })?;
        Ok(Self { _stop: stop })
    }
}

/// More epochs than any process lives.
const MOST: u64 = u64::MAX / 2;

/// How many epochs a callback of that length spans at most.
pub(super) fn epochs(deadline: Duration) -> u64 {
    // One more, for the one that has begun.
    u64::try_from(deadline.as_millis() / EPOCH.as_millis()).unwrap_or(MOST).min(MOST) + 1
}
