//! Frames of call stacks: each has a name once, and those of allocators are left away.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

/// A frame, in terms of the original module.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Frame {
    pub function: u32,
    /// Where in the file the call is, if that is known.
    pub place: Option<u32>,
}

/// The frames that were seen, by number; number 0 is the root of all stacks.
#[derive(Debug)]
pub(super) struct Frames {
    numbers: HashMap<Frame, u32>,
    names: Vec<String>,
    /// Whether a frame belongs to an allocator.
    inner: Vec<bool>,
}

/// What stands for the frames outside of those that are kept.
pub(super) const CUT: &str = "[frames further out]";

impl Default for Frames {
    fn default() -> Self {
        let names = vec!["[root]".to_owned()];
        Self { numbers: HashMap::new(), names, inner: vec![false] }
    }
}

impl Frames {
    /// The number of a frame; `name` is that of its function, possibly mangled.
    pub fn number(&mut self, frame: Frame, name: Option<&str>) -> u32 {
        match self.numbers.entry(frame) {
            Entry::Occupied(known) => *known.get(),
            Entry::Vacant(new) => {
                let function = match name {
                    Some(name) => clean(&format!("{:#}", rustc_demangle::demangle(name))),
                    None => format!("function {}", frame.function),
                };
                let text = match frame.place {
                    Some(place) => format!("{place:#x}: {function}"),
                    None => function.clone(),
                };
                let number = add(&mut self.names, text);
                self.inner.push(is_allocator(&function));
                *new.insert(number)
            }
        }
    }

    /// A frame that is no function, always a new one.
    pub fn note(&mut self, text: &str) -> u32 {
        self.inner.push(false);
        add(&mut self.names, text.to_owned())
    }

    /// The stack without what it has of the allocator inside, unless nothing else is left.
    pub fn folded<'a>(&self, stack: &'a [u32]) -> &'a [u32] {
        let inner = |frame: &u32| self.inner.get(*frame as usize).is_some_and(|inner| *inner);
        let first = stack.iter().position(|frame| !inner(frame));
        &stack[first.unwrap_or_else(|| stack.len().saturating_sub(1))..]
    }

    pub fn into_names(self) -> Vec<String> {
        self.names
    }
}

fn add(names: &mut Vec<String>, text: String) -> u32 {
    // Functions and their calls are fewer than bytes in a module.
    let number = u32::try_from(names.len()).unwrap_or(u32::MAX);
    names.push(text);
    number
}

/// Names come out of the module: whatever it says, a line stays a line.
fn clean(name: &str) -> String {
    /// Longer names of C++ and Rust say nothing more to a reader.
    const MOST: usize = 400;
    let mut chars = name.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c });
    let mut text: String = chars.by_ref().take(MOST).collect();
    if chars.next().is_some() {
        text.push('…');
    }
    text
}

/// What lies between an allocator and whoever wants memory: whoever reads a profile knows it.
fn is_allocator(name: &str) -> bool {
    const PREFIXES: [&str; 14] = [
        "__rust",
        "__rdl_",
        "__rg_",
        "alloc::alloc::",
        "dlmalloc::",
        "operator new",
        "mem.Allocator.",
        "heap.BrkAllocator.",
        "heap.WasmAllocator.",
        "heap.PageAllocator.",
        "heap.SmpAllocator.",
        "c.malloc.",
        "~lib/rt/tlsf/",
        "~lib/rt/itcms/__",
    ];
    const NAMES: [&str; 10] = [
        "malloc",
        "calloc",
        "realloc",
        "aligned_alloc",
        "posix_memalign",
        "internal_memalign",
        "dlmalloc",
        "dlrealloc",
        "sbrk",
        "runtime.alloc",
    ];
    PREFIXES.iter().any(|prefix| name.starts_with(prefix))
        || NAMES.contains(&name)
        || name.contains(" as core::alloc::global::GlobalAlloc>::")
        || name.contains(" as core::alloc::GlobalAlloc>::")
        || name.contains("alloc::Global as core::alloc::")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames(names: &[&str]) -> (Frames, Vec<u32>) {
        let mut frames = Frames::default();
        let numbers = names
            .iter()
            .zip(0..)
            .map(|(name, function)| frames.number(Frame { function, place: Some(16) }, Some(name)));
        let numbers = numbers.collect();
        (frames, numbers)
    }

    #[test]
    fn a_frame_has_one_number_and_a_name_that_people_read() {
        let mut frames = Frames::default();
        let frame = Frame { function: 7, place: Some(0x1a2b) };
        let mangled = "_ZN5alloc7raw_vec19RawVec$LT$T$C$A$GT$8grow_one17h208fc760653f1c64E";
        assert_eq!(frames.number(frame, Some(mangled)), 1);
        assert_eq!(frames.number(frame, Some(mangled)), 1);
        assert_eq!(frames.number(Frame { place: None, ..frame }, Some("a\nb")), 2);
        assert_eq!(frames.number(Frame { function: 8, place: None }, None), 3);
        assert_eq!(
            frames.into_names(),
            ["[root]", "0x1a2b: alloc::raw_vec::RawVec<T,A>::grow_one", "a\u{fffd}b", "function 8"]
        );
    }

    #[test]
    fn only_the_allocators_innermost_frames_are_left_away() {
        let (frames, stack) = frames(&[
            "malloc",
            "<chunkwise::memory::Accounting as core::alloc::global::GlobalAlloc>::alloc",
            "plugin::f",
            "__rust_alloc",
            "proxy_on_log",
        ]);
        assert_eq!(frames.folded(&stack), &stack[2..]);
        assert_eq!(frames.folded(&stack[..2]), &stack[1..2]);
        assert_eq!(frames.folded(&[]), &[] as &[u32]);
    }

    #[test]
    fn a_name_without_end_is_cut() {
        assert_eq!(clean(&"x".repeat(1_000)).chars().count(), 401);
    }
}
