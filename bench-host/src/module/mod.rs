//! What a wasm file says about itself, read without running any of it.
//!
//! [`Module::read`] answers "what is this file" for every command that takes a plugin, and is all
//! that `bench-host inspect` needs. A module that no host would load as a plugin still reads: ask
//! [`Facts::loadable`] before running one.

mod abi;
mod describe;
mod error;
mod facts;
mod first_bytes;
mod imports;
pub(crate) mod names;
mod proposals;
pub mod report;
mod scan;
mod sdk;
mod stack;

use std::fmt;
use std::path::{Path, PathBuf};

pub use abi::AbiVersion;
pub use error::{ModuleError, NotAPlugin};
pub use facts::{Export, Facts, Import, Kind, Memory, Producer, Section};
pub use first_bytes::FirstBytes;
pub use imports::{Offered, offered};
pub use sdk::Sdk;

/// A valid core wasm module: its bytes and what they say.
pub struct Module {
    /// Where it was read from, as given.
    pub path: PathBuf,
    /// The whole file.
    pub bytes: Vec<u8>,
    /// What the file says about itself.
    pub facts: Facts,
}

impl Module {
    /// Reads and validates the file at `path`.
    ///
    /// # Cost
    /// One read of the file, one validation and one walk over its code.
    ///
    /// # Errors
    /// When there is no such file, or when it is not a valid core wasm module.
    pub fn read(path: &Path) -> Result<Self, ModuleError> {
        let bytes = std::fs::read(path).map_err(|reason| match reason.kind() {
            std::io::ErrorKind::NotFound => ModuleError::Missing { path: path.to_owned() },
            _ => ModuleError::Unreadable { path: path.to_owned(), reason },
        })?;
        Self::parse(path, bytes)
    }

    /// Validates a module that is in memory already; `path` only names it in messages.
    ///
    /// # Errors
    /// When the bytes are not a valid core wasm module.
    pub fn parse(path: &Path, bytes: Vec<u8>) -> Result<Self, ModuleError> {
        let facts = scan::scan(path, &bytes)?;
        Ok(Self { path: path.to_owned(), bytes, facts })
    }
}

impl fmt::Debug for Module {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Module")
            .field("path", &self.path)
            .field("bytes", &self.bytes.len())
            .field("facts", &self.facts)
            .finish()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A module from its text, as if it had been read from `plugin.wasm`.
    pub(crate) fn module(text: &str) -> Module {
        Module::parse(Path::new("plugin.wasm"), wat::parse_str(text).unwrap()).unwrap()
    }

    #[test]
    fn a_file_reads_as_its_bytes_do() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("plugin.wasm");
        let bytes = wat::parse_str("(module)").unwrap();
        std::fs::write(&path, &bytes).unwrap();
        let module = Module::read(&path).unwrap();
        assert_eq!((module.path, module.bytes), (path, bytes));
        assert_eq!(module.facts.bytes, 8);
        assert_eq!(
            module.facts.sha256,
            "93a44bbb96c751218e4c00d479e4c14358122a389acca16205b1e4d0dc5f9476"
        );
    }

    #[test]
    fn a_missing_file_is_named() {
        let error = Module::read(Path::new("no/such.wasm")).unwrap_err();
        insta::assert_snapshot!(error, @"there is no file no/such.wasm");
    }

    #[test]
    fn a_folder_is_not_read() {
        let error = Module::read(Path::new(".")).unwrap_err();
        assert!(error.to_string().starts_with("cannot read .: "), "{error}");
    }

    #[test]
    fn bytes_stay_out_of_debug_output() {
        assert!(format!("{:?}", module("(module)")).contains("bytes: 8"));
    }
}
