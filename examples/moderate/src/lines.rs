//! Lines of JSON, with every byte of them.

/// Splits an answer at its line feeds, and gives each line with its own.
///
/// An answer is sent on as it came, so that [`chunkwise::stream::Lines`], which gives lines without
/// their ends, is not for it.
#[derive(Debug, Default)]
pub struct RawLines {
    /// The beginning of the line that the last chunk cut off.
    pending: Vec<u8>,
}

/// A line is longer than may wait; all bytes that were in no line.
#[derive(Debug)]
pub struct LineTooLong(pub Vec<u8>);

impl RawLines {
    /// Takes the next bytes and gives the lines that end in them.
    ///
    /// # Errors
    /// [`LineTooLong`] when one has more than `limit` bytes.
    pub fn push(
        &mut self,
        chunk: &[u8],
        limit: usize,
        mut line: impl FnMut(&[u8]),
    ) -> Result<(), LineTooLong> {
        let mut rest = chunk;
        while !rest.is_empty() {
            let end = rest.iter().position(|byte| *byte == b'\n').map_or(rest.len(), |at| at + 1);
            let (piece, behind) = rest.split_at(end);
            self.pending.extend_from_slice(piece);
            if self.pending.len() > limit {
                self.pending.extend_from_slice(behind);
                return Err(LineTooLong(self.finish()));
            }
            if piece.ends_with(b"\n") {
                line(&self.pending);
                self.pending.clear();
            }
            rest = behind;
        }
        Ok(())
    }

    /// What no line feed ends.
    pub fn finish(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.pending)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_keep_their_ends_however_they_are_cut() {
        let text = b"a\n\r\n\nbc\r\nd";
        for size in 1..=text.len() {
            let (mut lines, mut seen) = (RawLines::default(), Vec::new());
            for chunk in text.chunks(size) {
                lines.push(chunk, 4, |line| seen.push(line.to_vec())).unwrap();
            }
            assert_eq!(seen, [&b"a\n"[..], b"\r\n", b"\n", b"bc\r\n"], "chunks of {size}");
            assert_eq!(lines.finish(), b"d");
        }
    }

    #[test]
    fn too_long_a_line_is_not_lost() {
        let (mut lines, mut seen) = (RawLines::default(), 0);
        lines.push(b"ab", 3, |_| seen += 1).unwrap();
        let LineTooLong(unread) = lines.push(b"c\nd\n", 3, |_| seen += 1).unwrap_err();
        assert_eq!((&unread[..], seen), (&b"abc\nd\n"[..], 0));
    }
}
