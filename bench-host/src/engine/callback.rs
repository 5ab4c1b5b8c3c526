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
    /// The timer of a plugin.
    Tick { context: u32 },
    /// Something was put into a shared queue.
    QueueReady { context: u32, token: u32 },
    /// Metadata frames of a request arrived.
    RequestMetadata { context: u32, count: u32 },
    /// Metadata frames of a response arrived.
    ResponseMetadata { context: u32, count: u32 },
    /// An HTTP call of the plugin was answered; no headers mean that it was reset.
    HttpCallResponse { context: u32, token: u32, headers: u32, size: u32, trailers: u32 },
    /// A Redis call of the plugin was answered.
    RedisCallResponse { context: u32, token: u32, status: u32, size: u32 },
    /// A gRPC answer began.
    GrpcInitialMetadata { context: u32, token: u32, count: u32 },
    /// A gRPC message arrived.
    GrpcMessage { context: u32, token: u32, size: u32 },
    /// A gRPC answer is about to end.
    GrpcTrailingMetadata { context: u32, token: u32, count: u32 },
    /// A gRPC call or stream has ended.
    GrpcClose { context: u32, token: u32, status: u32 },
    /// A TCP connection was made.
    NewConnection { context: u32 },
    /// Bytes came from the client.
    DownstreamData { context: u32, size: u32, end: bool },
    /// The client's side of a connection was closed, by this kind of peer.
    DownstreamClose { context: u32, peer: u32 },
    /// Bytes came from the upstream.
    UpstreamData { context: u32, size: u32, end: bool },
    /// The upstream's side of a connection was closed, by this kind of peer.
    UpstreamClose { context: u32, peer: u32 },
    /// A function of the host calls back.
    ForeignFunction { context: u32, function: u32, size: u32 },
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
            Self::Tick { .. } => "proxy_on_tick",
            Self::QueueReady { .. } => "proxy_on_queue_ready",
            Self::RequestMetadata { .. } => "proxy_on_request_metadata",
            Self::ResponseMetadata { .. } => "proxy_on_response_metadata",
            Self::HttpCallResponse { .. } => "proxy_on_http_call_response",
            Self::RedisCallResponse { .. } => "proxy_on_redis_call_response",
            Self::GrpcInitialMetadata { .. } => "proxy_on_grpc_receive_initial_metadata",
            Self::GrpcMessage { .. } => "proxy_on_grpc_receive",
            Self::GrpcTrailingMetadata { .. } => "proxy_on_grpc_receive_trailing_metadata",
            Self::GrpcClose { .. } => "proxy_on_grpc_close",
            Self::NewConnection { .. } => "proxy_on_new_connection",
            Self::DownstreamData { .. } => "proxy_on_downstream_data",
            Self::DownstreamClose { .. } => "proxy_on_downstream_connection_close",
            Self::UpstreamData { .. } => "proxy_on_upstream_data",
            Self::UpstreamClose { .. } => "proxy_on_upstream_connection_close",
            Self::ForeignFunction { .. } => "proxy_on_foreign_function",
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
            Self::Tick { .. } => Phase::Tick,
            Self::QueueReady { .. } => Phase::QueueReady,
            Self::RequestMetadata { .. } => Phase::RequestMetadata,
            Self::ResponseMetadata { .. } => Phase::ResponseMetadata,
            Self::HttpCallResponse { .. } => Phase::CallResponse,
            Self::RedisCallResponse { .. } => Phase::CallResponse,
            Self::GrpcInitialMetadata { .. } => Phase::CallResponse,
            Self::GrpcMessage { .. } => Phase::CallResponse,
            Self::GrpcTrailingMetadata { .. } => Phase::CallResponse,
            Self::GrpcClose { .. } => Phase::CallResponse,
            Self::NewConnection { .. } => Phase::NewConnection,
            Self::DownstreamData { .. } => Phase::DownstreamData,
            Self::DownstreamClose { .. } => Phase::ConnectionClose,
            Self::UpstreamData { .. } => Phase::UpstreamData,
            Self::UpstreamClose { .. } => Phase::ConnectionClose,
            Self::ForeignFunction { .. } => Phase::ForeignFunction,
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
            | Self::Tick { context }
            | Self::QueueReady { context, .. }
            | Self::RequestMetadata { context, .. }
            | Self::ResponseMetadata { context, .. }
            | Self::HttpCallResponse { context, .. }
            | Self::RedisCallResponse { context, .. }
            | Self::GrpcInitialMetadata { context, .. }
            | Self::GrpcMessage { context, .. }
            | Self::GrpcTrailingMetadata { context, .. }
            | Self::GrpcClose { context, .. }
            | Self::NewConnection { context }
            | Self::DownstreamData { context, .. }
            | Self::DownstreamClose { context, .. }
            | Self::UpstreamData { context, .. }
            | Self::UpstreamClose { context, .. }
            | Self::ForeignFunction { context, .. }
            | Self::Log { context }
            | Self::Done { context }
            | Self::Delete { context } => context,
        }
    }
}
