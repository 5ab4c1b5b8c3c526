//! What a service answered.

use std::fmt;

use bytes::Bytes;
use serde::Deserialize;

use super::error::CallError;
use crate::abi::pairs::Pairs;
use crate::error::Result;
use crate::vm::SharedVm;

/// What a service answered.
///
/// A timeout is an answer too: Envoy makes up a 504 for it, and a 503 for a connection that cannot
/// be made.
///
/// # Cost
/// Headers and body were copied once, by the host, into buffers that go back to the VM when this is
/// dropped: an answer of up to 64 KiB allocates nothing in steady state. Nothing here makes a host
/// call.
pub struct CallReply {
    vm: SharedVm,
    status: u16,
    headers: Vec<u8>,
    body: Vec<u8>,
}

impl CallReply {
    /// An answer in the wire format; its status has to be a number.
    pub(crate) fn new(vm: &SharedVm, headers: Vec<u8>, body: Vec<u8>) -> Result<Self, CallError> {
        let mut reply = Self { vm: vm.clone(), status: 0, headers, body };
        let mut pairs = Pairs::parse(&reply.headers).map_err(|_| CallError::MalformedReply)?;
        let status = pairs.find(|(name, _)| *name == b":status").map(|(_, value)| value);
        reply.status = status
            .and_then(|digits| str::from_utf8(digits).ok()?.parse().ok())
            .ok_or(CallError::MalformedReply)?;
        Ok(reply)
    }

    /// The status code.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// Whether the status code is one of success (200 to 299).
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The first value of a header. Names are lower case.
    pub fn header(&self, name: &str) -> Option<&[u8]> {
        self.headers().find(|(known, _)| *known == name.as_bytes()).map(|(_, value)| value)
    }

    /// All headers in order, `:status` included.
    pub fn headers(&self) -> Pairs<'_> {
        // They were read when the answer came.
        Pairs::parse(&self.headers).unwrap_or_default()
    }

    /// The body.
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// The body as a JSON document, which may borrow from it.
    ///
    /// # Errors
    /// [`Error::Json`](crate::Error::Json) says where it is wrong.
    pub fn json<'de, T: Deserialize<'de>>(&'de self) -> Result<T> {
        Ok(serde_json::from_slice(&self.body)?)
    }

    /// The body, to be kept; it is not copied.
    pub fn into_body(mut self) -> Bytes {
        std::mem::take(&mut self.body).into()
    }
}

impl Drop for CallReply {
    fn drop(&mut self) {
        self.vm.pool.give_back(std::mem::take(&mut self.headers));
        self.vm.pool.give_back(std::mem::take(&mut self.body));
    }
}

impl fmt::Debug for CallReply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CallReply")
            .field("status", &self.status)
            .field("body", &self.body.len())
            .finish_non_exhaustive()
    }
}
