//! The phases by which costs are kept apart.

/// Which callback a cost belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// `proxy_on_vm_start` and what runs before it (`_initialize`, `_start`).
    VmStart,
    /// `proxy_on_configure`.
    Configure,
    /// `proxy_on_context_create`.
    ContextCreate,
    /// `proxy_on_request_headers`.
    RequestHeaders,
    /// `proxy_on_request_body`.
    RequestBody,
    /// `proxy_on_request_trailers`.
    RequestTrailers,
    /// `proxy_on_response_headers`.
    ResponseHeaders,
    /// `proxy_on_response_body`.
    ResponseBody,
    /// `proxy_on_response_trailers`.
    ResponseTrailers,
    /// `proxy_on_tick`.
    Tick,
    /// Answers of calls that the plugin made.
    CallResponse,
    /// `proxy_on_request_metadata`.
    RequestMetadata,
    /// `proxy_on_response_metadata`.
    ResponseMetadata,
    /// `proxy_on_queue_ready`.
    QueueReady,
    /// `proxy_on_new_connection`.
    NewConnection,
    /// `proxy_on_downstream_data`.
    DownstreamData,
    /// `proxy_on_upstream_data`.
    UpstreamData,
    /// `proxy_on_downstream_connection_close` and `proxy_on_upstream_connection_close`.
    ConnectionClose,
    /// `proxy_on_foreign_function`.
    ForeignFunction,
    /// `proxy_on_log`.
    Log,
    /// `proxy_on_done`.
    Done,
    /// `proxy_on_delete`.
    Delete,
}

impl Phase {
    /// All phases, in the order in which a stream passes them.
    pub const ALL: [Self; 22] = [
        Self::VmStart,
        Self::Configure,
        Self::ContextCreate,
        Self::RequestHeaders,
        Self::RequestBody,
        Self::RequestTrailers,
        Self::ResponseHeaders,
        Self::ResponseBody,
        Self::ResponseTrailers,
        Self::Tick,
        Self::CallResponse,
        Self::RequestMetadata,
        Self::ResponseMetadata,
        Self::QueueReady,
        Self::NewConnection,
        Self::DownstreamData,
        Self::UpstreamData,
        Self::ConnectionClose,
        Self::ForeignFunction,
        Self::Log,
        Self::Done,
        Self::Delete,
    ];

    /// The key of the result file.
    pub const fn name(self) -> &'static str {
        match self {
            Self::VmStart => "vm_start",
            Self::Configure => "configure",
            Self::ContextCreate => "context_create",
            Self::RequestHeaders => "request_headers",
            Self::RequestBody => "request_body",
            Self::RequestTrailers => "request_trailers",
            Self::ResponseHeaders => "response_headers",
            Self::ResponseBody => "response_body",
            Self::ResponseTrailers => "response_trailers",
            Self::Tick => "tick",
            Self::CallResponse => "call_response",
            Self::RequestMetadata => "request_metadata",
            Self::ResponseMetadata => "response_metadata",
            Self::QueueReady => "queue_ready",
            Self::NewConnection => "new_connection",
            Self::DownstreamData => "downstream_data",
            Self::UpstreamData => "upstream_data",
            Self::ConnectionClose => "connection_close",
            Self::ForeignFunction => "foreign_function",
            Self::Log => "log",
            Self::Done => "done",
            Self::Delete => "delete",
        }
    }
}
