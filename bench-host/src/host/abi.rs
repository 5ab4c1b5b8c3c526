//! The numbers of the ABI, on the host's side.

/// What a host call answers (proxy-wasm ABI 0.2.1, `WasmResult`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Status {
    /// Done.
    Ok = 0,
    /// There is no such key, property or buffer.
    NotFound = 1,
    /// An argument is out of range, or what it names is not there in this phase.
    BadArgument = 2,
    /// A value cannot be encoded.
    SerializationFailure = 3,
    /// An argument cannot be decoded.
    ParseFailure = 4,
    /// An expression cannot be evaluated.
    BadExpression = 5,
    /// A pointer or a size reaches outside of the guest's memory.
    InvalidMemoryAccess = 6,
    /// A queue is empty.
    Empty = 7,
    /// A compare-and-swap lost.
    CasMismatch = 8,
    /// A call answered with something else than was asked for.
    ResultMismatch = 9,
    /// The host failed, or the guest gave no memory.
    InternalFailure = 10,
    /// A call was cut off.
    BrokenConnection = 11,
    /// The host does not have this call.
    Unimplemented = 12,
}

/// The buffers that a guest can name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BufferKind {
    /// The request body.
    RequestBody,
    /// The response body.
    ResponseBody,
    /// Bytes from the client of a TCP connection.
    DownstreamData,
    /// Bytes from the upstream of a TCP connection.
    UpstreamData,
    /// The body of an answer to an HTTP call.
    HttpCallBody,
    /// A gRPC message that arrived.
    GrpcMessage,
    /// The configuration of the VM.
    VmConfiguration,
    /// The configuration of the plugin, while it is being configured.
    PluginConfiguration,
    /// The arguments of a call from the host, which makes none.
    CallData,
    /// The answer to a Redis call (Higress).
    RedisResponse,
}

impl BufferKind {
    /// The buffer of a number.
    pub fn from_abi(number: u32) -> Option<Self> {
        Some(match number {
            0 => Self::RequestBody,
            1 => Self::ResponseBody,
            2 => Self::DownstreamData,
            3 => Self::UpstreamData,
            4 => Self::HttpCallBody,
            5 => Self::GrpcMessage,
            6 => Self::VmConfiguration,
            7 => Self::PluginConfiguration,
            8 => Self::CallData,
            9 => Self::RedisResponse,
            _ => return None,
        })
    }
}

/// The header maps that a guest can name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MapKind {
    /// Request headers.
    RequestHeaders,
    /// Request trailers.
    RequestTrailers,
    /// Response headers.
    ResponseHeaders,
    /// Response trailers.
    ResponseTrailers,
    /// Metadata at the beginning of a gRPC answer.
    GrpcInitialMetadata,
    /// Metadata at the end of a gRPC answer.
    GrpcTrailingMetadata,
    /// Headers of an answer to an HTTP call.
    HttpCallHeaders,
    /// Trailers of an answer to an HTTP call.
    HttpCallTrailers,
}

impl MapKind {
    /// The map of a number.
    pub fn from_abi(number: u32) -> Option<Self> {
        Some(match number {
            0 => Self::RequestHeaders,
            1 => Self::RequestTrailers,
            2 => Self::ResponseHeaders,
            3 => Self::ResponseTrailers,
            4 => Self::GrpcInitialMetadata,
            5 => Self::GrpcTrailingMetadata,
            6 => Self::HttpCallHeaders,
            7 => Self::HttpCallTrailers,
            _ => return None,
        })
    }
}

/// What a guest can resume or close.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamKind {
    /// An HTTP request.
    Request,
    /// An HTTP response.
    Response,
    /// The client's side of a TCP connection.
    Downstream,
    /// The upstream's side of a TCP connection.
    Upstream,
}

impl StreamKind {
    /// The stream of a number.
    pub fn from_abi(number: u32) -> Option<Self> {
        Some(match number {
            0 => Self::Request,
            1 => Self::Response,
            2 => Self::Downstream,
            3 => Self::Upstream,
            _ => return None,
        })
    }
}

/// Who closed a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum PeerKind {
    /// Nobody knows.
    Unknown = 0,
    /// The proxy.
    Local = 1,
    /// The other side.
    Remote = 2,
}

/// Which way a message travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Direction {
    /// From the client to the upstream.
    Request,
    /// From the upstream to the client.
    Response,
}

/// What becomes of headers (`FilterHeadersStatus`), after conversion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeadersStatus {
    /// On they go.
    Continue,
    /// Held; the body still comes to this filter.
    Stop,
    /// Everything is held, up to the buffer limit.
    StopAllAndBuffer,
    /// Everything is held, and the sender is slowed down at the buffer limit.
    StopAllAndWatermark,
}

impl HeadersStatus {
    /// Converts what a guest answered.
    ///
    /// `stop_is_stop_all` is how Envoy reads 1 under ABI 0.1.0 to 0.2.1; 2 (continue and end the
    /// stream) is not supported for wasm and reads as continue.
    pub fn from_guest(answer: u32, stop_is_stop_all: bool) -> Self {
        match answer {
            0 | 2 => Self::Continue,
            1 if !stop_is_stop_all => Self::Stop,
            3 => Self::StopAllAndBuffer,
            _ => Self::StopAllAndWatermark,
        }
    }
}

/// What becomes of a body frame (`FilterDataStatus`), after conversion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DataStatus {
    /// On it goes, with what was held.
    Continue,
    /// Held, up to the buffer limit; the guest sees all that is held from now on.
    StopAndBuffer,
    /// Held, and the sender is slowed down at the buffer limit.
    StopAndWatermark,
    /// Dropped.
    StopNoBuffer,
}

impl DataStatus {
    /// Converts what a guest answered.
    pub fn from_guest(answer: u32) -> Self {
        match answer {
            0 => Self::Continue,
            1 => Self::StopAndBuffer,
            2 => Self::StopAndWatermark,
            _ => Self::StopNoBuffer,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_convert_as_envoy_converts_them() {
        use HeadersStatus::{Continue, Stop, StopAllAndBuffer, StopAllAndWatermark};
        let old = [Continue, StopAllAndWatermark, Continue, StopAllAndBuffer, StopAllAndWatermark];
        let new = [Continue, Stop, Continue, StopAllAndBuffer, StopAllAndWatermark];
        for (answer, (old, new)) in (0..).zip(old.into_iter().zip(new)) {
            assert_eq!(HeadersStatus::from_guest(answer, true), old, "{answer}");
            assert_eq!(HeadersStatus::from_guest(answer, false), new, "{answer}");
        }
        assert_eq!(HeadersStatus::from_guest(77, false), StopAllAndWatermark);
        assert_eq!(DataStatus::from_guest(77), DataStatus::StopNoBuffer);
    }
}
