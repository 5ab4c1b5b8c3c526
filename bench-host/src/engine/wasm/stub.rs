//! Imports that this host does not have.

use wasmtime::{Func, FuncType, Store, Val};

use super::caller::State;
use crate::host::Status;

/// A function of any type that does nothing, answers "unimplemented" and counts its calls, so that
/// an unknown import never keeps a module from loading.
pub(super) fn function(
    store: &mut Store<State>,
    name: &str,
    place: usize,
    wanted: FuncType,
) -> Func {
    let name = name.to_owned();
    Func::new(store, wanted, move |mut caller, _, results| {
        let host = &mut caller.data_mut().host;
        host.ledger.host_call(place);
        *host.stubbed.entry(name.clone()).or_insert(0) += 1;
        for result in results {
            *result = match result {
                Val::I64(_) => Val::I64(0),
                Val::F32(_) => Val::F32(0),
                Val::F64(_) => Val::F64(0),
                _ => Val::I32(Status::Unimplemented as i32),
            };
        }
        Ok(())
    })
}
