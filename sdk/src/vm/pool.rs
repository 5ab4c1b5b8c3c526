//! Buffers that are used again by one answer after the other.

use std::cell::RefCell;

/// Buffers kept; more are open at a time only when more answers are.
const KEPT: usize = 32;

/// Bytes of capacity above which a buffer is given back instead of kept.
const LARGEST: usize = 64 * 1024;

/// Empty buffers with capacity.
#[derive(Debug, Default)]
pub(crate) struct Pool(RefCell<Vec<Vec<u8>>>);

impl Pool {
    pub fn take(&self) -> Vec<u8> {
        self.0.borrow_mut().pop().unwrap_or_default()
    }

    pub fn give_back(&self, buffer: Vec<u8>) {
        let mut buffers = self.0.borrow_mut();
        if buffer.capacity() > 0 && buffer.capacity() <= LARGEST && buffers.len() < KEPT {
            buffers.push(buffer);
        }
    }
}
