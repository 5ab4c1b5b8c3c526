//! The callbacks that a host makes, with their arguments.

use crate::measure::Phase;

/// A call from the host into the plugin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Callback {
    /// A context begins; `parent` is 0 for a plugin.
    ContextCreate { context: u32, parent: u32 },
    /// The VM starts.
    VmStart { context: u32, size: u32 },
    /// A plugin is configured.
    Configure { context: u32, size: u32 },
    /// Request headers arrived.
    RequestHeaders { context: u32, count: u32, end: bool },
    /// A part of the request body arrived.
    RequestBody { context: u32, size: u32, end: bool },
    /// Request trailers arrived.
    RequestTrailers { context: u32, count: u32 },
    /// Response headers arrived.
    ResponseHeaders { context: u32, count: u32, end: bool },
    /// A part of the response body arrived.
    ResponseBody { context: u32, size: u32, end: bool },
    /// Response trailers arrived.
    ResponseTrailers { context: u32, count: u32 },
    /// The access log of a stream is written.
    Log { context: u32 },
    /// A context is about to end.
    Done { context: u32 },
    /// A context has ended.
    Delete { context: u32 },
}

impl Callback {
    /// The export that takes it.
    pub const fn export(self) -> &'static str {
        match self {
            Self::ContextCreate { .. } => "proxy_on_context_create",
            Self::VmStart { .. } => "proxy_on_vm_start",
            Self::Configure { .. } => "proxy_on_configure",
            Self::RequestHeaders { .. } => "proxy_on_request_headers",
            Self::RequestBody { .. } => "proxy_on_request_body",
            Self::RequestTrailers { .. } => "proxy_on_request_trailers",
            Self::ResponseHeaders { .. } => "proxy_on_response_headers",
            Self::ResponseBody { .. } => "proxy_on_response_body",
            Self::ResponseTrailers { .. } => "proxy_on_response_trailers",
            Self::Log { .. } => "proxy_on_log",
            Self::Done { .. } => "proxy_on_done",
            Self::Delete { .. } => "proxy_on_delete",
        }
    }

    /// The phase that its costs are booked on.
    pub const fn phase(self) -> Phase {
        match self {
            Self::ContextCreate { .. } => Phase::ContextCreate,
            Self::VmStart { .. } => Phase::VmStart,
            Self::Configure { .. } => Phase::Configure,
            Self::RequestHeaders { .. } => Phase::RequestHeaders,
            Self::RequestBody { .. } => Phase::RequestBody,
            Self::RequestTrailers { .. } => Phase::RequestTrailers,
            Self::ResponseHeaders { .. } => Phase::ResponseHeaders,
            Self::ResponseBody { .. } => Phase::ResponseBody,
            Self::ResponseTrailers { .. } => Phase::ResponseTrailers,
            Self::Log { .. } => Phase::Log,
            Self::Done { .. } => Phase::Done,
            Self::Delete { .. } => Phase::Delete,
        }
    }

    /// The context that it is about.
    pub const fn context(self) -> u32 {
        match self {
            Self::ContextCreate { context, .. }
            | Self::VmStart { context, .. }
            | Self::Configure { context, .. }
            | Self::RequestHeaders { context, .. }
            | Self::RequestBody { context, .. }
            | Self::RequestTrailers { context, .. }
            | Self::ResponseHeaders { context, .. }
            | Self::ResponseBody { context, .. }
            | Self::ResponseTrailers { context, .. }
            | Self::Log { context }
            | Self::Done { context }
            | Self::Delete { context } => context,
        }
    }
}
