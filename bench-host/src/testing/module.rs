//! Modules that are compiled once for many tests.

use std::path::Path;

use super::setup::not_on_envoy;
use super::{Setup, TestHost, WasmStartError};
use crate::engine::StartError;
use crate::engine::wasm::{Limits, WasmPlugin};
use crate::host::Profile;
use crate::module::{AbiVersion, Facts, Module};

/// A module, compiled once for any number of tests.
#[derive(Clone, Debug)]
pub struct TestModule {
    plugin: WasmPlugin,
    facts: Facts,
}

impl TestModule {
    /// Whether it declares ABI 0.2.100, which only Higress has.
    pub fn declares_higress(&self) -> bool {
        self.facts.abi == Some(AbiVersion::V0_2_100)
    }

    /// Reads and compiles a module, which takes from milliseconds to seconds by its size.
    ///
    /// # Errors
    /// [`WasmStartError`] when it cannot be read, is no plugin, or does not compile.
    pub fn read(path: &Path) -> Result<Self, WasmStartError> {
        let module = Module::read(path)?;
        module.facts.loadable()?;
        let plugin = WasmPlugin::compile(&module.bytes, Limits::COUNTED)?;
        Ok(Self { plugin, facts: module.facts })
    }
}

impl Setup {
    /// Starts a module that was compiled before.
    ///
    /// # Errors
    /// [`StartError`] when it refuses its configuration, or when the proxy does not have its
    /// ABI.
    pub fn module(&self, module: &TestModule, configuration: &str) -> Result<TestHost, StartError> {
        let mut settings = self.settings.clone();
        settings.adapt_to(&module.facts);
        if module.declares_higress() && settings.profile == Profile::Envoy {
            return Err(not_on_envoy());
        }
        TestHost::start_in(&module.plugin, settings, self.world(), configuration)
    }

    /// Compiles a module and starts it.
    ///
    /// # Errors
    /// [`WasmStartError`] when it does not load or refuses its configuration.
    pub fn wasm(&self, path: &Path, configuration: &str) -> Result<TestHost, WasmStartError> {
        Ok(self.module(&TestModule::read(path)?, configuration)?)
    }
}
