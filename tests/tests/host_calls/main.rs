//! Every host call: what it answers to what, and when.
//!
//! The expectations are those of the proxy-wasm C++ host in Envoy and Higress. `docs/host-calls.md`
//! is written from these tables.

#![expect(clippy::unwrap_used, reason = "a test fails where it does not hold")]

mod answers;
mod chance;
mod guest;
mod hostile;
mod imports;
mod page;
mod run;
mod scenario;
mod script;
mod tables;
mod value;

#[test]
fn tables_hold() {
    let (scenarios, observed) = tables::observe();
    println!("{scenarios} scenarios, {} calls", observed.len());
}
