//! Answering a request without the upstream.

use std::borrow::Cow;

use bytes::Bytes;

use super::action::Replied;
use super::field;
use crate::abi::{host, pairs};
use crate::error::Result;

/// A response that the plugin makes up.
///
/// ```no_run
/// # use chunkwise::http::{HeadersAction, Reply, RequestHeaders};
/// # fn request_headers(headers: &RequestHeaders<'_>) -> chunkwise::Result<HeadersAction> {
/// if headers.get("authorization")?.is_none() {
///     let reply = Reply::new(401).header("www-authenticate", "Bearer").body("who are you?\n");
///     return headers.reply(&reply);
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
    headers: Vec<(ReplyBytes<'a>, ReplyBytes<'a>)>,
    body: ReplyBytes<'a>,
    grpc_status: Option<u8>,
}

impl<'a> Reply<'a> {
    /// A reply with a status code and nothing else.
    pub fn new(status: u16) -> Self {
        Self { status, details: "".into(), headers: Vec::new(), body: "".into(), grpc_status: None }
    }

    /// Adds a header. One with a line break or a NUL in its name or value is
    /// [`Error::HeaderText`](crate::Error::HeaderText) when the reply is sent.
    #[must_use]
    pub fn header(
        mut self,
        name: impl Into<ReplyBytes<'a>>,
        value: impl Into<ReplyBytes<'a>>,
    ) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Sets the body.
    #[must_use]
    pub fn body(mut self, body: impl Into<ReplyBytes<'a>>) -> Self {
        self.body = body.into();
        self
    }

    /// Sets the response code details that the access log shows, with underscores in the place of
    /// space; Higress puts `via_wasm::` and the plugin's name in front of them.
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
        for (name, value) in &self.headers {
            field::checked(name.as_ref(), value.as_ref())?;
        }
        let mut headers = Vec::new();
        pairs::write(&self.headers, &mut headers)?;
        let status = self.status.into();
        host::send_local_response(
            status,
            &self.details,
            &headers,
            self.body.as_ref(),
            self.grpc_status,
        )?;
        Ok(Replied(()))
    }
}

/// Text or bytes of a reply, borrowed or not.
#[derive(Clone, Debug)]
pub struct ReplyBytes<'a>(Cow<'a, [u8]>);

impl AsRef<[u8]> for ReplyBytes<'_> {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

macro_rules! from {
    ($($source:ty: |$name:ident| $bytes:expr;)*) => {$(
        impl<'a> From<$source> for ReplyBytes<'a> {
            fn from($name: $source) -> Self {
                Self($bytes)
            }
        }
    )*};
}

from! {
    &'a str: |text| Cow::Borrowed(text.as_bytes());
    &'a String: |text| Cow::Borrowed(text.as_bytes());
    String: |text| Cow::Owned(text.into_bytes());
    Cow<'a, str>: |text| match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
        Cow::Owned(text) => Cow::Owned(text.into_bytes()),
    };
    &'a [u8]: |bytes| Cow::Borrowed(bytes);
    &'a Vec<u8>: |bytes| Cow::Borrowed(bytes);
    Vec<u8>: |bytes| Cow::Owned(bytes);
    Cow<'a, [u8]>: |bytes| bytes;
    &'a Bytes: |bytes| Cow::Borrowed(bytes);
}

impl<'a, const LEN: usize> From<&'a [u8; LEN]> for ReplyBytes<'a> {
    fn from(bytes: &'a [u8; LEN]) -> Self {
        Self(Cow::Borrowed(bytes))
    }
}
