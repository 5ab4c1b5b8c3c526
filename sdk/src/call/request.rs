//! A call being put together, and what of it goes to the host.

#[cfg(test)]
mod tests;

use std::time::Duration;

use bytes::Bytes;

use super::client::Client;
use super::error::CallError;
use super::pending::Call;
use super::target::Target;
use super::wire::Headers;
use crate::abi::host;
use crate::error::Error;
use crate::http::is_token;
use crate::memory::Scope;
use crate::vm::Vm;

/// Headers that something else decides: the proxy maps `host` to `:authority`, frames the body
/// itself, and would take a length that came along from a client's request for this call's.
const RESERVED: [&[u8]; 3] = [b"host", b"content-length", b"transfer-encoding"];

/// A request to a cluster, made by a [`Client`].
///
/// ```
/// # use chunkwise::call::{Client, K8sCluster};
/// # let client = Client::new(K8sCluster::new("auth", 80));
/// let request = client.get("/check").header("x-user", "7").header("x-user", b"\xff");
/// # let _ = request;
/// ```
///
/// # Cost
/// No allocation in steady state, from the method to the host call: headers are written into the
/// wire format as they are added, in two buffers that are used again, and the body is not copied.
/// The first calls allocate those buffers, and a call with more headers than any before it grows
/// them; buffers above 16 KiB, and those of more than 8 requests that exist at once, are not kept.
/// A body allocates nothing of its own when it is `&'static`, [`Bytes`], or a `Vec` or `String`
/// without room to spare; with room, one allocation.
///
/// # Errors
/// What is wrong with a request is told when it is sent: the first thing that was. The headers that
/// cannot be given are those with a colon in front, which come from the method, the URL and the
/// cluster (the proxy sets `:scheme` itself), and `host`, `content-length` and `transfer-encoding`.
#[derive(Clone, Debug)]
#[must_use = "a request does nothing until it is sent"]
pub struct Request {
    client: Client,
    headers: Headers,
    /// How many headers the author gave.
    given: usize,
    has_authority: bool,
    body: Bytes,
    timeout: Duration,
    error: Option<CallError>,
}

/// A request as the host takes it.
#[derive(Debug)]
pub(crate) struct Encoded<'a> {
    request: Request,
    /// The cluster of the stream's route, where the call goes there.
    route: Option<&'a str>,
    /// Milliseconds.
    timeout: u32,
}

impl Request {
    pub(super) fn new(client: Client, method: &str, url: &str) -> Self {
        let timeout = client.timeout();
        let mut request = Self {
            client,
            headers: Headers::new(),
            given: 0,
            has_authority: false,
            body: Bytes::new(),
            timeout,
            error: None,
        };
        request.error = request.begin(method, url).err();
        request
    }

    /// Adds a header behind those of the same name. The name is written in lower case.
    pub fn header(mut self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Self {
        self.given += 1;
        let added = self.add(name.as_ref(), value.as_ref());
        self.error = self.error.or(added.err());
        self
    }

    /// Sets the body; the proxy adds its `content-length`.
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }

    /// Sets what is waited for at most: whole milliseconds, rounded up. The proxy then answers
    /// with 504.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Whether it could be sent, as far as that can be told without the host: what is wrong with
    /// its method, URL, headers, timeout and cluster. Free.
    ///
    /// For what a configuration names: a URL that no call can have is refused when the plugin is
    /// configured, and not with every request. [`send`](Self::send) looks at all of this itself.
    ///
    /// ```
    /// # use chunkwise::call::{Client, K8sCluster};
    /// let client = Client::new(K8sCluster::new("auth", 80));
    /// assert!(client.get("/check").header("x-user", "").check().is_ok());
    /// assert!(client.get("/a b").check().is_err());
    /// assert!(client.get("/check").header("host", "").check().is_err());
    /// ```
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn check(&self) -> Result<(), CallError> {
        match self.error {
            Some(error) => Err(error),
            None => {
                self.client.cluster().check()?;
                milliseconds(self.timeout).map(drop)
            }
        }
    }

    /// Makes a future of it, which sends it when it is awaited.
    pub fn send(self) -> Call {
        Call::new(self)
    }

    /// Checks everything, and puts together what the host is given.
    ///
    /// # Cost
    /// A cluster of the route: one host call, or two where no host was given, and for the first of a
    /// VM up to two more. Otherwise none.
    pub(crate) fn encode<'a>(
        self,
        vm: &Vm,
        scope: &'a Scope<'_>,
    ) -> Result<Encoded<'a>, CallError> {
        let client = self.client.clone();
        let cluster = client.cluster();
        self.finish(|| cluster.route_name(vm, scope), || cluster.resolve_host(scope))
    }

    /// The names are asked for when the rest is known to be right.
    fn finish<'a, 'b>(
        mut self,
        route: impl FnOnce() -> Result<Option<&'a str>, CallError>,
        host: impl FnOnce() -> Result<&'b str, CallError>,
    ) -> Result<Encoded<'a>, CallError> {
        if let Some(error) = self.error {
            return Err(error);
        }
        let timeout = milliseconds(self.timeout)?;
        let route = route()?;
        if !self.has_authority {
            self.headers.add(b":authority", &[host()?.as_bytes()])?;
        }
        self.headers.finish();
        Ok(Encoded { request: self, route, timeout })
    }

    fn begin(&mut self, method: &str, url: &str) -> Result<(), CallError> {
        check_method(method)?;
        let target = Target::parse(url)?;
        self.headers.add(b":method", &[method.as_bytes()])?;
        self.headers.add(b":path", &[target.slash.as_bytes(), target.path.as_bytes()])?;
        if let Some(authority) = target.authority {
            self.headers.add(b":authority", &[authority.as_bytes()])?;
            self.has_authority = true;
        }
        Ok(())
    }

    fn add(&mut self, name: &[u8], value: &[u8]) -> Result<(), CallError> {
        check_header(name, value, self.given)?;
        self.headers.add(name, &[value])
    }
}

impl Encoded<'_> {
    /// Sends the call; the answer is its number. One host call.
    pub(crate) fn send(&self) -> Result<u32, CallError> {
        host::http_call(self.cluster(), self.headers(), self.body(), self.timeout)
            .map_err(|error| self.refused(error))
    }

    #[cold]
    fn refused(&self, error: Error) -> CallError {
        let error = CallError::from_host(error, true);
        if error == CallError::UnknownCluster {
            // The error is too small to carry what whoever mends it needs to know.
            crate::warn!("call to the cluster {:?}: {error}", self.cluster());
        }
        error
    }

    /// The proxy's name of the cluster.
    pub(crate) fn cluster(&self) -> &str {
        // A cluster without a name of its own is that of the route.
        self.route.or_else(|| self.request.client.cluster().name()).unwrap_or_default()
    }

    /// The header map in the wire format.
    pub(crate) fn headers(&self) -> &[u8] {
        self.request.headers.bytes()
    }

    pub(crate) fn body(&self) -> &[u8] {
        &self.request.body
    }
}

/// Whether a request may have this method.
pub(crate) fn check_method(method: &str) -> Result<(), CallError> {
    if is_token(method.as_bytes()) { Ok(()) } else { Err(CallError::InvalidMethod) }
}

/// Whether an author may give this header, the `position`th one.
pub(crate) fn check_header(name: &[u8], value: &[u8], position: usize) -> Result<(), CallError> {
    let is_reserved = |reserved: &&[u8]| name.eq_ignore_ascii_case(reserved);
    if name.starts_with(b":") || RESERVED.iter().any(is_reserved) {
        return Err(CallError::ReservedHeader { position });
    }
    if !is_token(name) {
        return Err(CallError::InvalidHeaderName { position });
    }
    if value.iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0)) {
        return Err(CallError::InvalidHeaderValue { position });
    }
    Ok(())
}

/// What a host takes, which reads the number as a signed one, and 0 as no timeout.
fn milliseconds(timeout: Duration) -> Result<u32, CallError> {
    const MOST: u32 = i32::MAX.unsigned_abs();
    // Not through `as_nanos`: dividing 128 bits is a long routine in a module.
    let beyond = u64::from(timeout.subsec_nanos().div_ceil(1_000_000));
    let rounded = timeout.as_secs().saturating_mul(1000).saturating_add(beyond);
    match u32::try_from(rounded) {
        Ok(rounded @ 1..=MOST) => Ok(rounded),
        _ => Err(CallError::InvalidTimeout),
    }
}
