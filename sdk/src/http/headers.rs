//! Header maps, read and changed in place in the host.

use std::ops::Deref;

use super::action::Replied;
use super::reply::Reply;
use crate::abi::pairs::Pairs;
use crate::abi::{Direction, Map, host};
use crate::error::Result;
use crate::memory::Scope;
use crate::property::{self, Property};

/// A header map that the host holds; nothing of it is fetched before it is asked for.
///
/// Values are bytes (HTTP allows more than ASCII) and are borrowed from the arena until the
/// callback ends.
///
/// # Cost
/// Every method but [`len`](Self::len) and [`is_empty`](Self::is_empty) makes one host call; none
/// allocates.
///
/// # Errors
/// A host answers `BadArgument` for a map that has already been sent on.
#[derive(Debug)]
pub struct Headers<'a> {
    scope: &'a Scope<'a>,
    map: Map,
    len: usize,
}

impl<'a> Headers<'a> {
    pub(crate) fn new(scope: &'a Scope<'a>, map: Map, len: usize) -> Self {
        Self { scope, map, len }
    }

    /// How many headers there were when the callback began; free.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there were none; free.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The first value of a header. Names are lower case; pseudo headers begin with a colon.
    pub fn get(&self, name: &str) -> Result<Option<&'a [u8]>> {
        host::header(self.scope, self.map, name)
    }

    /// All headers in order.
    pub fn iter(&self) -> Result<Pairs<'a>> {
        Pairs::parse(host::header_pairs(self.scope, self.map)?)
    }

    /// Sets a header and removes all others of that name.
    pub fn set(&self, name: &str, value: impl AsRef<[u8]>) -> Result<()> {
        host::set_header(self.map, name, value.as_ref())
    }

    /// Adds a header behind those of the same name.
    pub fn add(&self, name: &str, value: impl AsRef<[u8]>) -> Result<()> {
        host::add_header(self.map, name, value.as_ref())
    }

    /// Removes all headers of a name; there need not be any.
    pub fn remove(&self, name: &str) -> Result<()> {
        host::remove_header(self.map, name)
    }

    /// Answers the client with a reply of the plugin's own.
    pub fn reply(&self, reply: &Reply<'_>) -> Result<Replied> {
        reply.send()
    }

    /// What the proxy knows of the stream besides, by the segments of its path; `None` when it does
    /// not know it.
    ///
    /// ```no_run
    /// # use chunkwise::http::RequestHeaders;
    /// # fn request_headers(headers: &RequestHeaders<'_>) -> chunkwise::Result<()> {
    /// if let Some(port) = headers.property(&["source", "port"])? {
    ///     chunkwise::info!("from port {}", port.i64()?);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn property(&self, path: &[&str]) -> Result<Option<Property<'a>>> {
        property::get(self.scope, path)
    }

    pub(super) fn map(&self) -> Map {
        self.map
    }
}

/// Request headers; a [`Headers`] that also knows whether a body follows.
#[derive(Debug)]
pub struct RequestHeaders<'a> {
    headers: Headers<'a>,
    end: bool,
}

/// Response headers; a [`Headers`] that also knows whether a body follows.
#[derive(Debug)]
pub struct ResponseHeaders<'a> {
    headers: Headers<'a>,
    end: bool,
}

/// Trailers; a [`Headers`] that comes behind a body.
#[derive(Debug)]
pub struct Trailers<'a>(Headers<'a>);

impl<'a> RequestHeaders<'a> {
    pub(crate) fn new(scope: &'a Scope<'a>, len: usize, end: bool) -> Self {
        Self { headers: Headers::new(scope, Map::RequestHeaders, len), end }
    }

    /// Whether a body (it may be empty) or trailers follow; free.
    pub fn has_body(&self) -> bool {
        !self.end
    }
}

impl<'a> ResponseHeaders<'a> {
    pub(crate) fn new(scope: &'a Scope<'a>, len: usize, end: bool) -> Self {
        Self { headers: Headers::new(scope, Map::ResponseHeaders, len), end }
    }

    /// Whether a body (it may be empty) or trailers follow; free.
    pub fn has_body(&self) -> bool {
        !self.end
    }
}

impl<'a> Trailers<'a> {
    pub(crate) fn new(scope: &'a Scope<'a>, direction: Direction, len: usize) -> Self {
        let map = match direction {
            Direction::Request => Map::RequestTrailers,
            Direction::Response => Map::ResponseTrailers,
        };
        Self(Headers::new(scope, map, len))
    }
}

impl<'a> Deref for RequestHeaders<'a> {
    type Target = Headers<'a>;

    fn deref(&self) -> &Headers<'a> {
        &self.headers
    }
}

impl<'a> Deref for ResponseHeaders<'a> {
    type Target = Headers<'a>;

    fn deref(&self) -> &Headers<'a> {
        &self.headers
    }
}

impl<'a> Deref for Trailers<'a> {
    type Target = Headers<'a>;

    fn deref(&self) -> &Headers<'a> {
        &self.0
    }
}
