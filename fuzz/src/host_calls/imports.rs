//! What the guest imports, and what each argument is.

/// The kinds of arguments, by the letters of [`Import::arguments`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `n`: a number.
    Number,
    /// `t`: a period. Short ones are left out: a stream that the guest holds waits five minutes of
    /// the virtual clock, and a tick for each of its milliseconds takes too long.
    Period,
    /// `l`: a number of 64 bits.
    Long,
    /// `s`: address and length of bytes.
    Bytes,
    /// `h`: address and length of pairs.
    Pairs,
    /// `p`: an address that the host writes to.
    Place,
}

/// An imported function; all answer with a number.
#[derive(Clone, Copy, Debug)]
pub struct Import {
    /// Where it is imported from.
    pub module: &'static str,
    /// Its name.
    pub name: &'static str,
    /// Its arguments, a letter each.
    arguments: &'static str,
}

impl Import {
    pub fn arguments(&self) -> impl Iterator<Item = Kind> {
        self.arguments.bytes().map(|letter| match letter {
            b'l' => Kind::Long,
            b't' => Kind::Period,
            b's' => Kind::Bytes,
            b'h' => Kind::Pairs,
            b'p' => Kind::Place,
            _ => Kind::Number,
        })
    }
}

const fn env(name: &'static str, arguments: &'static str) -> Import {
    Import { module: "env", name, arguments }
}

const fn wasi(name: &'static str, arguments: &'static str) -> Import {
    Import { module: "wasi_snapshot_preview1", name, arguments }
}

/// All of them. Seeds name them by their place: new ones come last.
pub const IMPORTS: [Import; 65] = [
    env("proxy_log", "ns"),
    env("proxy_get_status", "ppp"),
    env("proxy_get_property", "spp"),
    env("proxy_set_property", "ss"),
    env("proxy_send_local_response", "nsshn"),
    env("proxy_get_shared_data", "sppp"),
    env("proxy_set_shared_data", "ssn"),
    env("proxy_register_shared_queue", "sp"),
    env("proxy_resolve_shared_queue", "ssp"),
    env("proxy_dequeue_shared_queue", "npp"),
    env("proxy_enqueue_shared_queue", "ns"),
    env("proxy_get_header_map_value", "nspp"),
    env("proxy_add_header_map_value", "nss"),
    env("proxy_replace_header_map_value", "nss"),
    env("proxy_remove_header_map_value", "ns"),
    env("proxy_get_header_map_pairs", "npp"),
    env("proxy_set_header_map_pairs", "nh"),
    env("proxy_get_header_map_size", "np"),
    env("proxy_get_buffer_status", "npp"),
    env("proxy_get_buffer_bytes", "nnnpp"),
    env("proxy_set_buffer_bytes", "nnns"),
    env("proxy_http_call", "shshnp"),
    env("proxy_grpc_call", "ssshsnp"),
    env("proxy_grpc_stream", "ssshp"),
    env("proxy_grpc_send", "nsn"),
    env("proxy_grpc_close", "n"),
    env("proxy_grpc_cancel", "n"),
    env("proxy_set_tick_period_milliseconds", "t"),
    env("proxy_get_current_time_nanoseconds", "p"),
    env("proxy_define_metric", "nsp"),
    env("proxy_increment_metric", "nl"),
    env("proxy_record_metric", "nl"),
    env("proxy_get_metric", "np"),
    env("proxy_set_effective_context", "n"),
    env("proxy_done", ""),
    env("proxy_call_foreign_function", "sspp"),
    env("proxy_get_configuration", "pp"),
    env("proxy_continue_request", ""),
    env("proxy_continue_response", ""),
    env("proxy_clear_route_cache", ""),
    env("proxy_continue_stream", "n"),
    env("proxy_close_stream", "n"),
    env("proxy_get_log_level", "p"),
    env("proxy_redis_init", "sssn"),
    env("proxy_redis_call", "ssp"),
    env("proxy_inject_encoded_data_to_filter_chain", "sn"),
    env("proxy_get_upstream_hosts", "pp"),
    env("proxy_set_upstream_override_host", "s"),
    env("pthread_equal", "nn"),
    env("envoy_resolve_dns", "ssp"),
    env("no_host_has_this", "nn"),
    wasi("args_get", "pp"),
    wasi("args_sizes_get", "pp"),
    wasi("clock_res_get", "np"),
    wasi("clock_time_get", "nlp"),
    wasi("environ_get", "pp"),
    wasi("environ_sizes_get", "pp"),
    wasi("fd_close", "n"),
    wasi("fd_fdstat_get", "np"),
    wasi("fd_read", "nsp"),
    wasi("fd_seek", "nlnp"),
    wasi("fd_write", "nsp"),
    wasi("path_open", "nnsnllnp"),
    wasi("random_get", "pn"),
    wasi("sched_yield", ""),
];
