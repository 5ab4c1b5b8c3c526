//! Replacing in streams allocates nothing once it is warm: a count, not an estimate.

#[path = "common/counting.rs"]
mod counting;

use chunkwise::stream::{Edit, Replacer, Tail};
use counting::allocations;

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
    let before = allocations();
    let edits = replace(replacer, CHUNKS, &mut out);
    assert_eq!(allocations() - before, 0);
    assert!(edits > CHUNKS / 4, "the test has to do something: {edits} edits");
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
