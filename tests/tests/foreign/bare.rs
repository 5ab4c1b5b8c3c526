//! A module with imports that no proxy offers. Envoy refuses it; the bench host runs it, since that
//! is no reason not to measure, and says so.

use crate::build::built;
use crate::languages::ASSEMBLYSCRIPT_BARE;
use crate::replayed::replayed;

#[test]
fn imports_of_a_browser_are_named_and_counted() {
    let Some(built) = built(&ASSEMBLYSCRIPT_BARE) else { return };
    let unknown = built.module.facts.imports.iter().filter(|import| !import.known);
    let mut unknown: Vec<_> = unknown.map(|import| &*import.name).collect();
    unknown.sort_unstable();
    assert_eq!(unknown, ["Date.now", "abort", "seed"]);

    let run = replayed(&built, 1, None);
    assert_eq!(run.failed, 0);
    // The seed is given, the time is not.
    let stubbed: Vec<_> = run.stubbed.iter().map(|(name, count)| (&**name, *count)).collect();
    assert_eq!(stubbed, [("Date.now", run.completed)]);
}
