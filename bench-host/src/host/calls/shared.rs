//! What VMs share, and metrics.

use super::{Answer, Caller, Out, Span, give_bytes, put_u32, put_u64, take};
use crate::host::abi::Status;

/// `proxy_get_shared_data`
pub fn get_shared_data<C: Caller>(c: &mut C, key: Span, out: Out, cas: u64) -> Answer<C> {
    let (value, number) = c.read(key.0, key.1, |host, key| {
        host.ledger.bytes_out(key.len() as u64);
        host.shared.get(key).ok_or(Status::NotFound)
    })??;
    give_bytes(c, out, &value)?;
    Ok(put_u32(c, cas, number)?)
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
    let token = host.shared.register(host.member.vm, host.root(), &name)?;
    Ok(put_u32(c, out, token)?)
}

/// `proxy_resolve_shared_queue`
pub fn resolve_queue<C: Caller>(c: &mut C, vm_id: Span, name: Span, out: u64) -> Answer<C> {
    let vm_id = take(c, vm_id)?;
    let name = take(c, name)?;
    let token = c.host().shared.resolve(&vm_id, &name)?;
    Ok(put_u32(c, out, token)?)
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
    Ok(put_u32(c, out, id)?)
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
    Ok(put_u64(c, out, value)?)
}
