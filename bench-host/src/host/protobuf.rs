//! Enough of the protobuf wire format for the few messages that cross the boundary.

/// A field as it lies in a message.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Field<'a> {
    /// Integers, truth values, enumerations.
    Varint(u64),
    /// Eight bytes.
    Fixed64(u64),
    /// Strings, bytes, messages.
    Bytes(&'a [u8]),
    /// Four bytes.
    Fixed32(u32),
}

/// The message is malformed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

/// The fields of a message in order, with their numbers. Groups are refused: nothing that the
/// messages here are made of has them.
pub(crate) fn fields(message: &[u8]) -> impl Iterator<Item = Result<(u64, Field<'_>), Malformed>> {
    let mut rest = message;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let field = field(&mut rest);
        if field.is_err() {
            rest = &[];
        }
        Some(field)
    })
}

fn field<'a>(rest: &mut &'a [u8]) -> Result<(u64, Field<'a>), Malformed> {
    let tag = varint(rest)?;
    // Field numbers have 29 bits, and 0 is none.
    let number = tag >> 3;
    if number == 0 || number >= 1 << 29 {
        return Err(Malformed);
    }
    let value = match tag & 7 {
        0 => Field::Varint(varint(rest)?),
        1 => Field::Fixed64(u64::from_le_bytes(array(rest)?)),
        2 => {
            let length = usize::try_from(varint(rest)?).map_err(|_| Malformed)?;
            let (bytes, after) = rest.split_at_checked(length).ok_or(Malformed)?;
            *rest = after;
            Field::Bytes(bytes)
        }
        5 => Field::Fixed32(u32::from_le_bytes(array(rest)?)),
        _ => return Err(Malformed),
    };
    Ok((number, value))
}

fn array<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], Malformed> {
    let (bytes, after) = rest.split_first_chunk().ok_or(Malformed)?;
    *rest = after;
    Ok(*bytes)
}

/// At most ten bytes of seven bits, the lowest first; bits beyond the 64th are dropped.
fn varint(rest: &mut &[u8]) -> Result<u64, Malformed> {
    let mut number = 0;
    for shift in (0..70).step_by(7) {
        let (byte, after) = rest.split_first().ok_or(Malformed)?;
        *rest = after;
        number |= u64::from(byte & 0x7f).checked_shl(shift).unwrap_or(0);
        if byte & 0x80 == 0 {
            return Ok(number);
        }
    }
    Err(Malformed)
}

/// Writes a field of bytes, a string or a message.
pub(crate) fn put_bytes(message: &mut Vec<u8>, number: u64, bytes: &[u8]) {
    put_number(message, number << 3 | 2);
    put_number(message, bytes.len() as u64);
    message.extend_from_slice(bytes);
}

/// Writes a field of a number.
pub(crate) fn put_varint(message: &mut Vec<u8>, number: u64, value: u64) {
    put_number(message, number << 3);
    put_number(message, value);
}

/// Writes a field of a floating-point number.
pub(crate) fn put_double(message: &mut Vec<u8>, number: u64, value: f64) {
    put_number(message, number << 3 | 1);
    message.extend_from_slice(&value.to_le_bytes());
}

fn put_number(message: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        message.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    message.push(number as u8);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_was_written_is_read() {
        let mut message = Vec::new();
        put_varint(&mut message, 1, u64::MAX);
        put_bytes(&mut message, 2, b"text");
        put_double(&mut message, 3, 1.5);
        let read: Vec<_> = fields(&message).collect();
        let double = Field::Fixed64(1.5_f64.to_bits());
        let expected =
            [Ok((1, Field::Varint(u64::MAX))), Ok((2, Field::Bytes(b"text"))), Ok((3, double))];
        assert_eq!(read, expected);
        for cut in [1, 5, 12, 14, 16, 20] {
            assert_eq!(fields(&message[..cut]).last(), Some(Err(Malformed)), "{cut}");
        }
    }

    #[test]
    fn what_is_no_message_is_refused() {
        let ten_bytes = [0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
        let cases: [&[u8]; 6] = [
            &[0x00, 0x00],
            &[0x0b],
            &[0x0e, 0x00],
            &[0x0a, 0x7f],
            &ten_bytes,
            &[0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
        ];
        for case in cases {
            assert!(fields(case).any(|field| field.is_err()), "{case:?}");
        }
    }

    proptest! {
        #[test]
        fn bytes_by_chance_end(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(fields(&bytes).count() <= bytes.len());
        }
    }
}
