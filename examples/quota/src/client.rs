//! Who a client is.

use std::hash::{DefaultHasher, Hasher as _};
use std::net::{IpAddr, SocketAddr};

use chunkwise::Result;
use chunkwise::http::{HeaderName, RequestHeaders};

/// The number of the client that a request comes from, the same in all workers: by the header, or
/// by the address where the request has none.
pub fn identify(headers: &RequestHeaders<'_>, header: Option<&HeaderName>) -> Result<u64> {
    if let Some(name) = header
        && let Some(value) = headers.get(name.as_str())?.filter(|value| !value.is_empty())
    {
        return Ok(number(&("header", value)));
    }
    let address = headers.property(&["source", "address"])?;
    Ok(by_address(address.map_or(&[], |address| address.bytes())))
}

/// A client by its address, without the port. An IPv6 client is its network of 64 bits, all
/// addresses of which it can choose from (RFC 4291, 2.5.4).
fn by_address(address: &[u8]) -> u64 {
    let parsed = str::from_utf8(address).ok().and_then(|text| text.parse().ok());
    match parsed.map(|address: SocketAddr| address.ip().to_canonical()) {
        Some(IpAddr::V4(ip)) => number(&("ipv4", ip)),
        Some(IpAddr::V6(ip)) => number(&("ipv6", &ip.segments()[..4])),
        // Such as the path of a socket; those without any are one client.
        None => number(&("other", address)),
    }
}

/// Without a random seed, for workers have to agree. Whoever can choose a name that another one's
/// number belongs to could as well choose that name.
fn number(identity: &impl std::hash::Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    identity.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_and_the_lower_half_of_ipv6_make_no_other_client() {
        for (one, other, same) in [
            ("10.0.0.9:80", "10.0.0.9:4711", true),
            ("10.0.0.9:80", "10.0.0.8:80", false),
            ("[2001:db8::1]:80", "[2001:db8::ffff:2]:81", true),
            ("[2001:db8::1]:80", "[2001:db8:0:1::1]:80", false),
            ("[::ffff:10.0.0.9]:80", "10.0.0.9:80", true),
            ("/run/a.sock", "/run/b.sock", false),
            ("", "", true),
            ("", "10.0.0.9:80", false),
        ] {
            let same_number = by_address(one.as_bytes()) == by_address(other.as_bytes());
            assert_eq!(same_number, same, "{one} {other}");
        }
        assert_ne!(by_address(&[0xff]), by_address(&[0xfe]));
    }
}
