//! The URL that an author writes, split into what goes into `:authority` and `:path`.

/// Where a call goes, borrowed from the URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Target<'a> {
    /// Host and port, where the URL names them.
    pub(crate) authority: Option<&'a str>,
    /// `/` where the URL's path lacks it.
    pub(crate) slash: &'static str,
    /// Path and query, byte for byte.
    pub(crate) path: &'a str,
}

/// What is wrong with a URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UrlError {
    /// A blank, a line break, or another control character: escape it (`%20`).
    #[error("has a blank or a control character, which must be escaped")]
    Control,
    /// The URL begins with a scheme other than `http` and `https`.
    #[error("has a scheme other than http and https")]
    Scheme,
    /// A scheme, and no host behind it.
    #[error("has no host")]
    NoHost,
    /// User and password in front of the host (RFC 9110, 4.2.4): send an `authorization` header.
    #[error("has a user in front of its host; send an authorization header instead")]
    UserInfo,
    /// The host has characters that no host has. Names in other scripts are written in ASCII
    /// (`xn--…`).
    #[error("has characters in its host that no host has")]
    Host,
    /// The port is no number from 1 to 65535.
    #[error("has a port that is no number from 1 to 65535")]
    Port,
}

impl<'a> Target<'a> {
    /// Splits `/path?query`, `path`, `?query` or `http(s)://host:port/path?query`; drops a
    /// `#fragment`.
    ///
    /// Only a scheme makes a host: `//host/x` is a path with two slashes, so that a path which came
    /// from a client never chooses where a call goes.
    pub(crate) fn parse(url: &'a str) -> Result<Self, UrlError> {
        if url.bytes().any(|byte| byte <= b' ' || byte == 0x7f) {
            return Err(UrlError::Control);
        }
        let url = url.split_once('#').map_or(url, |(url, _fragment)| url);
        let (authority, path) = match split_scheme(url) {
            None => (None, url),
            Some((scheme, rest)) => {
                if !scheme.eq_ignore_ascii_case("http") && !scheme.eq_ignore_ascii_case("https") {
                    return Err(UrlError::Scheme);
                }
                let end = rest.find(['/', '?']).unwrap_or(rest.len());
                let (authority, path) = rest.split_at(end);
                check_authority(authority)?;
                (Some(authority), path)
            }
        };
        let slash = if path.starts_with('/') { "" } else { "/" };
        Ok(Self { authority, slash, path })
    }
}

/// `scheme` and what follows `://`, if a URL begins with a scheme (RFC 3986, 3.1).
fn split_scheme(url: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = url.split_once("://")?;
    let is_scheme = scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'));
    is_scheme.then_some((scheme, rest))
}

/// Whether `authority` is a host and perhaps a port (RFC 3986, 3.2, without user information).
pub(crate) fn check_authority(authority: &str) -> Result<(), UrlError> {
    if authority.contains('@') {
        return Err(UrlError::UserInfo);
    }
    let (host, port) = if let Some(rest) = authority.strip_prefix('[') {
        let (literal, behind) = rest.split_once(']').ok_or(UrlError::Host)?;
        if !literal.bytes().all(is_ip_literal) || !literal.contains(':') {
            return Err(UrlError::Host);
        }
        match behind.strip_prefix(':') {
            _ if behind.is_empty() => (literal, None),
            Some(port) => (literal, Some(port)),
            None => return Err(UrlError::Host),
        }
    } else {
        let (host, port) =
            authority.split_once(':').map_or((authority, None), |(h, p)| (h, Some(p)));
        if !host.bytes().all(is_reg_name) {
            return Err(UrlError::Host);
        }
        (host, port)
    };
    if host.is_empty() {
        return Err(UrlError::NoHost);
    }
    match port {
        Some(port) if !is_port(port) => Err(UrlError::Port),
        _ => Ok(()),
    }
}

fn is_port(port: &str) -> bool {
    // `parse` takes a plus sign, a URL does not.
    port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok_and(|port| port > 0)
}

/// The characters of a registered name: RFC 3986, 3.2.2.
fn is_reg_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~%!$&'()*+,;=".contains(&byte)
}

/// The characters of an IPv6 address, a zone (RFC 6874) included.
fn is_ip_literal(byte: u8) -> bool {
    byte.is_ascii_hexdigit() || byte == b':' || is_reg_name(byte)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn split(url: &str) -> Result<(Option<&str>, String), UrlError> {
        Target::parse(url)
            .map(|target| (target.authority, format!("{}{}", target.slash, target.path)))
    }

    #[test]
    fn urls_and_their_pieces() {
        for (url, authority, path) in [
            ("/path?query", None, "/path?query"),
            ("path", None, "/path"),
            ("", None, "/"),
            ("?q", None, "/?q"),
            ("#top", None, "/"),
            ("/a#b?c", None, "/a"),
            ("/a?b?c#d#e", None, "/a?b?c"),
            ("/a%2Fb%20?c=%26", None, "/a%2Fb%20?c=%26"),
            ("/ä/日本", None, "/ä/日本"),
            ("//host/x", None, "//host/x"),
            ("///", None, "///"),
            ("/to?u=http://other/", None, "/to?u=http://other/"),
            ("to?u=http://other/", None, "/to?u=http://other/"),
            ("a:b", None, "/a:b"),
            ("*", None, "/*"),
            ("http://host", Some("host"), "/"),
            ("http://host/", Some("host"), "/"),
            ("HTTPS://Host:8443/x?y#z", Some("Host:8443"), "/x?y"),
            ("http://host?q", Some("host"), "/?q"),
            ("http://host#f", Some("host"), "/"),
            ("http://host//x", Some("host"), "//x"),
            ("http://a_b.svc.cluster.local:80", Some("a_b.svc.cluster.local:80"), "/"),
            ("http://[::1]", Some("[::1]"), "/"),
            ("http://[2001:db8::1]:80/x", Some("[2001:db8::1]:80"), "/x"),
            ("http://host/@x:y", Some("host"), "/@x:y"),
        ] {
            assert_eq!(split(url), Ok((authority, path.to_owned())), "{url}");
        }
    }

    #[test]
    fn urls_that_are_refused() {
        for (url, error) in [
            ("/a b", UrlError::Control),
            ("/a\r\nx: y", UrlError::Control),
            ("/\0", UrlError::Control),
            ("/\x7f", UrlError::Control),
            ("/a#\n", UrlError::Control),
            ("ftp://host/", UrlError::Scheme),
            ("http://", UrlError::NoHost),
            ("http:///x", UrlError::NoHost),
            ("http://:80/x", UrlError::NoHost),
            ("http://?q", UrlError::NoHost),
            ("http://user@host/", UrlError::UserInfo),
            ("http://user:secret@host:1/", UrlError::UserInfo),
            ("http://hö/", UrlError::Host),
            ("http://a\\b/", UrlError::Host),
            ("http://a|b/", UrlError::Host),
            ("http://[::1/", UrlError::Host),
            ("http://[::1]x/", UrlError::Host),
            ("http://[]/", UrlError::Host),
            ("http://::1/", UrlError::NoHost),
            ("http://host:/", UrlError::Port),
            ("http://host:0/", UrlError::Port),
            ("http://host:65536/", UrlError::Port),
            ("http://host:+80/", UrlError::Port),
            ("http://host:80:80/", UrlError::Port),
        ] {
            assert_eq!(split(url), Err(error), "{url}");
        }
    }

    /// The same pieces, found letter by letter.
    fn naive(url: &str) -> (Option<String>, String) {
        let mut rest: Vec<char> = url.chars().take_while(|letter| *letter != '#').collect();
        let mut authority = None;
        for scheme in ["http://", "https://"] {
            let begins: String = rest.iter().take(scheme.len()).collect();
            if begins.to_lowercase() == scheme {
                rest.drain(..scheme.len());
                let host: String = rest.iter().take_while(|c| **c != '/' && **c != '?').collect();
                rest.drain(..host.chars().count());
                authority = Some(host);
                break;
            }
        }
        if rest.first() != Some(&'/') {
            rest.insert(0, '/');
        }
        (authority, rest.into_iter().collect())
    }

    proptest! {
        #[test]
        fn pieces_are_those_that_a_letter_by_letter_reading_finds(
            url in "(https?://|HTTP://|//|/|)([a-z:/?#%@\\[\\]ä. ]|//|%2F){0,12}",
        ) {
            match split(&url) {
                Ok((authority, path)) => {
                    prop_assert_eq!((authority.map(str::to_owned), path), naive(&url));
                }
                Err(UrlError::Control) => prop_assert!(url.contains(' ')),
                Err(UrlError::Scheme) => {
                    prop_assert!(url.contains("://") && naive(&url).0.is_none());
                }
                Err(_) => prop_assert!(naive(&url).0.is_some(), "only hosts are refused"),
            }
        }

        #[test]
        fn what_is_accepted_breaks_no_line_and_names_a_host(url in any::<String>()) {
            if let Ok((authority, path)) = split(&url) {
                prop_assert!(path.starts_with('/'));
                prop_assert!(!path.bytes().any(|byte| byte <= b' ' || byte == b'#'));
                prop_assert!(authority.is_none_or(|host| !host.is_empty() && host.is_ascii()));
            }
        }
    }
}
