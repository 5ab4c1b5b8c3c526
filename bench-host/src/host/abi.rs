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
    /// A pointer or a size reaches outside of the guest's memory.
    InvalidMemoryAccess = 6,
    /// A queue is empty.
    Empty = 7,
    /// A compare-and-swap lost.
    CasMismatch = 8,
    /// The host failed, or the guest gave no memory.
    InternalFailure = 10,
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
    /// The configuration of the VM.
    VmConfiguration,
    /// The configuration of the plugin, while it is being configured.
    PluginConfiguration,
    /// A buffer of the ABI that holds nothing here.
    Other,
}

impl BufferKind {
    /// Highest number of the ABI (Higress's Redis response).
    const MAX: u32 = 9;

    /// The buffer of a number.
    pub fn from_abi(number: u32) -> Option<Self> {
        match number {
            0 => Some(Self::RequestBody),
            1 => Some(Self::ResponseBody),
            6 => Some(Self::VmConfiguration),
            7 => Some(Self::PluginConfiguration),
            2..=Self::MAX => Some(Self::Other),
            _ => None,
        }
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
    /// A map of the ABI that holds nothing here.
    Other,
}

impl MapKind {
    /// The map of a number.
    pub fn from_abi(number: u32) -> Option<Self> {
        match number {
            0 => Some(Self::RequestHeaders),
            1 => Some(Self::RequestTrailers),
            2 => Some(Self::ResponseHeaders),
            3 => Some(Self::ResponseTrailers),
            4..=7 => Some(Self::Other),
            _ => None,
        }
    }
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
