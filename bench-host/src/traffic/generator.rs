//! Bodies of any length out of a small block of text.

use std::num::NonZeroUsize;

use bytes::Bytes;

/// The longest chunk that is put together, so that no option can exhaust the machine's memory.
const LONGEST_CHUNK: NonZeroUsize = NonZeroUsize::new(256 << 20).expect("not zero");

/// A body that repeats a block of text and is never held as a whole.
///
/// The block may come in two versions, plain and planted, where the planted one stands in for every
/// n-th repetition: that is how a needle that is rare in a body of gigabytes fits into one
/// megabyte.
///
/// # Cost
///
/// A chunk no longer than one repetition (256 KiB for the generators of this crate) is a slice of
/// the block: nothing is allocated or copied. A longer chunk is put together from the block, with
/// one allocation and one copy, and is cut at 256 MiB. Cloning shares the block.
#[derive(Clone, Debug)]
pub struct Generator {
    /// Copies of the repetition, laid out so that any two neighbours in the body are neighbours
    /// here: two copies when all are alike, else plain, plain, planted, plain.
    block: Bytes,
    period: usize,
    planted_every: u64,
    len: u64,
    chunk: Option<NonZeroUsize>,
}

impl Generator {
    /// Repeats `text` up to `len` bytes.
    pub(super) fn repeat(text: &[u8], len: u64) -> Self {
        Self {
            block: [text, text].concat().into(),
            period: text.len(),
            planted_every: 1,
            len: if text.is_empty() { 0 } else { len },
            chunk: None,
        }
    }

    /// Repeats `plain` up to `len` bytes, with `planted` as the last of every `every` repetitions.
    ///
    /// Both texts have the same length; the longer one is cut to it.
    pub(super) fn repeat_planted(plain: &[u8], planted: &[u8], every: u64, len: u64) -> Self {
        if every <= 1 {
            return Self::repeat(planted, len);
        }
        let period = plain.len().min(planted.len());
        let (plain, planted) = (&plain[..period], &planted[..period]);
        Self {
            block: [plain, plain, planted, plain].concat().into(),
            planted_every: every,
            ..Self::repeat(plain, len)
        }
    }

    /// Fixes the chunks of the body as if they had been recorded.
    pub(super) fn with_chunk(mut self, chunk: Option<NonZeroUsize>) -> Self {
        self.chunk = chunk;
        self
    }

    /// Length of the body in bytes.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether the body is empty.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The chunks of the body, at most `cut` bytes each unless the generator has its own size.
    pub(super) fn chunks(&self, cut: NonZeroUsize) -> GeneratedChunks {
        GeneratedChunks {
            generator: self.clone(),
            cut: self.chunk.unwrap_or(cut).min(LONGEST_CHUNK),
            at: 0,
            finished: false,
        }
    }

    /// The chunks of a body that has its own, as if they had been recorded.
    pub(super) fn recorded_chunks(&self) -> Option<GeneratedChunks> {
        self.chunk.map(|cut| self.chunks(cut))
    }

    /// The whole body in memory.
    pub(super) fn whole(&self) -> Bytes {
        let mut whole = Vec::new();
        for chunk in self.chunks(NonZeroUsize::new(64 << 10).expect("not zero")) {
            whole.extend_from_slice(&chunk);
        }
        whole.into()
    }

    /// The `len` bytes from `at` on.
    fn piece(&self, at: u64, len: usize) -> Bytes {
        if len <= self.period {
            let start = self.offset(at);
            return self.block.slice(start..start + len);
        }
        let mut piece = Vec::with_capacity(len);
        while piece.len() < len {
            let part = (len - piece.len()).min(self.period);
            let start = self.offset(at + piece.len() as u64);
            piece.extend_from_slice(&self.block[start..start + part]);
        }
        piece.into()
    }

    /// Where in the block the bytes of the body from `at` on are found.
    fn offset(&self, at: u64) -> usize {
        let period = self.period.max(1) as u64;
        let repetition = at / period;
        let planted = |repetition: u64| (repetition + 1).is_multiple_of(self.planted_every);
        let copy = if self.planted_every == 1 {
            0
        } else if planted(repetition) {
            2
        } else {
            u64::from(planted(repetition + 1))
        };
        usize::try_from(copy * period + at % period).expect("an offset inside a block in memory")
    }
}

/// The chunks of one generated body.
#[derive(Clone, Debug)]
pub(super) struct GeneratedChunks {
    generator: Generator,
    cut: NonZeroUsize,
    at: u64,
    finished: bool,
}

impl GeneratedChunks {
    pub(super) fn is_finished(&self) -> bool {
        self.finished
    }
}

impl Iterator for GeneratedChunks {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        if self.finished {
            return None;
        }
        let left = self.generator.len - self.at;
        let len = usize::try_from(left).map_or(self.cut.get(), |left| left.min(self.cut.get()));
        let chunk = self.generator.piece(self.at, len);
        self.at += len as u64;
        self.finished = self.at == self.generator.len;
        Some(chunk)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The body byte by byte, from its definition.
    fn oracle(plain: &[u8], planted: &[u8], every: u64, len: u64) -> Vec<u8> {
        (0..len as usize)
            .map(|at| {
                let repetition = (at / plain.len()) as u64 + 1;
                let text = if repetition.is_multiple_of(every) { planted } else { plain };
                text[at % plain.len()]
            })
            .collect()
    }

    proptest! {
        #[test]
        fn chunks_concatenate_to_the_repetition(
            plain in proptest::collection::vec(any::<u8>(), 1..40),
            every in 1_u64..5,
            len in 0_u64..500,
            cut in 1_usize..120,
        ) {
            let planted: Vec<u8> = plain.iter().map(|byte| !byte).collect();
            let generator = Generator::repeat_planted(&plain, &planted, every, len);
            let chunks: Vec<_> = generator.chunks(NonZeroUsize::new(cut).unwrap()).collect();
            prop_assert_eq!(chunks.len(), (len as usize).div_ceil(cut).max(1));
            prop_assert_eq!(chunks.concat(), oracle(&plain, &planted, every, len));
        }
    }

    #[test]
    fn chunks_of_a_terabyte_are_slices_of_the_block() {
        let generator = Generator::repeat_planted(&[b'a'; 64], &[b'b'; 64], 3, 1 << 40);
        let block = generator.block.as_ptr_range();
        let cut = NonZeroUsize::new(48).unwrap();
        let mut chunks = generator.chunks(cut);
        for chunk in chunks.by_ref().take(1000) {
            assert_eq!(chunk.len(), 48);
            assert!(block.contains(&chunk.as_ptr()));
        }
        assert!(!chunks.is_finished());
    }

    #[test]
    fn own_chunk_size_wins() {
        let generator = Generator::repeat(b"abc", 10).with_chunk(NonZeroUsize::new(4));
        let chunks = generator.chunks(NonZeroUsize::MAX);
        let lengths: Vec<_> = chunks.map(|chunk| chunk.len()).collect();
        assert_eq!(lengths, [4, 4, 2]);
    }

    #[test]
    fn an_empty_text_makes_an_empty_body() {
        let generator = Generator::repeat(b"", 10);
        assert!(generator.is_empty());
        assert_eq!(generator.chunks(NonZeroUsize::MIN).count(), 1);
    }
}
