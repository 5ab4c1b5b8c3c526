//! One growing buffer that every rewriting callback uses in turn.

use std::cell::Cell;

thread_local! {
    static SCRATCH: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Lends the buffer, empty; it keeps its capacity for the next callback.
///
/// A callback inside of another one gets a buffer of its own.
pub(crate) fn with_scratch<R>(work: impl FnOnce(&mut Vec<u8>) -> R) -> R {
    // A thread that is ending natively has none any more, and gets one of its own.
    let mut buffer = SCRATCH.try_with(Cell::take).unwrap_or_default();
    buffer.clear();
    let result = work(&mut buffer);
    let _ = SCRATCH.try_with(|scratch| scratch.set(buffer));
    result
}

/// Makes sure that `bytes` fit without allocating later.
pub(crate) fn reserve_scratch(bytes: usize) {
    with_scratch(|buffer| {
        // Not having it is no failure here: whoever needs it will ask again.
        let _ = buffer.try_reserve(bytes);
    });
}
