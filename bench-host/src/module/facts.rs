//! What a module says about itself.

use std::fmt;

use serde::Serialize;

use super::{AbiVersion, NotAPlugin, Offered, Sdk};

/// What a module says about itself; `inspect --json` prints it as it is.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct Facts {
    /// SHA-256 of the file, in hexadecimal.
    pub sha256: String,
    /// Length of the file in bytes.
    pub bytes: u64,
    /// The ABI version by the first marker in the order of exports, as hosts choose it.
    pub abi: Option<AbiVersion>,
    /// What built the plugin, where that can be told.
    pub sdk: Option<Sdk>,
    /// The source language, as the compiler noted it.
    pub language: Option<String>,
    /// Everything that compilers and linkers noted in the `producers` section.
    pub producers: Vec<Producer>,
    /// What a host calls once after instantiation, in order: `_initialize` and then `main`, or
    /// else `_start`.
    pub start: Vec<&'static str>,
    /// The export that a host asks for memory: `malloc`, or else `proxy_on_memory_allocate`.
    pub allocator: Option<&'static str>,
    /// The first linear memory.
    pub memory: Option<Memory>,
    /// The shadow stack in bytes, where the linker's layout tells it.
    pub stack_bytes: Option<u64>,
    /// How many functions the module defines; imported ones do not count.
    pub functions: u32,
    /// Whether functions have names, which backtraces and profiles need.
    pub has_names: bool,
    /// The proposals beyond the first version of WebAssembly that the module uses, sorted.
    pub features: Vec<&'static str>,
    /// The sections in the order of the file; with the 8 bytes of header they add up to `bytes`.
    pub sections: Vec<Section>,
    /// What the module wants from the host.
    pub imports: Vec<Import>,
    /// What the module offers to the host.
    pub exports: Vec<Export>,
}

impl Facts {
    /// Whether a host would load the module as a plugin.
    ///
    /// # Errors
    /// The first thing that is missing, with what to do.
    pub fn loadable(&self) -> Result<(), NotAPlugin> {
        if self.abi.is_none() {
            return Err(NotAPlugin::NoAbiMarker);
        }
        if !self.memory.as_ref().is_some_and(|memory| memory.exported) {
            return Err(NotAPlugin::NoMemory);
        }
        if self.allocator.is_none() {
            return Err(NotAPlugin::NoAllocator);
        }
        Ok(())
    }

    /// What the module imports that no proxy offers under its ABI version. Proxies refuse such a
    /// module; the bench host runs it.
    pub fn not_offered(&self) -> Vec<String> {
        let unknown = self.imports.iter().filter(|import| !import.known);
        unknown.map(|import| format!("{}.{}", import.module, import.name)).collect()
    }

    /// Whether this is a callback for headers that another ABI version has: 0.1.0 does not tell it
    /// of the stream's end, and all others do. Proxies refuse the module, and so does the bench
    /// host.
    pub fn refused_callback(&self, export: &Export) -> bool {
        let headers =
            ["proxy_on_request_headers", "proxy_on_response_headers"].contains(&&*export.name);
        let right = match self.abi {
            None => return false,
            Some(AbiVersion::V0_1_0) => "(i32, i32) -> i32",
            Some(_) => "(i32, i32, i32) -> i32",
        };
        headers && export.kind == Kind::Function && export.signature != right
    }

    /// Whether the module exports a function of this name.
    #[must_use]
    pub fn exports_function(&self, name: &str) -> bool {
        self.exports.iter().any(|export| export.kind == Kind::Function && export.name == name)
    }
}

/// Something that a module wants from its host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Import {
    /// The namespace, `env` for everything of the ABI itself.
    pub module: String,
    /// The name in it.
    pub name: String,
    /// What kind of thing it is.
    pub kind: Kind,
    /// Its type, such as `(i32, i32) -> i32`.
    pub signature: String,
    /// Whether some host offers a function of this name under the module's ABI version.
    pub known: bool,
    /// Who offers the name, under whatever version.
    pub offered: Option<Offered>,
}

/// Something that a module offers to its host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Export {
    /// The name.
    pub name: String,
    /// What kind of thing it is.
    pub kind: Kind,
    /// Its type, such as `(i32, i32) -> i32`.
    pub signature: String,
}

/// What kind of thing is imported or exported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A function.
    Function,
    /// A table of references.
    Table,
    /// A linear memory.
    Memory,
    /// A global variable or constant.
    Global,
    /// The type of an exception.
    Tag,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Function => "function",
            Self::Table => "table",
            Self::Memory => "memory",
            Self::Global => "global",
            Self::Tag => "tag",
        })
    }
}

/// One section of the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Section {
    /// `code`, `data` and so on, or the name that a custom section has.
    pub name: String,
    /// Whether it is a custom section, which does not change how the module runs.
    pub custom: bool,
    /// Its length in bytes, its own header included.
    pub bytes: u64,
}

/// The first linear memory of a module.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Memory {
    /// What a VM starts with, in pages of 64 KiB.
    pub pages_initial: u64,
    /// Where the module itself stops growing; without, at 65536 pages, which are 4 GiB.
    pub pages_max: Option<u64>,
    /// Whether it is exported as `memory`.
    pub exported: bool,
}

/// One entry of the `producers` section.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Producer {
    /// `language`, `processed-by` or `sdk`.
    pub field: String,
    /// The language or program.
    pub name: String,
    /// Its version, often empty for languages.
    pub version: String,
}

#[cfg(test)]
mod tests {
    use super::super::NotAPlugin;
    use super::super::tests::module;

    const MARKER: &str = r#"(func (export "proxy_abi_version_0_2_1"))"#;
    const MEMORY: &str = r#"(memory (export "memory") 1)"#;
    const MALLOC: &str = r#"(func (export "malloc") (param i32) (result i32) unreachable)"#;

    fn loadable(parts: &[&str]) -> Result<(), NotAPlugin> {
        module(&format!("(module {})", parts.concat())).facts.loadable()
    }

    #[test]
    fn a_plugin_needs_a_marker_a_memory_and_an_allocator() {
        assert_eq!(loadable(&[MARKER, MEMORY, MALLOC]), Ok(()));
        assert_eq!(loadable(&[MEMORY, MALLOC]), Err(NotAPlugin::NoAbiMarker));
        assert_eq!(loadable(&[MARKER, MALLOC]), Err(NotAPlugin::NoMemory));
        assert_eq!(loadable(&[MARKER, "(memory 1)", MALLOC]), Err(NotAPlugin::NoMemory));
        assert_eq!(loadable(&[MARKER, MEMORY]), Err(NotAPlugin::NoAllocator));
    }

    #[test]
    fn every_reason_says_what_to_do() {
        let reasons = [NotAPlugin::NoAbiMarker, NotAPlugin::NoMemory, NotAPlugin::NoAllocator];
        insta::assert_snapshot!(reasons.map(|reason| reason.to_string()).join("\n"), @r"
        the module exports no ABI marker such as `proxy_abi_version_0_2_1`: link a proxy-wasm SDK, and build a `cdylib` so that the linker keeps its exports
        the module exports no memory named `memory`: take `--import-memory` and `--no-export-memory` out of the linker's arguments
        the module exports neither `proxy_on_memory_allocate` nor `malloc`, so no host can hand it any data: link a proxy-wasm SDK, or export a function `(i32) -> i32` of that name
        ");
    }

    #[test]
    fn facts_are_json() {
        let facts = module(&format!("(module {MARKER}{MEMORY}{MALLOC})")).facts;
        let json = serde_json::to_value(&facts).unwrap();
        assert_eq!(json["abi"], "0.2.1");
        assert_eq!(json["sdk"], serde_json::Value::Null);
        assert_eq!(json["memory"]["pages_initial"], 1);
        assert_eq!(json["exports"][2]["name"], "malloc");
        assert_eq!(json["exports"][2]["kind"], "function");
        assert_eq!(json["exports"][2]["signature"], "(i32) -> i32");
        let keys: Vec<_> = json.as_object().unwrap().keys().map(String::as_str).collect();
        insta::assert_snapshot!(keys.join(" "), @"abi allocator bytes exports features functions has_names imports language memory producers sdk sections sha256 stack_bytes start");
    }
}
