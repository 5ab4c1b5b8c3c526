//! The parts of a URL that become pseudo headers.

use std::fmt::Write as _;

/// A request target, ready for `:scheme`, `:authority` and `:path`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) scheme: &'static str,
    pub(crate) authority: String,
    pub(crate) path: String,
}

/// What a URL turned out to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Url {
    /// Goes over HTTP.
    Http(Target),
    /// Never left the browser (`data:`, `blob:`, `chrome-extension:`…).
    Local,
}

impl Url {
    /// Splits an absolute URL; `None` when it has no scheme or no host.
    ///
    /// WebSocket URLs become the HTTP requests that they are, user names and fragments are dropped
    /// as a browser does, and what cannot stand in a request line is percent-encoded.
    pub(crate) fn parse(url: &str) -> Option<Self> {
        let (scheme, rest) = url.split_once(':')?;
        let scheme = match scheme.to_ascii_lowercase().as_str() {
            "http" | "ws" => "http",
            "https" | "wss" => "https",
            other => return is_scheme(other).then_some(Self::Local),
        };
        let rest = rest.strip_prefix("//")?;
        let rest = rest.split('#').next().unwrap_or_default();
        let end = rest.find(['/', '?', '\\']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        let host = authority.rsplit('@').next().unwrap_or_default();
        if host.is_empty() || host.starts_with(':') {
            return None;
        }
        let slash = if path.starts_with('/') { "" } else { "/" };
        Some(Self::Http(Target {
            scheme,
            authority: encode(&host.to_ascii_lowercase()),
            path: encode(&format!("{slash}{path}")),
        }))
    }
}

fn is_scheme(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
}

/// Percent-encodes everything but visible ASCII.
fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_graphic() {
            encoded.push(char::from(byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn http(scheme: &'static str, authority: &str, path: &str) -> Option<Url> {
        Some(Url::Http(Target { scheme, authority: authority.to_owned(), path: path.to_owned() }))
    }

    #[test]
    fn urls_come_apart() {
        for (url, expected) in [
            ("https://a.example/b?c=d#e", http("https", "a.example", "/b?c=d")),
            ("HTTP://A.example:8080", http("http", "a.example:8080", "/")),
            ("https://a.example?q", http("https", "a.example", "/?q")),
            ("https://me:pw@a.example/@x", http("https", "a.example", "/@x")),
            ("wss://[::1]:9/chat", http("https", "[::1]:9", "/chat")),
            ("http://a/ü b\r\n", http("http", "a", "/%C3%BC%20b%0D%0A")),
            ("data:text/plain,hi", Some(Url::Local)),
            ("chrome-extension://abc/x.js", Some(Url::Local)),
            ("https:///path", None),
            ("https://:80/", None),
            ("https:a", None),
            ("/relative", None),
            ("/rel:ative", None),
            ("", None),
        ] {
            assert_eq!(Url::parse(url), expected, "{url}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_taken_without_a_panic(url in "(https?://)?\\PC*") {
            if let Some(Url::Http(target)) = Url::parse(&url) {
                prop_assert!(target.path.starts_with('/'));
                prop_assert!(target.path.bytes().all(|byte| byte.is_ascii_graphic()));
            }
        }
    }
}
