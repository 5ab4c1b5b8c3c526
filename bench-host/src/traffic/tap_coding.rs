//! In which of its formats Envoy's tap filter wrote a file.

/// How much of a file tells what it is.
const HEAD: usize = 4 << 10;

/// How messages are encoded, and kept apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Coding {
    /// JSON objects, one behind the other (`JSON_BODY_AS_BYTES`, `JSON_BODY_AS_STRING`).
    Json,
    /// Protobuf without lengths (`PROTO_BINARY`). A message has one field, so that messages behind
    /// one another are the fields of one.
    Binary,
    /// Protobuf, a length in front of every message (`PROTO_BINARY_LENGTH_DELIMITED`).
    Delimited,
}

impl Coding {
    /// Recognises the two binary ones by the beginning of a file.
    ///
    /// No text begins like them: within the first message there is always a byte below 32 that is
    /// no blank. The two differ in the byte behind the second length, which is either the last
    /// byte of that length or a field that the message does not have.
    pub(super) fn of_binary(head: &[u8]) -> Option<Self> {
        let head = &head[..head.len().min(HEAD)];
        let is_control = |byte: &u8| *byte < 0x20 && !byte.is_ascii_whitespace();
        if !head.iter().any(is_control) {
            return None;
        }
        if is_delimited(head) {
            return Some(Self::Delimited);
        }
        let (tag, rest) = head.split_first()?;
        let (length, rest) = varint(rest)?;
        let known: &[u8] = match tag {
            0x0a => &[0x0a, 0x12, 0x1a],
            0x12 => &[0x08, 0x12, 0x1a, 0x22, 0x2a, 0x32, 0x3a],
            0x1a | 0x22 => &[0x08, 0x0a, 0x12, 0x1a, 0x22],
            _ => return None,
        };
        let is_message = length == 0 || known.contains(rest.first()?);
        is_message.then_some(Self::Binary)
    }
}

/// A length, and behind it a message of that length whose only field fills it.
fn is_delimited(head: &[u8]) -> bool {
    let lengths = || {
        let (outer, rest) = varint(head)?;
        let (tag, rest) = rest.split_first()?;
        let (inner, after) = varint(rest)?;
        let overhead = 1 + (rest.len() - after.len()) as u64;
        Some((outer, matches!(tag, 0x0a | 0x12 | 0x1a | 0x22), inner.checked_add(overhead)?))
    };
    lengths().is_some_and(|(outer, is_field, inner)| is_field && outer == inner)
}

fn varint(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut number = 0;
    for (at, byte) in bytes.iter().take(10).enumerate() {
        number |= u64::from(byte & 0x7f).checked_shl(7 * at as u32)?;
        if byte & 0x80 == 0 {
            return Some((number, &bytes[at + 1..]));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_binary_codings_are_recognised() {
        for (head, coding) in [
            (&b"\x0a\x00"[..], Some(Coding::Binary)),
            (b"\x02\x0a\x00", Some(Coding::Delimited)),
            (b"\x12\xc5\x01\x08\x92", Some(Coding::Binary)),
            (b"\xf8\x03\x0a\xf5\x03\x0a\x8b\x02", Some(Coding::Delimited)),
            // Lengths that look like the numbers of fields.
            (b"\x0a\x0a\x08\x0a\x06", Some(Coding::Delimited)),
            (b"\x0a\x0a\x0a\x08\x0a\x06", Some(Coding::Binary)),
            (b"\x12\x12\x10\x08\x01", Some(Coding::Delimited)),
            (b"\x12\x0a\x08\x01", Some(Coding::Binary)),
            (b"", None),
            (b"\x0a", None),
            (b"{\"log\": {}}", None),
            (b"\n\n\n\n\n\n\n\n\n\n\n{}", None),
            (b"\x1f\x8b\x08\x00", None),
            (b"\0asm\x01\0\0\0", None),
        ] {
            assert_eq!(Coding::of_binary(head), coding, "{head:?}");
        }
    }

    proptest! {
        #[test]
        fn text_is_never_taken_for_protobuf(text in "[\\n\\r\\t -~é]{0,30}") {
            prop_assert_eq!(Coding::of_binary(text.as_bytes()), None);
        }

        #[test]
        fn bytes_by_chance_are_told(bytes in proptest::collection::vec(any::<u8>(), 0..20)) {
            Coding::of_binary(&bytes);
        }
    }
}
