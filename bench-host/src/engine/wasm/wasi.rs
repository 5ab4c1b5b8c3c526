//! The part of WASI that language runtimes need to start, with the answers that the proxy-wasm C++
//! host gives (`src/exports.cc`): output goes to the log, there are no files, no arguments and no
//! environment.

use wasmtime::{Caller, Func, Store};

use super::caller::{State, WasmCaller};
use crate::host::calls::Caller as _;
use crate::host::{Level, Status};

/// Error numbers of WASI preview 1.
mod errno {
    pub const SUCCESS: u32 = 0;
    pub const BADF: u32 = 8;
    pub const FAULT: u32 = 21;
    pub const INVAL: u32 = 28;
    pub const NOENT: u32 = 44;
    pub const NOSYS: u32 = 52;
    pub const NOTSUP: u32 = 58;
}

/// The most random bytes in one call.
const MAX_RANDOM: u32 = 64 * 1024;

/// The most bytes of one write that are taken down; the log keeps even less of a line.
const MAX_MESSAGE: usize = 64 * 1024;

/// A WASI function; `None` for those that have no answer here.
pub(super) fn function(store: &mut Store<State>, name: &str, place: usize) -> Option<Func> {
    macro_rules! wasi {
        (|$guest:ident $(, $arg:ident: $ty:ty)*| $body:expr) => {
            Func::wrap(store, move |caller: Caller<'_, State> $(, $arg: $ty)*| -> u32 {
                let mut caller = WasmCaller(caller);
                caller.host().ledger.host_call(place);
                let $guest = &mut caller;
                let answer: Result<u32, Status> = $body;
                // Addresses are all that can be wrong here.
                answer.unwrap_or(errno::FAULT)
            })
        };
    }
    Some(match name {
        "fd_write" => {
            wasi!(|g, fd: u32, iovs: u32, count: u32, written: u32| {
                fd_write(g, fd, iovs, count, written)
            })
        }
        "clock_time_get" => {
            wasi!(|g, clock: u32, _precision: u64, at: u32| clock_time_get(g, clock, at))
        }
        "clock_res_get" => wasi!(|g, _clock: u32, at: u32| put_u64(g, at, 1)),
        "random_get" => wasi!(|g, at: u32, len: u32| random_get(g, at, len)),
        "environ_sizes_get" | "args_sizes_get" => {
            wasi!(|g, count: u32, size: u32| put_u32(g, count, 0).and_then(|_| put_u32(g, size, 0)))
        }
        "environ_get" | "args_get" => wasi!(|g, _a: u32, _b: u32| nothing(g, errno::SUCCESS)),
        "fd_prestat_get" => wasi!(|g, _fd: u32, _at: u32| nothing(g, errno::BADF)),
        "fd_prestat_dir_name" => {
            wasi!(|g, _fd: u32, _at: u32, _len: u32| nothing(g, errno::NOSYS))
        }
        "fd_fdstat_get" => wasi!(|g, fd: u32, at: u32| fd_fdstat_get(g, fd, at)),
        "fd_fdstat_set_flags" => wasi!(|g, _fd: u32, _flags: u32| nothing(g, errno::NOSYS)),
        "fd_filestat_get" => wasi!(|g, _fd: u32, _at: u32| nothing(g, errno::BADF)),
        "fd_read" => {
            wasi!(|g, _fd: u32, _iovs: u32, _count: u32, _at: u32| nothing(g, errno::NOSYS))
        }
        "fd_seek" => {
            wasi!(|g, _fd: u32, _by: i64, _whence: u32, _at: u32| nothing(g, errno::SUCCESS))
        }
        "fd_close" => wasi!(|g, _fd: u32| nothing(g, errno::SUCCESS)),
        "path_open" => {
            wasi!(|g,
                   _a: u32,
                   _b: u32,
                   _c: u32,
                   _d: u32,
                   _e: u32,
                   _f: u64,
                   _h: u64,
                   _i: u32,
                   _j: u32| { nothing(g, errno::NOENT) })
        }
        "poll_oneoff" => {
            wasi!(|g, _events: u32, _out: u32, _count: u32, at: u32| put_u32(g, at, 0))
        }
        "sched_yield" => wasi!(|g| nothing(g, errno::SUCCESS)),
        "proc_exit" => Func::wrap(store, move |mut caller: Caller<'_, State>, code: u32| {
            let host = &mut caller.data_mut().host;
            host.ledger.host_call(place);
            // The real host logs and returns; what follows in the guest then traps.
            host.log.write(Level::Error, format!("the plugin exited with code {code}").as_bytes());
        }),
        _ => return None,
    })
}

fn fd_write(
    g: &mut WasmCaller<'_>,
    fd: u32,
    iovs: u32,
    count: u32,
    written: u32,
) -> Result<u32, Status> {
    let level = match fd {
        1 => Level::Info,
        2 => Level::Error,
        _ => return Ok(errno::BADF),
    };
    let vectors = g.read(iovs.into(), u64::from(count) * 8, |_, bytes| bytes.to_vec())?;
    // Vectors may overlap, so that all of them together are far more than the guest's memory.
    let (mut message, mut total) = (Vec::new(), 0_u64);
    for [at, len] in vectors
        .as_chunks()
        .0
        .as_chunks()
        .0
        .iter()
        .map(|v: &[[u8; 4]; 2]| [u32::from_le_bytes(v[0]), u32::from_le_bytes(v[1])])
    {
        g.read(at.into(), len.into(), |_, bytes| {
            let room = MAX_MESSAGE.saturating_sub(message.len());
            message.extend_from_slice(bytes.get(..room).unwrap_or(bytes));
        })?;
        total += u64::from(len);
    }
    put_u32(g, written, u32::try_from(total).unwrap_or(u32::MAX))?;
    let message = message.strip_suffix(b"\n").unwrap_or(&message);
    if !message.is_empty() {
        let host = g.host();
        host.ledger.bytes_out(total);
        host.log.write(level, message);
    }
    Ok(errno::SUCCESS)
}

fn clock_time_get(g: &mut WasmCaller<'_>, clock: u32, at: u32) -> Result<u32, Status> {
    let now = match clock {
        0 => g.host().clock.wall(),
        1 => g.host().clock.monotonic(),
        _ => return Ok(errno::NOTSUP),
    };
    put_u64(g, at, now)
}

fn random_get(g: &mut WasmCaller<'_>, at: u32, len: u32) -> Result<u32, Status> {
    if len > MAX_RANDOM {
        return Ok(errno::INVAL);
    }
    g.write(at.into(), len as usize, |host, memory| host.clock.random(memory))?;
    Ok(errno::SUCCESS)
}

/// Standard output and error are character devices that can be written (rights bit 6).
fn fd_fdstat_get(g: &mut WasmCaller<'_>, fd: u32, at: u32) -> Result<u32, Status> {
    if fd != 1 && fd != 2 {
        return Ok(errno::BADF);
    }
    g.write(at.into(), 24, |_, stat| {
        stat.fill(0);
        stat[8] = 64;
    })?;
    Ok(errno::SUCCESS)
}

fn put_u32(g: &mut WasmCaller<'_>, at: u32, value: u32) -> Result<u32, Status> {
    g.write(at.into(), 4, |_, memory| memory.copy_from_slice(&value.to_le_bytes()))?;
    Ok(errno::SUCCESS)
}

fn put_u64(g: &mut WasmCaller<'_>, at: u32, value: u64) -> Result<u32, Status> {
    g.write(at.into(), 8, |_, memory| memory.copy_from_slice(&value.to_le_bytes()))?;
    Ok(errno::SUCCESS)
}

fn nothing(_: &mut WasmCaller<'_>, errno: u32) -> Result<u32, Status> {
    Ok(errno)
}
