//! RESP, the wire format of Redis: reading commands and writing replies.
//!
//! The format is that of the Redis serialization protocol specification, version 2.

use bytes::Bytes;

/// A reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Reply {
    /// A simple string, such as `OK`.
    Status(String),
    /// An error, such as `ERR no such key`.
    Error(String),
    Integer(i64),
    /// A bulk string.
    Bulk(Bytes),
    /// The null bulk string.
    Nil,
    Array(Vec<Reply>),
}

impl Reply {
    /// The bytes that travel.
    pub(super) fn encode(&self) -> Bytes {
        let mut out = Vec::new();
        self.write(&mut out);
        out.into()
    }

    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Status(text) => line(out, b'+', text.as_bytes()),
            Self::Error(text) => line(out, b'-', text.as_bytes()),
            Self::Integer(number) => line(out, b':', number.to_string().as_bytes()),
            Self::Bulk(bytes) => {
                line(out, b'$', bytes.len().to_string().as_bytes());
                out.extend_from_slice(bytes);
                out.extend_from_slice(b"\r\n");
            }
            Self::Nil => line(out, b'$', b"-1"),
            Self::Array(replies) => {
                line(out, b'*', replies.len().to_string().as_bytes());
                for reply in replies {
                    reply.write(out);
                }
            }
        }
    }
}

/// Writes a line; a line break inside of a status or an error would end it, and becomes a space.
fn line(out: &mut Vec<u8>, kind: u8, text: &[u8]) {
    out.push(kind);
    out.extend(text.iter().map(|byte| if matches!(byte, b'\r' | b'\n') { b' ' } else { *byte }));
    out.extend_from_slice(b"\r\n");
}

/// Reads a command, which is an array of bulk strings; `None` when it is not exactly one.
pub(super) fn parse_command(query: &[u8]) -> Option<Vec<&[u8]>> {
    let (count, mut rest) = number(query, b'*')?;
    // Each word takes five bytes and more, so that a lying count costs nothing.
    if count == 0 || count > rest.len() / 5 {
        return None;
    }
    let mut words = Vec::with_capacity(count);
    for _ in 0..count {
        let (length, after) = number(rest, b'$')?;
        let (word, after) = after.split_at_checked(length)?;
        rest = after.strip_prefix(b"\r\n")?;
        words.push(word);
    }
    rest.is_empty().then_some(words)
}

/// Reads a line with a kind and a number.
fn number(bytes: &[u8], kind: u8) -> Option<(usize, &[u8])> {
    let (first, rest) = bytes.split_first()?;
    let end = memchr::memchr(b'\r', rest)?;
    let (digits, rest) = rest.split_at_checked(end)?;
    let plain = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    let number = std::str::from_utf8(digits).ok()?.parse().ok()?;
    (*first == kind && plain).then_some((number, rest.strip_prefix(b"\r\n")?))
}

/// Writes a command for the tests.
#[cfg(test)]
pub(super) fn command(words: &[&str]) -> Vec<u8> {
    let words = words.iter().map(|word| Reply::Bulk(Bytes::copy_from_slice(word.as_bytes())));
    Reply::Array(words.collect()).encode().to_vec()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn replies_are_written_as_the_specification_says() {
        let reply = Reply::Array(vec![
            Reply::Status("OK".into()),
            Reply::Error("ERR a\r\nb".into()),
            Reply::Integer(-7),
            Reply::Bulk("a\r\nb".into()),
            Reply::Bulk(Bytes::new()),
            Reply::Nil,
            Reply::Array(Vec::new()),
        ]);
        assert_eq!(
            reply.encode(),
            "*7\r\n+OK\r\n-ERR a  b\r\n:-7\r\n$4\r\na\r\nb\r\n$0\r\n\r\n$-1\r\n*0\r\n"
        );
    }

    #[test]
    fn what_is_no_command_is_refused() {
        for query in [
            "",
            "PING\r\n",
            "*0\r\n",
            "*-1\r\n",
            "*+1\r\n$4\r\nPING\r\n",
            "*1\r\n$4\r\nPING",
            "*1\r\n$5\r\nPING\r\n",
            "*1\r\n$3\r\nPING\r\n",
            "*2\r\n$4\r\nPING\r\n",
            "*1\r\n$4\r\nPING\r\n*",
            "*99999999999999999999\r\n$4\r\nPING\r\n",
            "*1\r\n$18446744073709551615\r\nPING\r\n",
        ] {
            assert_eq!(parse_command(query.as_bytes()), None, "{query:?}");
        }
    }

    proptest! {
        #[test]
        fn commands_come_back(words in prop::collection::vec(".{0,9}", 1..9)) {
            let words: Vec<_> = words.iter().map(String::as_str).collect();
            let query = command(&words);
            let read = parse_command(&query).unwrap();
            prop_assert!(read.iter().zip(&words).all(|(read, word)| *read == word.as_bytes()));
            prop_assert_eq!(read.len(), words.len());
        }

        #[test]
        fn any_bytes_are_taken_without_a_panic(query in prop::collection::vec(any::<u8>(), 0..64)) {
            parse_command(&query);
        }
    }
}
