//! Which functions of a module are its allocator, by their names.
//!
//! Optimisers inline some of them and drop parameters of others, so every function that is known
//! is taken, outer ones and inner ones alike: what is called inside of another does not count.

use std::fmt;

/// What a function of an allocator does, and which of its parameters say so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// Returns a block of so many bytes.
    Allocate { size: u32 },
    /// Returns a block for so many elements of a size.
    AllocateArray { count: u32, size: u32 },
    /// Returns the block with another size, moved or not.
    Reallocate { block: u32, size: u32 },
    /// Says whether the block has another size now, where it is.
    Resize { block: u32, size: u32 },
    /// Takes the block back.
    Free { block: u32 },
}

impl Role {
    pub const fn returns(self) -> bool {
        !matches!(self, Self::Free { .. })
    }
}

/// A function that is to be watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Hook {
    pub function: u32,
    pub role: Role,
    /// Bytes between the start of a block and the address that the function speaks of, where
    /// functions of one allocator do not speak of the same address.
    pub bias: u32,
    pub family: Family,
}

/// Whose allocator a function belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Family {
    Rust,
    Dlmalloc,
    Cpp,
    C,
    AssemblyScript,
    Zig,
    TinyGo,
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Rust => "Rust's global allocator",
            Self::Dlmalloc => "dlmalloc",
            Self::Cpp => "operator new",
            Self::C => "malloc",
            Self::AssemblyScript => "AssemblyScript's runtime",
            Self::Zig => "Zig's allocator",
            Self::TinyGo => "TinyGo's runtime",
        })
    }
}

/// The allocator of a module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allocator {
    pub(super) hooks: Vec<Hook>,
    /// Whether blocks are seen when they are freed; otherwise only totals are known.
    pub frees: bool,
}

impl fmt::Display for Allocator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut families: Vec<_> = self.hooks.iter().map(|hook| hook.family).collect();
        families.sort_unstable();
        families.dedup();
        let families: Vec<_> = families.iter().map(ToString::to_string).collect();
        f.write_str(&families.join(", "))
    }
}

/// Why a module's allocator cannot be found. Growth of its memory is seen all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotFound {
    /// The module says nothing of its functions' names.
    #[error(
        "the module has no names of functions: build it without stripping them (Rust: \
         strip = \"debuginfo\"; C++ and Zig: no -s, no -fstrip; AssemblyScript: --debug)"
    )]
    NoNames,
    /// Go's functions cannot be called the way other languages' are.
    #[error(
        "the module is Go's, whose runtime takes memory in its own way and frees by collecting"
    )]
    Go,
    /// None of the names is one of an allocator.
    #[error("none of the module's functions has the name of an allocator that is known")]
    Unknown,
}

/// A function as far as its allocator's search is concerned.
#[derive(Clone, Copy, Debug)]
pub(super) struct Candidate<'a> {
    pub function: u32,
    /// As the name section has it, or an export.
    pub name: &'a str,
    /// Parameters, where all of them are 32 bits wide.
    pub params: u32,
    /// Whether it returns 32 bits; with anything else it is no candidate.
    pub returns: bool,
}

/// Finds the functions of an allocator. `named` says whether the module has a name section.
pub(super) fn find<'a>(
    candidates: impl Iterator<Item = Candidate<'a>>,
    named: bool,
    go: bool,
) -> Result<Allocator, NotFound> {
    if go {
        return Err(NotFound::Go);
    }
    let hooks: Vec<_> = candidates.filter_map(hook).collect();
    let frees = hooks.iter().any(|hook| !hook.role.returns());
    let collected = hooks.iter().any(|hook| hook.family == Family::TinyGo);
    let allocates = hooks
        .iter()
        .any(|hook| matches!(hook.role, Role::Allocate { .. } | Role::AllocateArray { .. }));
    match (allocates, named) {
        // An export `malloc` may be what an SDK keeps for the host alone: with `free` it is not.
        (true, false) if !frees => Err(NotFound::NoNames),
        (true, _) => Ok(Allocator { hooks, frees: frees && !collected }),
        (false, true) => Err(NotFound::Unknown),
        (false, false) => Err(NotFound::NoNames),
    }
}

fn hook(candidate: Candidate<'_>) -> Option<Hook> {
    let Candidate { function, name, params, returns } = candidate;
    let (family, role, bias) = role(name, params)?;
    (role.returns() == returns).then_some(Hook { function, role, bias, family })
}

/// What a function of that name does. Parameters that are never used may have been dropped, those
/// that an allocator cannot do without keep their order.
fn role(name: &str, params: u32) -> Option<(Family, Role, u32)> {
    if let Some(method) = name.strip_prefix("~lib/rt/tlsf/") {
        return assembly_script(method, params);
    }
    if let Some(method) = zig_allocator(name) {
        return zig(method, params);
    }
    if name == "runtime.alloc" && (2..=3).contains(&params) {
        return Some((Family::TinyGo, Role::Allocate { size: 0 }, 0));
    }
    if let Some(role) = cpp(name, params) {
        return Some((Family::Cpp, role, 0));
    }
    let demangled = format!("{:#}", rustc_demangle::demangle(name));
    if let Some(method) = demangled.strip_prefix("dlmalloc::dlmalloc::Dlmalloc<A>::") {
        return dlmalloc(method, params).map(|role| (Family::Dlmalloc, role, 0));
    }
    let last = demangled.strip_prefix("__rustc::").unwrap_or(&demangled);
    let rust = ["__rust_", "__rdl_", "__rg_"].iter().find_map(|prefix| last.strip_prefix(prefix));
    if let Some(method) = rust {
        return rust_global(method, params).map(|role| (Family::Rust, role, 0));
    }
    c(name, params).map(|role| (Family::C, role, 0))
}

/// `alloc(size, align)`, `dealloc(block, size, align)`, `realloc(block, size, align, new_size)`.
fn rust_global(method: &str, params: u32) -> Option<Role> {
    match (method, params) {
        ("alloc" | "alloc_zeroed", 1..=2) => Some(Role::Allocate { size: 0 }),
        ("realloc", 2..=4) => Some(Role::Reallocate { block: 0, size: params - 1 }),
        ("dealloc", 1..=3) => Some(Role::Free { block: 0 }),
        _ => None,
    }
}

/// The crate of that name, which Rust's targets without a libc have: methods of one static value,
/// which may have been dropped.
fn dlmalloc(method: &str, params: u32) -> Option<Role> {
    let last = params.checked_sub(1)?;
    match (method, params) {
        ("malloc" | "calloc", 1..=2) | ("memalign", 2..=3) => Some(Role::Allocate { size: last }),
        ("realloc", 2..=3) => Some(Role::Reallocate { block: last - 1, size: last }),
        ("free", 1..=2) => Some(Role::Free { block: last }),
        _ => None,
    }
}

/// Mangled, or as linkers write it.
fn cpp(name: &str, params: u32) -> Option<Role> {
    let starts = |prefixes: &[&str]| prefixes.iter().any(|prefix| name.starts_with(prefix));
    if starts(&["operator new(", "operator new[](", "_Znwm", "_Znam"]) {
        (1..=3).contains(&params).then_some(Role::Allocate { size: 0 })
    } else if starts(&["operator delete(", "operator delete[](", "_ZdlPv", "_ZdaPv"]) {
        (1..=3).contains(&params).then_some(Role::Free { block: 0 })
    } else {
        None
    }
}

fn c(name: &str, params: u32) -> Option<Role> {
    const OF: [&str; 7] =
        ["c.malloc.", "dl", "__libc_", "emscripten_builtin_", "internal_", "mi_", "je_"];
    let name = OF.iter().find_map(|prefix| name.strip_prefix(prefix)).unwrap_or(name);
    match (name, params) {
        ("malloc", 1) => Some(Role::Allocate { size: 0 }),
        ("calloc", 2) => Some(Role::AllocateArray { count: 0, size: 1 }),
        ("memalign" | "aligned_alloc", 2) => Some(Role::Allocate { size: 1 }),
        ("realloc", 2) => Some(Role::Reallocate { block: 0, size: 1 }),
        ("free", 1) => Some(Role::Free { block: 0 }),
        _ => None,
    }
}

/// `heap.BrkAllocator.alloc` and the like, but not what hands out parts of others' blocks.
fn zig_allocator(name: &str) -> Option<&str> {
    const ALLOCATORS: [&str; 4] =
        ["heap.BrkAllocator.", "heap.WasmAllocator.", "heap.PageAllocator.", "heap.SmpAllocator."];
    ALLOCATORS.iter().find_map(|prefix| name.strip_prefix(prefix))
}

/// `alloc(self, length, alignment, from)`, `resize(self, block, length, alignment, new, from)`.
fn zig(method: &str, params: u32) -> Option<(Family, Role, u32)> {
    let role = match (method, params) {
        ("alloc", 4) => Role::Allocate { size: 1 },
        ("resize", 6) => Role::Resize { block: 1, size: 4 },
        ("remap", 6) => Role::Reallocate { block: 1, size: 4 },
        ("free", 5) => Role::Free { block: 1 },
        _ => return None,
    };
    Some((Family::Zig, role, 0))
}

/// The lower level, which the collector frees through; its functions speak of a block, or of what
/// lies behind the block's first word. A constant first parameter may have been dropped.
fn assembly_script(method: &str, params: u32) -> Option<(Family, Role, u32)> {
    /// `BLOCK_OVERHEAD` of its `rt/common.ts`.
    const WORD: u32 = 4;
    let last = params.checked_sub(1)?;
    let (role, bias) = match (method, params) {
        ("allocateBlock", 1..=2) => (Role::Allocate { size: last }, 0),
        ("reallocateBlock", 2..=3) => (Role::Reallocate { block: last - 1, size: last }, 0),
        ("freeBlock", 1..=2) => (Role::Free { block: last }, 0),
        ("__alloc", 1) => (Role::Allocate { size: 0 }, WORD),
        ("__realloc", 2) => (Role::Reallocate { block: 0, size: 1 }, WORD),
        ("__free", 1) => (Role::Free { block: 0 }, WORD),
        _ => return None,
    };
    Some((Family::AssemblyScript, role, bias))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(name: &str, params: u32) -> Option<Role> {
        role(name, params).map(|(_, role, _)| role)
    }

    #[test]
    fn names_are_known_mangled_or_not() {
        let allocate = Some(Role::Allocate { size: 0 });
        for name in [
            "__rust_alloc",
            "__rdl_alloc_zeroed",
            "_RNvCsfLfy6EI15iL_7___rustc12___rust_alloc",
            "__rustc::__rg_alloc",
        ] {
            assert_eq!(of(name, 2), allocate, "{name}");
        }
        for name in
            ["malloc", "dlmalloc", "c.malloc.malloc", "_Znwm", "operator new(unsigned long)"]
        {
            assert_eq!(of(name, 1), allocate, "{name}");
        }
        let free = Some(Role::Free { block: 0 });
        for name in ["free", "dlfree", "_ZdlPvm", "operator delete[](void*)", "__rust_dealloc"] {
            assert_eq!(of(name, 1), free, "{name}");
        }
        for name in
            ["mallocate", "heap.ArenaAllocator.alloc", "proxy_on_memory_allocate", "free_all"]
        {
            assert_eq!(of(name, 1), None, "{name}");
        }
    }

    #[test]
    fn parameters_that_were_dropped_leave_the_others_in_order() {
        assert_eq!(of("__rust_realloc", 4), Some(Role::Reallocate { block: 0, size: 3 }));
        assert_eq!(of("__rust_realloc", 3), Some(Role::Reallocate { block: 0, size: 2 }));
        let tlsf = |method: &str, params| of(&format!("~lib/rt/tlsf/{method}"), params);
        assert_eq!(tlsf("allocateBlock", 2), Some(Role::Allocate { size: 1 }));
        assert_eq!(tlsf("allocateBlock", 1), Some(Role::Allocate { size: 0 }));
        let crate_of = |method: &str, params| {
            of(&format!("dlmalloc::dlmalloc::Dlmalloc<A>::{method}"), params)
        };
        assert_eq!(crate_of("malloc", 2), Some(Role::Allocate { size: 1 }));
        assert_eq!(crate_of("realloc", 2), Some(Role::Reallocate { block: 0, size: 1 }));
        assert_eq!(crate_of("free", 2), Some(Role::Free { block: 1 }));
        assert_eq!(crate_of("free", 0), None);
    }

    fn found(functions: &[(&str, u32, bool)], named: bool) -> Result<Allocator, NotFound> {
        let functions = functions.iter().zip(0..).map(|(&(name, params, returns), function)| {
            Candidate { function, name, params, returns }
        });
        find(functions, named, false)
    }

    #[test]
    fn functions_of_another_type_are_not_meant() {
        assert_eq!(found(&[("malloc", 1, false), ("free", 1, true)], true), Err(NotFound::Unknown));
        let allocator = found(&[("malloc", 1, true), ("free", 1, false)], true).unwrap();
        assert_eq!((allocator.hooks.len(), allocator.frees), (2, true));
        assert_eq!(allocator.to_string(), "malloc");
    }

    #[test]
    fn without_names_an_export_malloc_needs_its_free() {
        assert_eq!(found(&[("malloc", 1, true)], false), Err(NotFound::NoNames));
        assert!(found(&[("malloc", 1, true), ("free", 1, false)], false).unwrap().frees);
        assert_eq!(found(&[], false), Err(NotFound::NoNames));
        assert_eq!(found(&[], true), Err(NotFound::Unknown));
    }

    #[test]
    fn what_a_collector_frees_is_not_seen() {
        let functions = [("malloc", 1, true), ("free", 1, false), ("runtime.alloc", 3, true)];
        let allocator = found(&functions, true).unwrap();
        assert!(!allocator.frees);
        assert_eq!(allocator.to_string(), "malloc, TinyGo's runtime");
        assert_eq!(found(&[("malloc", 1, true)], true).map(|allocator| allocator.frees), Ok(false));
    }
}
