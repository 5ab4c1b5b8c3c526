//! The numbers that cross the boundary, with names.
//!
//! Values are those of the proxy-wasm ABI 0.2.1; 0.2.100 (Higress) uses the same ones.

use std::fmt;

/// What a host call answered.
///
/// A host may answer with a number that no specification knows; it is kept in
/// [`Status::Unknown`], and nothing in this crate panics on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Status {
    /// The call did what it says.
    Ok,
    /// The key, property or buffer does not exist.
    NotFound,
    /// An argument is out of range, or the map or buffer is not there in this phase.
    BadArgument,
    /// The host could not encode its answer.
    SerializationFailure,
    /// The host could not decode an argument.
    ParseFailure,
    /// An expression is not valid.
    BadExpression,
    /// A pointer or size is outside of the plugin's memory.
    InvalidMemoryAccess,
    /// A queue is empty.
    Empty,
    /// A compare-and-swap lost.
    CasMismatch,
    /// The answer is not of the kind that was asked for.
    ResultMismatch,
    /// The host failed.
    InternalFailure,
    /// The connection is gone.
    BrokenConnection,
    /// The host does not have this call.
    Unimplemented,
    /// A number that this crate does not know.
    Unknown(u32),
}

impl From<u32> for Status {
    fn from(code: u32) -> Self {
        match code {
            0 => Self::Ok,
            1 => Self::NotFound,
            2 => Self::BadArgument,
            3 => Self::SerializationFailure,
            4 => Self::ParseFailure,
            5 => Self::BadExpression,
            6 => Self::InvalidMemoryAccess,
            7 => Self::Empty,
            8 => Self::CasMismatch,
            9 => Self::ResultMismatch,
            10 => Self::InternalFailure,
            11 => Self::BrokenConnection,
            12 => Self::Unimplemented,
            other => Self::Unknown(other),
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ok => "ok",
            Self::NotFound => "not found",
            Self::BadArgument => "bad argument",
            Self::SerializationFailure => "serialization failure",
            Self::ParseFailure => "parse failure",
            Self::BadExpression => "bad expression",
            Self::InvalidMemoryAccess => "invalid memory access",
            Self::Empty => "empty",
            Self::CasMismatch => "compare-and-swap mismatch",
            Self::ResultMismatch => "result mismatch",
            Self::InternalFailure => "internal failure",
            Self::BrokenConnection => "broken connection",
            Self::Unimplemented => "unimplemented",
            Self::Unknown(code) => return write!(f, "unknown status {code}"),
        })
    }
}

/// A buffer that the host holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Buffer {
    /// The request body, or the part of it that is passing.
    RequestBody = 0,
    /// The response body, or the part of it that is passing.
    ResponseBody = 1,
    /// The body of the answer to a call, while it is being delivered.
    CallResponseBody = 4,
    /// The configuration of the VM.
    VmConfiguration = 6,
    /// The configuration of the plugin, while it is being configured.
    PluginConfiguration = 7,
}

/// A header map that the host holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Map {
    /// Request headers, pseudo headers included.
    RequestHeaders = 0,
    /// Request trailers.
    RequestTrailers = 1,
    /// Response headers, `:status` included.
    ResponseHeaders = 2,
    /// Response trailers.
    ResponseTrailers = 3,
    /// Headers of the answer to a call, while it is being delivered.
    CallResponseHeaders = 6,
}

/// Which way a body or a header map travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the client to the upstream.
    Request,
    /// From the upstream to the client.
    Response,
}

impl Buffer {
    /// The body of this direction.
    pub(crate) const fn body(direction: Direction) -> Self {
        match direction {
            Direction::Request => Self::RequestBody,
            Direction::Response => Self::ResponseBody,
        }
    }
}

impl Map {
    /// The headers of this direction.
    pub(crate) const fn headers(direction: Direction) -> Self {
        match direction {
            Direction::Request => Self::RequestHeaders,
            Direction::Response => Self::ResponseHeaders,
        }
    }

    /// The trailers of this direction.
    pub(crate) const fn trailers(direction: Direction) -> Self {
        match direction {
            Direction::Request => Self::RequestTrailers,
            Direction::Response => Self::ResponseTrailers,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_that_nobody_knows_is_kept_and_named() {
        assert_eq!(Status::from(12), Status::Unimplemented);
        assert_eq!(Status::from(4_000_000_000), Status::Unknown(4_000_000_000));
        assert_eq!(Status::from(99).to_string(), "unknown status 99");
    }
}
