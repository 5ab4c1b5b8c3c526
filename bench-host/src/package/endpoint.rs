//! Where something is: a host and its port, and clusters by name.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use thiserror::Error;

/// A host, by address or by name, and its port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    host: String,
    port: u16,
}

/// A cluster that a plugin calls by its name, and where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cluster {
    /// Its name, as the plugin calls it, such as `outbound|80||auth.dns`.
    pub name: String,
    /// Where it is.
    pub endpoint: Endpoint,
}

/// Why a text says no place. The command line is at fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum EndpointError {
    /// There is no colon between a host and a port.
    #[error("not a place; write HOST:PORT, such as 127.0.0.1:8080 or [::1]:8080")]
    NoPlace,
    /// What stands behind the colon is none.
    #[error("not a port from 1 to 65535")]
    Port,
    /// It is a URL.
    #[error("not a place but a URL; write HOST:PORT, without scheme and path")]
    Url,
    /// The host is neither an address nor a name.
    #[error("the host is neither an IP address nor a name of letters, digits, `-`, `_` and dots")]
    Host,
    /// A cluster has a name and a place.
    #[error("not a cluster; write NAME=HOST:PORT")]
    NoCluster,
}

impl Endpoint {
    /// The host without brackets, and whether it is an address.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Whether the host is an IP address, so that nobody has to look it up.
    #[must_use]
    pub fn is_address(&self) -> bool {
        self.host.parse::<IpAddr>().is_ok()
    }
}

impl FromStr for Endpoint {
    type Err = EndpointError;

    fn from_str(text: &str) -> Result<Self, EndpointError> {
        if text.contains("://") {
            return Err(EndpointError::Url);
        }
        let (host, port) = text.rsplit_once(':').ok_or(EndpointError::NoPlace)?;
        let port = match port.parse() {
            Ok(port) if port != 0 => port,
            _ => return Err(EndpointError::Port),
        };
        let host = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
            Some(host) if host.parse::<std::net::Ipv6Addr>().is_ok() => host,
            Some(_) => return Err(EndpointError::Host),
            None => host,
        };
        let is_name = |host: &str| {
            !host.is_empty()
                && host.bytes().all(|c| c.is_ascii_alphanumeric() || b"-_.".contains(&c))
        };
        if host.parse::<IpAddr>().is_err() && !is_name(host) {
            return Err(EndpointError::Host);
        }
        Ok(Self { host: host.to_owned(), port })
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host.contains(':') {
            true => write!(f, "[{}]:{}", self.host, self.port),
            false => write!(f, "{}:{}", self.host, self.port),
        }
    }
}

impl FromStr for Cluster {
    type Err = EndpointError;

    fn from_str(text: &str) -> Result<Self, EndpointError> {
        // Places have no `=`, and names may.
        let (name, place) = text.rsplit_once('=').ok_or(EndpointError::NoCluster)?;
        if name.is_empty() {
            return Err(EndpointError::NoCluster);
        }
        Ok(Self { name: name.to_owned(), endpoint: place.parse()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_addresses_and_names() {
        for (text, host, address) in [
            ("127.0.0.1:8080", "127.0.0.1", true),
            ("[::1]:8080", "::1", true),
            ("up-stream.example:8080", "up-stream.example", false),
        ] {
            let endpoint: Endpoint = text.parse().unwrap();
            assert_eq!((endpoint.host(), endpoint.port()), (host, 8080));
            assert_eq!(endpoint.is_address(), address);
            assert_eq!(endpoint.to_string(), text);
        }
    }

    #[test]
    fn what_is_no_place_is_refused() {
        for (text, error) in [
            ("", EndpointError::NoPlace),
            ("localhost", EndpointError::NoPlace),
            ("localhost:", EndpointError::Port),
            ("localhost:0", EndpointError::Port),
            ("localhost:65536", EndpointError::Port),
            ("http://127.0.0.1:80", EndpointError::Url),
            ("http://a.example", EndpointError::Url),
            (":80", EndpointError::Host),
            ("[localhost]:80", EndpointError::Host),
            ("a b:80", EndpointError::Host),
            ("a\n:80", EndpointError::Host),
        ] {
            assert_eq!(text.parse::<Endpoint>(), Err(error), "{text:?}");
        }
    }

    #[test]
    fn a_cluster_has_a_name_and_a_place() {
        let cluster: Cluster = "outbound|80||a=b.dns=127.0.0.1:8081".parse().unwrap();
        assert_eq!(cluster.name, "outbound|80||a=b.dns");
        assert_eq!(cluster.endpoint.to_string(), "127.0.0.1:8081");
        assert_eq!("=127.0.0.1:1".parse::<Cluster>(), Err(EndpointError::NoCluster));
        assert_eq!("127.0.0.1:1".parse::<Cluster>(), Err(EndpointError::NoCluster));
        assert_eq!("a=127.0.0.1".parse::<Cluster>(), Err(EndpointError::NoPlace));
    }
}
