//! Where the events of an event stream end.

use memchr::memchr2;

/// The byte order mark, which may begin a stream and is no part of its first line.
pub(super) const BOM: &[u8] = b"\xEF\xBB\xBF";

/// Finds the empty lines that end events, in a stream that comes in pieces.
///
/// What it says depends on the bytes alone and not on where they were cut. An empty line that ends
/// in CR may go on with an LF, and what is known is how the line in front of it ended. If that was
/// CR alone, the event ends at once; should an LF follow all the same, it belongs to the next
/// event, where it means nothing. Otherwise the LF is waited for: in a stream of CRLF it comes.
#[derive(Debug, Default)]
pub(super) struct Frame {
    mark: Mark,
    /// The current line has bytes.
    in_line: bool,
    /// The last byte was a CR, whose LF may follow.
    after_cr: bool,
    /// The line in front of the current one ended in CR alone.
    bare_cr: bool,
    /// The event has ended, but for the LF that may follow its CR.
    ended: bool,
}

/// How much of a byte order mark there is at the start of the stream.
#[derive(Debug, PartialEq, Eq)]
enum Mark {
    Open(usize),
    Decided,
}

impl Default for Mark {
    fn default() -> Self {
        Self::Open(0)
    }
}

impl Frame {
    /// Looks at the next bytes up to the end of an event, and says where behind it the next one
    /// begins; `None` if all of `bytes` belong to an event that goes on.
    pub(super) fn end(&mut self, bytes: &[u8]) -> Option<usize> {
        let mut at = self.skip_mark(bytes);
        while let Some(next) = bytes.get(at) {
            if self.ended {
                at += usize::from(*next == b'\n');
                self.bare_cr = *next != b'\n';
                self.ended = false;
                return Some(at);
            }
            if self.after_cr {
                self.after_cr = false;
                self.bare_cr = *next != b'\n';
                if !self.bare_cr {
                    at += 1;
                    continue;
                }
            }
            let Some(len) = memchr2(b'\n', b'\r', &bytes[at..]) else {
                self.in_line = true;
                return None;
            };
            let empty = len == 0 && !self.in_line;
            let cr = bytes[at + len] == b'\r';
            at += len + 1;
            self.in_line = false;
            match (empty, cr) {
                (false, true) => self.after_cr = true,
                (false, false) => self.bare_cr = false,
                (true, true) if self.bare_cr => {
                    self.after_cr = true;
                    return Some(at);
                }
                (true, true) => self.ended = true,
                (true, false) => {
                    self.bare_cr = false;
                    return Some(at);
                }
            }
        }
        None
    }

    /// Whether the bytes so far end an event, if no more come.
    pub(super) fn ended(&self) -> bool {
        self.ended
    }

    /// How many of `bytes` are the stream's byte order mark.
    fn skip_mark(&mut self, bytes: &[u8]) -> usize {
        let Mark::Open(known) = self.mark else { return 0 };
        let wanted = &BOM[known..];
        let same = wanted.iter().zip(bytes).take_while(|(a, b)| a == b).count();
        if same == wanted.len() {
            self.mark = Mark::Decided;
        } else if same == bytes.len() {
            self.mark = Mark::Open(known + same);
        } else {
            // A part of a mark is no mark but bytes of a line.
            self.in_line = known + same > 0;
            self.mark = Mark::Decided;
        }
        same
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The events, a bar behind each of them.
    fn framed(pieces: &[&[u8]]) -> String {
        let (mut frame, mut seen) = (Frame::default(), String::new());
        for piece in pieces {
            let mut rest = *piece;
            while let Some(end) = frame.end(rest) {
                seen += &format!("{}|", rest[..end].escape_ascii());
                rest = &rest[end..];
            }
            seen += &rest.escape_ascii().to_string();
        }
        if frame.ended() {
            seen.push('|');
        }
        seen
    }

    fn whole_and_in_all_cuts(text: &[u8], expected: &str) {
        assert_eq!(framed(&[text]), expected);
        for first in 0..=text.len() {
            for second in first..=text.len() {
                let pieces = [&text[..first], &text[first..second], &text[second..]];
                assert_eq!(framed(&pieces), expected, "cut at {first} and {second}");
            }
        }
    }

    #[test]
    fn an_empty_line_ends_an_event() {
        whole_and_in_all_cuts(b"a\nb\n\nc\n\n\nd", r"a\nb\n\n|c\n\n|\n|d");
        whole_and_in_all_cuts(b"a\r\nb\r\n\r\nc\r\n\r\n\r\n", r"a\r\nb\r\n\r\n|c\r\n\r\n|\r\n|");
        whole_and_in_all_cuts(b"a\rb\r\rc\r\r\rd", r"a\rb\r\r|c\r\r|\r|d");
    }

    #[test]
    fn ends_may_be_mixed() {
        whole_and_in_all_cuts(b"a\n\r\nb\r\n\nc\n\rd", r"a\n\r\n|b\r\n\n|c\n\r|d");
        whole_and_in_all_cuts(b"a\r\n\rb\n\r", r"a\r\n\r|b\n\r|");
        whole_and_in_all_cuts(b"a\r\r\nb\r\r\n\n", r"a\r\r|\nb\r\r|\n\n|");
    }

    #[test]
    fn a_byte_order_mark_is_no_line() {
        whole_and_in_all_cuts(b"\xEF\xBB\xBF\n\n", r"\xef\xbb\xbf\n|\n|");
        whole_and_in_all_cuts(b"\xEF\xBB\xBFa\n\n", r"\xef\xbb\xbfa\n\n|");
        whole_and_in_all_cuts(b"\xEF\xBB\n\n", r"\xef\xbb\n\n|");
        whole_and_in_all_cuts(b"\n\xEF\xBB\xBF\n\n", r"\n|\xef\xbb\xbf\n\n|");
    }

    #[test]
    fn an_event_in_the_style_of_the_lines_before_is_not_held_back() {
        for text in ["a\n\n", "a\r\n\r\n", "a\r\r"] {
            assert_eq!(Frame::default().end(text.as_bytes()), Some(text.len()), "{text:?}");
        }
    }
}
