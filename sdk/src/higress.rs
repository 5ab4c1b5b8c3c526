//! What Higress alone has: choosing the endpoint of the upstream that a request goes to.
//!
//! The host's functions behind this module exist nowhere else, and a module that names one of them
//! does not load elsewhere. They are linked into plugins that use them and into no others; such a
//! plugin should say [`Host::Higress`](crate::Host::Higress), so that the proxy's error names the
//! ABI and not a missing import.
//!
//! What other hosts answer with a typed error is where it belongs: `keep_route` and
//! `set_buffer_limit` of [`RequestHeaders`].

use crate::abi::host;
use crate::abi::pairs::Pairs;
use crate::error::Result;
use crate::http::RequestHeaders;

/// The endpoints of the cluster that the request's route leads to: each one's address
/// (`10.0.0.7:8080`), and as a JSON object what the proxy knows of it, with `health_status` and
/// `metrics`. Empty when there is no cluster, or no endpoint in it.
///
/// ```no_run
/// use chunkwise::higress;
/// use chunkwise::http::{HeadersAction, RequestHeaders};
///
/// # fn request_headers(headers: &RequestHeaders<'_>) -> chunkwise::Result<HeadersAction> {
/// let mut endpoints = higress::upstream_hosts(headers)?;
/// let local = endpoints.find(|(address, _)| address.starts_with(b"10.0."));
/// if let Some((address, _)) = local {
///     higress::set_upstream_host(headers, address)?;
/// }
/// # Ok(HeadersAction::Continue)
/// # }
/// ```
///
/// # Cost
/// One host call, for which the proxy puts the whole list together; nothing is allocated here.
///
/// # Errors
/// The host's, and [`Error::MalformedMap`](crate::Error::MalformedMap) for a list that is none.
pub fn upstream_hosts<'a>(headers: &RequestHeaders<'a>) -> Result<Pairs<'a>> {
    Pairs::parse(host::upstream_hosts(headers.scope())?)
}

/// Sends the request to the endpoint `address` of its cluster, whatever the load balancer would
/// choose. The proxy ignores an address that the cluster does not have.
///
/// # Cost
/// One host call.
///
/// # Errors
/// The host's.
pub fn set_upstream_host(_headers: &RequestHeaders<'_>, address: impl AsRef<[u8]>) -> Result<()> {
    host::set_upstream_host(address.as_ref())
}
