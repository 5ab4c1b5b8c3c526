//! Which gateways would run a module.

use thiserror::Error;

use crate::module::{AbiVersion, Facts, NotAPlugin, Offered};

/// Why a module runs nowhere. The module is at fault.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum NotPackaged {
    /// It is no plugin.
    #[error(transparent)]
    NotAPlugin(#[from] NotAPlugin),
    /// It wants what no proxy has.
    #[error("it imports what no proxy offers: {}", .0.join(", "))]
    NotOffered(Vec<String>),
}

/// Why a module runs on Higress alone.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum HigressOnly {
    /// Its ABI version is Higress's own.
    #[error("the module speaks ABI 0.2.100, which Higress alone does")]
    Abi,
    /// It wants functions that are Higress's own.
    #[error("the module imports what Higress alone offers: {}", .0.join(", "))]
    Imports(Vec<String>),
}

/// Whether any gateway runs a module.
///
/// # Errors
/// What it lacks, or what it wants in vain.
pub fn runs_somewhere(facts: &Facts) -> Result<(), NotPackaged> {
    facts.loadable()?;
    match facts.not_offered() {
        refused if refused.is_empty() => Ok(()),
        refused => Err(NotPackaged::NotOffered(refused)),
    }
}

/// Whether Envoy and Istio run a module that [runs somewhere](runs_somewhere).
///
/// # Errors
/// What ties it to Higress.
pub fn runs_on_envoy(facts: &Facts) -> Result<(), HigressOnly> {
    if facts.abi == Some(AbiVersion::V0_2_100) {
        return Err(HigressOnly::Abi);
    }
    let own = facts.imports.iter().filter(|import| import.offered == Some(Offered::Higress));
    let own: Vec<_> = own.map(|import| format!("{}.{}", import.module, import.name)).collect();
    if own.is_empty() { Ok(()) } else { Err(HigressOnly::Imports(own)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::module::tests::module;

    fn facts(abi: &str, import: &str) -> Facts {
        let import = match import {
            "" => String::new(),
            name => format!(r#"(import "env" "{name}" (func (param i32 i32) (result i32)))"#),
        };
        module(&format!(
            r#"(module {import} (memory (export "memory") 1)
                (func (export "{abi}"))
                (func (export "malloc") (param i32) (result i32) (i32.const 0)))"#
        ))
        .facts
    }

    #[test]
    fn most_modules_run_everywhere() {
        for abi in [AbiVersion::V0_1_0, AbiVersion::V0_2_0, AbiVersion::V0_2_1] {
            let facts = facts(abi.marker(), "proxy_get_status");
            assert_eq!((runs_somewhere(&facts), runs_on_envoy(&facts)), (Ok(()), Ok(())));
        }
    }

    #[test]
    fn some_run_on_higress_alone() {
        let own = facts("proxy_abi_version_0_2_100", "");
        assert_eq!((runs_somewhere(&own), runs_on_envoy(&own)), (Ok(()), Err(HigressOnly::Abi)));
        let hosts = facts("proxy_abi_version_0_2_1", "proxy_get_upstream_hosts");
        assert_eq!(runs_somewhere(&hosts), Ok(()));
        insta::assert_snapshot!(runs_on_envoy(&hosts).unwrap_err(), @"the module imports what Higress alone offers: env.proxy_get_upstream_hosts");
    }

    #[test]
    fn some_run_nowhere() {
        let error = runs_somewhere(&facts("other", "")).unwrap_err();
        assert_eq!(error, NotPackaged::NotAPlugin(NotAPlugin::NoAbiMarker));
        let wanting = facts("proxy_abi_version_0_2_1", "proxy_of_the_future");
        insta::assert_snapshot!(runs_somewhere(&wanting).unwrap_err(), @"it imports what no proxy offers: env.proxy_of_the_future");
    }
}
