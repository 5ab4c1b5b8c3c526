//! Header maps.

use bytes::Bytes;

use super::{Answer, Caller, Out, Span, give_bytes, take};
use crate::host::HeaderMap;
use crate::host::abi::{MapKind, Status};
use crate::host::headers::{decode_pairs, encode_pairs};

/// Memory that a map may take: many times what any peer accepts as headers.
const MOST_MEMORY: usize = 16 * 1024 * 1024;

/// `proxy_get_header_map_value`
pub fn get_header<C: Caller>(c: &mut C, map: u32, key: Span, out: Out) -> Answer<C> {
    let kind = MapKind::from_abi(map).ok_or(Status::BadArgument)?;
    let value = c.read(key.0, key.1, |host, key| {
        host.ledger.bytes_out(key.len() as u64);
        let absent = if host.settings.absent_header_is_empty {
            Ok(Bytes::new())
        } else {
            Err(Status::NotFound)
        };
        let logging = host.logging;
        match host.readable_map(kind) {
            Some(map) => map.get(key).cloned().map_or(absent, Ok),
            None if logging => absent,
            None => Err(Status::BadArgument),
        }
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
        let map = host.open_map(kind).ok_or(Status::BadArgument)?;
        if map.memory() + key.len() + value.len() > MOST_MEMORY {
            host.quota.refuse("headers", value.len() as u64);
            return Err(Status::InternalFailure);
        }
        put(map, &key, value);
        host.headers_changed(kind);
        Ok(())
    })??;
    Ok(())
}

/// `proxy_remove_header_map_value`
pub fn remove_header<C: Caller>(c: &mut C, map: u32, key: Span) -> Answer<C> {
    let kind = MapKind::from_abi(map).ok_or(Status::BadArgument)?;
    c.read(key.0, key.1, |host, key| {
        host.ledger.bytes_out(key.len() as u64);
        host.open_map(kind).ok_or(Status::BadArgument)?.remove(key);
        host.headers_changed(kind);
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
        map.replace_all(decode_pairs(wire));
        host.headers_changed(kind);
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
