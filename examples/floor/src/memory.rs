//! The one static buffer.

use core::mem::offset_of;

use crate::rule::LONGEST_NEEDLE;

/// Where in the bytes a chunk begins: what was kept back of the chunk before goes in front.
pub(crate) const CHUNK_START: usize = LONGEST_NEEDLE;
/// The largest chunk, in bytes.
pub const LARGEST_CHUNK: usize = 128 << 10;
/// Room behind a chunk, for replacements that are longer than the needle.
const ROOM: usize = 16 << 10;
/// How many matches one chunk can have and still be changed by one call.
pub(crate) const MATCHES: usize = 4096;

/// Room for a chunk, for what goes in front of it and for what it grows by.
#[derive(Debug)]
pub struct Memory {
    pub(crate) bytes: [u8; CHUNK_START + LARGEST_CHUNK + ROOM],
    /// Where the matches of a chunk begin in `bytes`.
    pub(crate) matches: [u32; MATCHES],
}

impl Memory {
    /// Where in here a chunk begins, in bytes from the start.
    pub const CHUNK_OFFSET: usize = offset_of!(Self, bytes) + CHUNK_START;

    /// All zeros, which cost nothing in the module.
    pub const fn new() -> Self {
        Self { bytes: [0; CHUNK_START + LARGEST_CHUNK + ROOM], matches: [0; MATCHES] }
    }

    /// Where the host writes a chunk.
    pub fn chunk(&mut self) -> &mut [u8; LARGEST_CHUNK] {
        self.bytes[CHUNK_START..]
            .first_chunk_mut()
            .expect("the memory was measured for a whole chunk")
    }
}

impl Default for Memory {
    fn default() -> Self {
        Self::new()
    }
}
