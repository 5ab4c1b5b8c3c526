//! What can go wrong in a callback, and whose fault it is.

use crate::abi::Status;
use crate::attributes::AttributeError;
use crate::call::CallError;
use crate::property::PropertyError;
use crate::stream::{EventTooLong, TooLong};

/// A host call that did not do what it says.
///
/// Nobody but the host decides this: the call was well-formed. Most often the map or the body is
/// not there any more in the phase that asked for it ([`Status::BadArgument`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the host refused {call}: {status}")]
pub struct HostError {
    call: &'static str,
    status: Status,
}

impl HostError {
    pub(crate) const fn new(call: &'static str, status: Status) -> Self {
        Self { call, status }
    }

    /// The import that was called, such as `proxy_set_buffer_bytes`.
    pub const fn call(&self) -> &'static str {
        self.call
    }

    /// What the host answered.
    pub const fn status(&self) -> Status {
        self.status
    }
}

/// Why a callback could not do its work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The body has been sent on: all of it, or what there was of it before trailers ended it.
    #[error("the body cannot be changed any more: its last chunk has been sent on")]
    BodyReleased,
    /// The body has not come to its end, and what was asked for needs all of it.
    #[error("the whole body is needed, and more of it is to come: hold it, or buffer it")]
    BodyIncomplete,
    /// A call to another service has no answer.
    #[error(transparent)]
    Call(#[from] CallError),
    /// The host refused a call.
    #[error(transparent)]
    Host(#[from] HostError),
    /// A header's name or value has a line break or a NUL (RFC 9110, 5.5): whoever the text came
    /// from could write headers of their own.
    #[error("the plugin gave a header with a line break or a NUL in its name or value")]
    HeaderText,
    /// The headers have been sent on.
    #[error("the headers have been sent on: their callback has to answer Hold for this")]
    HeadersReleased,
    /// A JSON document is not one, or not of the type that is asked for.
    #[error("the JSON document is wrong at line {line}, column {column}")]
    Json {
        /// The line, from 1.
        line: usize,
        /// The column.
        column: usize,
    },
    /// The headers have been sent on with the length that the body had.
    #[error(
        "the body cannot get another length: its content-length has been sent; hold the headers, \
         or remove it from them"
    )]
    LengthSent,
    /// This host does not have what was asked for.
    #[error("this host has no {what}: {host} has")]
    NeedsHost {
        /// What was asked for.
        what: &'static str,
        /// The host that has it.
        host: &'static str,
    },
    /// The plugin's own reason, for errors that have no variant here:
    /// `text.parse().map_err(|_| Error::Plugin("the age is no number"))?`. What is only known at run
    /// time goes to the log.
    #[error("{0}")]
    Plugin(&'static str),
    /// More bytes wait for a task than [`Relay::LIMIT`](crate::http::Relay::LIMIT).
    #[error(
        "{bytes} bytes of the response wait for the plugin, more than it may queue: its task is \
         slower than the upstream"
    )]
    RelayFull {
        /// How many bytes wait.
        bytes: usize,
    },
    /// A request header was changed before the route was to be kept.
    #[error(
        "the route cannot be kept any more: a request header was changed before; keep it first"
    )]
    RouteCleared,
    /// The stream has ended.
    #[error("the stream has ended")]
    StreamGone,
    /// The host returned data in memory that the plugin did not give it for this call.
    #[error("the host answered {call} with memory that the plugin never gave it")]
    ForeignMemory {
        /// The import that was called.
        call: &'static str,
    },
    /// The host returned a header map that does not follow the wire format.
    #[error("the host sent a malformed header map")]
    MalformedMap,
    /// A range reaches outside of the chunk.
    #[error("the plugin asked for {start}..{end} of a chunk of {len} bytes")]
    OutOfRange {
        /// Start of the range.
        start: usize,
        /// End of the range.
        end: usize,
        /// Length of the chunk.
        len: usize,
    },
    /// A property is not of the type that it was read as.
    #[error(transparent)]
    Property(#[from] PropertyError),
    /// The host returned another number of bytes than it said there were.
    #[error("the host returned {got} bytes of a body where it had announced {wanted}")]
    ShortRead {
        /// How many were asked for.
        wanted: usize,
        /// How many came.
        got: usize,
    },
    /// The plugin gave more headers than a host reads: 1024 of them, or 1 MiB
    /// (`include/proxy-wasm/limits.h` of the C++ host, which reads a longer map as an empty one).
    #[error("these are more headers than a proxy reads (1024, or 1 MiB)")]
    TooManyHeaders,
    /// A line of the traffic is longer than its reader allows.
    #[error(transparent)]
    LineTooLong(#[from] TooLong),
    /// An event of the traffic is longer than its reader allows.
    #[error(transparent)]
    EventTooLong(#[from] EventTooLong),
    /// Bytes of a body wait in the plugin and can be sent no more: trailers ended it, or the host
    /// refused a call. The stream is refused, whatever [`ON_ERROR`](crate::Plugin::ON_ERROR) says.
    #[error("{bytes} bytes of the body were withheld and can be sent no more")]
    Withheld {
        /// How many bytes were withheld.
        bytes: usize,
    },
}

impl From<AttributeError> for Error {
    fn from(error: AttributeError) -> Self {
        match error {
            AttributeError::NotFinite => Self::Plugin("an attribute is not a finite number"),
            AttributeError::NotJson(error) => error.into(),
        }
    }
}

impl From<serde_json::Error> for Error {
    fn from(error: serde_json::Error) -> Self {
        Self::Json { line: error.line(), column: error.column() }
    }
}

/// The result of a callback.
pub type Result<T, E = Error> = std::result::Result<T, E>;
