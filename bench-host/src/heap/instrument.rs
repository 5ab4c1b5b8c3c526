//! Rewriting a module so that its allocator tells the host what it does.
//!
//! Behind the module's own imports come those of [`MODULE`](super::MODULE), so all functions of its
//! own move on by as many places; behind its functions come the wrappers, to which every reference
//! to what they wrap is directed: calls, tables, exports. `memory.grow` becomes a call. What the
//! module does stays the same, but for some instructions more and some native stack.

use std::collections::BTreeMap;

use wasm_encoder as enc;
use wasm_encoder::reencode::{self, Reencode};
use wasmparser::types::{EntityType, Types};
use wasmparser::{FunctionBody, KnownCustom, Operator, Parser, Payload, ValType, Validator};

use super::MODULE;
use super::allocators::{self, Allocator, Candidate, NotFound};
use super::wrappers::{self, IMPORTS, Places};
use crate::module::names::Names;

/// A module that tells the host about its heap.
#[derive(Debug)]
pub struct Instrumented {
    /// The rewritten module.
    pub bytes: Vec<u8>,
    /// What was found of its allocator.
    pub allocator: Result<Allocator, NotFound>,
    pub(crate) map: Map,
}

/// Why a module cannot be rewritten.
#[derive(Debug, thiserror::Error)]
pub enum InstrumentError {
    /// The module is not valid: its fault.
    #[error("the module is not valid: {0}")]
    Invalid(String),
    /// It has no memory, or one that proxies do not have: its fault.
    #[error("the module has no memory with addresses of 32 bits")]
    NoMemory,
    /// It was rewritten before.
    #[error("the module imports {MODULE}: it has been rewritten already; give the original")]
    Already,
    /// It uses what the rewriting does not have: ours.
    #[error("the module cannot be rewritten: {0}")]
    Unknown(String),
}

/// From places in the rewritten module to those in the original.
#[derive(Debug, Default)]
pub(crate) struct Map {
    /// Functions that the module imports.
    imported: u32,
    /// Functions of its own.
    defined: u32,
    /// For each function of its own, its calls: where they are in the new body, and where they were
    /// in the file.
    calls: Vec<Vec<(u32, u32)>>,
    /// Names of functions, as the name section or the exports have them.
    names: BTreeMap<u32, String>,
    /// What each wrapper of an allocator's function costs, and its bias.
    pub hooks: Vec<(u64, u32)>,
    /// What the wrapper of `memory.grow` costs.
    pub grow_cost: u64,
}

impl Map {
    /// The original's number of a function; `None` for a wrapper.
    pub fn function(&self, index: u32) -> Option<u32> {
        let own = index.checked_sub(self.imported + IMPORTS.len() as u32)?;
        (own < self.defined).then_some(self.imported + own)
    }

    /// Where a call was in the original file.
    pub fn place(&self, function: u32, offset: u32) -> Option<u32> {
        let calls = self.calls.get((function - self.imported) as usize)?;
        let at = calls.binary_search_by_key(&offset, |&(new, _)| new).ok()?;
        Some(calls[at].1)
    }

    /// The name of a function, possibly mangled.
    pub fn name(&self, function: u32) -> Option<&str> {
        self.names.get(&function).map(String::as_str)
    }
}

/// Rewrites a module.
///
/// # Cost
/// One validation and two walks over the code.
///
/// # Errors
/// [`InstrumentError`] when it is not valid or was rewritten before.
pub fn instrument(bytes: &[u8]) -> Result<Instrumented, InstrumentError> {
    let invalid = |error: wasmparser::Error| InstrumentError::Invalid(error.to_string());
    let types = Validator::new().validate_all(bytes).map_err(invalid)?;
    let memory = types.as_ref().memory_count() > 0 && !types.as_ref().memory_at(0).memory64;
    if !memory {
        return Err(InstrumentError::NoMemory);
    }
    let facts = Facts::read(bytes, &types).map_err(invalid)?;
    if facts.already {
        return Err(InstrumentError::Already);
    }
    let allocator = facts.allocator(&types);
    let mut rewriter = Rewriter::new(&types, &facts, allocator.as_ref().ok());
    let bytes = rewriter.module(bytes, &facts).map_err(|error| match error {
        reencode::Error::ParseError(error) => invalid(error),
        error => InstrumentError::Unknown(error.to_string()),
    })?;
    Ok(Instrumented { bytes, allocator, map: rewriter.map })
}

/// What has to be known before anything is written.
#[derive(Default)]
struct Facts {
    imported: u32,
    already: bool,
    /// Types of the functions that the module defines.
    defined: Vec<u32>,
    names: BTreeMap<u32, String>,
    /// Whether there is a name section that names functions.
    named: bool,
}

impl Facts {
    fn read(bytes: &[u8], types: &Types) -> wasmparser::Result<Self> {
        let mut facts = Self::default();
        let types = types.as_ref();
        for (module, _, entity) in types.core_imports().into_iter().flatten() {
            facts.already |= module == MODULE;
            let function = matches!(entity, EntityType::Func(_) | EntityType::FuncExact(_));
            facts.imported += u32::from(function);
        }
        let mut exports = BTreeMap::new();
        for payload in Parser::new(0).parse_all(bytes) {
            match payload? {
                Payload::FunctionSection(section) => {
                    facts.defined = section.into_iter().collect::<wasmparser::Result<_>>()?;
                }
                Payload::ExportSection(section) => {
                    for export in section {
                        let export = export?;
                        if export.kind == wasmparser::ExternalKind::Func {
                            exports.entry(export.index).or_insert_with(|| export.name.to_owned());
                        }
                    }
                }
                Payload::CustomSection(section) => {
                    if let KnownCustom::Name(section) = section.as_known() {
                        let mut names = Names::default();
                        names.read(section);
                        let there = names.functions.iter().filter(|&&(function, name)| {
                            function < types.function_count() && !name.is_empty()
                        });
                        facts
                            .names
                            .extend(there.map(|&(function, name)| (function, name.to_owned())));
                    }
                }
                _ => {}
            }
        }
        facts.named = !facts.names.is_empty();
        for (function, name) in exports {
            facts.names.entry(function).or_insert(name);
        }
        Ok(facts)
    }

    fn allocator(&self, types: &Types) -> Result<Allocator, NotFound> {
        let types = types.as_ref();
        let own = self.names.iter().filter(|&(&function, _)| function >= self.imported);
        let candidates = own.filter_map(|(&function, name)| {
            let ty = types[types.core_function_at(function)].unwrap_func();
            let narrow = ty.params().iter().all(|ty| *ty == ValType::I32);
            let returns = match ty.results() {
                [] => false,
                [ValType::I32] => true,
                _ => return None,
            };
            let params = u32::try_from(ty.params().len()).ok().filter(|_| narrow)?;
            Some(Candidate { function, name, params, returns })
        });
        let go = self.names.values().any(|name| name.starts_with("runtime.mallocgc"));
        allocators::find(candidates, self.named, go)
    }
}

struct Rewriter {
    /// Wrappers by the function that they wrap.
    wrappers: BTreeMap<u32, u32>,
    bodies: Vec<wrappers::Wrapper>,
    /// Types of the wrappers.
    types: Vec<u32>,
    /// Types that the module has.
    known: u32,
    map: Map,
}

impl Rewriter {
    fn new(types: &Types, facts: &Facts, allocator: Option<&Allocator>) -> Self {
        let types = types.as_ref();
        let defined = facts.defined.len() as u32;
        let places = Places { imports: facts.imported, depth: types.global_count() };
        let first = facts.imported + IMPORTS.len() as u32 + defined;
        let mut this = Self {
            wrappers: BTreeMap::new(),
            bodies: Vec::new(),
            types: Vec::new(),
            known: types.core_type_count_in_module(),
            map: Map {
                imported: facts.imported,
                defined,
                calls: Vec::with_capacity(defined as usize),
                names: facts.names.clone(),
                ..Map::default()
            },
        };
        let hooks = allocator.map_or(&[][..], |allocator| &allocator.hooks);
        for (hook, number) in hooks.iter().zip(0..) {
            let ty = types[types.core_function_at(hook.function)].unwrap_func();
            let params = ty.params().len() as u32;
            let moved = this.moved(hook.function);
            let wrapper = wrappers::allocator(hook, number, moved, params, places);
            this.map.hooks.push((wrapper.cost, hook.bias));
            this.bodies.push(wrapper);
            this.types.push(facts.defined[(hook.function - facts.imported) as usize]);
            this.wrappers.insert(hook.function, first + number);
        }
        let grow = wrappers::grow(places);
        this.map.grow_cost = grow.cost;
        this.bodies.push(grow);
        // Behind those of the imports.
        this.types.push(this.known + IMPORTS.len() as u32);
        this
    }

    /// Where a function is in the new module.
    fn moved(&self, function: u32) -> u32 {
        if function < self.map.imported { function } else { function + IMPORTS.len() as u32 }
    }

    /// The wrapper of `memory.grow`.
    fn grow(&self) -> u32 {
        self.map.imported + IMPORTS.len() as u32 + self.map.defined + self.bodies.len() as u32 - 1
    }

    fn module(&mut self, bytes: &[u8], facts: &Facts) -> Result<Vec<u8>, reencode::Error> {
        let mut types = enc::TypeSection::new();
        let mut imports = enc::ImportSection::new();
        let mut functions = enc::FunctionSection::new();
        let mut tables = enc::TableSection::new();
        let mut memories = enc::MemorySection::new();
        let mut tags = enc::TagSection::new();
        let mut globals = enc::GlobalSection::new();
        let mut exports = enc::ExportSection::new();
        let mut start = None;
        let mut elements = enc::ElementSection::new();
        let mut data_count = None;
        let mut code = enc::CodeSection::new();
        let mut data = enc::DataSection::new();
        for payload in Parser::new(0).parse_all(bytes) {
            match payload? {
                Payload::TypeSection(section) => self.parse_type_section(&mut types, section)?,
                Payload::ImportSection(section) => {
                    self.parse_import_section(&mut imports, section)?;
                }
                Payload::FunctionSection(section) => {
                    self.parse_function_section(&mut functions, section)?;
                }
                Payload::TableSection(section) => self.parse_table_section(&mut tables, section)?,
                Payload::MemorySection(section) => {
                    self.parse_memory_section(&mut memories, section)?;
                }
                Payload::TagSection(section) => self.parse_tag_section(&mut tags, section)?,
                Payload::GlobalSection(section) => {
                    self.parse_global_section(&mut globals, section)?;
                }
                Payload::ExportSection(section) => {
                    self.parse_export_section(&mut exports, section)?;
                }
                Payload::StartSection { func, .. } => start = Some(self.start_section(func)?),
                Payload::ElementSection(section) => {
                    self.parse_element_section(&mut elements, section)?;
                }
                Payload::DataCountSection { count, .. } => data_count = Some(count),
                Payload::CodeSectionEntry(body) => self.parse_function_body(&mut code, body)?,
                Payload::DataSection(section) => self.parse_data_section(&mut data, section)?,
                // Offsets in debug information are no longer right, and nothing else matters.
                _ => {}
            }
        }

        let narrow = |count: u32| (0..count).map(|_| enc::ValType::I32);
        for ((name, params), ty) in IMPORTS.into_iter().zip(self.known..) {
            types.ty().function(narrow(params), []);
            imports.import(MODULE, name, enc::EntityType::Function(ty));
        }
        types.ty().function(narrow(1), narrow(1));
        for (wrapper, ty) in self.bodies.iter().zip(&self.types) {
            functions.function(*ty);
            code.function(&wrapper.function);
        }
        let depth = enc::GlobalType { val_type: enc::ValType::I32, mutable: true, shared: false };
        globals.global(depth, &enc::ConstExpr::i32_const(0));

        let mut module = enc::Module::new();
        module.section(&types).section(&imports).section(&functions);
        if !tables.is_empty() {
            module.section(&tables);
        }
        if !memories.is_empty() {
            module.section(&memories);
        }
        if !tags.is_empty() {
            module.section(&tags);
        }
        module.section(&globals).section(&exports);
        if let Some(function_index) = start {
            module.section(&enc::StartSection { function_index });
        }
        if !elements.is_empty() {
            module.section(&elements);
        }
        if let Some(count) = data_count {
            module.section(&enc::DataCountSection { count });
        }
        module.section(&code);
        if !data.is_empty() {
            module.section(&data);
        }
        if facts.named {
            module.section(&self.names(facts));
        }
        Ok(module.finish())
    }

    /// Functions keep their names, whatever wraps them.
    fn names(&self, facts: &Facts) -> enc::NameSection {
        let mut names = enc::NameMap::new();
        for (function, name) in facts.names.range(..facts.imported) {
            names.append(*function, name);
        }
        for (function, name) in facts.names.range(facts.imported..) {
            names.append(self.moved(*function), name);
        }
        let first = self.moved(self.map.imported + self.map.defined);
        for wrapper in first..=self.grow() {
            names.append(wrapper, MODULE);
        }
        let mut section = enc::NameSection::new();
        section.functions(&names);
        section
    }
}

impl Reencode for Rewriter {
    type Error = std::convert::Infallible;

    fn function_index(&mut self, function: u32) -> Result<u32, reencode::Error> {
        let wrapper = self.wrappers.get(&function);
        Ok(wrapper.copied().unwrap_or_else(|| self.moved(function)))
    }

    /// Notes where calls were.
    fn parse_function_body(
        &mut self,
        code: &mut enc::CodeSection,
        body: FunctionBody<'_>,
    ) -> Result<(), reencode::Error> {
        let mut function = self.new_function_with_parsed_locals(&body)?;
        let mut operators = body.get_operators_reader()?;
        let mut calls = Vec::new();
        while !operators.eof() {
            let (operator, was) = operators.read_with_offset()?;
            let is = function.byte_len();
            if let Operator::MemoryGrow { mem: 0 } = operator {
                function.instruction(&enc::Instruction::Call(self.grow()));
            } else {
                let call = matches!(
                    operator,
                    Operator::Call { .. }
                        | Operator::CallIndirect { .. }
                        | Operator::CallRef { .. }
                );
                function.instruction(&self.instruction(operator)?);
                if !call {
                    continue;
                }
            }
            // Modules of 4 GiB and more are not valid.
            calls.extend(u32::try_from(is).ok().zip(u32::try_from(was).ok()));
        }
        code.function(&function);
        self.map.calls.push(calls);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rewritten(text: &str) -> Result<Instrumented, InstrumentError> {
        instrument(&wat::parse_str(text).unwrap())
    }

    /// Every kind of reference to a function, and sections of every kind.
    const ALL: &str = r#"(module
        (type $unary (func (param i32) (result i32)))
        (rec (type $one (struct)) (type $two (struct)))
        (import "env" "proxy_log" (func $log (param i32 i32 i32) (result i32)))
        (import "env" "number" (global $imported i32))
        (table $table 4 funcref)
        (memory 1)
        (tag $tag (param i32))
        (global $mutable (mut i32) (i32.const 1))
        (global $function funcref (ref.func $malloc))
        (export "malloc" (func $malloc))
        (export "memory" (memory 0))
        (start $start)
        (elem (i32.const 0) $malloc $other)
        (elem declare func $other)
        (elem (table $table) (i32.const 2) funcref (ref.func $malloc))
        (func $malloc (param i32) (result i32) (local i64) (local.get 0))
        (func $free (param i32))
        (func $start
            (drop (call $malloc (i32.const 1)))
            (drop (ref.func $other))
            (drop (call_indirect (type $unary) (i32.const 1) (i32.const 0))))
        (func $other (param i32) (result i32) (return_call $malloc (local.get 0)))
        (data "text")
        (@custom "note" "text"))"#;

    #[test]
    fn a_rewritten_module_is_valid() {
        let module = rewritten(ALL).unwrap();
        Validator::new().validate_all(&module.bytes).unwrap();
        assert!(module.allocator.unwrap().frees);
        let small = rewritten("(module (memory 1))").unwrap();
        Validator::new().validate_all(&small.bytes).unwrap();
        assert_eq!(small.allocator, Err(NotFound::NoNames));
    }

    #[test]
    fn functions_keep_their_names_and_are_found_again() {
        let module = rewritten(ALL).unwrap();
        let types = Validator::new().validate_all(&module.bytes).unwrap();
        let facts = Facts::read(&module.bytes, &types).unwrap();
        let names: Vec<_> = facts.names.values().map(String::as_str).collect();
        let of_it = ["log", "malloc", "free", "start", "other"];
        assert_eq!(names, [&of_it[..], &[MODULE; 3]].concat());
        for (index, name) in &facts.names {
            let function = module.map.function(*index);
            assert_eq!(function.and_then(|function| module.map.name(function)).is_some(), {
                // Imports make no calls, and wrappers are ours.
                name != MODULE && name != "log"
            });
        }
        // What is exported is the wrapper.
        let exports = types.as_ref().core_exports().unwrap();
        assert_eq!(exports.count(), 2);
        let exported = Parser::new(0).parse_all(&module.bytes).find_map(|payload| {
            let Payload::ExportSection(section) = payload.unwrap() else { return None };
            section.into_iter().map(Result::unwrap).find(|export| export.name == "malloc")
        });
        assert_eq!(facts.names[&exported.unwrap().index], MODULE);
    }

    #[test]
    fn what_cannot_be_rewritten_is_refused() {
        for (text, reason) in [
            ("(module)", "the module has no memory with addresses of 32 bits"),
            ("(module (memory i64 1))", "the module has no memory with addresses of 32 bits"),
        ] {
            assert_eq!(rewritten(text).unwrap_err().to_string(), reason);
        }
        let error = instrument(b"\0asm\x01\0\0\0\x07").unwrap_err().to_string();
        assert!(error.starts_with("the module is not valid: "), "{error}");
        let once = rewritten(ALL).unwrap();
        assert!(matches!(instrument(&once.bytes), Err(InstrumentError::Already)));
    }
}
