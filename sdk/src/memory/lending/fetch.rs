//! Around a host call that returns data: the window opens before it and closes behind it.

use std::alloc::{GlobalAlloc, Layout, dealloc};
use std::ptr::{self, NonNull};

use super::lost::LOST;
use super::window::{Offer, Piece, WINDOW};
use crate::memory::Accounting;
use crate::memory::arena::{Answer, Arena};

/// Natively other threads allocate as well, and nobody installs this allocator.
const LENDS: bool = cfg!(any(target_arch = "wasm32", test));

/// Gets ready for a host call that returns data, for as many bytes as are known to come.
///
/// False for a call in the middle of another one, which must not be made.
pub(in crate::memory) fn begin(arena: &Arena, wanted: Option<usize>) -> bool {
    WINDOW.with(|window| {
        if window.open.replace(true) {
            return false;
        }
        let aside = if LENDS && !LOST.is_full() { arena.set_aside(wanted) } else { None };
        window.aside.set(aside);
        window.offer.set(aside.map(|aside| Offer {
            piece: Piece { start: aside.start, size: aside.size },
            exact: wanted.is_some(),
        }));
        true
    })
}

/// Ends a host call that returned data, and tells where these can be claimed from `arena` now.
pub(in crate::memory) fn end(arena: &Arena, answer: Answer) -> *mut u8 {
    let (aside, lent, other) = WINDOW.with(|window| {
        window.open.set(false);
        window.offer.set(None);
        (window.aside.take(), window.lent.take(), window.other.take())
    });
    match (&aside, lent) {
        (Some(aside), Some(lent)) if ptr::eq(answer.data, lent.start.as_ptr()) => {
            arena.settle(aside, lent.size);
            return answer.data;
        }
        (Some(aside), Some(_)) => LOST.add(arena.abandon(aside)),
        (Some(aside), None) => arena.settle(aside, 0),
        (None, _) => {}
    }
    let Some(other) = other.filter(|other| ptr::eq(answer.data, other.start.as_ptr())) else {
        return natively(arena, answer);
    };
    match Layout::from_size_align(other.size, 1) {
        Ok(layout) if answer.size <= other.size => {
            let data = copied(arena, other.start, answer.size);
            // SAFETY: `Lending` had this piece from `Accounting` during the call, for this layout,
            // and did not see it freed. The crate forgot it, and the host's answer is the only one
            // that names it.
            unsafe { Accounting::new().dealloc(other.start.as_ptr(), layout) };
            data
        }
        // More than it had asked for.
        _ => answer.data,
    }
}

/// Takes an answer over natively, where [`Lending`] is not installed and sees nothing.
fn natively(arena: &Arena, answer: Answer) -> *mut u8 {
    let is_elsewhere = cfg!(any(target_arch = "wasm32", test));
    match (NonNull::new(answer.data), Layout::from_size_align(answer.size, 1)) {
        (Some(start), Ok(layout)) if !is_elsewhere && answer.status == 0 && answer.size > 0 => {
            let data = copied(arena, start, answer.size);
            // SAFETY: natively the host is the native engine, which answers with what the plugin's
            // `proxy_on_memory_allocate` gave it for this many bytes: in the crate a boxed slice,
            // which it forgot.
            unsafe { dealloc(answer.data, layout) };
            data
        }
        _ => answer.data,
    }
}

/// Copies an answer into the arena; null when there is no memory.
#[cold]
fn copied(arena: &Arena, from: NonNull<u8>, size: usize) -> *mut u8 {
    let to = arena.grant(size);
    if !to.is_null() {
        // SAFETY: both callers give a live piece of at least `size` bytes, so is the grant, and the
        // grant was free until now.
        unsafe { ptr::copy_nonoverlapping(from.as_ptr(), to, size) };
    }
    to
}
