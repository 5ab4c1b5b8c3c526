//! Standard output and error, which are the log.

use super::super::caller::WasmCaller;
use super::{errno, put, put_u32};
use crate::host::calls::Caller as _;
use crate::host::{Level, Status};

/// The most bytes of one write that are taken down; the log keeps even less of a line.
const MAX_MESSAGE: usize = 64 * 1024;

/// The level of what is written to a descriptor; no other is open.
fn level(fd: u32) -> Option<Level> {
    match fd {
        1 => Some(Level::Info),
        2 => Some(Level::Error),
        _ => None,
    }
}

/// `fd_write`: all vectors are one line.
pub(super) fn write(
    g: &mut WasmCaller<'_>,
    fd: u32,
    vectors: u32,
    count: u32,
    written: u32,
) -> Result<u32, Status> {
    let Some(level) = level(fd) else { return Ok(errno::BADF) };
    // Vectors may overlap, so that all of them together are far more than the guest's memory.
    let (mut message, mut total) = (Vec::new(), 0_u64);
    for number in 0..u64::from(count) {
        let vector = g.read(u64::from(vectors) + number * 8, 8, |_, bytes| {
            let (words, _) = bytes.as_chunks();
            [0, 1].map(|at| words.get(at).copied().map_or(0, u32::from_le_bytes))
        })?;
        let [at, len] = vector;
        if len == 0 {
            continue;
        }
        g.read(at.into(), len.into(), |_, bytes| {
            let room = MAX_MESSAGE.saturating_sub(message.len());
            message.extend_from_slice(bytes.get(..room).unwrap_or(bytes));
        })?;
        total += u64::from(len);
    }
    if total > 0 {
        let message = message.strip_suffix(b"\n").unwrap_or(&message);
        let host = g.host();
        host.ledger.bytes_out(total);
        host.log.write(level, message);
    }
    put_u32(g, written, u32::try_from(total).unwrap_or(u32::MAX))
}

/// `fd_fdstat_get`: a character device that can be written (rights bit 6), wherever that can be put.
pub(super) fn stat(g: &mut WasmCaller<'_>, fd: u32, at: u32) -> u32 {
    if level(fd).is_none() {
        return errno::BADF;
    }
    let mut stat = [0; 24];
    stat[8] = 64;
    // The real host does not look whether there is memory either.
    put(g, at, stat).unwrap_or(errno::SUCCESS)
}

/// `fd_tell`: always at the beginning.
pub(super) fn tell(g: &mut WasmCaller<'_>, fd: u32, at: u32) -> Result<u32, Status> {
    match level(fd) {
        Some(_) => put(g, at, 0_u64.to_le_bytes()),
        None => Ok(errno::BADF),
    }
}

/// `fd_renumber`
pub(super) fn renumber(fd: u32, to: u32) -> u32 {
    if level(fd).is_some() && level(to).is_some() { errno::NOTSUP } else { errno::BADF }
}
