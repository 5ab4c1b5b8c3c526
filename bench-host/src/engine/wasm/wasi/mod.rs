//! WASI preview 1 as the proxy-wasm C++ host has it (`src/exports.cc`), under both of its names:
//! output goes to the log; there are clocks, random bytes and an environment; there are no files,
//! no sockets and no arguments.

mod clocks;
mod constants;
mod environment;
mod output;

use wasmtime::{Caller, Func, Store};

use super::caller::{State, WasmCaller};
use super::restriction::Import;
use crate::host::calls::Caller as _;
use crate::host::{Level, Status};

/// Error numbers of WASI preview 1.
pub(super) mod errno {
    pub const SUCCESS: u32 = 0;
    pub const BADF: u32 = 8;
    pub const NOTDIR: u32 = 20;
    pub const FAULT: u32 = 21;
    pub const INVAL: u32 = 28;
    pub const NOENT: u32 = 44;
    pub const NOSYS: u32 = 52;
    pub const NOTSUP: u32 = 58;
}

/// Whether a module of imports is WASI.
pub(super) fn is(module: &str) -> bool {
    matches!(module, "wasi_snapshot_preview1" | "wasi_unstable")
}

/// A WASI function; `None` for what is not in preview 1.
pub(super) fn function(store: &mut Store<State>, name: &str, this: Import) -> Option<Func> {
    macro_rules! wasi {
        (|$guest:ident $(, $arg:ident: $ty:ty)*| $body:expr) => {
            Func::wrap(store, move |caller: Caller<'_, State> $(, $arg: $ty)*| {
                let mut caller = WasmCaller(caller);
                caller.enter(this)?;
                let $guest = &mut caller;
                let answer: Result<u32, Status> = $body;
                // Addresses are all that can be wrong here.
                Ok::<u32, wasmtime::Error>(answer.unwrap_or(errno::FAULT))
            })
        };
    }
    Some(match name {
        "fd_write" => {
            wasi!(|g, fd: u32, at: u32, count: u32, written: u32| {
                output::write(g, fd, at, count, written)
            })
        }
        "fd_pwrite" => {
            wasi!(|g, fd: u32, at: u32, count: u32, _offset: u64, written: u32| {
                output::write(g, fd, at, count, written)
            })
        }
        "fd_fdstat_get" => wasi!(|g, fd: u32, at: u32| Ok(output::stat(g, fd, at))),
        "fd_tell" => wasi!(|g, fd: u32, at: u32| output::tell(g, fd, at)),
        "fd_renumber" => wasi!(|_g, fd: u32, to: u32| Ok(output::renumber(fd, to))),
        "fd_seek" => {
            wasi!(|g, _fd: u32, _by: i64, _whence: u32, _at: u32| Ok(says(g, "fd_seek")))
        }
        "fd_close" => wasi!(|g, _fd: u32| Ok(says(g, "fd_close"))),
        "fd_readdir" => {
            wasi!(|g, _fd: u32, _at: u32, _len: u32, _cookie: u64, used: u32| {
                put_u32(g, used, 0).map(|_| errno::NOTDIR)
            })
        }
        "clock_time_get" => {
            wasi!(|g, clock: u32, _precision: u64, at: u32| clocks::time(g, clock, at))
        }
        "clock_res_get" => wasi!(|g, clock: u32, at: u32| clocks::resolution(g, clock, at)),
        "random_get" => wasi!(|g, at: u32, len: u32| clocks::random(g, at, len)),
        "args_sizes_get" => {
            wasi!(|g, count: u32, size: u32| put_u32(g, count, 0).and_then(|_| put_u32(g, size, 0)))
        }
        "environ_sizes_get" => {
            wasi!(|g, count: u32, size: u32| environment::sizes(g, count, size))
        }
        "environ_get" => wasi!(|g, list: u32, texts: u32| environment::get(g, list, texts)),
        "poll_oneoff" => {
            wasi!(|g, _subscriptions: u32, _events: u32, _count: u32, at: u32| put_u32(g, at, 0))
        }
        "path_readlink" => {
            wasi!(|g, _fd: u32, _path: u32, _path_len: u32, _at: u32, _len: u32, used: u32| {
                put_u32(g, used, 0).map(|_| errno::NOTSUP)
            })
        }
        "sock_accept" => {
            wasi!(|g, _fd: u32, _flags: u32, at: u32| put_u32(g, at, 0).map(|_| errno::NOTSUP))
        }
        "sock_recv" => {
            wasi!(|g, _fd: u32, _data: u32, _count: u32, _wanted: u32, len: u32, flags: u32| {
                let zeros = put_u32(g, len, 0).and_then(|_| put(g, flags, [0; 2]));
                zeros.map(|_| errno::NOTSUP)
            })
        }
        "sock_send" => {
            wasi!(|g, _fd: u32, _data: u32, _count: u32, _flags: u32, len: u32| {
                put_u32(g, len, 0).map(|_| errno::NOTSUP)
            })
        }
        "proc_exit" => Func::wrap(store, move |caller: Caller<'_, State>, code: u32| {
            let mut caller = WasmCaller(caller);
            caller.enter(this)?;
            // The real host logs and returns; what follows in the guest then traps.
            let message = format!("the plugin exited with code {code}");
            caller.host().log.write(Level::Error, message.as_bytes());
            Ok(())
        }),
        name => return constants::function(store, name, this),
    })
}

/// Files are not there; Envoy notes the attempt where nobody looks.
fn says(g: &mut WasmCaller<'_>, name: &str) -> u32 {
    g.host().log.write(Level::Trace, format!("wasi {name}").as_bytes());
    errno::SUCCESS
}

fn put<const N: usize>(g: &mut WasmCaller<'_>, at: u32, bytes: [u8; N]) -> Result<u32, Status> {
    g.write(at.into(), N, |_, memory| memory.copy_from_slice(&bytes))?;
    Ok(errno::SUCCESS)
}

fn put_u32(g: &mut WasmCaller<'_>, at: u32, value: u32) -> Result<u32, Status> {
    put(g, at, value.to_le_bytes())
}

#[cfg(test)]
mod tests;
