//! What language runtimes import from `env` besides the ABI.

use wasmtime::{Caller, Func, Store};

use super::caller::{State, WasmCaller};
use super::restriction::{Allowed, Import};
use crate::host::calls::Caller as _;
use crate::host::{Level, Status};

/// A function of a runtime: Emscripten's, which the proxy-wasm C++ host has, and AssemblyScript's,
/// which it does not have; SDKs of that language bring their own.
pub(super) fn function(store: &mut Store<State>, name: &str, this: Import) -> Option<Func> {
    let ours = Import { allowed: Allowed::EVERYWHERE, ..this };
    Some(match name {
        "pthread_equal" => {
            Func::wrap(store, move |caller: Caller<'_, State>, one: u32, other: u32| {
                WasmCaller(caller).enter(this)?;
                Ok(u32::from(one == other))
            })
        }
        "emscripten_notify_memory_growth" => {
            Func::wrap(store, move |caller: Caller<'_, State>, _memory: u32| {
                WasmCaller(caller).enter(this)
            })
        }
        "abort" => Func::wrap(
            store,
            move |caller: Caller<'_, State>, message: u32, file: u32, line: u32, column: u32| {
                let mut caller = WasmCaller(caller);
                caller.enter(ours)?;
                abort(&mut caller, message, file, line, column)
            },
        ),
        "seed" => Func::wrap(store, move |caller: Caller<'_, State>| {
            let mut caller = WasmCaller(caller);
            caller.enter(ours)?;
            let mut bytes = [0; 4];
            caller.host().clock.random(&mut bytes);
            Ok(f64::from(u32::from_le_bytes(bytes)))
        }),
        _ => return None,
    })
}

/// `abort` of AssemblyScript: says why, and ends the guest.
fn abort(
    g: &mut WasmCaller<'_>,
    message: u32,
    file: u32,
    line: u32,
    column: u32,
) -> wasmtime::Result<()> {
    let message = text(g, message).unwrap_or_else(|| "it does not say why".to_owned());
    let file = text(g, file).unwrap_or_else(|| "?".to_owned());
    let reason = format!("it aborted: {message} ({file}:{line}:{column})");
    g.host().log.write(Level::Critical, reason.as_bytes());
    Err(wasmtime::Error::msg(reason))
}

/// Bytes of an abort message that are read; whatever a guest says its text's length is.
const MOST_TEXT: u32 = 2_048;

/// A string of AssemblyScript: UTF-16, its length in bytes in the word before it.
fn text(g: &mut WasmCaller<'_>, at: u32) -> Option<String> {
    let length_at = at.checked_sub(4)?;
    let read = |_: &mut _, bytes: &[u8]| bytes.first_chunk().copied().map(u32::from_le_bytes);
    let length = g.read(length_at.into(), 4, read).ok().flatten()?;
    let length = u64::from(length.min(MOST_TEXT));
    let read = |_: &mut _, bytes: &[u8]| {
        let units: Vec<u16> =
            bytes.as_chunks().0.iter().map(|unit| u16::from_le_bytes(*unit)).collect();
        String::from_utf16_lossy(&units)
    };
    let text: Result<String, Status> = g.read(at.into(), length, read);
    text.ok().filter(|text| !text.is_empty())
}
