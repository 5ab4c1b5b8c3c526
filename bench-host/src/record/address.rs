//! The address of an upstream.

use std::{fmt, str::FromStr};

use hyper::{Uri, http::uri::Authority};
use thiserror::Error;

/// Host and port of an upstream without TLS, parsed from a URL such as `http://127.0.0.1:8080`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpstreamAddress(Authority);

/// Why a URL is no upstream; the fault is the user's.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum AddressError {
    /// It is no URL with a host.
    #[error("not a URL such as http://127.0.0.1:8080")]
    NotAUrl,
    /// There is more than host and port.
    #[error("only scheme, host and port are taken: paths and queries pass as they come")]
    TooMuch,
    /// It asks for TLS.
    #[error(
        "an upstream is spoken to without TLS: name its port without TLS, or put a proxy in \
         between that adds TLS"
    )]
    Tls,
}

impl UpstreamAddress {
    /// The host; an IPv6 address without its brackets.
    pub fn host(&self) -> &str {
        let host = self.0.host();
        host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)
    }

    /// The port, 80 where the URL names none.
    pub fn port(&self) -> u16 {
        self.0.port_u16().unwrap_or(80)
    }

    /// As the URL has it.
    pub(super) fn authority(&self) -> &Authority {
        &self.0
    }
}

impl fmt::Display for UpstreamAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}", self.0)
    }
}

impl FromStr for UpstreamAddress {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let parts = text.parse::<Uri>().map_err(|_| AddressError::NotAUrl)?.into_parts();
        let (Some(scheme), Some(authority)) = (parts.scheme, parts.authority) else {
            return Err(AddressError::NotAUrl);
        };
        match scheme.as_str() {
            "http" => {}
            "https" => return Err(AddressError::Tls),
            _ => return Err(AddressError::NotAUrl),
        }
        let has_path = parts.path_and_query.is_some_and(|path| path.as_str() != "/");
        if has_path || authority.as_str().contains('@') {
            return Err(AddressError::TooMuch);
        }
        let port_is_odd = authority.port_u16().is_none()
            && authority.as_str().trim_end_matches(|c: char| c.is_ascii_digit()).ends_with(':');
        if authority.host().is_empty() || (port_is_odd && !authority.as_str().ends_with(']')) {
            return Err(AddressError::NotAUrl);
        }
        Ok(Self(authority))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_and_ports() {
        for (text, host, port) in [
            ("http://127.0.0.1:8080", "127.0.0.1", 8080),
            ("http://localhost/", "localhost", 80),
            ("HTTP://[::1]:9", "::1", 9),
            ("http://[::1]", "::1", 80),
        ] {
            let address: UpstreamAddress = text.parse().unwrap();
            assert_eq!((address.host(), address.port()), (host, port), "{text}");
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for (text, error) in [
            ("", AddressError::NotAUrl),
            ("localhost:8080", AddressError::NotAUrl),
            ("127.0.0.1", AddressError::NotAUrl),
            ("ftp://a", AddressError::NotAUrl),
            ("http://a:99999", AddressError::NotAUrl),
            ("http://:80", AddressError::NotAUrl),
            ("https://a", AddressError::Tls),
            ("http://a/b", AddressError::TooMuch),
            ("http://a/?b", AddressError::TooMuch),
            ("http://u:p@a", AddressError::TooMuch),
        ] {
            assert_eq!(text.parse::<UpstreamAddress>(), Err(error), "{text}");
        }
    }
}
