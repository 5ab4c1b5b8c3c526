//! From a trap to a message that helps.

use wasmtime::{Trap, WasmBacktrace};

use crate::engine::Fault;

/// Describes what ended a callback.
pub(super) fn fault(callback: &'static str, error: &wasmtime::Error) -> Fault {
    let reason = match error.downcast_ref::<Trap>() {
        Some(Trap::OutOfFuel | Trap::Interrupt) => {
            "it ran longer than a callback may (an endless loop?)".to_owned()
        }
        Some(Trap::StackOverflow) => "its stack overflowed (too deep a recursion?)".to_owned(),
        Some(Trap::UnreachableCodeReached) => {
            "it aborted (a panic or a failed assertion)".to_owned()
        }
        Some(Trap::MemoryOutOfBounds) => "it accessed memory out of bounds".to_owned(),
        Some(trap) => trap.to_string(),
        None => error.root_cause().to_string(),
    };
    let stack = error.downcast_ref::<WasmBacktrace>().map_or_else(Vec::new, |trace| {
        let frames = trace.frames().iter();
        frames
            .map(|frame| match frame.func_name() {
                // `#` leaves the hash away.
                Some(name) => format!("{:#}", rustc_demangle::demangle(name)),
                None => format!("function {}", frame.func_index()),
            })
            .collect()
    });
    Fault { callback, reason, stack }
}
