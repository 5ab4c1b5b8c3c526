//! Properties.

use super::{Answer, Caller, Out, Span, give_bytes, take};

/// `proxy_get_property`
pub fn get_property<C: Caller>(c: &mut C, path: Span, out: Out) -> Answer<C> {
    let value = c.read(path.0, path.1, |host, path| {
        host.ledger.bytes_out(path.len() as u64);
        host.property(path)
    })??;
    give_bytes(c, out, &value)
}

/// `proxy_set_property`
pub fn set_property<C: Caller>(c: &mut C, path: Span, value: Span) -> Answer<C> {
    let path = take(c, path)?;
    let value = take(c, value)?;
    c.host().set_property(&path, &value)?;
    Ok(())
}
