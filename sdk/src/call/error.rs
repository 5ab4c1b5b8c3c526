//! Why a call was not made, or got no answer.

use super::cluster::ClusterError;
use super::target::UrlError;
use crate::abi::Status;
use crate::error::{Error, HostError};

/// Why a call was not made, or got no answer.
///
/// A service that is down and one that is too slow are no errors: the proxy answers for them, with
/// 503 and 504.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// The plugin gave a URL that cannot be called.
    #[error("the plugin's call has a url that {0}")]
    InvalidUrl(#[from] UrlError),
    /// The plugin gave a method that is not a token of RFC 9110, 5.6.2.
    #[error("the plugin's call has a method that is empty or has characters no method may have")]
    InvalidMethod,
    /// The plugin gave a header name that is not a token of RFC 9110, 5.6.2.
    #[error("header {position} of the plugin's call has a name that no header may have")]
    InvalidHeaderName {
        /// Which header, counted from 1 in the order of the calls of `header`.
        position: usize,
    },
    /// The plugin gave a header value with a line break or a NUL (RFC 9110, 5.5): whoever the value
    /// came from could write headers of their own.
    #[error("header {position} of the plugin's call has a line break or a NUL in its value")]
    InvalidHeaderValue {
        /// Which header, counted from 1 in the order of the calls of `header`.
        position: usize,
    },
    /// The plugin gave a header that the URL, the cluster, the body or the proxy decides.
    #[error(
        "header {position} of the plugin's call is one that the url, the cluster or the proxy sets"
    )]
    ReservedHeader {
        /// Which header, counted from 1 in the order of the calls of `header`.
        position: usize,
    },
    /// The plugin gave more headers than a host reads: 1024 of them, or 1 MiB
    /// (`include/proxy-wasm/limits.h` of the C++ host, which reads a longer map as an empty one).
    #[error("the plugin's call has more headers than a proxy reads (1024, or 1 MiB)")]
    TooManyHeaders,
    /// The plugin gave a timeout of zero, which a host takes for none, or one above 24.8 days.
    #[error("the plugin's call has a timeout of zero or above {} ms", i32::MAX)]
    InvalidTimeout,
    /// The plugin, or its configuration, described a cluster that cannot be.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// The call goes to the cluster of the request's route, and the request has none (yet).
    #[error("the request has no route with a cluster to call")]
    NoRoute,
    /// The call goes to the cluster of the request's route under the request's own host, and the
    /// proxy does not tell that in this phase.
    #[error("the request's :authority cannot be read here: give the cluster or the url a host")]
    NoAuthority,
    /// The proxy has no cluster of that name. Most often the configuration of the proxy is to be
    /// mended, or the plugin's description of the cluster.
    #[error("the proxy has no cluster of that name, or refuses a header of the call")]
    UnknownCluster,
    /// The host refused a call.
    #[error(transparent)]
    Host(#[from] HostError),
    /// The host returned data in memory that the plugin did not give it for this call.
    #[error("the host answered {call} with memory that the plugin never gave it")]
    ForeignMemory {
        /// The import that was called.
        call: &'static str,
    },
    /// The host returned another number of bytes than it said the answer had.
    #[error("the host returned {got} bytes of an answer whose body it had announced with {wanted}")]
    ShortRead {
        /// How many were announced.
        wanted: usize,
        /// How many came.
        got: usize,
    },
    /// The connection was lost while the call was under way; the service may have seen it.
    #[error("the connection was reset before an answer")]
    Reset,
    /// The call was awaited by an executor of somebody else's.
    #[error("a call has to be awaited in a task of this plugin")]
    OutsideOfTask,
    /// The host delivered an answer that is not one.
    #[error("the host sent an answer without a status, or with a malformed header map")]
    MalformedReply,
    /// The stream that made the call ended before the answer.
    #[error("the stream that made the call has gone")]
    StreamGone,
}

impl CallError {
    /// What a refused host call says about a call; `dispatch` for the one that sends it.
    pub(crate) fn from_host(error: Error, dispatch: bool) -> Self {
        match error {
            Error::Host(refused) if dispatch && refused.status() == Status::BadArgument => {
                Self::UnknownCluster
            }
            Error::Host(refused) => Self::Host(refused),
            Error::ForeignMemory { call } => Self::ForeignMemory { call },
            Error::ShortRead { wanted, got } => Self::ShortRead { wanted, got },
            Error::Call(error) => error,
            // No other error comes out of a host call that reads or sends.
            _ => Self::Host(HostError::new("proxy_http_call", Status::InternalFailure)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bad_argument_of_the_sending_call_alone_is_an_unknown_cluster() {
        let refused = Error::Host(HostError::new("proxy_http_call", Status::BadArgument));
        assert_eq!(CallError::from_host(refused, true), CallError::UnknownCluster);
        assert!(matches!(CallError::from_host(refused, false), CallError::Host(_)));
        let failed = Error::Host(HostError::new("proxy_http_call", Status::InternalFailure));
        assert!(matches!(CallError::from_host(failed, true), CallError::Host(_)));
    }
}
