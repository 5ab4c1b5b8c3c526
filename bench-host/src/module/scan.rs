//! The walk over a file that finds its facts.

use std::collections::BTreeSet;
use std::path::Path;

use sha2::{Digest, Sha256};
use wasmparser::types::{Types, TypesRef};
use wasmparser::{KnownCustom, Parser, Payload, ProducersSectionReader, Validator};

use super::describe::{describe, section_name};
use super::facts::{Export, Facts, Import, Kind, Memory, Producer, Section};
use super::names::Names;
use super::stack::StackClues;
use super::{AbiVersion, FirstBytes, ModuleError, Sdk, offered, proposals};

/// The magic bytes and the version, before the first section.
const HEADER: usize = 8;

pub(super) fn scan(path: &Path, bytes: &[u8]) -> Result<Facts, ModuleError> {
    if bytes.len() < HEADER || !bytes.starts_with(b"\0asm") {
        let found = FirstBytes::of(bytes);
        return Err(ModuleError::NotWasm { path: path.to_owned(), found });
    }
    if Parser::is_component(bytes) {
        return Err(ModuleError::Component { path: path.to_owned() });
    }
    let scanned = Validator::new().validate_all(bytes).and_then(|types| facts(bytes, &types));
    scanned.map_err(|error| ModuleError::Invalid {
        path: path.to_owned(),
        offset: error.offset(),
        bytes: bytes.len(),
        reason: error.message().split_whitespace().collect::<Vec<_>>().join(" "),
        cut_short: error.message().contains("unexpected end"),
    })
}

/// What the sections hold that is not in the validator's types.
#[derive(Default)]
struct Walk<'a> {
    sections: Vec<Section>,
    producers: Vec<Producer>,
    sdk: Option<Sdk>,
    names: Names<'a>,
    stack: StackClues,
    features: BTreeSet<&'static str>,
    functions: u32,
}

fn facts(bytes: &[u8], types: &Types) -> wasmparser::Result<Facts> {
    let types = types.as_ref();
    let exports: Vec<_> = types
        .core_exports()
        .into_iter()
        .flatten()
        .map(|(name, entity)| {
            let (kind, signature) = describe(types, entity);
            Export { name: name.to_owned(), kind, signature }
        })
        .collect();
    let function = |name: &str| exports.iter().any(|e| e.kind == Kind::Function && e.name == name);
    let abi = exports
        .iter()
        .filter(|export| export.kind == Kind::Function)
        .find_map(|export| AbiVersion::from_marker(&export.name));
    let start = match (function("_initialize"), function("main"), function("_start")) {
        (true, true, _) => vec!["_initialize", "main"],
        (true, false, _) => vec!["_initialize"],
        (false, _, true) => vec!["_start"],
        (false, _, false) => vec![],
    };
    let memory = (types.memory_count() > 0).then(|| types.memory_at(0)).map(|memory| Memory {
        pages_initial: memory.initial,
        pages_max: memory.maximum,
        exported: exports.iter().any(|e| e.kind == Kind::Memory && e.name == "memory"),
    });
    let allocator = ["malloc", "proxy_on_memory_allocate"].into_iter().find(|name| function(name));

    let mut walk = Walk::default();
    proposals::of_types(types, &mut walk.features);
    walk.file(bytes, types)?;
    let functions = || walk.names.functions.iter().map(|&(_, name)| name);
    let sdk = walk.sdk.take().or_else(|| Sdk::from_names(functions()));
    let language = walk.producers.iter().find(|p| p.field == "language").map(|p| p.name.clone());
    Ok(Facts {
        sha256: Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect(),
        bytes: bytes.len() as u64,
        abi,
        sdk,
        language,
        start,
        allocator,
        memory,
        stack_bytes: walk.stack.size(&walk.names),
        functions: walk.functions,
        has_names: !walk.names.functions.is_empty(),
        features: walk.features.into_iter().collect(),
        producers: walk.producers,
        sections: walk.sections,
        imports: imports(types, abi),
        exports,
    })
}

fn imports(types: TypesRef<'_>, abi: Option<AbiVersion>) -> Vec<Import> {
    let imports = types.core_imports().into_iter().flatten();
    imports
        .map(|(module, name, entity)| {
            let (kind, signature) = describe(types, entity);
            let offered = offered(module, name).filter(|_| kind == Kind::Function);
            let known = offered.is_some_and(|offered| offered.under(abi));
            let (module, name) = (module.to_owned(), name.to_owned());
            Import { module, name, kind, signature, known, offered }
        })
        .collect()
}

impl<'a> Walk<'a> {
    fn file(&mut self, bytes: &'a [u8], types: TypesRef<'_>) -> wasmparser::Result<()> {
        let mut position = HEADER;
        for payload in Parser::new(0).parse_all(bytes) {
            let payload = payload?;
            if let Some((id, range)) = payload.as_section() {
                let (name, custom) = match &payload {
                    Payload::CustomSection(section) => (section.name(), true),
                    _ => (section_name(id), false),
                };
                let bytes = (range.end - position) as u64;
                self.sections.push(Section { name: name.to_owned(), custom, bytes });
                position = range.end;
            }
            match payload {
                Payload::FunctionSection(section) => self.functions = section.count(),
                Payload::GlobalSection(section) => {
                    let first = types.global_count().saturating_sub(section.count());
                    self.stack.globals(first, section)?;
                }
                Payload::DataSection(section) => {
                    for data in section {
                        self.stack.data(&data?);
                    }
                }
                Payload::CodeSectionEntry(body) => proposals::of_body(&body, &mut self.features)?,
                Payload::CustomSection(section) => match section.as_known() {
                    KnownCustom::Name(names) => self.names.read(names),
                    KnownCustom::Producers(producers) => self.producers(producers),
                    _ if section.name() == Sdk::SECTION => {
                        self.sdk = Some(Sdk::from_section(section.data()));
                    }
                    _ => {}
                },
                _ => {}
            }
        }
        Ok(())
    }

    /// As with names, what cannot be read does not count.
    fn producers(&mut self, section: ProducersSectionReader<'_>) {
        for field in section.into_iter().map_while(Result::ok) {
            for value in field.values.into_iter().map_while(Result::ok) {
                self.producers.push(Producer {
                    field: field.name.to_owned(),
                    name: value.name.to_owned(),
                    version: value.version.to_owned(),
                });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::module;
    use super::*;

    #[test]
    fn the_first_marker_in_the_order_of_exports_wins() {
        let facts = module(
            r#"(module (func $f)
                (global (export "proxy_abi_version_0_1_0") i32 (i32.const 0))
                (export "proxy_abi_version_0_2_100" (func $f))
                (export "proxy_abi_version_0_2_1" (func $f)))"#,
        )
        .facts;
        assert_eq!(facts.abi, Some(AbiVersion::V0_2_100));
        assert!(facts.exports_function("proxy_abi_version_0_2_1"));
        assert!(!facts.exports_function("proxy_abi_version_0_1_0"));
    }

    #[test]
    fn sections_add_up_to_the_file() {
        let module = module(
            r#"(module (memory 1) (table 1 funcref) (global i32 (i32.const 1)) (func $f nop)
                (start $f) (elem (i32.const 0) $f) (data "x") (@custom "note" "text"))"#,
        );
        let sum: u64 = module.facts.sections.iter().map(|section| section.bytes).sum();
        assert_eq!(sum + 8, module.facts.bytes);
        let note = module.facts.sections.iter().find(|section| section.name == "note").unwrap();
        assert!(note.custom);
        assert_eq!(note.bytes, 1 + 1 + 1 + 4 + 4);
    }

    #[test]
    fn the_start_functions_are_those_that_a_host_would_call() {
        let start = |names: &[&str]| {
            let exports: String =
                names.iter().map(|name| format!("(func (export \"{name}\"))")).collect();
            module(&format!("(module {exports})")).facts.start
        };
        assert_eq!(start(&["main", "_initialize", "_start"]), ["_initialize", "main"]);
        assert_eq!(start(&["_initialize"]), ["_initialize"]);
        assert_eq!(start(&["main", "_start"]), ["_start"]);
        assert!(start(&["main"]).is_empty());
    }

    #[test]
    fn malloc_goes_before_its_alias() {
        let text = r#"(module (func $a (param i32) (result i32) unreachable)
            (export "proxy_on_memory_allocate" (func $a)) (export "malloc" (func $a)))"#;
        assert_eq!(module(text).facts.allocator, Some("malloc"));
        let alias = text.replace("(export \"malloc\" (func $a))", "");
        assert_eq!(module(&alias).facts.allocator, Some("proxy_on_memory_allocate"));
    }

    #[test]
    fn imports_are_known_under_the_version_that_has_them() {
        let import = |name: &str, kind: &str| format!("(import \"env\" \"{name}\" ({kind}))");
        let text = format!(
            r#"(module {}{}{}{} (func (export "proxy_abi_version_0_2_1")))"#,
            import("proxy_done", "func (result i32)"),
            import("proxy_continue_request", "func (result i32)"),
            import("abort", "func"),
            import("proxy_log", "global i32"),
        );
        let facts = module(&text).facts;
        let known: Vec<_> = facts.imports.iter().map(|i| (i.name.as_str(), i.known)).collect();
        assert_eq!(
            known,
            [
                ("proxy_done", true),
                ("proxy_continue_request", false),
                ("abort", false),
                ("proxy_log", false)
            ]
        );
    }

    #[test]
    fn a_broken_name_section_does_not_matter() {
        let facts = module(r#"(module (func) (@custom "name" "\01\7f\ff"))"#).facts;
        assert!(!facts.has_names);
        assert_eq!(facts.functions, 1);
    }
}
