//! Imports that this host does not have.

use wasmtime::{Func, FuncType, Store, Val, ValType};

use super::caller::{State, WasmCaller};
use super::restriction::Import;
use super::wasi;
use crate::host::Status;
use crate::host::calls::Caller as _;

/// A function of any type that does nothing, answers "unimplemented" and counts its calls, so that
/// an unknown import never keeps a module from loading.
pub(super) fn function(
    store: &mut Store<State>,
    module: &str,
    name: &str,
    this: Import,
    wanted: FuncType,
) -> Func {
    let name = name.to_owned();
    let unimplemented = if wasi::is(module) {
        wasi::errno::NOSYS.cast_signed()
    } else {
        Status::Unimplemented as i32
    };
    let answers: Vec<_> = wanted.results().map(|ty| answer(&ty, unimplemented)).collect();
    Func::new(store, wanted, move |caller, _, results| {
        let mut caller = WasmCaller(caller);
        caller.enter(this)?;
        let host = caller.host();
        match host.stubbed.get_mut(&name) {
            Some(calls) => *calls += 1,
            None => drop(host.stubbed.insert(name.clone(), 1)),
        }
        results.copy_from_slice(&answers);
        Ok(())
    })
}

/// "Unimplemented" where a status can be told, and nothing otherwise.
fn answer(ty: &ValType, unimplemented: i32) -> Val {
    match ty {
        ValType::I32 => Val::I32(unimplemented),
        ty => Val::default_for_ty(ty).unwrap_or(Val::I32(0)),
    }
}
