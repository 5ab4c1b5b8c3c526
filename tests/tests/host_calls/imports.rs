//! The host calls of every ABI version, with what their parameters stand for.

/// What one or two parameters of a host call stand for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Param {
    /// A 32-bit number.
    Number,
    /// A 64-bit number.
    Wide,
    /// Address and length of bytes that the host reads.
    In,
    /// Where the host writes the address and the length of bytes that it hands over.
    Out,
    /// Where the host writes a 32-bit number.
    Word,
    /// Where the host writes a 64-bit number.
    Long,
}

/// Who offers a host call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offer {
    /// Every host under every ABI version.
    All,
    /// ABI 0.1.0 alone.
    Old,
    /// From ABI 0.2.0 on.
    New,
    /// From ABI 0.2.1 on.
    Newer,
    /// Higress alone; elsewhere it is not implemented.
    Higress,
}

/// One host call.
#[derive(Clone, Copy, Debug)]
pub struct Import {
    /// Its name in the namespace `env`.
    pub name: &'static str,
    /// Its parameters.
    pub params: &'static [Param],
    /// Who offers it.
    pub offer: Offer,
    /// Whether what it returns is a status, another number, or nothing.
    pub result: Answer,
}

/// What a host call returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// A status.
    Status,
    /// A number that is no status.
    Number,
    /// Nothing.
    Nothing,
}

use Param::{In, Long, Number, Out, Wide, Word};

const fn call(name: &'static str, params: &'static [Param]) -> Import {
    offered(name, params, Offer::All)
}

const fn offered(name: &'static str, params: &'static [Param], offer: Offer) -> Import {
    Import { name, params, offer, result: Answer::Status }
}

/// All of them.
pub const IMPORTS: [Import; 51] = [
    call("proxy_log", &[Number, In]),
    call("proxy_get_status", &[Word, Out]),
    call("proxy_get_property", &[In, Out]),
    call("proxy_set_property", &[In, In]),
    call("proxy_send_local_response", &[Number, In, In, In, Number]),
    call("proxy_get_shared_data", &[In, Out, Word]),
    call("proxy_set_shared_data", &[In, In, Number]),
    call("proxy_register_shared_queue", &[In, Word]),
    call("proxy_resolve_shared_queue", &[In, In, Word]),
    call("proxy_dequeue_shared_queue", &[Number, Out]),
    call("proxy_enqueue_shared_queue", &[Number, In]),
    call("proxy_get_header_map_value", &[Number, In, Out]),
    call("proxy_add_header_map_value", &[Number, In, In]),
    call("proxy_replace_header_map_value", &[Number, In, In]),
    call("proxy_remove_header_map_value", &[Number, In]),
    call("proxy_get_header_map_pairs", &[Number, Out]),
    call("proxy_set_header_map_pairs", &[Number, In]),
    call("proxy_get_header_map_size", &[Number, Word]),
    call("proxy_get_buffer_status", &[Number, Word, Word]),
    call("proxy_get_buffer_bytes", &[Number, Number, Number, Out]),
    call("proxy_set_buffer_bytes", &[Number, Number, Number, In]),
    call("proxy_http_call", &[In, In, In, In, Number, Word]),
    call("proxy_grpc_call", &[In, In, In, In, In, Number, Word]),
    call("proxy_grpc_stream", &[In, In, In, In, Word]),
    call("proxy_grpc_send", &[Number, In, Number]),
    call("proxy_grpc_close", &[Number]),
    call("proxy_grpc_cancel", &[Number]),
    call("proxy_set_tick_period_milliseconds", &[Number]),
    call("proxy_get_current_time_nanoseconds", &[Long]),
    call("proxy_define_metric", &[Number, In, Word]),
    call("proxy_increment_metric", &[Number, Wide]),
    call("proxy_record_metric", &[Number, Wide]),
    call("proxy_get_metric", &[Number, Long]),
    call("proxy_set_effective_context", &[Number]),
    call("proxy_done", &[]),
    call("proxy_call_foreign_function", &[In, In, Out]),
    offered("proxy_get_configuration", &[Out], Offer::Old),
    offered("proxy_continue_request", &[], Offer::Old),
    offered("proxy_continue_response", &[], Offer::Old),
    offered("proxy_clear_route_cache", &[], Offer::Old),
    offered("proxy_continue_stream", &[Number], Offer::New),
    offered("proxy_close_stream", &[Number], Offer::New),
    offered("proxy_get_log_level", &[Word], Offer::Newer),
    offered("proxy_redis_init", &[In, In, In, Number], Offer::Higress),
    offered("proxy_redis_call", &[In, In, Word], Offer::Higress),
    offered("proxy_inject_encoded_data_to_filter_chain", &[In, Number], Offer::Higress),
    offered("proxy_get_upstream_hosts", &[Out], Offer::Higress),
    offered("proxy_set_upstream_override_host", &[In], Offer::Higress),
    Import { result: Answer::Number, ..call("pthread_equal", &[Number, Number]) },
    Import { result: Answer::Nothing, ..call("emscripten_notify_memory_growth", &[Number]) },
    call("envoy_resolve_dns", &[In, Word]),
];

/// The host call of a name, which may lack its `proxy_`.
pub fn find(name: &str) -> &'static Import {
    let is =
        |import: &&Import| import.name == name || import.name.strip_prefix("proxy_") == Some(name);
    IMPORTS.iter().find(is).unwrap_or_else(|| panic!("there is no host call {name}"))
}

impl Import {
    /// The types of its parameters and its result, as WAT has them.
    pub fn wat_type(&self) -> String {
        let params = self.params.iter().map(|param| match param {
            Number | Word | Long => "i32",
            Wide => "i64",
            In | Out => "i32 i32",
        });
        let result = if self.result == Answer::Nothing { "" } else { " (result i32)" };
        format!("(param {}){result}", params.collect::<Vec<_>>().join(" "))
    }

    /// The line that imports it.
    pub fn wat_import(&self) -> String {
        let Self { name, .. } = self;
        format!("(import \"env\" \"{name}\" (func ${name} {}))\n", self.wat_type())
    }
}
