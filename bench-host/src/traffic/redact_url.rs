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

impl UrlSecrets {
    /// A URL, or text that holds some, without the values of secret parameters and without user
    /// and password; and how many there were. Nothing is copied where there is none.
    ///
    /// Parameters are searched behind `?`, `#`, `&` and `;`, so in fragments too. A value goes on
    /// to the next `&` or `#`, whatever else is in it, or, where URLs are `in_brackets`, to `>`.
    pub(super) fn redact<'a>(&self, text: &'a [u8], in_brackets: bool) -> (Cow<'a, [u8]>, u64) {
        let ends = if in_brackets { &b"&#>"[..] } else { b"&#" };
        let mut out = Vec::new();
        let (mut copied, mut count) = (0, 0);
        let mut at = 0;
        let mut is_in_query = false;
        while at < text.len() {
            let secret = match text[at] {
                b'?' | b'#' => {
                    is_in_query = true;
                    self.value(text, at + 1, ends)
                }
                b'&' | b';' if is_in_query => self.value(text, at + 1, ends),
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
    fn value(&self, text: &[u8], from: usize, ends: &[u8]) -> Option<(usize, usize)> {
        let name = text[from..].iter().take_while(|byte| !b"=&#;".contains(byte)).count();
        let equals = from + name;
        if text.get(equals) != Some(&b'=') || !self.is_secret(&text[from..equals]) {
            return None;
        }
        let value = equals + 1;
        let len = text[value..].iter().take_while(|byte| !ends.contains(byte)).count();
        Some((value, value + len))
    }

    fn is_secret(&self, name: &[u8]) -> bool {
        let name = decoded(name).to_ascii_lowercase();
        let is_named = || name == "key" || is_secret(&name);
        !self.kept.contains(&name) && (self.redacted.contains(&name) || is_named())
    }
}

/// Where user and password of the authority that begins at `from` are.
fn user(text: &[u8], from: usize) -> Option<(usize, usize)> {
    let authority = text[from..].iter().take_while(|byte| !b"/?#>".contains(byte)).count();
    let at = text[from..from + authority].iter().rposition(|byte| *byte == b'@')?;
    Some((from, from + at))
}

/// A name without its percent encoding.
fn decoded(name: &[u8]) -> String {
    let mut bytes = Vec::with_capacity(name.len());
    let mut rest = name;
    while let Some((first, tail)) = rest.split_first() {
        let digits = (*first == b'%').then(|| tail.get(..2)).flatten();
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
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

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
            ("/https://u:S@a/?key=S", "/https://[redacted]@a/?key=[redacted]", 2),
        ] {
            let (owned, found) = secrets.redact(text.as_bytes(), text.starts_with('<'));
            assert_eq!(
                (String::from_utf8_lossy(&owned), found),
                (redacted.into(), count),
                "{text}"
            );
        }
        for text in
            ["/", "/key=1", "/?keys=1&q=key", "/?max_tokens=5", "https://a/@b", "//@a", "key"]
        {
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
    }
}
