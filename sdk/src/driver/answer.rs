//! What the host is told, and what becomes of errors.

use crate::error::Error;
use crate::http::Reply;
use crate::plugin::{OnError, Plugin};

/// Answers of the ABI: `Continue` in every phase.
pub(super) const PASS: u32 = 0;
/// `StopIteration` for headers: the body still comes.
pub(super) const HOLD_HEADERS: u32 = 1;
/// `StopAllIterationAndWatermark`: nothing comes.
pub(super) const STOP_ALL: u32 = 4;
/// `StopIterationAndBuffer` for a body.
pub(super) const HOLD_BODY: u32 = 1;
/// `StopIterationNoBuffer`: the host forgets this part of a body.
pub(super) const DROP_BODY: u32 = 3;
/// `StopIteration` for trailers.
pub(super) const HOLD_TRAILERS: u32 = 1;

/// What came of a callback.
pub(super) enum Ran<A> {
    /// The author's code decided.
    Answered(A),
    /// There is nobody to ask, or the error is to be passed over.
    Skipped,
    /// The stream must not go on. A host that took the reply stops it by itself; one that did not
    /// gets an answer that stops it.
    Refused,
}

// Reporting stays out of the way of the hot path, and out of every callback's copy of it.
#[cold]
#[inline(never)]
pub(super) fn failed<P: Plugin, A>(phase: &'static str, error: Error) -> Ran<A> {
    match error {
        // Bytes of the body are gone: what is left of it must not look whole.
        Error::Withheld { .. } => failed_for_good(phase, error),
        _ if P::ON_ERROR == OnError::Refuse => failed_for_good(phase, error),
        _ => {
            crate::error!("{phase}: {error}");
            Ran::Skipped
        }
    }
}

/// A failure after which the stream cannot go on, whatever the plugin says of errors.
#[cold]
#[inline(never)]
pub(super) fn failed_for_good<A>(phase: &'static str, error: Error) -> Ran<A> {
    crate::error!("{phase}: {error}");
    if let Err(error) = Reply::new(500).details("plugin_error").send() {
        crate::error!("{phase}: could not answer with 500: {error}");
    }
    Ran::Refused
}
