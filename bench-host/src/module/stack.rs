//! How large a module's shadow stack is.
//!
//! The size is nowhere in the file. Linkers that put the stack first, as Rust's does, start the
//! stack pointer at its very end, so the pointer's first value is the size; where data lies below
//! that value, the stack lies somewhere above the data and its size cannot be told.

use wasmparser::{ConstExpr, Data, DataKind, Global, Operator, ValType};

use super::names::Names;

/// What the global and data sections say about the stack.
#[derive(Debug, Default)]
pub(super) struct StackClues {
    /// Index and first value of each mutable `i32` that starts at a constant.
    pointers: Vec<(u32, u64)>,
    /// The first global that the module itself defines.
    first_defined: u32,
    lowest_data: Option<u64>,
}

impl StackClues {
    /// Takes the defined globals, the first of which has the index `first`.
    pub fn globals<'a>(
        &mut self,
        first: u32,
        globals: impl IntoIterator<Item = wasmparser::Result<Global<'a>>>,
    ) -> wasmparser::Result<()> {
        self.first_defined = first;
        for (index, global) in (first..).zip(globals) {
            let global = global?;
            if let (ValType::I32, true, Some(value)) =
                (global.ty.content_type, global.ty.mutable, constant(&global.init_expr))
            {
                self.pointers.push((index, value));
            }
        }
        Ok(())
    }

    /// Takes one data segment.
    pub fn data(&mut self, data: &Data<'_>) {
        if let DataKind::Active { memory_index: 0, offset_expr } = &data.kind {
            let offset = constant(offset_expr).unwrap_or(0);
            self.lowest_data = Some(self.lowest_data.map_or(offset, |lowest| lowest.min(offset)));
        }
    }

    /// The size of the stack in bytes, where it can be told.
    pub fn size(&self, names: &Names<'_>) -> Option<u64> {
        let named = names.globals.iter().find(|(_, name)| *name == "__stack_pointer");
        // Linkers define the stack pointer first. Without a name, be sure that it looks like one.
        let index = named.map_or(self.first_defined, |(index, _)| *index);
        let &(_, size) = self.pointers.iter().find(|(pointer, _)| *pointer == index)?;
        let aligned = size > 0 && size % 16 == 0;
        (aligned && self.lowest_data.is_none_or(|lowest| lowest >= size)).then_some(size)
    }
}

/// The value of an expression that is nothing but a constant `i32`.
fn constant(expression: &ConstExpr<'_>) -> Option<u64> {
    let mut operators = expression.get_operators_reader().into_iter();
    match (operators.next()?.ok()?, operators.next()?.ok()?) {
        (Operator::I32Const { value }, Operator::End) => Some(u64::from(value.cast_unsigned())),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::module;

    fn stack(parts: &str) -> Option<u64> {
        module(&format!("(module (memory 2) {parts})")).facts.stack_bytes
    }

    const POINTER: &str = "(global $__stack_pointer (mut i32) (i32.const 65536))";

    #[test]
    fn a_stack_below_the_data_ends_where_the_pointer_starts() {
        assert_eq!(stack(&format!("{POINTER} (data (i32.const 65536) \"x\")")), Some(65536));
        assert_eq!(stack(POINTER), Some(65536));
    }

    #[test]
    fn a_stack_above_the_data_cannot_be_told() {
        assert_eq!(stack(&format!("{POINTER} (data (i32.const 1024) \"x\")")), None);
    }

    #[test]
    fn the_name_decides_which_global_it_is() {
        let other = "(global $heap (mut i32) (i32.const 131072))";
        assert_eq!(stack(&format!("{other} {POINTER}")), Some(65536));
    }

    #[test]
    fn without_names_the_first_global_has_to_look_like_it() {
        assert_eq!(stack("(global (mut i32) (i32.const 65536))"), Some(65536));
        assert_eq!(stack("(global (mut i32) (i32.const 7))"), None);
        assert_eq!(stack("(global (mut i32) (i32.const 0))"), None);
        assert_eq!(stack("(global i32 (i32.const 65536))"), None);
        assert_eq!(stack("(global (mut i64) (i64.const 65536))"), None);
        let imported = r#"(import "env" "base" (global (mut i32)))"#;
        let text = format!("(module {imported} (global (mut i32) (i32.const 4096)))");
        assert_eq!(module(&text).facts.stack_bytes, Some(4096));
    }
}
