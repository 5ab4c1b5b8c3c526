//! The environment that the VM's configuration gives (`environment_variables`).

use super::super::caller::WasmCaller;
use super::{errno, put_u32};
use crate::host::Status;
use crate::host::calls::Caller as _;

/// `environ_sizes_get`: how many variables, and bytes of all of them with `=` and a zero each.
pub(super) fn sizes(g: &mut WasmCaller<'_>, count: u32, size: u32) -> Result<u32, Status> {
    let variables = &g.host().settings.environment;
    let bytes: usize = variables.iter().map(|(name, value)| name.len() + value.len() + 2).sum();
    let variables = variables.len();
    put_u32(g, count, u32::try_from(variables).unwrap_or(u32::MAX))?;
    put_u32(g, size, u32::try_from(bytes).unwrap_or(u32::MAX))
}

/// `environ_get`: a list of addresses, and the texts that they point to.
pub(super) fn get(g: &mut WasmCaller<'_>, list: u32, texts: u32) -> Result<u32, Status> {
    let (mut list, mut text_at) = (u64::from(list), u64::from(texts));
    for number in 0..g.host().settings.environment.len() {
        let Some((name, value)) = g.host().settings.environment.get(number) else { break };
        let text = format!("{name}={value}\0");
        g.write_word(list, text_at)?;
        g.write(text_at, text.len(), |_, memory| memory.copy_from_slice(text.as_bytes()))?;
        list += 4;
        text_at += text.len() as u64;
    }
    Ok(errno::SUCCESS)
}
