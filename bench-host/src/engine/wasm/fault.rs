//! From a trap to a message that helps.

use wasmtime::{Store, Trap, WasmBacktrace};

use super::caller::State;
use super::limits::Limits;
use crate::engine::Fault;
use crate::report::numbers::count;
use crate::units::format_bytes;

/// Frames of a stack that are kept, those inside: as many as the proxy-wasm C++ host shows.
const FRAMES: usize = 20;

/// Describes what ended a callback.
pub(super) fn fault(
    store: &mut Store<State>,
    limits: Limits,
    callback: &'static str,
    error: &wasmtime::Error,
) -> Fault {
    let state = store.data();
    let mut reason = reason(limits, error);
    if let Some(most) = state.memory_refused {
        reason = format!("{reason}; its memory could not grow past {}", size(most));
    }
    let trace = error.downcast_ref::<WasmBacktrace>();
    let frames = trace.map_or(&[][..], WasmBacktrace::frames);
    let shown = frames.iter().take(FRAMES).map(|frame| match frame.func_name() {
        // `#` leaves the hash away.
        Some(name) => format!("{:#}", rustc_demangle::demangle(name)),
        None => format!("function {}", frame.func_index()),
    });
    Fault {
        plugin: state.host.settings.plugin_name.clone(),
        callback,
        host_call: state.failed_host_call(),
        reason,
        stack: shown.collect(),
        more_frames: u32::try_from(frames.len().saturating_sub(FRAMES)).unwrap_or(u32::MAX),
        on_purpose: false,
    }
}

fn reason(limits: Limits, error: &wasmtime::Error) -> String {
    match (error.downcast_ref::<Trap>(), limits) {
        (Some(Trap::OutOfFuel), Limits { fuel: Some(most), .. }) => format!(
            "it took more than {} instructions, the most for one callback (an endless loop?)",
            count(most)
        ),
        (Some(Trap::Interrupt), Limits { deadline: Some(most), .. }) => {
            let most = most.as_secs_f64();
            format!("it ran longer than {most} s, the most for one callback (an endless loop?)")
        }
        (Some(Trap::StackOverflow), _) => "its stack overflowed (too deep a recursion?)".to_owned(),
        (Some(Trap::UnreachableCodeReached), _) => {
            "it aborted (a panic or a failed assertion)".to_owned()
        }
        (Some(Trap::MemoryOutOfBounds), _) => "it accessed memory out of bounds".to_owned(),
        (Some(trap), _) => trap.to_string(),
        (None, _) => error.root_cause().to_string(),
    }
}

/// Bytes for people; limits are mostly round.
pub(super) fn size(bytes: usize) -> String {
    format_bytes(bytes as u64).replace(".0 ", " ")
}
