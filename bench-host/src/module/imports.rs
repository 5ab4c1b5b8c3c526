//! The names that hosts offer to plugins.

use serde::Serialize;

use super::AbiVersion;

/// Who offers an imported function.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Offered {
    /// Every host, under every ABI version.
    Everywhere,
    /// Every host, under ABI 0.1.0 only.
    #[serde(rename = "abi-0.1.0")]
    Abi0_1_0,
    /// Every host, from ABI 0.2.0 on.
    #[serde(rename = "abi-0.2.0")]
    Abi0_2_0,
    /// Every host, from ABI 0.2.1 on.
    #[serde(rename = "abi-0.2.1")]
    Abi0_2_1,
    /// Higress alone; Envoy and Istio refuse a module that imports it.
    Higress,
}

impl Offered {
    /// Whether a module that speaks `abi` gets it; a module without a marker is given the benefit
    /// of the doubt.
    #[must_use]
    pub fn under(self, abi: Option<AbiVersion>) -> bool {
        let Some(abi) = abi else { return true };
        match self {
            Self::Everywhere | Self::Higress => true,
            Self::Abi0_1_0 => abi == AbiVersion::V0_1_0,
            Self::Abi0_2_0 => abi >= AbiVersion::V0_2_0,
            Self::Abi0_2_1 => abi >= AbiVersion::V0_2_1,
        }
    }
}

/// Who offers the function `name` of `module`, or `None` when no host does.
#[must_use]
pub fn offered(module: &str, name: &str) -> Option<Offered> {
    match module {
        "env" => ENV.iter().find(|(known, _)| *known == name).map(|&(_, offered)| offered),
        "wasi_snapshot_preview1" | "wasi_unstable" => {
            WASI.contains(&name).then_some(Offered::Everywhere)
        }
        _ => None,
    }
}

/// The functions of namespace `env`.
const ENV: [(&str, Offered); 51] = {
    use Offered::{Abi0_1_0, Abi0_2_0, Abi0_2_1, Everywhere, Higress};
    [
        ("proxy_log", Everywhere),
        ("proxy_get_status", Everywhere),
        ("proxy_get_property", Everywhere),
        ("proxy_set_property", Everywhere),
        ("proxy_send_local_response", Everywhere),
        ("proxy_get_shared_data", Everywhere),
        ("proxy_set_shared_data", Everywhere),
        ("proxy_register_shared_queue", Everywhere),
        ("proxy_resolve_shared_queue", Everywhere),
        ("proxy_dequeue_shared_queue", Everywhere),
        ("proxy_enqueue_shared_queue", Everywhere),
        ("proxy_get_header_map_value", Everywhere),
        ("proxy_add_header_map_value", Everywhere),
        ("proxy_replace_header_map_value", Everywhere),
        ("proxy_remove_header_map_value", Everywhere),
        ("proxy_get_header_map_pairs", Everywhere),
        ("proxy_set_header_map_pairs", Everywhere),
        ("proxy_get_header_map_size", Everywhere),
        ("proxy_get_buffer_status", Everywhere),
        ("proxy_get_buffer_bytes", Everywhere),
        ("proxy_set_buffer_bytes", Everywhere),
        ("proxy_http_call", Everywhere),
        ("proxy_grpc_call", Everywhere),
        ("proxy_grpc_stream", Everywhere),
        ("proxy_grpc_send", Everywhere),
        ("proxy_grpc_close", Everywhere),
        ("proxy_grpc_cancel", Everywhere),
        ("proxy_set_tick_period_milliseconds", Everywhere),
        ("proxy_get_current_time_nanoseconds", Everywhere),
        ("proxy_define_metric", Everywhere),
        ("proxy_increment_metric", Everywhere),
        ("proxy_record_metric", Everywhere),
        ("proxy_get_metric", Everywhere),
        ("proxy_set_effective_context", Everywhere),
        ("proxy_done", Everywhere),
        ("proxy_call_foreign_function", Everywhere),
        ("proxy_get_configuration", Abi0_1_0),
        ("proxy_continue_request", Abi0_1_0),
        ("proxy_continue_response", Abi0_1_0),
        ("proxy_clear_route_cache", Abi0_1_0),
        ("proxy_continue_stream", Abi0_2_0),
        ("proxy_close_stream", Abi0_2_0),
        ("proxy_get_log_level", Abi0_2_1),
        ("proxy_redis_init", Higress),
        ("proxy_redis_call", Higress),
        ("proxy_inject_encoded_data_to_filter_chain", Higress),
        ("proxy_get_upstream_hosts", Higress),
        ("proxy_set_upstream_override_host", Higress),
        ("pthread_equal", Everywhere),
        ("emscripten_notify_memory_growth", Everywhere),
        ("envoy_resolve_dns", Everywhere),
    ]
};

/// The functions of WASI's first preview, all of which hosts offer and most of which they refuse
/// when called.
const WASI: [&str; 45] = [
    "args_get",
    "args_sizes_get",
    "clock_res_get",
    "clock_time_get",
    "environ_get",
    "environ_sizes_get",
    "fd_advise",
    "fd_allocate",
    "fd_close",
    "fd_datasync",
    "fd_fdstat_get",
    "fd_fdstat_set_flags",
    "fd_fdstat_set_rights",
    "fd_filestat_get",
    "fd_filestat_set_size",
    "fd_filestat_set_times",
    "fd_pread",
    "fd_prestat_dir_name",
    "fd_prestat_get",
    "fd_pwrite",
    "fd_read",
    "fd_readdir",
    "fd_renumber",
    "fd_seek",
    "fd_sync",
    "fd_tell",
    "fd_write",
    "path_create_directory",
    "path_filestat_get",
    "path_filestat_set_times",
    "path_link",
    "path_open",
    "path_readlink",
    "path_remove_directory",
    "path_rename",
    "path_symlink",
    "path_unlink_file",
    "poll_oneoff",
    "proc_exit",
    "random_get",
    "sched_yield",
    "sock_accept",
    "sock_recv",
    "sock_send",
    "sock_shutdown",
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_name_is_listed_twice() {
        let env: BTreeSet<_> = ENV.iter().map(|(name, _)| name).collect();
        assert_eq!(env.len(), ENV.len());
        assert!(WASI.is_sorted_by(|a, b| a < b));
    }

    #[test]
    fn some_names_depend_on_the_version() {
        let continue_request = offered("env", "proxy_continue_request").unwrap();
        assert!(continue_request.under(Some(AbiVersion::V0_1_0)));
        assert!(!continue_request.under(Some(AbiVersion::V0_2_1)));
        assert!(continue_request.under(None));
        let continue_stream = offered("env", "proxy_continue_stream").unwrap();
        assert!(!continue_stream.under(Some(AbiVersion::V0_1_0)));
        assert!(continue_stream.under(Some(AbiVersion::V0_2_100)));
        let log_level = offered("env", "proxy_get_log_level").unwrap();
        assert!(!log_level.under(Some(AbiVersion::V0_2_0)));
        assert!(log_level.under(Some(AbiVersion::V0_2_1)));
    }

    #[test]
    fn a_name_counts_in_its_own_namespace_only() {
        assert_eq!(offered("wasi_unstable", "fd_write"), Some(Offered::Everywhere));
        assert_eq!(offered("env", "fd_write"), None);
        assert_eq!(offered("wasi_snapshot_preview1", "proxy_log"), None);
        assert_eq!(offered("wasi_snapshot_preview2", "fd_write"), None);
        assert_eq!(offered("env", "proxy_redis_call"), Some(Offered::Higress));
    }
}
