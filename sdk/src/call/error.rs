//! Why a call has no answer.

use crate::error::HostError;

/// Why a call has no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// The host refused a call.
    #[error(transparent)]
    Host(#[from] HostError),
    /// The connection was reset before an answer.
    #[error("the connection was reset before an answer came")]
    Reset,
    /// The call was awaited by an executor of somebody else's.
    #[error("a call has to be awaited in a task of this plugin")]
    OutsideOfTask,
    /// The host sent an answer that is not one.
    #[error("the host sent an answer without a status, or with a malformed header map")]
    MalformedReply,
    /// The stream that made the call has gone.
    #[error("the stream that made the call has gone")]
    StreamGone,
}

impl CallError {
    pub(crate) fn from_host(error: crate::error::Error) -> Self {
        match error {
            crate::error::Error::Host(h) => Self::Host(h),
            _ => Self::MalformedReply,
        }
    }
}
