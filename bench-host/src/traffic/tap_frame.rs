//! Where in a file of Envoy's tap filter one message ends and the next one begins.

use std::io::{self, BufRead, Read as _};

use bytes::Bytes;

use super::{
    tap_coding::Coding,
    tap_scan::{Scan, position},
};

/// One message as it lies in the file.
#[derive(Debug)]
pub(super) struct Frame {
    pub(super) bytes: Bytes,
    /// Where it begins in the file.
    pub(super) at: u64,
    /// The line in which it begins, from 1, and how many bytes of the line are before it; JSON
    /// only.
    pub(super) line: usize,
    pub(super) column: usize,
}

/// Why there is no next message.
#[derive(Debug)]
pub(super) enum Broken {
    Io(io::Error),
    /// Where, and what is wrong.
    At(u64, String),
}

impl From<io::Error> for Broken {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Takes a file apart; one message is in memory at a time.
pub(super) struct Frames {
    input: Box<dyn BufRead + Send>,
    coding: Coding,
    longest: u64,
    at: u64,
    line: usize,
    column: usize,
}

impl Frames {
    /// `longest` is the length of the longest message that is taken.
    pub(super) fn new(input: Box<dyn BufRead + Send>, coding: Coding, longest: u64) -> Self {
        Self { input, coding, longest, at: 0, line: 1, column: 0 }
    }

    /// The next message; `None` at the end of the file.
    pub(super) fn next(&mut self) -> Result<Option<Frame>, Broken> {
        match self.coding {
            Coding::Json => self.object(),
            Coding::Binary => self.field(),
            Coding::Delimited => self.delimited(),
        }
    }

    /// Reads from one `{` to its `}`. An object that does not end is given as far as it goes, for
    /// the parser to say where.
    fn object(&mut self) -> Result<Option<Frame>, Broken> {
        let Some(first) = self.skip_blank()? else {
            return Ok(None);
        };
        let (at, line, column) = (self.at, self.line, self.column);
        if first != b'{' {
            let what = format!("a JSON object was expected, not `{}`", first.escape_ascii());
            return Err(Broken::At(at, what));
        }
        let mut object = Vec::new();
        let mut scan = Scan::default();
        loop {
            let buffer = self.input.fill_buf()?;
            let end = scan.end(buffer);
            let taken = &buffer[..end.unwrap_or(buffer.len())];
            object.extend_from_slice(taken);
            let count = taken.len();
            (self.line, self.column) = position((self.line, self.column), taken);
            self.at += count as u64;
            self.input.consume(count);
            if object.len() as u64 > self.longest {
                return Err(self.too_long(at, format_args!("of more than {}", self.longest)));
            }
            if end.is_some() || count == 0 {
                return Ok(Some(Frame { bytes: object.into(), at, line, column }));
            }
        }
    }

    /// Skips blanks, and a byte order mark at the beginning; the next byte stays.
    fn skip_blank(&mut self) -> io::Result<Option<u8>> {
        loop {
            let buffer = self.input.fill_buf()?;
            let mark = if self.at == 0 && buffer.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
            let rest = &buffer[mark..];
            let blank = rest.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
            let next = rest.get(blank).copied();
            (self.line, self.column) = position((self.line, self.column), &rest[..blank]);
            let count = mark + blank;
            self.at += count as u64;
            self.input.consume(count);
            if next.is_some() || count == 0 {
                return Ok(next);
            }
        }
    }

    /// Reads one field, which is as good as a message that has only this one.
    fn field(&mut self) -> Result<Option<Frame>, Broken> {
        let at = self.at;
        let mut head = Vec::new();
        let Some(tag) = self.varint(&mut head)? else {
            return Ok(None);
        };
        if tag & 7 != 2 || tag >> 3 == 0 {
            return Err(Broken::At(at, "malformed protobuf: no message begins here".to_owned()));
        }
        let length = self.length(&mut head)?;
        self.payload(at, head, length).map(Some)
    }

    fn delimited(&mut self) -> Result<Option<Frame>, Broken> {
        let at = self.at;
        match self.varint(&mut Vec::new())? {
            None => Ok(None),
            Some(length) => self.payload(at, Vec::new(), length).map(Some),
        }
    }

    fn payload(&mut self, at: u64, mut bytes: Vec<u8>, length: u64) -> Result<Frame, Broken> {
        if length > self.longest {
            return Err(self.too_long(at, format_args!("of {length}")));
        }
        // Grows with what is there, not with what is promised.
        let read = (&mut self.input).take(length).read_to_end(&mut bytes)? as u64;
        self.at += read;
        if read < length {
            let what = format!("truncated: the message has {read} of its {length} bytes");
            return Err(Broken::At(at, what));
        }
        Ok(Frame { bytes: bytes.into(), at, line: 0, column: 0 })
    }

    fn too_long(&self, at: u64, length: std::fmt::Arguments<'_>) -> Broken {
        let what = format!(
            "a message {length} bytes, where {} is the longest that is read; record with lower \
             limits of the tap's bodies",
            self.longest
        );
        Broken::At(at, what)
    }

    fn length(&mut self, head: &mut Vec<u8>) -> Result<u64, Broken> {
        let ended = Broken::At(self.at, "truncated: the file ends before a length".to_owned());
        self.varint(head)?.ok_or(ended)
    }

    /// Reads a varint, and notes its bytes; `None` at the end of the file.
    fn varint(&mut self, noted: &mut Vec<u8>) -> Result<Option<u64>, Broken> {
        let at = self.at;
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let buffer = self.input.fill_buf()?;
            let Some(&byte) = buffer.first() else {
                if shift == 0 {
                    return Ok(None);
                }
                return Err(Broken::At(at, "truncated: the file ends inside a number".to_owned()));
            };
            self.input.consume(1);
            self.at += 1;
            noted.push(byte);
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(Some(number));
            }
        }
        Err(Broken::At(at, "malformed protobuf: a number that does not end".to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use proptest::prelude::*;

    use super::*;

    /// Takes `bytes` apart, `size` bytes at a time.
    fn frames(bytes: &[u8], coding: Coding, size: usize) -> (Vec<Frame>, Option<String>) {
        let input = BufReader::with_capacity(size, io::Cursor::new(bytes.to_vec()));
        let mut frames = Frames::new(Box::new(input), coding, 100);
        let mut all = Vec::new();
        loop {
            match frames.next() {
                Ok(None) => return (all, None),
                Ok(Some(frame)) => all.push(frame),
                Err(Broken::At(at, what)) => return (all, Some(format!("{at}: {what}"))),
                Err(Broken::Io(error)) => return (all, Some(error.to_string())),
            }
        }
    }

    #[test]
    fn objects_come_apart_wherever_the_buffer_ends() {
        let text = "\u{feff}\n {\"a\": \"}\\\"{\"}{}\n\n{\"b\": {}}\r\n";
        for size in 3..40 {
            let (all, broken) = frames(text.as_bytes(), Coding::Json, size);
            let all = all.iter().map(|f| (f.at, f.line, f.column, &f.bytes[..]));
            assert_eq!(
                all.collect::<Vec<_>>(),
                [
                    (5, 2, 1, &br#"{"a": "}\"{"}"#[..]),
                    (18, 2, 14, b"{}"),
                    (22, 4, 0, br#"{"b": {}}"#),
                ]
            );
            assert_eq!(broken, None);
        }
        let (all, _) = frames(b"{\"a\": {", Coding::Json, 8);
        assert_eq!(all[0].bytes, "{\"a\": {");
        let (_, broken) = frames(b"{},", Coding::Json, 8);
        assert_eq!(broken.unwrap(), "2: a JSON object was expected, not `,`");
    }

    #[test]
    fn protobuf_comes_apart() {
        let (all, broken) = frames(b"\x0a\x00\x12\x02ab", Coding::Binary, 1);
        let all: Vec<_> = all.iter().map(|f| (f.at, &f.bytes[..])).collect();
        assert_eq!(all, [(0, &b"\x0a\x00"[..]), (2, b"\x12\x02ab")]);
        assert_eq!(broken, None);
        let (all, broken) = frames(b"\x02ab\x00", Coding::Delimited, 1);
        let all: Vec<_> = all.iter().map(|f| (f.at, &f.bytes[..])).collect();
        assert_eq!(all, [(0, &b"ab"[..]), (3, b"")]);
        assert_eq!(broken, None);
    }

    #[test]
    fn what_is_broken_is_placed() {
        let limit = "where 100 is the longest that is read; record with lower limits of the tap's \
                     bodies";
        for (bytes, coding, what) in [
            (
                &b"\x0a\x00\x12\x05ab"[..],
                Coding::Binary,
                "2: truncated: the message has 2 of its 5 bytes",
            ),
            (b"\x0a", Coding::Binary, "1: truncated: the file ends before a length"),
            (b"\x08\x01", Coding::Binary, "0: malformed protobuf: no message begins here"),
            (b"\x01a\x85", Coding::Delimited, "2: truncated: the file ends inside a number"),
            (&[0xff; 11], Coding::Delimited, "0: malformed protobuf: a number that does not end"),
            (b"\x65", Coding::Delimited, &format!("0: a message of 101 bytes, {limit}")),
            (&[b'{'; 101], Coding::Json, &format!("0: a message of more than 100 bytes, {limit}")),
        ] {
            let (_, broken) = frames(bytes, coding, 4);
            assert_eq!(broken.as_deref(), Some(what));
        }
    }

    proptest! {
        #[test]
        fn bytes_by_chance_end(
            bytes in proptest::collection::vec(any::<u8>(), 0..300),
            coding in prop_oneof![
                Just(Coding::Json), Just(Coding::Binary), Just(Coding::Delimited)
            ],
        ) {
            frames(&bytes, coding, 16);
        }
    }
}
