//! The functions that take the place of an allocator's: they call it and tell the host.

use wasm_encoder::{Function, Instruction};

use super::allocators::{Hook, Role};

/// The namespace of the imports that a rewritten module has besides its own.
pub(crate) const MODULE: &str = "chunkwise_heap";

/// `(address, size, depth, hook)`: an allocator returned.
pub(crate) const ALLOCATED: &str = "allocated";
/// `(old, new, size, depth, hook)`.
pub(crate) const REALLOCATED: &str = "reallocated";
/// `(address, depth, hook)`.
pub(crate) const FREED: &str = "freed";
/// `(pages before, pages asked for)`.
pub(crate) const GREW: &str = "grew";

/// The imports in their order, and how many parameters each has, all of them 32 bits wide.
pub(super) const IMPORTS: [(&str, u32); 4] =
    [(ALLOCATED, 4), (REALLOCATED, 5), (FREED, 3), (GREW, 2)];

/// What wrappers need to know of the module.
#[derive(Clone, Copy, Debug)]
pub(super) struct Places {
    /// The first of [`IMPORTS`].
    pub imports: u32,
    /// The global that counts how many of the allocator's functions are being called.
    pub depth: u32,
}

/// A wrapper, and the instructions that it executes beyond those of what it wraps.
pub(super) struct Wrapper {
    pub function: Function,
    pub cost: u64,
}

/// Wraps a function of the allocator, whose index is that in the new module.
///
/// There are no branches, so that what a wrapper costs is always the same.
pub(super) fn allocator(
    hook: &Hook,
    number: u32,
    function: u32,
    params: u32,
    at: Places,
) -> Wrapper {
    use Instruction as I;

    let result = params;
    let deeper =
        |step: I<'static>| [I::GlobalGet(at.depth), I::I32Const(1), step, I::GlobalSet(at.depth)];
    let tell = |place: u32| {
        [I::GlobalGet(at.depth), I::I32Const(number.cast_signed()), I::Call(at.imports + place)]
    };
    let mut code = Vec::new();
    let call = |code: &mut Vec<I<'static>>, kept: Option<I<'static>>| {
        code.extend(deeper(I::I32Add));
        code.extend((0..params).map(I::LocalGet));
        code.push(I::Call(function));
        code.extend(kept);
        code.extend(deeper(I::I32Sub));
    };
    let keep = Some(I::LocalSet(result));
    match hook.role {
        // Told first: afterwards the address may be another block's.
        Role::Free { block } => {
            code.push(I::LocalGet(block));
            code.extend(tell(2));
            call(&mut code, None);
        }
        Role::Allocate { size } => {
            call(&mut code, keep);
            code.extend([I::LocalGet(result), I::LocalGet(size)]);
            code.extend(tell(0));
        }
        Role::AllocateArray { count, size } => {
            call(&mut code, keep);
            code.extend([I::LocalGet(result), I::LocalGet(count), I::LocalGet(size), I::I32Mul]);
            code.extend(tell(0));
        }
        Role::Reallocate { block, size } => {
            call(&mut code, keep);
            code.extend([I::LocalGet(block), I::LocalGet(result), I::LocalGet(size)]);
            code.extend(tell(1));
        }
        Role::Resize { block, size } => {
            call(&mut code, keep);
            // One is yes: the block is where it was. Zero is no, as an address too.
            code.extend([I::LocalGet(block), I::LocalGet(block), I::LocalGet(result), I::I32Mul]);
            code.push(I::LocalGet(size));
            code.extend(tell(1));
        }
    }
    if hook.role.returns() {
        code.push(I::LocalGet(result));
    }
    // Entering a function costs one unit of fuel, as every instruction here does.
    finished(&code, code.len() as u64 + 1)
}

/// Takes the place of `memory.grow`.
pub(super) fn grow(at: Places) -> Wrapper {
    use Instruction as I;

    let code = [
        I::LocalGet(0),
        I::MemoryGrow(0),
        I::LocalSet(1),
        I::LocalGet(1),
        I::LocalGet(0),
        I::Call(at.imports + 3),
        I::LocalGet(1),
    ];
    // The call costs what `memory.grow` does, which is here once more.
    finished(&code, code.len() as u64 + 1)
}

/// With one local behind the parameters.
fn finished(code: &[Instruction<'_>], cost: u64) -> Wrapper {
    let mut function = Function::new([(1, wasm_encoder::ValType::I32)]);
    for instruction in code {
        function.instruction(instruction);
    }
    function.instruction(&Instruction::End);
    Wrapper { function, cost }
}
