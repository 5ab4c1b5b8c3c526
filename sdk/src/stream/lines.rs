//! Lines of a text that comes in pieces.

use memchr::memchr2;

use super::carry::Carry;

/// Splits a text into lines, however it was cut.
///
/// A line ends in LF, CR or CRLF, mixed as they come, and is given without its end. Use it for
/// JSON lines, logs and other text of unbounded length; [`Events`](super::Events) is the
/// one for server-sent events.
///
/// ```
/// use chunkwise::stream::{Lines, TooLong};
///
/// let mut lines = Lines::new(64 * 1024);
/// let mut seen = Vec::new();
/// for piece in ["one\r", "\ntwo\nthr", "ee\n\nrest"] {
///     lines.push(piece.as_bytes(), |line| {
///         seen.push(String::from_utf8_lossy(line).into_owned());
///         Ok::<_, TooLong>(())
///     })?;
/// }
/// lines.finish(|rest| {
///     assert_eq!(rest, b"rest");
///     Ok::<_, TooLong>(())
/// })?;
/// assert_eq!(seen, ["one", "two", "three", ""]);
/// # Ok::<(), TooLong>(())
/// ```
///
/// # Cost
/// One search through each piece. A line that lies in one piece is borrowed from it; a line that
/// was cut is copied once. The only allocation is the buffer for such a line, which is used again.
#[derive(Debug)]
pub struct Lines {
    /// The beginning of the line that the last piece cut off.
    carry: Carry,
    /// The last piece ended in CR; an LF that follows belongs to it.
    after_cr: bool,
    /// A line was too long, so nobody can tell any more where lines begin.
    failed: bool,
}

impl Lines {
    /// Splits lines of up to `limit` bytes, ends not counted; allocates nothing yet.
    pub fn new(limit: usize) -> Self {
        Self { carry: Carry::new(limit), after_cr: false, failed: false }
    }

    /// Takes the next bytes of the text and gives the lines that end in them, in order.
    ///
    /// A CR ends its line at once: it does not wait for the LF that may follow.
    ///
    /// # Errors
    /// [`TooLong`] where a line passes the limit, whether it has ended or not, and from then on
    /// until [`clear`](Self::clear); lines in front of it have been given. And what `line` itself
    /// fails with: the bytes behind that line are lost.
    pub fn push<E: From<TooLong>>(
        &mut self,
        piece: &[u8],
        mut line: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        if self.failed {
            return Err(self.too_long().into());
        }
        let mut rest = piece;
        if self.after_cr && !rest.is_empty() {
            self.after_cr = false;
            rest = rest.strip_prefix(b"\n").unwrap_or(rest);
        }
        while let Some(end) = memchr2(b'\n', b'\r', rest) {
            let (head, tail) = rest.split_at(end);
            self.after_cr = tail == b"\r";
            let end = if tail.starts_with(b"\r\n") { 2 } else { 1 };
            rest = tail.get(end..).unwrap_or_default();
            self.give(head, &mut line)?;
        }
        if rest.is_empty() { Ok(()) } else { Ok(self.hold(rest)?) }
    }

    /// Ends the text and gives the last line, if it has bytes but no end. Then it is ready for
    /// another text.
    ///
    /// # Errors
    /// As [`push`](Self::push).
    pub fn finish<E: From<TooLong>>(
        &mut self,
        mut line: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let result = if self.carry.is_empty() {
            self.hold(&[]).map_err(E::from)
        } else {
            self.give(&[], &mut line)
        };
        self.after_cr = false;
        result
    }

    /// Forgets the text so far, failures included; keeps the memory.
    pub fn clear(&mut self) {
        self.carry.clear();
        self.after_cr = false;
        self.failed = false;
    }

    /// Bytes that were cut off the pieces so far and wait for the end of their line.
    pub fn carried(&self) -> usize {
        self.carry.bytes().len()
    }

    /// Gives the line that ends with `head`.
    fn give<E: From<TooLong>>(
        &mut self,
        head: &[u8],
        line: &mut impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        if self.carry.is_empty() && !self.failed && head.len() <= self.carry.limit() {
            return line(head);
        }
        self.hold(head)?;
        let result = line(self.carry.bytes());
        self.carry.clear();
        result
    }

    fn hold(&mut self, bytes: &[u8]) -> Result<(), TooLong> {
        if self.failed || !self.carry.push(bytes) {
            self.failed = true;
            self.carry.clear();
            return Err(self.too_long());
        }
        Ok(())
    }

    fn too_long(&self) -> TooLong {
        TooLong { limit: self.carry.limit() }
    }
}

/// A line is longer than its reader allows. The traffic is at fault, or the limit is too low.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the traffic has a line of more than {limit} bytes: refuse it or raise the limit")]
pub struct TooLong {
    /// The longest line that is allowed, in bytes.
    pub limit: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What comes of some pieces, each line in its brackets.
    fn split(lines: &mut Lines, pieces: &[&str]) -> Result<String, TooLong> {
        let mut seen = String::new();
        let mut line = |line: &[u8]| {
            seen += &format!("[{}]", line.escape_ascii());
            Ok::<_, TooLong>(())
        };
        for piece in pieces {
            lines.push(piece.as_bytes(), &mut line)?;
        }
        lines.finish(line)?;
        Ok(seen)
    }

    #[test]
    fn all_three_ends_are_one() {
        let split = |pieces: &[&str]| split(&mut Lines::new(9), pieces).unwrap();
        assert_eq!(split(&["a\nb\rc\r\nd"]), "[a][b][c][d]");
        assert_eq!(split(&["a\r", "\nb\r", "c\r", "", "\n", "\n"]), "[a][b][c][]");
        assert_eq!(split(&["\r\r\n\n"]), "[][][]");
        assert_eq!(split(&["a", "b", "", "c\n"]), "[abc]");
        assert_eq!(split(&["", ""]), "");
    }

    #[test]
    fn a_carriage_return_does_not_wait() {
        let (mut lines, mut seen) = (Lines::new(9), 0);
        let count = |_: &[u8]| {
            seen += 1;
            Ok::<_, TooLong>(())
        };
        lines.push(b"a\r", count).unwrap();
        assert_eq!((seen, lines.carried()), (1, 0));
    }

    #[test]
    fn a_whole_line_is_borrowed_from_its_piece() {
        let piece = b"x\nwhole\n";
        let mut places = Vec::new();
        let place = |line: &[u8]| {
            places.push(line.as_ptr());
            Ok::<_, TooLong>(())
        };
        Lines::new(9).push(piece, place).unwrap();
        assert_eq!(places, [piece.as_ptr(), piece[2..].as_ptr()]);
    }

    #[test]
    fn the_limit_counts_the_line_however_it_is_cut() {
        for pieces in [&["abc\nabcd\n"][..], &["abc\nab", "cd"], &["abc\n", "abcd"]] {
            let (mut lines, mut seen) = (Lines::new(3), 0);
            let mut count = |_: &[u8]| {
                seen += 1;
                Ok(())
            };
            let results: Vec<_> =
                pieces.iter().map(|piece| lines.push(piece.as_bytes(), &mut count)).collect();
            assert_eq!(results.last(), Some(&Err(TooLong { limit: 3 })), "{pieces:?}");
            for piece in ["\n", "", "a"] {
                assert_eq!(lines.push(piece.as_bytes(), &mut count), Err(TooLong { limit: 3 }));
            }
            assert_eq!(lines.finish(&mut count), Err(TooLong { limit: 3 }));
            assert_eq!(seen, 1);
            lines.clear();
            assert_eq!(split(&mut lines, &["new\n"]).unwrap(), "[new]");
        }
    }

    #[test]
    fn a_caller_that_fails_stops_it() {
        #[derive(Debug, PartialEq)]
        struct Stop;
        impl From<TooLong> for Stop {
            fn from(_: TooLong) -> Self {
                Self
            }
        }
        let (mut lines, mut seen) = (Lines::new(9), 0);
        let stop = |_: &[u8]| {
            seen += 1;
            if seen == 2 { Err(Stop) } else { Ok(()) }
        };
        assert_eq!(lines.push(b"a\nb\nc\n", stop), Err(Stop));
        assert_eq!(seen, 2);
        assert_eq!(split(&mut lines, &["d"]).unwrap(), "[d]");
    }
}
