//! A request that is sent to its route's own upstream in another form.

use std::future::Future;
use std::ops::Deref;
use std::pin::Pin;

use super::action::Resume;
use super::held::HeldBody;
use super::stream_view::StreamHandle;
use crate::abi::Direction;
use crate::call::{CallError, Target, check_header, check_method};
use crate::error::{Error, Result};

/// What gets the response to a rewritten request.
pub(crate) struct OnReply(pub Box<Continuation>);

type Continuation = dyn FnOnce(RouteReply) -> Pin<Box<dyn Future<Output = Result<Resume>>>>;

impl std::fmt::Debug for OnReply {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("OnReply")
    }
}

/// The form in which a request is sent to its route's own upstream, see
/// [`Chunk::route`](crate::Chunk::route).
///
/// ```
/// # use chunkwise::http::RouteCall;
/// let call = RouteCall::new("POST", "/v1/complete")
///     .header("content-type", "application/json")
///     .body(r#"{"prompt": "…"}"#);
/// ```
#[derive(Clone, Debug)]
pub struct RouteCall {
    method: String,
    url: String,
    headers: Vec<(String, Vec<u8>)>,
    pub(crate) body: Option<Vec<u8>>,
}

impl RouteCall {
    /// A request with this method, to this path, or to a URL, whose authority then takes the place
    /// of the request's. It is read as that of a [`Client::request`](crate::call::Client::request).
    pub fn new(method: impl Into<String>, url: impl Into<String>) -> Self {
        Self { method: method.into(), url: url.into(), headers: Vec::new(), body: None }
    }

    /// Sets a header, in the place of all others of that name.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl AsRef<[u8]>) -> Self {
        self.headers.push((name.into(), value.as_ref().to_vec()));
        self
    }

    /// Sets the body; without it the request keeps its own.
    #[must_use]
    pub fn body(mut self, body: impl AsRef<[u8]>) -> Self {
        self.body = Some(body.as_ref().to_vec());
        self
    }

    /// Checks everything before anything is changed.
    pub(crate) fn check(&self) -> Result<Checked<'_>, CallError> {
        check_method(&self.method)?;
        let target = Target::parse(&self.url)?;
        for (position, (name, value)) in (1..).zip(&self.headers) {
            check_header(name.as_bytes(), value, position)?;
        }
        Ok(Checked { method: &self.method, target, headers: &self.headers })
    }
}

/// A [`RouteCall`] without mistakes.
pub(crate) struct Checked<'a> {
    pub method: &'a str,
    pub target: Target<'a>,
    pub headers: &'a [(String, Vec<u8>)],
}

/// The response to a rewritten request, all of it, before any of it is sent to the client.
///
/// It derefs to [`HeldBody`], with which it can be changed.
#[derive(Debug)]
pub struct RouteReply {
    held: HeldBody,
    has_body: bool,
}

impl RouteReply {
    pub(crate) fn new(handle: StreamHandle, has_body: bool) -> Self {
        Self { held: HeldBody::new(handle, Direction::Response, None), has_body }
    }

    /// The status code.
    ///
    /// # Errors
    /// The host's, and [`Error::MalformedMap`] when it is not a number.
    pub fn status(&self) -> Result<u16> {
        let status = self.held.get(":status")?;
        status
            .and_then(|digits| str::from_utf8(&digits).ok()?.parse().ok())
            .ok_or(Error::MalformedMap)
    }

    /// Whether there is a body, which may be empty; free. A response without one cannot be given
    /// one, only be answered with a [reply](StreamHandle::reply) in its place.
    pub fn has_body(&self) -> bool {
        self.has_body
    }
}

impl Deref for RouteReply {
    type Target = HeldBody;

    fn deref(&self) -> &HeldBody {
        &self.held
    }
}
