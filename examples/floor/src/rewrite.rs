//! The replacement in one chunk, in the memory that the host wrote it to.

use core::ops::Range;

use memchr::memchr;
use memchr::memmem::Finder;

use crate::memory::{CHUNK_START, Memory};

/// A place behind the end of any body, where data is appended.
const END: usize = i32::MAX as usize;

/// A chunk that the host has written to [`Memory::chunk`].
#[derive(Clone, Copy, Debug)]
pub struct Chunk {
    /// Its length, up to [`LARGEST_CHUNK`](crate::memory::LARGEST_CHUNK).
    pub len: usize,
    /// How many bytes of the needle were kept back before it; fewer than the needle has.
    pub carry: usize,
    /// Whether bytes may be kept back until the next chunk.
    pub may_cut: bool,
}

/// The body as the host lets it be changed.
pub trait Body {
    /// Changes it: `start` 0 puts `data` in place of the first `length` bytes, and a `start` behind
    /// the end appends it. Nothing in between can be changed.
    fn set(&mut self, start: usize, length: usize, data: &[u8]);
}

/// Replaces one text by another.
#[derive(Debug)]
pub struct Replacer<'a> {
    finder: Finder<'a>,
    replacement: &'a [u8],
}

impl<'a> Replacer<'a> {
    /// Prepares the search for `needle`, which has 1 to
    /// [`LONGEST_NEEDLE`](crate::rule::LONGEST_NEEDLE) bytes.
    pub fn new(needle: &'a [u8], replacement: &'a [u8]) -> Self {
        Self { finder: Finder::new(needle), replacement }
    }

    /// Changes `body`, which is the chunk in `memory`, and returns how many bytes to keep back.
    ///
    /// # Cost
    /// No call on `body` without a match and without bytes kept back. Otherwise one, of the
    /// shortest prefix that covers the edits; bytes kept back have no such prefix, because a host
    /// cannot drop a body's end alone. In memory only the bytes behind the first match are moved,
    /// and none for a single match. More matches than `MATCHES`, or more growth than `ROOM`, take
    /// two calls a match.
    pub fn rewrite(&self, memory: &mut Memory, chunk: Chunk, body: &mut impl Body) -> usize {
        let Chunk { len, carry, may_cut } = chunk;
        let needle = self.finder.needle();
        let (start, end) = (CHUNK_START - carry, CHUNK_START + len);
        memory.bytes[start..CHUNK_START].copy_from_slice(&needle[..carry]);

        let (count, rest) = self.find_all(memory, start..end);
        let Memory { bytes, matches } = memory;
        let cut = if may_cut { beginning(needle, &bytes[rest..end]) } else { 0 };
        if count == 0 {
            if cut > 0 {
                body.set(0, len, &bytes[start..end - cut]);
            } else if carry > 0 {
                body.set(0, 0, &bytes[start..CHUNK_START]);
            }
            return cut;
        }

        // What is behind the last match stays as the host has it, unless its end is kept back.
        let kept = if cut > 0 { end - cut } else { rest };
        let covered = if cut > 0 { len } else { rest - CHUNK_START };
        let output_end = kept - count * needle.len() + count * self.replacement.len();
        match matches.get(..count) {
            Some(matches) if output_end <= bytes.len() => {
                if self.replacement.len() > needle.len() {
                    self.spread(bytes, matches, kept, output_end);
                } else {
                    self.close_up(bytes, matches, kept);
                }
                body.set(0, covered, &bytes[start..output_end]);
            }
            _ => self.piece_by_piece(&bytes[start..end - cut], len, body),
        }
        cut
    }

    /// Notes where the matches begin, as far as there is room; returns how many there are and where
    /// the last one ends.
    fn find_all(&self, memory: &mut Memory, window: Range<usize>) -> (usize, usize) {
        let mut count = 0;
        let mut from = window.start;
        while let Some(at) = self.finder.find(&memory.bytes[from..window.end]) {
            if let Some(place) = memory.matches.get_mut(count) {
                *place = (from + at) as u32;
            }
            count += 1;
            from += at + self.finder.needle().len();
        }
        (count, from)
    }

    /// Puts in longer replacements, from the last to the first: so nothing unread is written over.
    fn spread(&self, bytes: &mut [u8], matches: &[u32], kept: usize, output_end: usize) {
        let (mut read, mut write) = (kept, output_end);
        for &at in matches.iter().rev() {
            let after = at as usize + self.finder.needle().len();
            write -= read - after;
            bytes.copy_within(after..read, write);
            write -= self.replacement.len();
            bytes[write..][..self.replacement.len()].copy_from_slice(self.replacement);
            read = at as usize;
        }
    }

    /// Puts in replacements that are not longer, from the first to the last.
    fn close_up(&self, bytes: &mut [u8], matches: &[u32], kept: usize) {
        let mut write = matches.first().map_or(kept, |&at| at as usize);
        for (index, &at) in matches.iter().enumerate() {
            bytes[write..][..self.replacement.len()].copy_from_slice(self.replacement);
            write += self.replacement.len();
            let after = at as usize + self.finder.needle().len();
            let next = matches.get(index + 1).map_or(kept, |&at| at as usize);
            if write != after {
                bytes.copy_within(after..next, write);
            }
            write += next - after;
        }
    }

    /// Gives the host a new body in pieces, where it would not fit in memory as a whole.
    fn piece_by_piece(&self, window: &[u8], len: usize, body: &mut impl Body) {
        body.set(0, len, &[]);
        let mut from = 0;
        for at in self.finder.find_iter(window) {
            if at > from {
                body.set(END, 0, &window[from..at]);
            }
            body.set(END, 0, self.replacement);
            from = at + self.finder.needle().len();
        }
        body.set(END, 0, &window[from..]);
    }
}

/// How many bytes at the end of `text` could be the beginning of the needle, but not all of it.
fn beginning(needle: &[u8], text: &[u8]) -> usize {
    let Some((&first, others)) = needle.split_first() else { return 0 };
    let mut tail = &text[text.len().saturating_sub(others.len())..];
    while let Some(at) = memchr(first, tail) {
        tail = &tail[at..];
        if needle.starts_with(tail) {
            return tail.len();
        }
        tail = &tail[1..];
    }
    0
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::memory::{LARGEST_CHUNK, MATCHES};

    /// A body that counts what is done to it.
    #[derive(Default)]
    struct Host {
        body: Vec<u8>,
        calls: usize,
        written: usize,
    }

    impl Body for Host {
        fn set(&mut self, start: usize, length: usize, data: &[u8]) {
            self.calls += 1;
            self.written += data.len();
            if start == 0 {
                self.body.splice(..length.min(self.body.len()), data.iter().copied());
            } else {
                assert!(start >= self.body.len(), "a host refuses a splice");
                self.body.extend(data);
            }
        }
    }

    /// The chunks of a stream one after another, and what the last one did to the host.
    fn stream(needle: &[u8], replacement: &[u8], chunks: &[&[u8]]) -> (Vec<u8>, Host) {
        let replacer = Replacer::new(needle, replacement);
        let mut memory = Box::new(Memory::new());
        let (mut output, mut carry, mut host) = (Vec::new(), 0, Host::default());
        for (index, chunk) in chunks.iter().enumerate() {
            memory.chunk()[..chunk.len()].copy_from_slice(chunk);
            host = Host { body: chunk.to_vec(), ..Host::default() };
            let may_cut = index + 1 < chunks.len();
            let chunk = Chunk { len: chunk.len(), carry, may_cut };
            carry = replacer.rewrite(&mut memory, chunk, &mut host);
            assert!(carry < needle.len() && (may_cut || carry == 0));
            output.extend(&host.body);
        }
        (output, host)
    }

    fn naive(needle: &[u8], replacement: &[u8], mut text: &[u8]) -> Vec<u8> {
        let mut output = Vec::new();
        while let Some(&first) = text.first() {
            if let Some(rest) = text.strip_prefix(needle) {
                output.extend(replacement);
                text = rest;
            } else {
                output.push(first);
                text = &text[1..];
            }
        }
        output
    }

    #[test]
    fn without_a_match_nothing_is_written() {
        let (output, host) = stream(b"needle", b"x", &[b"nothing of the kind"]);
        assert_eq!((&output[..], host.calls), (&b"nothing of the kind"[..], 0));
    }

    #[test]
    fn a_match_is_written_with_what_is_in_front_of_it() {
        let (output, host) = stream(b"old", b"newer", &[b"an old thing, very much so"]);
        assert_eq!(output, b"an newer thing, very much so");
        assert_eq!((host.calls, host.written), (1, "an newer".len()));
    }

    #[test]
    fn bytes_kept_back_are_put_in_front_of_the_next_chunk() {
        let (output, host) = stream(b"old", b"new", &[b"too", b"lorry"]);
        assert_eq!(output, b"toolorry");
        assert_eq!((host.calls, host.written), (1, 1));
        let (output, host) = stream(b"old", b"new", &[b"an o", b"l", b"d one"]);
        assert_eq!(output, b"an new one");
        assert_eq!((host.calls, host.written), (1, 3));
    }

    #[test]
    fn the_end_gives_back_what_was_kept() {
        let (output, host) = stream(b"old", b"new", &[b"vol", b""]);
        assert_eq!((&output[..], host.calls), (&b"vol"[..], 1));
    }

    #[test]
    fn a_chunk_that_outgrows_the_memory_is_given_in_pieces() {
        for (needle, replacement, text) in [
            (&b"a"[..], &b"bb"[..], "a".repeat(LARGEST_CHUNK)),
            (b"ab", b"b", "ab".repeat(MATCHES + 1)),
            (
                b"ab",
                &[b'x'; 1024],
                format!("{}{}", "-".repeat(LARGEST_CHUNK - 64), "ab".repeat(32)),
            ),
        ] {
            let (output, host) = stream(needle, replacement, &[text.as_bytes()]);
            assert!(output == naive(needle, replacement, text.as_bytes()));
            assert!(host.calls > 2);
        }
    }

    #[test]
    fn pieces_know_what_was_and_is_kept_back() {
        let dense = format!("b{}a", "ab".repeat(MATCHES));
        let chunks = [&b"-a"[..], dense.as_bytes(), b"b-"];
        let (output, _) = stream(b"ab", b"abc", &chunks);
        assert!(output == naive(b"ab", b"abc", &chunks.concat()));
    }

    #[test]
    fn matches_that_just_fit_take_one_call() {
        let text = "ab".repeat(MATCHES);
        let (output, host) = stream(b"ab", b"abc", &[text.as_bytes()]);
        assert_eq!((output.len(), host.calls), (3 * MATCHES, 1));
        let text = "ab-".repeat(16);
        let text = format!("{text}{}", "-".repeat(LARGEST_CHUNK - text.len()));
        let (output, host) = stream(b"ab", &[b'x'; 1024], &[text.as_bytes()]);
        assert_eq!((output.len(), host.calls), (LARGEST_CHUNK + 16 * 1022, 1));
    }

    proptest! {
        #[test]
        fn every_split_gives_what_the_whole_body_does(
            needle in "[ab]{1,5}",
            replacement in "[abc]{0,8}",
            chunks in prop::collection::vec("[ab]{0,12}", 1..9),
        ) {
            let (needle, replacement) = (needle.as_bytes(), replacement.as_bytes());
            let split: Vec<_> = chunks.iter().map(String::as_bytes).collect();
            let (output, _) = stream(needle, replacement, &split);
            prop_assert_eq!(output, naive(needle, replacement, &split.concat()));
        }
    }
}
