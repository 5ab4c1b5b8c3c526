//! What an event says: its fields.

use memchr::{memchr, memchr2};

use super::frame::BOM;

/// One event of an event stream: what a reader would get, and the bytes it was made of.
///
/// Everything up to and with an empty line is an event here, so that nothing of a stream is left
/// out; readers are told only of those that have [`data`](Self::data).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Event<'a> {
    /// What readers listen for: the last field `event`, and `message` if there is none or it is
    /// empty.
    pub name: &'a [u8],
    /// The fields `data`, joined by LF. `None` if there is no such field, which is to say that
    /// readers are not told: comments that keep a connection alive, a lone `retry` or `id`.
    pub data: Option<&'a [u8]>,
    /// The last field `id`, unless it has a NUL, which readers ignore. For them it stays in force
    /// until another event has one; here only the event that has it tells.
    pub id: Option<&'a [u8]>,
    /// The last field `retry` that is a number: how long readers wait before they connect again,
    /// in milliseconds.
    pub retry: Option<u64>,
    /// All bytes of the event, with the empty line that ends it. The raw bytes of all events, and
    /// what [`finish`](super::Events::finish) returns, are the stream.
    pub raw: &'a [u8],
}

impl<'a> Event<'a> {
    /// Reads the fields; `joined` holds the data if there are several fields of it.
    pub(super) fn parse(raw: &'a [u8], first: bool, joined: &'a mut Vec<u8>) -> Self {
        let mut event = Event { name: b"", data: None, id: None, retry: None, raw };
        let mut several = false;
        let mut rest = if first { raw.strip_prefix(BOM).unwrap_or(raw) } else { raw };
        while !rest.is_empty() {
            let line;
            // The LF of a CRLF counts as an empty line, and an empty line as none.
            (line, rest) = cut(rest, memchr2(b'\n', b'\r', rest));
            let (field, value) = cut(line, memchr(b':', line));
            let value = value.strip_prefix(b" ").unwrap_or(value);
            match field {
                b"data" => match event.data {
                    None => event.data = Some(value),
                    Some(first) => {
                        if !several {
                            several = true;
                            joined.clear();
                            joined.extend_from_slice(first);
                        }
                        joined.push(b'\n');
                        joined.extend_from_slice(value);
                    }
                },
                b"event" => event.name = value,
                b"id" if memchr(0, value).is_none() => event.id = Some(value),
                b"retry" => event.retry = number(value).or(event.retry),
                // A comment, whose field is empty, or a field that means nothing.
                _ => {}
            }
        }
        if several {
            event.data = Some(joined);
        }
        if event.name.is_empty() {
            event.name = b"message";
        }
        event
    }
}

/// What is in front of a place and what is behind it.
fn cut(bytes: &[u8], place: Option<usize>) -> (&[u8], &[u8]) {
    let Some(place) = place else { return (bytes, &[]) };
    (&bytes[..place], &bytes[place + 1..])
}

/// A number in ASCII digits; one that is too large is as large as can be.
fn number(digits: &[u8]) -> Option<u64> {
    let number = digits.iter().try_fold(0_u64, |number, digit| {
        let digit = digit.is_ascii_digit().then(|| u64::from(digit - b'0'))?;
        Some(number.saturating_mul(10).saturating_add(digit))
    });
    number.filter(|_| !digits.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(raw: &str, test: impl Fn(Event<'_>)) {
        for ends in ["\n", "\r\n", "\r"] {
            test(Event::parse(raw.replace('\n', ends).as_bytes(), true, &mut b"old".to_vec()));
        }
    }

    fn data(raw: &str, expected: Option<&str>) {
        check(raw, |event| assert_eq!(event.data, expected.map(str::as_bytes), "{raw:?}"));
    }

    #[test]
    fn data_is_joined_and_one_space_is_taken_off() {
        data("data: a\n\n", Some("a"));
        data("data:a\n\n", Some("a"));
        data("data:  a \n\n", Some(" a "));
        data("data:\ta:b\n\n", Some("\ta:b"));
        data("data: a\nx: y\ndata:\ndata\ndata: b\n\n", Some("a\n\n\nb"));
        // The standard's own examples: one event of empty data, one of a line end.
        data("data\n\n", Some(""));
        data("data\ndata\n\n", Some("\n"));
    }

    #[test]
    fn without_data_readers_are_not_told() {
        data("\n", None);
        data(": ping\n\n", None);
        data("event: x\nid: 1\n\n", None);
        data("Data: x\n data: x\ndata : x\n\n", None);
    }

    #[test]
    fn the_last_of_the_other_fields_counts() {
        check("event: a\nevent: b\nid: 1\nid: 2\nretry: 5\nretry: 6\n\n", |event| {
            assert_eq!((event.name, event.id, event.retry), (&b"b"[..], Some(&b"2"[..]), Some(6)));
        });
        check("event: a\nevent\nid: 1\nid: \0\nretry: 5\nretry: -6\nretry\n\n", |event| {
            assert_eq!(event.name, b"message");
            assert_eq!((event.id, event.retry), (Some(&b"1"[..]), Some(5)));
        });
        check("id\nretry: 99999999999999999999\n\n", |event| {
            assert_eq!((event.id, event.retry), (Some(&b""[..]), Some(u64::MAX)));
        });
    }

    #[test]
    fn a_byte_order_mark_counts_only_once_and_at_the_start() {
        let mut joined = Vec::new();
        let marked = b"\xEF\xBB\xBFdata: a\n\n";
        assert_eq!(Event::parse(marked, true, &mut joined).data, Some(&b"a"[..]));
        assert_eq!(Event::parse(marked, false, &mut joined).data, None);
        let twice = b"\xEF\xBB\xBF\xEF\xBB\xBFdata: a\n\n";
        assert_eq!(Event::parse(twice, true, &mut joined).data, None);
    }
}
