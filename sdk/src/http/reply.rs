//! Answering a request without the upstream.

use std::borrow::Cow;

use super::action::Replied;
use crate::abi::{host, pairs};
use crate::error::Result;

/// A response that the plugin makes up.
///
/// ```no_run
/// # use chunkwise::http::{HeadersAction, Reply, RequestHeaders};
/// # fn request_headers(headers: &RequestHeaders<'_>) -> chunkwise::Result<HeadersAction> {
/// if headers.get("authorization")?.is_none() {
///     let reply = Reply::new(401).header("www-authenticate", "Bearer").body(b"who are you?\n");
///     return Ok(headers.reply(&reply)?.into());
/// }
/// # Ok(HeadersAction::Continue)
/// # }
/// ```
///
/// # Cost
/// One host call, which copies headers and body.
#[derive(Clone, Debug)]
pub struct Reply<'a> {
    status: u16,
    details: Cow<'a, str>,
    headers: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    body: Cow<'a, [u8]>,
    grpc_status: Option<u8>,
}

impl<'a> Reply<'a> {
    /// A reply with a status code and nothing else.
    pub fn new(status: u16) -> Self {
        Self {
            status,
            details: "".into(),
            headers: Vec::new(),
            body: (&[]).into(),
            grpc_status: None,
        }
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: impl Into<Cow<'a, str>>, value: impl Into<Cow<'a, str>>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Sets the body.
    #[must_use]
    pub fn body(mut self, body: impl Into<Cow<'a, [u8]>>) -> Self {
        self.body = body.into();
        self
    }

    /// Sets the response code details that the access log shows: Envoy puts `via_wasm::` and the
    /// plugin's name in front, and underscores in the place of spaces.
    #[must_use]
    pub fn details(mut self, details: impl Into<Cow<'a, str>>) -> Self {
        self.details = details.into();
        self
    }

    /// Sets the status that a gRPC client gets (0 to 16, `google/rpc/code.proto`); the proxy derives
    /// one from the status code otherwise. It means nothing to other clients.
    #[must_use]
    pub fn grpc_status(mut self, status: u8) -> Self {
        self.grpc_status = Some(status);
        self
    }

    pub(crate) fn send(&self) -> Result<Replied> {
        let mut headers = Vec::new();
        pairs::write(&self.headers, &mut headers)?;
        let status = self.status.into();
        host::send_local_response(status, &self.details, &headers, &self.body, self.grpc_status)?;
        Ok(Replied(()))
    }
}
