//! Why a file cannot be read as a module, and why a module is not a plugin.

use std::path::PathBuf;

use thiserror::Error;

use super::{AbiVersion, FirstBytes};

/// Why a file could not be read as a wasm module. The input is at fault, never the host.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ModuleError {
    /// Nothing is there.
    #[error("there is no file {}", .path.display())]
    Missing {
        /// The path as given.
        path: PathBuf,
    },
    /// Something is there, and the operating system does not hand it out.
    #[error("cannot read {}: {reason}", .path.display())]
    Unreadable {
        /// The path as given.
        path: PathBuf,
        /// What the operating system says.
        reason: std::io::Error,
    },
    /// The file is something else altogether.
    #[error("{} is not a wasm module: {found}", .path.display())]
    NotWasm {
        /// The path as given.
        path: PathBuf,
        /// What it looks like instead.
        found: FirstBytes,
    },
    /// The file is a component, which wraps core modules and which no proxy loads.
    #[error(
        "{} is a wasm component, and proxies load core modules: build for wasm32-wasip1 instead of \
         wasm32-wasip2, or leave out the step that wraps the module in a component",
        .path.display()
    )]
    Component {
        /// The path as given.
        path: PathBuf,
    },
    /// The file starts like a module and does not hold what it promises.
    #[error(
        "{} is not a valid wasm module: {reason} at byte {offset} of {bytes}{}",
        .path.display(),
        if *.cut_short { " (the file seems to be cut short: copy or build it again)" } else { "" }
    )]
    Invalid {
        /// The path as given.
        path: PathBuf,
        /// Where validation stopped.
        offset: usize,
        /// The length of the file.
        bytes: usize,
        /// What the validator says.
        reason: String,
        /// Whether validation ran into the end of the file.
        cut_short: bool,
    },
}

/// Why no host would load a module as a plugin, each with what its author can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum NotAPlugin {
    /// Hosts choose the ABI by an exported function and refuse a module without one.
    #[error(
        "the module exports no ABI marker such as `{}`: link a proxy-wasm SDK, and build a `cdylib` \
         so that the linker keeps its exports",
        AbiVersion::V0_2_1.marker()
    )]
    NoAbiMarker,
    /// Hosts pass everything through the plugin's memory.
    #[error(
        "the module exports no memory named `memory`: take `--import-memory` and \
         `--no-export-memory` out of the linker's arguments"
    )]
    NoMemory,
    /// Hosts ask the plugin for the memory that they write to.
    #[error(
        "the module exports neither `proxy_on_memory_allocate` nor `malloc`, so no host can hand it \
         any data: link a proxy-wasm SDK, or export a function `(i32) -> i32` of that name"
    )]
    NoAllocator,
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::Module;

    fn message(bytes: &[u8]) -> String {
        Module::parse(Path::new("plugin.wasm"), bytes.to_vec()).unwrap_err().to_string()
    }

    #[test]
    fn a_component_is_told_from_a_module() {
        let component = wat::parse_str("(component (core module))").unwrap();
        insta::assert_snapshot!(message(&component), @"plugin.wasm is a wasm component, and proxies load core modules: build for wasm32-wasip1 instead of wasm32-wasip2, or leave out the step that wraps the module in a component");
    }

    #[test]
    fn a_module_that_is_cut_short_says_where() {
        let whole = wat::parse_str(
            r#"(module (func (export "one") (result i32) i32.const 1) (memory (export "memory") 1))"#,
        )
        .unwrap();
        insta::assert_snapshot!(message(&whole[..whole.len() - 3]), @"plugin.wasm is not a valid wasm module: unexpected end-of-file at byte 46 of 47 (the file seems to be cut short: copy or build it again)");
        insta::assert_snapshot!(message(&whole[..12]), @"plugin.wasm is not a valid wasm module: unexpected end-of-file at byte 10 of 12 (the file seems to be cut short: copy or build it again)");
        // Some starts of a module are modules; whatever the others are, they are refused calmly.
        for end in 0..whole.len() {
            if let Err(error) = Module::parse(Path::new("plugin.wasm"), whole[..end].to_vec()) {
                assert!(error.to_string().contains("plugin.wasm is not a"), "{end}: {error}");
            }
        }
    }

    #[test]
    fn a_module_of_another_version_is_invalid() {
        insta::assert_snapshot!(message(b"\0asm\x07\0\0\0"), @"plugin.wasm is not a valid wasm module: unknown binary version: 0x7 at byte 4 of 8");
    }

    #[test]
    fn a_module_that_does_not_check_says_why() {
        let wrong = wat::parse_str("(module (func (result i32) i64.const 1))").unwrap();
        insta::assert_snapshot!(message(&wrong), @"plugin.wasm is not a valid wasm module: type mismatch: expected i32, found i64 at byte 26 of 27");
    }
}
