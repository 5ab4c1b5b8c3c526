//! URLs without the secrets in their queries.

use std::{borrow::Cow, collections::BTreeSet};

use super::{redact::REDACTED, redact_names::is_secret};

/// Which query parameters are secret.
#[derive(Clone, Debug, Default)]
pub(super) struct UrlSecrets {
    /// Names in lower case that are none, whatever they say.
    pub(super) kept: BTreeSet<String>,
    /// Names in lower case that are.
    pub(super) redacted: BTreeSet<String>,
}

/// How often a URL may be encoded in a parameter of another one.
const LAYERS: u32 = 4;

impl UrlSecrets {
    /// A URL, or text that holds some, without the values of secret parameters and without user
    /// and password; and how many there were. Nothing is copied where there is none.
    ///
    /// Parameters are searched behind `?`, `#`, `&` and `;`, so in fragments and paths too. A value
    /// goes on to the next `&` or `#`, whatever else is in it, or, where URLs are `in_brackets`, to
    /// `>`; before a query it ends with the path. A parameter that holds a URL with a secret in it,
    /// percent-encoded up to [`LAYERS`] times, is secret as a whole.
    pub(super) fn redact<'a>(&self, text: &'a [u8], in_brackets: bool) -> (Cow<'a, [u8]>, u64) {
        self.search(text, in_brackets, LAYERS)
    }

    fn search<'a>(&self, text: &'a [u8], in_brackets: bool, layers: u32) -> (Cow<'a, [u8]>, u64) {
        let ends = if in_brackets { &b"&#>?"[..] } else { b"&#?" };
        let (in_query, in_path) = (&ends[..ends.len() - 1], ends);
        let mut out = Vec::new();
        let (mut copied, mut count) = (0, 0);
        let mut at = 0;
        let mut is_in_query = false;
        while at < text.len() {
            let secret = match text[at] {
                b'?' | b'#' => {
                    is_in_query = true;
                    self.value(text, at + 1, in_query, layers)
                }
                b'&' if is_in_query => self.value(text, at + 1, in_query, layers),
                b';' => {
                    self.value(text, at + 1, if is_in_query { in_query } else { in_path }, layers)
                }
                b'>' if in_brackets => {
                    is_in_query = false;
                    None
                }
                b':' if text[at..].starts_with(b"://") => user(text, at + 3),
                _ => None,
            };
            match secret {
                Some((from, to)) => {
                    out.extend_from_slice(&text[copied..from]);
                    out.extend_from_slice(REDACTED.as_bytes());
                    (copied, at) = (to, to);
                    count += 1;
                }
                None => at += 1,
            }
        }
        if count == 0 {
            return (Cow::Borrowed(text), 0);
        }
        out.extend_from_slice(&text[copied..]);
        (Cow::Owned(out), count)
    }

    /// Where the secret value of the parameter that begins at `from` is.
    fn value(&self, text: &[u8], from: usize, ends: &[u8], layers: u32) -> Option<(usize, usize)> {
        let name = text[from..].iter().take_while(|byte| !b"=&#;".contains(byte)).count();
        let equals = from + name;
        if text.get(equals) != Some(&b'=') {
            return None;
        }
        let value = &text[equals + 1..];
        let len = |ends: &[u8]| value.iter().take_while(|byte| !ends.contains(byte)).count();
        let is_secret = self.verdict(&text[from..equals]).unwrap_or_else(|| {
            // Behind one of these the next look begins, so that no byte is looked at twice.
            self.hides(&value[..len(b"?#&;")], layers)
        });
        is_secret.then(|| (equals + 1, equals + 1 + len(ends)))
    }

    /// What a parameter's name says of its value; `None` is nothing.
    fn verdict(&self, name: &[u8]) -> Option<bool> {
        let name = String::from_utf8_lossy(&decoded(name)).trim().to_ascii_lowercase();
        if self.kept.contains(&name) {
            return Some(false);
        }
        let is_named = || name == "key" || name == "pass" || is_secret(&name);
        (self.redacted.contains(&name) || is_named()).then_some(true)
    }

    /// Whether a value holds a URL with a secret in it, percent-encoded.
    fn hides(&self, value: &[u8], layers: u32) -> bool {
        if layers == 0 || !value.contains(&b'%') {
            return false;
        }
        let value = decoded(value);
        self.search(&value, false, layers - 1).1 > 0 || self.hides(&value, layers - 1)
    }
}

/// Where user and password of the authority that begins at `from` are.
fn user(text: &[u8], from: usize) -> Option<(usize, usize)> {
    let authority = text[from..].iter().take_while(|byte| !b"/?#<> \"".contains(byte)).count();
    let at = text[from..from + authority].iter().rposition(|byte| *byte == b'@')?;
    Some((from, from + at))
}

/// A text without its percent encoding.
fn decoded(text: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((first, tail)) = rest.split_first() {
        let digits = (*first == b'%').then(|| tail.get(..2)).flatten();
        let digits = digits.filter(|digits| digits.iter().all(u8::is_ascii_hexdigit));
        let digits = digits.and_then(|digits| std::str::from_utf8(digits).ok());
        match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &tail[2..];
            }
            None => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn long_and_hostile_texts_take_no_longer_than_others() {
        for piece in ["?a=%25", ";a=%", "&a=%3f%3b", "://@", ";key", "%2525253b"] {
            let text = piece.repeat(100_000);
            UrlSecrets::default().redact(text.as_bytes(), false);
        }
    }

    #[test]
    fn secrets_go_and_the_rest_stays() {
        let mut secrets = UrlSecrets::default();
        secrets.redacted.insert("tenant".to_owned());
        for (text, redacted, count) in [
            ("/a?key=S", "/a?key=[redacted]", 1),
            ("/a?q=1&access_token=S&x", "/a?q=1&access_token=[redacted]&x", 1),
            ("/?token=S&token=S", "/?token=[redacted]&token=[redacted]", 2),
            ("/?api%5Fkey=S", "/?api%5Fkey=[redacted]", 1),
            ("/?Tenant=S", "/?Tenant=[redacted]", 1),
            ("/?a=1;sig=S", "/?a=1;sig=[redacted]", 1),
            ("/?key=", "/?key=[redacted]", 1),
            ("https://a/cb#id_token=S&state=1", "https://a/cb#id_token=[redacted]&state=1", 1),
            ("https://u:S@a/?b", "https://[redacted]@a/?b", 1),
            ("</a?key=S>; rel=next, </b>", "</a?key=[redacted]>; rel=next, </b>", 1),
            ("5; url=https://a/?jwt=S", "5; url=https://a/?jwt=[redacted]", 1),
            ("/?key=a;b,c/d?e>\" f", "/?key=[redacted]", 1),
            ("/?ids=1,2;key=S", "/?ids=1,2;key=[redacted]", 1),
            ("/a;jsessionid=S/b?x=1", "/a;jsessionid=[redacted]?x=1", 1),
            ("a; password=S", "a; password=[redacted]", 1),
            ("/?to=https%3A%2F%2Fa%2F%3Ftoken%3DS&x=1", "/?to=[redacted]&x=1", 1),
            ("/?to=https%253A%252F%252Fu%253AS%2540a&x=1", "/?to=[redacted]&x=1", 1),
            ("/?to=https://a/?token=S", "/?to=https://a/?token=[redacted]", 1),
            ("/https://u:S@a/?key=S", "/https://[redacted]@a/?key=[redacted]", 2),
        ] {
            let (owned, found) = secrets.redact(text.as_bytes(), text.starts_with('<'));
            assert_eq!(
                (String::from_utf8_lossy(&owned), found),
                (redacted.into(), count),
                "{text}"
            );
        }
        for text in [
            "/",
            "/key=1",
            "/?keys=1&q=key",
            "/?max_tokens=5",
            "https://a/@b",
            "//@a",
            "key",
            "/?to=%2Fa%3Fb%3D1",
            "{\"a\":\"http://a\",\"b\":\"c@d\"}",
        ] {
            let (Cow::Borrowed(_), 0) = secrets.redact(text.as_bytes(), false) else {
                panic!("{text}")
            };
        }
    }

    proptest! {
        #[test]
        fn no_value_of_a_secret_survives(
            before in "[a-z=&%?#/;, ]{0,12}",
            secret in "[A-Z@:/?;=,%+.~> \"-]{1,20}",
            after in "(&[a-z=&]{0,8})?",
        ) {
            let text = format!("/{before}?key=<{secret}{after}");
            let (redacted, count) = UrlSecrets::default().redact(text.as_bytes(), false);
            let redacted = String::from_utf8_lossy(&redacted);
            prop_assert!(count > 0);
            prop_assert!(!redacted.contains('<'), "{redacted}");
            prop_assert!(!redacted.contains(|c: char| c.is_ascii_uppercase()), "{redacted}");
        }

        #[test]
        fn no_secret_survives_in_a_url_within_a_url(
            secret in "[A-Z@:/?;=,%+.~> \"-]{1,20}",
            layers in 1..=LAYERS,
        ) {
            let text = (0..layers).fold(format!("/?a=1&key={secret}"), |text, _| {
                let encoded = text.bytes().map(|byte| match byte.is_ascii_alphanumeric() {
                    true => char::from(byte).to_string(),
                    false => format!("%{byte:02x}"),
                });
                format!("/b?to={}&c=1", encoded.collect::<String>())
            });
            let (redacted, count) = UrlSecrets::default().redact(text.as_bytes(), false);
            let redacted = String::from_utf8_lossy(&redacted);
            prop_assert_eq!((&*redacted, count), ("/b?to=[redacted]&c=1", 1));
        }
    }
}
