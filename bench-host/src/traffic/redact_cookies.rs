//! Cookies without their values.

use bytes::Bytes;

use super::redact::REDACTED;

/// Attributes of `set-cookie` (RFC 6265, 4.1.1, and those that browsers added), none of them
/// secret.
const ATTRIBUTES: [&str; 9] = [
    "domain",
    "expires",
    "httponly",
    "max-age",
    "partitioned",
    "path",
    "priority",
    "samesite",
    "secure",
];

/// `cookie`: the names stay, since plugins ask whether there is a session; with the number of
/// values.
pub(super) fn of_request(value: &[u8]) -> (Bytes, u64) {
    let pairs: Vec<_> = pieces(value).map(pair).collect();
    (pairs.join(&b"; "[..]).into(), pairs.len() as u64)
}

/// `set-cookie`: the name and known attributes stay.
pub(super) fn of_response(value: &[u8]) -> (Bytes, u64) {
    let mut secrets = 0;
    let pieces = pieces(value).enumerate().map(|(at, piece)| {
        let name = piece.split(|byte| *byte == b'=').next().unwrap_or_default().trim_ascii();
        let known = || ATTRIBUTES.iter().any(|known| name.eq_ignore_ascii_case(known.as_bytes()));
        if at > 0 && known() {
            return piece.to_vec();
        }
        secrets += 1;
        pair(piece)
    });
    let pieces: Vec<_> = pieces.collect();
    (pieces.join(&b"; "[..]).into(), secrets)
}

fn pieces(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|byte| *byte == b';').map(<[u8]>::trim_ascii)
}

/// A pair without its value; what has no proper name is all value.
fn pair(piece: &[u8]) -> Vec<u8> {
    let name = piece.iter().position(|byte| *byte == b'=').map(|at| &piece[..at]);
    let name = name.filter(|name| !name.is_empty() && name.iter().all(|byte| is_token(*byte)));
    match name {
        Some(name) => [name, b"=", REDACTED.as_bytes()].concat(),
        None => REDACTED.into(),
    }
}

/// What a name may be made of (RFC 9110, 5.6.2).
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cookies_keep_their_names() {
        for (value, redacted, count) in [
            ("a=1", "a=[redacted]", 1),
            ("a=1; b=\"2\";c=", "a=[redacted]; b=[redacted]; c=[redacted]", 3),
            ("secret", "[redacted]", 1),
            ("=secret", "[redacted]", 1),
            ("se cret=x==", "[redacted]", 1),
            ("a=x=secret", "a=[redacted]", 1),
        ] {
            assert_eq!(of_request(value.as_bytes()), (redacted.into(), count), "{value}");
        }
        assert_eq!(of_request(b"a=\xff\xfe"), ("a=[redacted]".into(), 1));
    }

    #[test]
    fn attributes_stay() {
        for (value, redacted, count) in [
            (
                "sid=S; Path=/; HttpOnly; SameSite=Lax; max-age=5",
                "sid=[redacted]; Path=/; HttpOnly; SameSite=Lax; max-age=5",
                1,
            ),
            ("path=S; x-odd=S", "path=[redacted]; x-odd=[redacted]", 2),
            ("S", "[redacted]", 1),
        ] {
            assert_eq!(of_response(value.as_bytes()), (redacted.into(), count), "{value}");
        }
    }
}
