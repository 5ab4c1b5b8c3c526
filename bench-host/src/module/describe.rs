//! Types and sections in words.

use wasmparser::FuncType;
use wasmparser::types::{EntityType, TypesRef};

use super::Kind;

/// The kind and the type of something imported or exported.
pub(super) fn describe(types: TypesRef<'_>, entity: EntityType) -> (Kind, String) {
    let limits = |initial: u64, maximum: Option<u64>| match maximum {
        Some(maximum) => format!("{initial}..={maximum}"),
        None => format!("{initial}.."),
    };
    match entity {
        EntityType::Func(id) | EntityType::FuncExact(id) => {
            (Kind::Function, signature(types[id].unwrap_func()))
        }
        EntityType::Tag(id) => (Kind::Tag, signature(types[id].unwrap_func())),
        EntityType::Table(table) => {
            let limits = limits(table.initial, table.maximum);
            (Kind::Table, format!("{} {limits}", table.element_type))
        }
        EntityType::Memory(memory) => {
            (Kind::Memory, format!("{} pages", limits(memory.initial, memory.maximum)))
        }
        EntityType::Global(global) => {
            let mutable = if global.mutable { "mut " } else { "" };
            (Kind::Global, format!("{mutable}{}", global.content_type))
        }
    }
}

fn signature(function: &FuncType) -> String {
    let list = |types: &[wasmparser::ValType]| {
        types.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
    };
    let parameters = list(function.params());
    match function.results() {
        [] => format!("({parameters})"),
        [result] => format!("({parameters}) -> {result}"),
        results => format!("({parameters}) -> ({})", list(results)),
    }
}

/// The name that the specification gives a section.
pub(super) fn section_name(id: u8) -> &'static str {
    match id {
        1 => "type",
        2 => "import",
        3 => "function",
        4 => "table",
        5 => "memory",
        6 => "global",
        7 => "export",
        8 => "start",
        9 => "element",
        10 => "code",
        11 => "data",
        12 => "data count",
        13 => "tag",
        _ => "unknown",
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::module;

    #[test]
    fn signatures_read_like_rust() {
        let facts = module(
            r#"(module
                (func (export "a")) (func (export "b") (param i32 i64) (result f32) unreachable)
                (func (export "c") (result i32 i32) unreachable)
                (memory (export "d") 1 2) (table (export "e") 3 funcref)
                (global (export "f") (mut i32) (i32.const 0)))"#,
        )
        .facts;
        let signatures: Vec<_> = facts.exports.iter().map(|e| e.signature.as_str()).collect();
        assert_eq!(
            signatures,
            [
                "()",
                "(i32, i64) -> f32",
                "() -> (i32, i32)",
                "1..=2 pages",
                "funcref 3..",
                "mut i32"
            ]
        );
    }
}
