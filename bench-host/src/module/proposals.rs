//! Which proposals beyond the first version of WebAssembly a module uses.

use std::collections::BTreeSet;

use wasmparser::types::TypesRef;
use wasmparser::{FunctionBody, Operator};

macro_rules! define_proposal {
    ($(
        @$proposal:ident $operator:ident $({ $($argument:ident: $kind:ty),* })?
        => $visit:ident ($($arity:tt)*)
    )*) => {
        /// The proposal that brought an instruction.
        fn proposal(operator: &Operator<'_>) -> &'static str {
            match operator {
                $(Operator::$operator { .. } => stringify!($proposal),)*
                _ => "unknown",
            }
        }
    };
}
wasmparser::for_each_operator!(define_proposal);

/// Adds the proposals whose instructions a function holds.
pub(super) fn of_body(
    body: &FunctionBody<'_>,
    found: &mut BTreeSet<&'static str>,
) -> wasmparser::Result<()> {
    let mut last = "mvp";
    for operator in body.get_operators_reader()? {
        let proposal = proposal(&operator?);
        // Instructions of one proposal come in runs, and most are of none.
        if proposal != "mvp" && proposal != last {
            found.insert(proposal);
        }
        last = proposal;
    }
    Ok(())
}

/// Adds the proposals that show in types.
pub(super) fn of_types(types: TypesRef<'_>, found: &mut BTreeSet<&'static str>) {
    let functions = (0..types.function_count()).map(|index| types.core_function_at(index));
    if functions.into_iter().any(|id| types[id].unwrap_func().results().len() > 1) {
        found.insert("multi_value");
    }
    for memory in (0..types.memory_count()).map(|index| types.memory_at(index)) {
        if memory.memory64 {
            found.insert("memory64");
        }
        if memory.shared {
            found.insert("threads");
        }
    }
    if types.memory_count() > 1 {
        found.insert("multi_memory");
    }
    if types.tag_count() > 0 {
        found.insert("exceptions");
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::module;

    fn features(text: &str) -> Vec<&'static str> {
        module(text).facts.features
    }

    #[test]
    fn a_plain_module_uses_none() {
        assert!(features("(module (func (result i32) i32.const 1))").is_empty());
    }

    #[test]
    fn instructions_tell() {
        let text = "(module (memory 1) (func (result i32)
            (memory.copy (i32.const 0) (i32.const 1) (i32.const 2))
            (i32.extend8_s (i32x4.extract_lane 0 (i32x4.splat (i32.const 1))))))";
        assert_eq!(features(text), ["bulk_memory", "sign_extension", "simd"]);
    }

    #[test]
    fn types_tell() {
        let text = "(module (memory i64 1) (memory 1 1 shared) (tag)
            (func (result i32 i32) i32.const 1 i32.const 2))";
        assert_eq!(
            features(text),
            ["exceptions", "memory64", "multi_memory", "multi_value", "threads"]
        );
    }
}
