//! Log, time, contexts and timers.

use super::{Answer, Caller, Out, Span, give_bytes, put_u32, put_u64};
use crate::host::abi::Status;
use crate::host::actions::Action;
use crate::host::log::Level;
use crate::host::root::Stage;

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
    Ok(put_u32(c, out, level)?)
}

/// `proxy_get_current_time_nanoseconds`
pub fn get_current_time<C: Caller>(c: &mut C, out: u64) -> Answer<C> {
    let now = c.host().clock.wall();
    Ok(put_u64(c, out, now)?)
}

/// `proxy_set_tick_period_milliseconds`: for the root context; 0 ends the timer.
pub fn set_tick_period<C: Caller>(c: &mut C, milliseconds: u32) -> Answer<C> {
    c.host().set_tick_period(milliseconds);
    Ok(())
}

/// `proxy_set_effective_context`
pub fn set_effective_context<C: Caller>(c: &mut C, context: u32) -> Answer<C> {
    let host = c.host();
    if context != 0 && !host.has_context(context) {
        return Err(Status::BadArgument.into());
    }
    // 0 is the VM's own context, and in the real host no choice.
    host.effective = Some(context).filter(|context| *context != 0);
    Ok(())
}

/// `proxy_get_status`: how the last call ended that did not end well.
pub fn get_status<C: Caller>(c: &mut C, code: u64, message: Out) -> Answer<C> {
    let (number, text) = c.host().delivery.status.clone();
    put_u32(c, code, number)?;
    give_bytes(c, message, &text)
}

/// `proxy_done`: a root context has finished what it had left to do when it was told to end.
pub fn done<C: Caller>(c: &mut C) -> Answer<C> {
    let host = c.host();
    let root = host.root();
    // Once: whoever says it again is not waited for any more.
    let of = host.roots.get_mut(&root).filter(|of| of.stage == Stage::AtWork);
    of.ok_or(Status::NotFound)?.stage = Stage::Ending;
    Ok(host.put_off(Action::EndRoot { root })?)
}

/// `proxy_get_configuration` (ABI 0.1.0): the plugin's while it is configured, or else the VM's.
pub fn get_configuration<C: Caller>(c: &mut C, out: Out) -> Answer<C> {
    let host = c.host();
    let root = host.configuring.and_then(|root| host.roots.get(&root));
    let configuration = match root {
        Some(root) => root.configuration.clone(),
        None => host.settings.vm_configuration.clone(),
    };
    give_bytes(c, out, &configuration)
}

/// `proxy_clear_route_cache` (ABI 0.1.0): there is one route, so a look for it finds the same.
pub fn clear_route_cache<C: Caller>(c: &mut C) -> Answer<C> {
    c.host().clear_route();
    Ok(())
}
