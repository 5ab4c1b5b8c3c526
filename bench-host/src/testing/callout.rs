//! Calls that a plugin made.

use std::borrow::Cow;
use std::time::Duration;

use crate::host::HeaderMap;
use crate::upstream::MadeCall;

/// An HTTP call of a plugin, as the upstream script saw it.
#[derive(Clone, Debug)]
pub struct Callout {
    /// The cluster that it went to.
    pub cluster: String,
    /// Headers, pseudo headers included.
    pub headers: HeaderMap,
    /// The whole body.
    pub body: Vec<u8>,
    /// Trailers.
    pub trailers: HeaderMap,
    /// How long the plugin waits for an answer; `None` is for ever.
    pub timeout: Option<Duration>,
}

impl Callout {
    pub(super) fn of(call: MadeCall) -> Self {
        Self {
            cluster: String::from_utf8_lossy(&call.cluster).into_owned(),
            headers: call.headers.into(),
            body: call.body,
            trailers: call.trailers.into(),
            timeout: call.timeout,
        }
    }

    /// The method; empty without one.
    pub fn method(&self) -> Cow<'_, str> {
        self.header(":method").unwrap_or_default()
    }

    /// The path with its query; empty without one.
    pub fn path(&self) -> Cow<'_, str> {
        self.header(":path").unwrap_or_default()
    }

    /// The first value of a header.
    pub fn header(&self, name: &str) -> Option<Cow<'_, str>> {
        self.headers.get(name.as_bytes()).map(|value| String::from_utf8_lossy(value))
    }

    /// The body as text.
    pub fn text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.body)
    }
}
