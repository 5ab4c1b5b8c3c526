//! Buffers that outlive the streams they served.

use std::cell::{Cell, RefCell};

/// Buffers of one fixed capacity, lent to streams and taken back.
///
/// # Cost
/// One allocation for each buffer that is lent at the same time as others for the first time, and
/// now and then one for the list of them; taking a buffer back never allocates. As many buffers as
/// were ever lent at once stay until the pool is dropped.
#[derive(Debug)]
pub(super) struct Pool {
    free: RefCell<Vec<Vec<u8>>>,
    /// Buffers in existence, here or lent.
    made: Cell<usize>,
    capacity: usize,
}

impl Pool {
    pub(super) fn new(capacity: usize) -> Self {
        Self { free: RefCell::new(Vec::new()), made: Cell::new(0), capacity }
    }

    /// An empty buffer.
    pub(super) fn lend(&self) -> Vec<u8> {
        if self.capacity == 0 {
            return Vec::new();
        }
        let mut free = self.free.borrow_mut();
        free.pop().unwrap_or_else(|| {
            self.made.set(self.made.get() + 1);
            // Room for all of them to come back at once.
            free.reserve(self.made.get());
            Vec::with_capacity(self.capacity)
        })
    }

    /// Takes back a buffer that was lent.
    pub(super) fn take_back(&self, mut buffer: Vec<u8>) {
        if self.capacity == 0 {
            return;
        }
        buffer.clear();
        self.free.borrow_mut().push(buffer);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_comes_back_empty_and_is_lent_again() {
        let pool = Pool::new(8);
        let mut buffer = pool.lend();
        buffer.extend_from_slice(b"12345678");
        let address = buffer.as_ptr();
        pool.take_back(buffer);
        let again = pool.lend();
        assert_eq!((again.as_ptr(), again.len(), again.capacity()), (address, 0, 8));
    }

    #[test]
    fn taking_back_never_grows_the_list() {
        let pool = Pool::new(4);
        let lent: Vec<_> = (0..100).map(|_| pool.lend()).collect();
        let room = pool.free.borrow().capacity();
        assert!(room >= 100);
        lent.into_iter().for_each(|buffer| pool.take_back(buffer));
        let free = pool.free.borrow();
        assert_eq!((free.len(), free.capacity()), (100, room));
    }

    #[test]
    fn nothing_is_pooled_where_nothing_is_carried() {
        let pool = Pool::new(0);
        pool.take_back(pool.lend());
        assert!(pool.free.borrow().is_empty());
    }
}
