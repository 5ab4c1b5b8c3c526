//! A body of any length, read in a fixed piece of memory.

use crate::abi::{Buffer, host};
use crate::error::{Error, Result};
use crate::memory::{Arena, Scope};

/// The windows of a chunk, see [`Chunk::windows`](crate::Chunk::windows).
#[derive(Debug)]
pub struct Windows<'a> {
    arena: &'a Arena,
    buffer: Buffer,
    len: usize,
    size: usize,
    at: usize,
    /// Where the window before lies; its memory is used again.
    scope: Option<Scope<'a>>,
}

impl<'a> Windows<'a> {
    pub(crate) fn new(arena: &'a Arena, buffer: Buffer, len: usize, size: usize) -> Self {
        Self { arena, buffer, len, size: size.max(1), at: 0, scope: None }
    }

    /// The next window; all but the last have the full size. The bytes of the one before are gone.
    ///
    /// # Errors
    /// [`Error::ShortRead`] when the host gives less than there is.
    #[expect(clippy::should_implement_trait, reason = "an item borrows from what gives it")]
    pub fn next(&mut self) -> Result<Option<&[u8]>> {
        let wanted = self.size.min(self.len - self.at);
        if wanted == 0 {
            return Ok(None);
        }
        // Dropped first: it gives the memory back that the next one takes.
        self.scope = None;
        let scope = self.scope.insert(self.arena.scope());
        let bytes = host::buffer_bytes(scope, self.buffer, self.at, wanted)?;
        if bytes.len() != wanted {
            return Err(Error::ShortRead { wanted, got: bytes.len() });
        }
        self.at += wanted;
        Ok(Some(bytes))
    }

    /// Where the next window begins.
    pub fn position(&self) -> usize {
        self.at
    }
}
