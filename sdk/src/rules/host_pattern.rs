//! Hosts as a rule names them, and as a request names its own.

/// A host of `_match_domain_`.
///
/// Equal patterns match the same requests, and their order is that of last-good rules.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum HostPattern {
    /// This host, letter by letter.
    Exact(Box<str>),
    /// `*x`: hosts that end in `x`.
    Suffix(Box<str>),
    /// `x*`: hosts that begin with `x`.
    Prefix(Box<str>),
}

impl HostPattern {
    /// A star in front decides before one behind: `*x*` is the suffix `x*`, star and all.
    pub(crate) fn new(pattern: &str) -> Self {
        if let Some(suffix) = pattern.strip_prefix('*') {
            Self::Suffix(suffix.into())
        } else if let Some(prefix) = pattern.strip_suffix('*') {
            Self::Prefix(prefix.into())
        } else {
            Self::Exact(pattern.into())
        }
    }

    /// Whether it matches a host [without its port](without_port). Case counts.
    pub(crate) fn matches(&self, host: &[u8]) -> bool {
        match self {
            Self::Exact(whole) => host == whole.as_bytes(),
            Self::Suffix(suffix) => host.ends_with(suffix.as_bytes()),
            Self::Prefix(prefix) => host.starts_with(prefix.as_bytes()),
        }
    }
}

/// What stands before the last colon, unless that colon is inside of the brackets of an IPv6
/// address (RFC 3986, 3.2.2).
pub(crate) fn without_port(authority: &[u8]) -> &[u8] {
    let last = |wanted| authority.iter().rposition(|byte| *byte == wanted);
    match (last(b':'), last(b']')) {
        (Some(colon), Some(bracket)) if bracket > colon => authority,
        (Some(colon), _) => authority.get(..colon).unwrap_or(authority),
        (None, _) => authority,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_cut_off_but_not_out_of_addresses() {
        for (authority, host) in [
            ("a.com", "a.com"),
            ("a.com:8080", "a.com"),
            ("a.com:", "a.com"),
            ("a:b:80", "a:b"),
            (":80", ""),
            ("", ""),
            ("[::1]", "[::1]"),
            ("[::1]:443", "[::1]"),
            ("[::1", "[:"),
            ("]:80", "]"),
        ] {
            assert_eq!(without_port(authority.as_bytes()), host.as_bytes(), "{authority}");
        }
    }

    #[test]
    fn stars_make_suffixes_and_prefixes() {
        for (pattern, host, matches) in [
            ("a.com", "a.com", true),
            ("a.com", "A.com", false),
            ("a.com", "b.a.com", false),
            ("*.a.com", "b.a.com", true),
            ("*.a.com", "a.com", false),
            ("*a.com", "ba.com", true),
            ("*a.com", "a.com", true),
            ("a.*", "a.com", true),
            ("a.*", "b.a.com", false),
            ("*", "anything", true),
            ("*", "", true),
            ("*a*", "bab", false),
            ("*a*", "ba*", true),
            ("", "", true),
            ("", "a", false),
            ("a.com:8080", "a.com", false),
        ] {
            let found = HostPattern::new(pattern).matches(host.as_bytes());
            assert_eq!(found, matches, "{pattern} {host}");
        }
    }
}
