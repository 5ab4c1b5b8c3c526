//! Host calls: what each does, whatever engine the guest runs on.
//!
//! Addresses are the guest's. Every function checks them through [`Caller`], and nothing that a
//! guest passes can do more than get a status back.

use bytes::Bytes;

use super::abi::{BufferKind, Direction, MapKind, Status};
use super::headers::{decode_pairs, encode_pairs};
use super::log::Level;
use super::stream::LocalReply;
use super::{HeaderMap, Host};

/// The guest that is making a host call: its memory, and the host behind it.
pub trait Caller {
    /// What ends the guest when its allocator does not return.
    type Trap;

    /// The host.
    fn host(&mut self) -> &mut Host;

    /// Reads guest memory.
    fn read<R>(
        &mut self,
        at: u64,
        len: u64,
        read: impl FnOnce(&mut Host, &[u8]) -> R,
    ) -> Result<R, Status>;

    /// Writes guest memory.
    fn write(
        &mut self,
        at: u64,
        len: usize,
        write: impl FnOnce(&mut Host, &mut [u8]),
    ) -> Result<(), Status>;

    /// Writes a pointer or a size, as wide as the guest's.
    fn write_word(&mut self, at: u64, word: u64) -> Result<(), Status>;

    /// Asks the guest for memory.
    fn allocate(&mut self, size: usize) -> Result<u64, Refusal<Self::Trap>>;
}

/// Why a host call did not do what it says.
#[derive(Debug)]
pub enum Refusal<T> {
    /// The guest gets this status.
    Status(Status),
    /// The guest is over.
    Trap(T),
}

impl<T> From<Status> for Refusal<T> {
    fn from(status: Status) -> Self {
        Self::Status(status)
    }
}

/// What a host call comes to.
pub type Answer<C> = Result<(), Refusal<<C as Caller>::Trap>>;

/// A piece of guest memory: address and length.
#[derive(Clone, Copy, Debug)]
pub struct Span(pub u64, pub u64);

/// Where a guest wants a pointer and a length written.
#[derive(Clone, Copy, Debug)]
pub struct Out(pub u64, pub u64);

fn take<C: Caller>(c: &mut C, span: Span) -> Result<Vec<u8>, Status> {
    c.read(span.0, span.1, |host, bytes| {
        host.ledger.bytes_out(bytes.len() as u64);
        bytes.to_vec()
    })
}

/// Hands `len` bytes over: the guest's allocator, one copy, pointer and length.
fn give<C: Caller>(
    c: &mut C,
    out: Out,
    len: usize,
    fill: impl FnOnce(&mut Host, &mut [u8]),
) -> Answer<C> {
    let at = if len == 0 {
        0
    } else {
        let at = c.allocate(len)?;
        c.write(at, len, |host, memory| {
            fill(host, memory);
            host.ledger.bytes_in(len as u64);
        })?;
        at
    };
    c.write_word(out.0, at)?;
    c.write_word(out.1, len as u64)?;
    Ok(())
}

fn give_bytes<C: Caller>(c: &mut C, out: Out, bytes: &[u8]) -> Answer<C> {
    give(c, out, bytes.len(), |_, memory| memory.copy_from_slice(bytes))
}

/// `proxy_log`
pub fn log<C: Caller>(c: &mut C, level: u32, message: Span) -> Answer<C> {
    let level = Level::from_abi(level).ok_or(Status::BadArgument)?;
    c.read(message.0, message.1, |host, message| {
        host.ledger.bytes_out(message.len() as u64);
        host.log.write(level, message);
    })?;
    Ok(())
}

/// `proxy_get_log_level`
pub fn get_log_level<C: Caller>(c: &mut C, out: u64) -> Answer<C> {
    let level = c.host().log.level() as u32;
    c.write(out, 4, |_, memory| memory.copy_from_slice(&level.to_le_bytes()))?;
    Ok(())
}

/// `proxy_get_current_time_nanoseconds`
pub fn get_current_time<C: Caller>(c: &mut C, out: u64) -> Answer<C> {
    let now = c.host().clock.wall();
    c.write(out, 8, |_, memory| memory.copy_from_slice(&now.to_le_bytes()))?;
    Ok(())
}

/// `proxy_set_tick_period_milliseconds`
///
/// There are no timers yet, so no tick will come.
pub fn set_tick_period<C: Caller>(c: &mut C) -> Answer<C> {
    c.host().not_emulated("proxy_set_tick_period_milliseconds");
    Ok(())
}

/// `proxy_get_buffer_bytes`
pub fn get_buffer_bytes<C: Caller>(
    c: &mut C,
    buffer: u32,
    start: u32,
    length: u32,
    out: Out,
) -> Answer<C> {
    let kind = BufferKind::from_abi(buffer).ok_or(Status::BadArgument)?;
    let size = c.host().buffer(kind).ok_or(Status::NotFound)?.len();
    start.checked_add(length).ok_or(Status::BadArgument)?;
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
    let kind = BufferKind::from_abi(buffer).ok_or(Status::BadArgument)?;
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
    let direction = match BufferKind::from_abi(buffer).ok_or(Status::BadArgument)? {
        BufferKind::RequestBody => Direction::Request,
        BufferKind::ResponseBody => Direction::Response,
        BufferKind::VmConfiguration | BufferKind::PluginConfiguration | BufferKind::Other => {
            return Err(Status::BadArgument.into());
        }
    };
    c.read(data.0, data.1, |host, bytes| {
        let half = host.half(direction).ok_or(Status::NotFound)?;
        let body = half.visible_body().ok_or(Status::BadArgument)?;
        body.set(start as usize, length as usize, bytes)?;
        host.ledger.bytes_out(bytes.len() as u64);
        Ok::<_, Status>(())
    })??;
    Ok(())
}

/// `proxy_get_header_map_value`
pub fn get_header<C: Caller>(c: &mut C, map: u32, key: Span, out: Out) -> Answer<C> {
    let kind = MapKind::from_abi(map).ok_or(Status::BadArgument)?;
    let value = c.read(key.0, key.1, |host, key| {
        host.ledger.bytes_out(key.len() as u64);
        let gone = if host.logging { Status::NotFound } else { Status::BadArgument };
        let map = host.readable_map(kind).ok_or(gone)?;
        map.get(key).cloned().ok_or(Status::NotFound)
    })??;
    give_bytes(c, out, &value)
}

/// `proxy_add_header_map_value` and `proxy_replace_header_map_value`
pub fn put_header<C: Caller>(
    c: &mut C,
    map: u32,
    key: Span,
    value: Span,
    put: fn(&mut HeaderMap, &[u8], &[u8]),
) -> Answer<C> {
    let kind = MapKind::from_abi(map).ok_or(Status::BadArgument)?;
    let key = take(c, key)?;
    c.read(value.0, value.1, |host, value| {
        host.ledger.bytes_out(value.len() as u64);
        put(host.open_map(kind).ok_or(Status::BadArgument)?, &key, value);
        Ok::<_, Status>(())
    })??;
    Ok(())
}

/// `proxy_remove_header_map_value`
pub fn remove_header<C: Caller>(c: &mut C, map: u32, key: Span) -> Answer<C> {
    let kind = MapKind::from_abi(map).ok_or(Status::BadArgument)?;
    c.read(key.0, key.1, |host, key| {
        host.ledger.bytes_out(key.len() as u64);
        host.open_map(kind).ok_or(Status::BadArgument)?.remove(key);
        Ok::<_, Status>(())
    })??;
    Ok(())
}

/// `proxy_get_header_map_pairs`
pub fn get_pairs<C: Caller>(c: &mut C, map: u32, out: Out) -> Answer<C> {
    let kind = MapKind::from_abi(map).ok_or(Status::BadArgument)?;
    let wire = match c.host().readable_map(kind) {
        Some(map) if !map.is_empty() => {
            let pairs: Vec<_> = map.iter().map(|(name, value)| (&name[..], &value[..])).collect();
            encode_pairs(pairs.into_iter())
        }
        _ => Vec::new(),
    };
    give_bytes(c, out, &wire)
}

/// `proxy_set_header_map_pairs`
pub fn set_pairs<C: Caller>(c: &mut C, map: u32, pairs: Span) -> Answer<C> {
    let kind = MapKind::from_abi(map).ok_or(Status::BadArgument)?;
    c.read(pairs.0, pairs.1, |host, wire| {
        host.ledger.bytes_out(wire.len() as u64);
        let map = host.open_map(kind).ok_or(Status::BadArgument)?;
        *map = decode_pairs(wire).into_iter().collect();
        Ok::<_, Status>(())
    })??;
    Ok(())
}

/// `proxy_get_header_map_size`
pub fn get_map_size<C: Caller>(c: &mut C, map: u32, out: u64) -> Answer<C> {
    let kind = MapKind::from_abi(map).ok_or(Status::BadArgument)?;
    let size = c.host().readable_map(kind).ok_or(Status::BadArgument)?.byte_size();
    c.write_word(out, size as u64)?;
    Ok(())
}

/// `proxy_get_property`
pub fn get_property<C: Caller>(c: &mut C, path: Span, out: Out) -> Answer<C> {
    let path = take(c, path)?;
    let value = c.host().property(&path)?;
    give_bytes(c, out, &value)
}

/// `proxy_set_property`
pub fn set_property<C: Caller>(c: &mut C, path: Span, value: Span) -> Answer<C> {
    let path = take(c, path)?;
    let value = take(c, value)?;
    c.host().set_property(&path, &value)?;
    Ok(())
}

/// `proxy_send_local_response`
pub fn send_local_response<C: Caller>(
    c: &mut C,
    status: u32,
    details: Span,
    body: Span,
    headers: Span,
) -> Answer<C> {
    let details = String::from_utf8_lossy(&take(c, details)?).into_owned();
    let body = Bytes::from(take(c, body)?);
    let headers = take(c, headers)?;
    let headers = decode_pairs(&headers)
        .into_iter()
        .map(|(name, value)| {
            let name = name.to_ascii_lowercase();
            (Bytes::from(name), Bytes::copy_from_slice(value))
        })
        .collect();
    let plugin = c.host().settings.plugin_name.clone();
    // On a root context there is nobody to answer, and the real host says nothing of it.
    if let Some(stream) = c.host().stream_to_act_on() {
        let details = match details.as_str() {
            "" => format!("via_wasm::{plugin}"),
            details => format!("via_wasm::{plugin}::{}", details.replace(' ', "_")),
        };
        stream.pending_reply = Some(LocalReply { status, details, headers, body });
    }
    Ok(())
}

/// `proxy_continue_stream` and its forms in older ABIs
pub fn continue_stream<C: Caller>(c: &mut C, stream_type: u32) -> Answer<C> {
    let direction = match stream_type {
        0 => Direction::Request,
        1 => Direction::Response,
        2 | 3 => return Err(Status::Unimplemented.into()),
        _ => return Err(Status::BadArgument.into()),
    };
    if let Some(stream) = c.host().stream_to_act_on() {
        stream.pending_resume.push(direction);
    }
    Ok(())
}

/// `proxy_close_stream`
pub fn close_stream<C: Caller>(c: &mut C, stream_type: u32) -> Answer<C> {
    if stream_type > 3 {
        return Err(Status::BadArgument.into());
    }
    if let Some(stream) = c.host().stream_to_act_on() {
        stream.pending_reset = true;
    }
    Ok(())
}

/// `proxy_set_effective_context`
pub fn set_effective_context<C: Caller>(c: &mut C, context: u32) -> Answer<C> {
    let host = c.host();
    let known = host.streams.contains_key(&context) || context == super::filter::ROOT;
    if !known {
        return Err(Status::BadArgument.into());
    }
    host.effective = Some(context);
    Ok(())
}

/// `proxy_get_status`: there is no callout that could have failed.
pub fn get_status<C: Caller>(c: &mut C, code: u64, message: Out) -> Answer<C> {
    c.write(code, 4, |_, memory| memory.fill(0))?;
    give_bytes(c, message, b"")
}

/// `proxy_get_shared_data`
pub fn get_shared_data<C: Caller>(c: &mut C, key: Span, out: Out, cas: u64) -> Answer<C> {
    let key = take(c, key)?;
    let (value, number) = c.host().shared.get(&key).ok_or(Status::NotFound)?;
    give_bytes(c, out, &value)?;
    c.write(cas, 4, |_, memory| memory.copy_from_slice(&number.to_le_bytes()))?;
    Ok(())
}

/// `proxy_set_shared_data`
pub fn set_shared_data<C: Caller>(c: &mut C, key: Span, value: Span, cas: u32) -> Answer<C> {
    let key = take(c, key)?;
    let value = take(c, value)?;
    c.host().shared.set(&key, &value, cas)?;
    Ok(())
}

/// `proxy_register_shared_queue`
pub fn register_queue<C: Caller>(c: &mut C, name: Span, out: u64) -> Answer<C> {
    let name = take(c, name)?;
    let host = c.host();
    let token = host.shared.register(host.vm, super::filter::ROOT, &name)?;
    c.write(out, 4, |_, memory| memory.copy_from_slice(&token.to_le_bytes()))?;
    Ok(())
}

/// `proxy_resolve_shared_queue`
pub fn resolve_queue<C: Caller>(c: &mut C, vm_id: Span, name: Span, out: u64) -> Answer<C> {
    let vm_id = take(c, vm_id)?;
    let name = take(c, name)?;
    let token = c.host().shared.resolve(&vm_id, &name)?;
    c.write(out, 4, |_, memory| memory.copy_from_slice(&token.to_le_bytes()))?;
    Ok(())
}

/// `proxy_enqueue_shared_queue`
pub fn enqueue<C: Caller>(c: &mut C, token: u32, data: Span) -> Answer<C> {
    let data = take(c, data)?;
    c.host().shared.enqueue(token, data)?;
    Ok(())
}

/// `proxy_dequeue_shared_queue`
pub fn dequeue<C: Caller>(c: &mut C, token: u32, out: Out) -> Answer<C> {
    let data = c.host().shared.dequeue(token)?;
    give_bytes(c, out, &data)
}

/// `proxy_define_metric`
pub fn define_metric<C: Caller>(c: &mut C, kind: u32, name: Span, out: u64) -> Answer<C> {
    let name = take(c, name)?;
    let id = c.host().define_metric(kind, &name)?;
    c.write(out, 4, |_, memory| memory.copy_from_slice(&id.to_le_bytes()))?;
    Ok(())
}

/// `proxy_increment_metric`
pub fn increment_metric<C: Caller>(c: &mut C, id: u32, by: i64) -> Answer<C> {
    c.host().metrics.increment(id, by)?;
    Ok(())
}

/// `proxy_record_metric`
pub fn record_metric<C: Caller>(c: &mut C, id: u32, value: u64) -> Answer<C> {
    c.host().metrics.record(id, value)?;
    Ok(())
}

/// `proxy_get_metric`
pub fn get_metric<C: Caller>(c: &mut C, id: u32, out: u64) -> Answer<C> {
    let value = c.host().metrics.get(id)?;
    c.write(out, 8, |_, memory| memory.copy_from_slice(&value.to_le_bytes()))?;
    Ok(())
}

/// `proxy_done`: no context waits for it.
pub fn done<C: Caller>(_: &mut C) -> Answer<C> {
    Err(Status::NotFound.into())
}

/// `proxy_http_call`: no cluster is known, which the real host answers in the same way.
pub fn http_call<C: Caller>(c: &mut C, token: u64) -> Answer<C> {
    c.write(token, 4, |_, memory| memory.fill(0))?;
    c.host().not_emulated("proxy_http_call");
    Err(Status::BadArgument.into())
}

/// `proxy_call_foreign_function`
///
/// Either place for the result may be 0, which is none. What a function does not give is an
/// address and a length of 0, whatever its status.
pub fn call_foreign_function<C: Caller>(
    c: &mut C,
    name: Span,
    arguments: Span,
    out: Out,
) -> Answer<C> {
    let name = take(c, name)?;
    let arguments = take(c, arguments)?;
    let (result, status) = match super::foreign::call(c.host(), &name, &arguments) {
        Ok(result) => (result.unwrap_or_default(), Ok(())),
        Err(status) => (Vec::new(), Err(status)),
    };
    if status == Err(Status::NotFound) {
        c.host().not_emulated("proxy_call_foreign_function");
    }
    let at = if result.is_empty() {
        0
    } else {
        let at = c.allocate(result.len())?;
        c.write(at, result.len(), |host, memory| {
            memory.copy_from_slice(&result);
            host.ledger.bytes_in(result.len() as u64);
        })?;
        at
    };
    for (place, word) in [(out.0, at), (out.1, result.len() as u64)] {
        if place != 0 {
            c.write_word(place, word)?;
        }
    }
    Ok(status?)
}
