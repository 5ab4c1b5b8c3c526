//! Stub.
use super::error::CallError;
use crate::memory::Scope;
/// A request.
#[derive(Clone, Debug)]
pub struct Request;
pub(crate) struct Encoded;
impl Request {
    pub(crate) fn encode(self, _scope: &Scope<'_>) -> Result<Encoded, CallError> {
        Ok(Encoded)
    }
}
impl Encoded {
    pub(crate) fn send(&self) -> Result<u32, CallError> {
        Ok(4)
    }
}
