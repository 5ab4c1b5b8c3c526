//! Functions of the host that are called by name.

use super::{Answer, Caller, Out, Span, take};
use crate::host::abi::Status;
use crate::host::foreign;

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
    let (result, status) = match foreign::call(c.host(), &name, &arguments) {
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
