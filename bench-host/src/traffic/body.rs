//! Bodies and how they are cut into chunks.

use std::{mem, num::NonZeroUsize, time::Duration, vec};

use bytes::Bytes;

use super::generator::{GeneratedChunks, Generator};

/// What follows the headers of a message.
#[derive(Clone, Debug, Default)]
pub enum Body {
    /// Nothing: the headers end the stream, or trailers follow them directly.
    #[default]
    None,
    /// One piece whose chunks were not recorded; it is cut on the way in.
    Whole(Bytes),
    /// Chunks as they were recorded, empty ones included.
    Chunks(Vec<Bytes>),
    /// Chunks as they were recorded, each with the time since the request began; the times never
    /// go back. A replay delivers the chunks and does not wait for their times.
    Timed(Vec<(Duration, Bytes)>),
    /// Text made on the way, never held as a whole.
    Generated(Generator),
}

impl Body {
    /// The chunks in which the body is delivered.
    ///
    /// `cut` is the largest chunk of a body without recorded boundaries. [`Body::None`] yields
    /// nothing; every other body yields at least one chunk, so an empty one still ends its stream
    /// with an empty chunk.
    ///
    /// # Cost
    ///
    /// Nothing is allocated or copied per chunk: chunks share the body's memory. Starting allocates
    /// once for recorded chunks. Generated chunks above 256 KiB are the exception, see
    /// [`Generator`].
    pub fn chunks(&self, cut: NonZeroUsize) -> BodyChunks {
        BodyChunks(match self {
            Self::None => Rest::Done,
            Self::Whole(body) => Rest::Whole { rest: body.clone(), cut },
            Self::Chunks(chunks) if chunks.is_empty() => Rest::Whole { rest: Bytes::new(), cut },
            Self::Chunks(chunks) => Rest::Recorded(chunks.clone().into_iter()),
            Self::Timed(chunks) if chunks.is_empty() => Rest::Whole { rest: Bytes::new(), cut },
            Self::Timed(chunks) => {
                let chunks: Vec<_> = chunks.iter().map(|(_, chunk)| chunk.clone()).collect();
                Rest::Recorded(chunks.into_iter())
            }
            Self::Generated(generator) => Rest::Generated(generator.chunks(cut)),
        })
    }

    /// Length in bytes.
    pub fn len(&self) -> u64 {
        match self {
            Self::None => 0,
            Self::Whole(body) => body.len() as u64,
            Self::Chunks(chunks) => chunks.iter().map(|chunk| chunk.len() as u64).sum(),
            Self::Timed(chunks) => chunks.iter().map(|(_, chunk)| chunk.len() as u64).sum(),
            Self::Generated(generator) => generator.len(),
        }
    }

    /// Whether there is not a single byte, which does not tell whether headers end the stream.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The chunks of one body, in order; made by [`Body::chunks`] and independent of the body.
#[derive(Clone, Debug)]
pub struct BodyChunks(Rest);

#[derive(Clone, Debug)]
enum Rest {
    Done,
    Whole { rest: Bytes, cut: NonZeroUsize },
    Recorded(vec::IntoIter<Bytes>),
    Generated(GeneratedChunks),
}

impl BodyChunks {
    /// Whether no chunk is left, so that the chunk taken last was the last one.
    pub fn is_finished(&self) -> bool {
        match &self.0 {
            Rest::Done => true,
            Rest::Whole { .. } => false,
            Rest::Recorded(chunks) => chunks.len() == 0,
            Rest::Generated(chunks) => chunks.is_finished(),
        }
    }
}

impl Iterator for BodyChunks {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        match &mut self.0 {
            Rest::Done => None,
            Rest::Whole { rest, cut } if rest.len() > cut.get() => Some(rest.split_to(cut.get())),
            Rest::Whole { rest, .. } => {
                let last = mem::take(rest);
                self.0 = Rest::Done;
                Some(last)
            }
            Rest::Recorded(chunks) => chunks.next(),
            Rest::Generated(chunks) => chunks.next(),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cut(size: usize) -> NonZeroUsize {
        NonZeroUsize::new(size).unwrap()
    }

    fn lengths(body: &Body, size: usize) -> Vec<usize> {
        body.chunks(cut(size)).map(|chunk| chunk.len()).collect()
    }

    #[test]
    fn only_a_missing_body_yields_nothing() {
        assert_eq!(lengths(&Body::None, 8), [0; 0]);
        assert_eq!(lengths(&Body::Whole(Bytes::new()), 8), [0]);
        assert_eq!(lengths(&Body::Chunks(Vec::new()), 8), [0]);
        assert_eq!(lengths(&Body::Timed(Vec::new()), 8), [0]);
    }

    #[test]
    fn a_whole_body_is_cut() {
        let body = Body::Whole(Bytes::from_static(b"0123456789"));
        assert_eq!(lengths(&body, 4), [4, 4, 2]);
        assert_eq!(lengths(&body, 5), [5, 5]);
        assert_eq!(lengths(&body, 10), [10]);
        assert_eq!(lengths(&body, usize::MAX), [10]);
    }

    #[test]
    fn recorded_chunks_stay_as_recorded() {
        let chunks = ["a", "", "bcd", ""].map(|text| Bytes::from_static(text.as_bytes()));
        let timed = chunks.clone().map(|chunk| (Duration::from_secs(1), chunk));
        for body in [Body::Chunks(chunks.to_vec()), Body::Timed(timed.to_vec())] {
            assert_eq!(lengths(&body, 2), [1, 0, 3, 0]);
            assert_eq!(body.len(), 4);
        }
    }

    #[test]
    fn chunks_share_the_memory_of_the_body() {
        let whole = Bytes::from_static(b"0123456789");
        let mut at = whole.as_ptr();
        for chunk in Body::Whole(whole.clone()).chunks(cut(3)) {
            assert_eq!(chunk.as_ptr(), at);
            at = at.wrapping_add(chunk.len());
        }
    }

    proptest! {
        #[test]
        fn chunks_concatenate_to_the_body(
            bytes in proptest::collection::vec(any::<u8>(), 0..2000),
            size in 1_usize..300,
        ) {
            let body = Body::Whole(Bytes::from(bytes.clone()));
            let mut chunks = body.chunks(cut(size));
            let mut joined = Vec::new();
            while !chunks.is_finished() {
                let chunk = chunks.next().unwrap();
                prop_assert!(chunk.len() == size || chunks.is_finished());
                prop_assert!(!chunk.is_empty() || bytes.is_empty());
                joined.extend_from_slice(&chunk);
            }
            prop_assert!(chunks.next().is_none());
            prop_assert_eq!(body.len(), bytes.len() as u64);
            prop_assert_eq!(joined, bytes);
        }
    }
}
