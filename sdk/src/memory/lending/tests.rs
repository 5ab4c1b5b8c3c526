use std::sync::{Mutex, MutexGuard, PoisonError};

use super::lost::Lost;
use super::*;
use crate::memory::arena::{Answer, Arena};

const BYTES: usize = 16 * 1024;

/// What the crate's `proxy_on_memory_allocate` does.
fn asked(allocator: &Lending, size: usize) -> *mut u8 {
    // SAFETY: the size is not zero.
    unsafe { allocator.alloc(Layout::from_size_align(size, 1).unwrap()) }
}

fn freed(allocator: &Lending, block: *mut u8, size: usize) {
    // SAFETY: the tests free what `asked` gave them, once.
    unsafe { allocator.dealloc(block, Layout::from_size_align(size, 1).unwrap()) }
}

fn filled(block: *mut u8, size: usize, with: u8) {
    // SAFETY: the block is this long.
    unsafe { ptr::write_bytes(block, with, size) }
}

fn answer(data: *mut u8, size: usize) -> Option<Answer> {
    Some(Answer { status: 0, data, size })
}

/// A host that asks for as much as it returns.
fn host(allocator: &Lending, size: usize, with: u8) -> Answer {
    let data = asked(allocator, size);
    filled(data, size, with);
    Answer { status: 0, data, size }
}

fn received(arena: &Arena, wanted: Option<usize>, call: impl FnOnce() -> Answer) -> Option<Answer> {
    if !begin(arena, wanted) {
        return None;
    }
    let answer = call();
    Some(Answer { data: end(arena, answer), ..answer })
}

fn arena() -> Arena {
    let arena = Arena::lending();
    arena.reserve(4 * BYTES);
    arena
}

/// What is lost is known to the whole process, so no test runs beside another one.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    LOST.reset();
    alone
}

#[test]
fn a_chunk_lands_in_the_arena_again_and_again() {
    let _alone = alone();
    let (allocator, arena) = (Lending::new(), arena());
    let mut places = Vec::new();
    for with in 0..3 {
        let scope = arena.scope();
        let got = received(&arena, Some(BYTES), || host(&allocator, BYTES, with)).unwrap();
        let bytes = scope.claim(got.data, got.size).unwrap();
        assert!(bytes.len() == BYTES && bytes.iter().all(|byte| *byte == with));
        places.push(bytes.as_ptr());
        // A header value in the same callback, of which nobody knows the length.
        let got = received(&arena, None, || host(&allocator, 5, b'x')).unwrap();
        assert_eq!(scope.claim(got.data, got.size).unwrap(), b"xxxxx");
        assert!(bytes.iter().all(|byte| *byte == with), "it did not land in the chunk");
    }
    assert!(places.iter().all(|place| *place == places[0]));
    assert_eq!(arena.reserved(), 4 * BYTES);
    assert!(is_installed());
}

#[test]
fn everything_else_comes_from_the_system() {
    let _alone = alone();
    let (allocator, arena) = (Lending::new(), arena());
    let scope = arena.scope();
    let aligned = Layout::from_size_align(BYTES, 8).unwrap();
    let mut others = Vec::new();
    let got = received(&arena, Some(BYTES), || {
        others.push((asked(&allocator, BYTES - 1), BYTES - 1));
        // SAFETY: the size is not zero.
        let block = unsafe { allocator.alloc(aligned) };
        // SAFETY: it was just given for this layout.
        unsafe { allocator.dealloc(block, aligned) };
        let answer = host(&allocator, BYTES, 1);
        others.push((asked(&allocator, BYTES), BYTES));
        answer
    });
    let bytes = scope.claim(got.unwrap().data, BYTES).unwrap();
    for (block, size) in others {
        filled(block, size, 7);
        freed(&allocator, block, size);
    }
    assert!(bytes.iter().all(|byte| *byte == 1), "no one else has a piece of it");
    let outside = asked(&allocator, BYTES);
    assert!(!bytes.as_ptr_range().contains(&outside.cast_const()), "the call is over");
    freed(&allocator, outside, BYTES);
}

#[test]
fn what_does_not_fit_is_copied_in() {
    let _alone = alone();
    let (allocator, arena) = (Lending::new(), arena());
    let scope = arena.scope();
    // Shorter than was known, and longer than what is left.
    for (wanted, size) in [(Some(BYTES), 100), (None, 8 * BYTES)] {
        let got = received(&arena, wanted, || host(&allocator, size, 9)).unwrap();
        let bytes = scope.claim(got.data, got.size).unwrap();
        assert!(bytes.len() == size && bytes.iter().all(|byte| *byte == 9));
    }
}

#[test]
fn memory_that_nobody_asked_for_cannot_be_claimed() {
    let _alone = alone();
    let (allocator, arena) = (Lending::new(), arena());
    let scope = arena.scope();
    let mut foreign = [0; 8];
    let got = received(&arena, Some(8), || answer(foreign.as_mut_ptr(), 8).unwrap()).unwrap();
    assert!(scope.claim(got.data, got.size).is_none());
    // More than was asked for.
    let got = received(&arena, Some(8), || Answer { size: 9, ..host(&allocator, 8, 1) }).unwrap();
    assert!(scope.claim(got.data, got.size).is_none());
    // Freed before the call ended.
    let got = received(&arena, Some(8), || {
        let answer = host(&allocator, 8, 1);
        freed(&allocator, answer.data, 8);
        answer
    });
    assert!(scope.claim(got.unwrap().data, 8).is_none());
    assert!(!LOST.is_any(), "what came back is not lost");
}

#[test]
fn a_call_within_a_call_is_refused() {
    let _alone = alone();
    let (allocator, arena) = (Lending::new(), arena());
    let scope = arena.scope();
    let got = received(&arena, Some(8), || {
        assert!(received(&arena, Some(8), || unreachable!("the host is not asked")).is_none());
        host(&allocator, 8, 1)
    });
    assert_eq!(scope.claim(got.unwrap().data, 8).unwrap(), [1; 8]);
}

#[test]
fn a_piece_that_does_not_come_back_stays_with_whoever_has_it() {
    let _alone = alone();
    let (allocator, arena) = (Lending::new(), arena());
    let mut taken = Vec::new();
    for round in 0..2 * Lost::MOST {
        let scope = arena.scope();
        let got = received(&arena, Some(100), || {
            let block = asked(&allocator, 100);
            filled(block, 100, 1);
            taken.push(block);
            host(&allocator, 100, 2)
        });
        let bytes = scope.claim(got.unwrap().data, 100).unwrap();
        assert!(bytes.iter().all(|byte| *byte == 2), "{round}");
    }
    assert!(LOST.is_full());
    for block in &mut taken {
        // SAFETY: the block was given for this layout and is live.
        *block = unsafe { allocator.realloc(*block, Layout::new::<[u8; 100]>(), 200) };
        // SAFETY: `realloc` keeps the first bytes.
        let bytes = unsafe { std::slice::from_raw_parts(*block, 100) };
        assert!(bytes.iter().all(|byte| *byte == 1), "it was not written over");
    }
    for block in taken {
        freed(&allocator, block, 200);
    }
}
