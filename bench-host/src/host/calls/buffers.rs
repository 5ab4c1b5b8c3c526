//! Buffers: bodies, bytes of connections, configurations and answers.

use super::{Answer, Caller, Out, Span, give};
use crate::host::Profile;
use crate::host::abi::{BufferKind, Status};

/// `proxy_get_buffer_bytes`
pub fn get_buffer_bytes<C: Caller>(
    c: &mut C,
    buffer: u32,
    start: u32,
    length: u32,
    out: Out,
) -> Answer<C> {
    let kind = kind(c, buffer)?;
    let size = c.host().buffer(kind).ok_or(Status::NotFound)?.len();
    let start = start as usize;
    let length = (length as usize).min(size.saturating_sub(start));
    give(c, out, length, |host, memory| {
        // The guest's allocator ran in between and may have changed the buffer.
        if let Some(bytes) = host.buffer(kind).filter(|b| b.len() >= start + memory.len()) {
            bytes.copy_to(start, memory);
        }
    })
}

/// `proxy_get_buffer_status`
pub fn get_buffer_status<C: Caller>(c: &mut C, buffer: u32, out: Out) -> Answer<C> {
    let kind = kind(c, buffer)?;
    let size = c.host().buffer(kind).ok_or(Status::NotFound)?.len();
    c.write_word(out.0, size as u64)?;
    c.write(out.1, 4, |_, flags| flags.fill(0))?;
    Ok(())
}

/// `proxy_set_buffer_bytes`
pub fn set_buffer_bytes<C: Caller>(
    c: &mut C,
    buffer: u32,
    start: u32,
    length: u32,
    data: Span,
) -> Answer<C> {
    let kind = kind(c, buffer)?;
    c.read(data.0, data.1, |host, bytes| {
        let most = host.settings.quota;
        let body = host.open_buffer(kind)?;
        let (memory, parts) = (body.memory() as u64, body.parts());
        if memory.saturating_add(bytes.len() as u64) > most {
            host.quota.refuse("bodies", bytes.len() as u64);
            return Err(Status::InternalFailure);
        }
        let written = host.written(bytes, parts);
        host.open_buffer(kind)?.set(start as usize, length as usize, written)?;
        host.ledger.bytes_out(bytes.len() as u64);
        Ok::<_, Status>(())
    })??;
    Ok(())
}

/// The buffer of a number; only Higress has the last one.
fn kind<C: Caller>(c: &mut C, buffer: u32) -> Result<BufferKind, Status> {
    let kind = BufferKind::from_abi(buffer).ok_or(Status::BadArgument)?;
    let higress = c.host().settings.profile == Profile::Higress;
    if kind == BufferKind::RedisResponse && !higress { Err(Status::BadArgument) } else { Ok(kind) }
}
