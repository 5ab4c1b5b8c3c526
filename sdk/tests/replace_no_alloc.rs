//! Replacing in streams allocates nothing once it is warm: a count, not an estimate.

#![expect(unsafe_code, reason = "an allocator that counts")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use chunkwise::stream::{Edit, Replacer, Tail};

thread_local! {
    // For each thread, for the test harness allocates on its own.
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

struct Counting;

// SAFETY: both methods hand their arguments on to `System` unchanged and return what it returned;
// `realloc` and `alloc_zeroed` are the trait's own, which call these two.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: the caller keeps `alloc`'s contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller gives a block that `System` returned for the same layout.
        unsafe { System.dealloc(block, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

const CHUNKS: usize = 10_000;
const CHUNKS_A_STREAM: usize = 10;
const STREAMS_AT_ONCE: usize = 8;

/// Pieces with matches inside and across their ends, with either kind of tail; several streams at
/// a time, each replaced by a new one after a few pieces. Returns the edits that were made.
fn replace(replacer: &Replacer, chunks: usize, out: &mut Vec<u8>) -> usize {
    const PIECES: [&[u8]; 5] =
        [b"hay, a needle, hay, nee", b"dle and hay", b"nothing of that kind", b"need", b"le"];
    let mut streams: [_; STREAMS_AT_ONCE] = std::array::from_fn(|_| replacer.stream());
    let mut edits = 0;
    for chunk in 0..chunks {
        let stream = &mut streams[chunk % STREAMS_AT_ONCE];
        let age = chunk / STREAMS_AT_ONCE % CHUNKS_A_STREAM;
        let tail = if age % 7 == 3 { Tail::Keep } else { Tail::Carry };
        let step = stream.feed(PIECES[age % PIECES.len()], tail, out);
        edits += usize::from(step.edit != Edit::Pass);
        if age == CHUNKS_A_STREAM - 1 {
            *stream = replacer.stream();
        }
    }
    edits
}

fn assert_no_allocation(replacer: &Replacer) {
    let mut out = Vec::with_capacity(1024);
    // Warm-up: `*stream = …` has one more stream alive than there are places.
    replace(replacer, STREAMS_AT_ONCE * CHUNKS_A_STREAM, &mut out);
    let before = ALLOCATIONS.get();
    let edits = replace(replacer, CHUNKS, &mut out);
    assert_eq!(ALLOCATIONS.get() - before, 0);
    assert!(edits > CHUNKS / 4, "the test has to do something: {edits} edits");
}

#[test]
fn the_count_counts() {
    let before = ALLOCATIONS.get();
    drop(std::hint::black_box(Box::new(1)));
    assert_eq!(ALLOCATIONS.get() - before, 1);
}

#[test]
fn one_needle_allocates_nothing() {
    assert_no_allocation(&Replacer::new([("needle", "thread")]).unwrap());
}

#[test]
fn several_needles_allocate_nothing() {
    let rules = [("needle", "thread"), ("hay", "straw"), ("needles", "threads"), ("of", "")];
    assert_no_allocation(&Replacer::new(rules).unwrap());
}
