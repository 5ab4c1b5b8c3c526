//! Time and randomness, the same in every run.

use super::super::caller::WasmCaller;
use super::{errno, put};
use crate::host::Status;
use crate::host::calls::Caller as _;

/// Clocks of WASI; the other two count the processor's time.
const REALTIME: u32 = 0;
const MONOTONIC: u32 = 1;

/// The most random bytes in one call: `PROXY_WASM_HOST_WASI_RANDOM_GET_MAX_SIZE_BYTES`.
const MAX_RANDOM: u32 = 64 * 1024;

/// `clock_time_get`, in nanoseconds; every look moves the time on.
pub(super) fn time(g: &mut WasmCaller<'_>, clock: u32, at: u32) -> Result<u32, Status> {
    let now = match clock {
        REALTIME => g.host().clock.wall(),
        MONOTONIC => g.host().clock.monotonic(),
        _ => return Ok(errno::NOTSUP),
    };
    put(g, at, now.to_le_bytes())
}

/// `clock_res_get`: a nanosecond.
pub(super) fn resolution(g: &mut WasmCaller<'_>, clock: u32, at: u32) -> Result<u32, Status> {
    match clock {
        REALTIME | MONOTONIC => put(g, at, 1_u64.to_le_bytes()),
        _ => Ok(errno::NOTSUP),
    }
}

/// `random_get`
pub(super) fn random(g: &mut WasmCaller<'_>, at: u32, len: u32) -> Result<u32, Status> {
    if len > MAX_RANDOM {
        return Ok(errno::INVAL);
    }
    if len > 0 {
        g.write(at.into(), len as usize, |host, memory| host.clock.random(memory))?;
    }
    Ok(errno::SUCCESS)
}
