//! A bootstrap with which Envoy runs the plugin between a client and an upstream, as it is.

use std::fmt::Write as _;

use super::yaml::{quoted, scalar, text};
use super::{Cluster, Endpoint};
use crate::host::FailurePolicy;

/// What an Envoy with one listener, one plugin and one upstream needs to know.
#[derive(Debug, Clone)]
pub struct Bootstrap {
    /// The plugin's name and root id.
    pub name: String,
    /// Path of the module, from the folder in which Envoy is started.
    pub module: String,
    /// Path of the file itself from there, for the comment at its top.
    pub file: String,
    /// The plugin's configuration, passed as it is.
    pub configuration: String,
    /// Where Envoy listens.
    pub listen: Endpoint,
    /// Where requests go.
    pub upstream: Endpoint,
    /// What the plugin calls.
    pub clusters: Vec<Cluster>,
    /// Names of attributes in the access log, as a plugin sets them.
    pub log_attributes: Vec<String>,
    /// What becomes of streams when the plugin has failed.
    pub failure_policy: FailurePolicy,
    /// The plugin's environment.
    pub environment: Vec<(String, String)>,
    /// Whether header callbacks that stop iteration stop only that.
    pub allow_stop_iteration: bool,
}

impl Bootstrap {
    /// The file `envoy.yaml`, for Envoy 1.35 and later.
    ///
    /// # Cost
    /// Allocates the text.
    #[must_use]
    pub fn yaml(&self) -> String {
        let mut out = self.comment();
        out.push_str(&admin());
        out.push_str("\nstatic_resources:\n  listeners:\n  - name: listener\n");
        out.push_str(&address(&self.listen, 4));
        out.push_str(CONNECTION_MANAGER);
        out.push_str(&self.access_log());
        out.push_str(ROUTE);
        out.push_str(&self.filter());
        out.push_str("\n  clusters:\n");
        out.push_str(&cluster("upstream", &self.upstream));
        out.push_str(UPSTREAM_PROTOCOL);
        for service in &self.clusters {
            out.push_str(&cluster(&service.name, &service.endpoint));
        }
        out
    }

    fn comment(&self) -> String {
        let (listen, upstream) = (&self.listen, &self.upstream);
        let mut out = format!(
            "# Envoy with one plugin, between {listen} and an upstream at {upstream}.\n\
             # Paths are relative to the folder in which Envoy is started:\n\
             #\n\
             #     envoy -c {}\n\
             #     curl -v http://{listen}/\n\
             #     curl -v --http2-prior-knowledge http://{listen}/\n\
             #\n\
             # The upstream is spoken to as the client speaks: HTTP/2 by the last command.\n",
            shell(&self.file)
        );
        if !self.clusters.is_empty() {
            out.push_str("# The plugin calls the clusters at the end of this file.\n");
        }
        out.push('\n');
        out
    }

    fn access_log(&self) -> String {
        let attributes = self.log_attributes.iter().fold(String::new(), |mut out, name| {
            // Writing to a string cannot fail.
            let _ = writeln!(
                out,
                "                  {}: {}",
                scalar(name),
                scalar(&format!("%FILTER_STATE(wasm.{name}:PLAIN)%"))
            );
            out
        });
        format!("{ACCESS_LOG}{attributes}")
    }

    fn filter(&self) -> String {
        let configuration = match self.configuration.is_empty() {
            true => String::new(),
            false => format!(
                "                configuration:\n\
                 \x20                 \"@type\": type.googleapis.com/google.protobuf.StringValue\n\
                 \x20                 value: {}\n",
                text(&self.configuration, 20)
            ),
        };
        let (policy, vm_configuration) = match self.failure_policy {
            FailurePolicy::FailClosed => ("FAIL_CLOSED", ""),
            FailurePolicy::FailOpen => ("FAIL_OPEN", ""),
            FailurePolicy::FailReload => (RELOAD, RELOADS),
        };
        let stop = match self.allow_stop_iteration {
            true => "                allow_on_headers_stop_iteration: true\n",
            false => "",
        };
        let environment = self.environment();
        let (name, module) = (scalar(&self.name), scalar(&self.module));
        format!(
            "          http_filters:
          - name: wasm
            typed_config:
              \"@type\": type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm
              config:
                name: {name}
                root_id: {name}
                failure_policy: {policy}
{stop}{configuration}                vm_config:
                  runtime: envoy.wasm.runtime.v8
{vm_configuration}{environment}                  code:
                    local:
                      filename: {module}
          - name: router
            typed_config:
              \"@type\": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router
"
        )
    }

    fn environment(&self) -> String {
        if self.environment.is_empty() {
            return String::new();
        }
        let mut out = "                  environment_variables:\n".to_owned();
        out.push_str("                    key_values:\n");
        for (name, content) in &self.environment {
            // Writing to a string cannot fail.
            let _ = writeln!(out, "                      {}: {}", scalar(name), quoted(content));
        }
        out
    }
}

/// A VM that has failed is made anew with the next request, a tenth of a second or so after it was
/// made; earlier requests are answered 503. Envoy's default is a second. With an interval of a
/// millisecond, Envoy 1.40 ends with a division by zero.
const RELOAD: &str = "FAIL_RELOAD
                reload_config:
                  backoff:
                    base_interval: 0.1s";

/// Tells the plugin, which cannot read its failure policy, that it may end its VM for a fresh one.
const RELOADS: &str = r#"                  # A plugin ends its VM on purpose where this says so: never without FAIL_RELOAD.
                  configuration:
                    "@type": type.googleapis.com/google.protobuf.StringValue
                    value: '{"failure_policy":"FAIL_RELOAD"}'
"#;

/// Requests of HTTP/1.1, with trailers, and of HTTP/2 with prior knowledge.
const CONNECTION_MANAGER: &str = "    filter_chains:
    - filters:
      - name: http
        typed_config:
          \"@type\": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: http
          codec_type: AUTO
          http_protocol_options:
            enable_trailers: true
";

/// A line of JSON on stdout for each request.
const ACCESS_LOG: &str = "          access_log:
          - name: stdout
            typed_config:
              \"@type\": type.googleapis.com/envoy.extensions.access_loggers.stream.v3.StdoutAccessLog
              log_format:
                json_format:
                  method: \"%REQ(:METHOD)%\"
                  path: \"%REQ(:PATH)%\"
                  protocol: \"%PROTOCOL%\"
                  response_code: \"%RESPONSE_CODE%\"
                  response_code_details: \"%RESPONSE_CODE_DETAILS%\"
                  bytes_received: \"%BYTES_RECEIVED%\"
                  bytes_sent: \"%BYTES_SENT%\"
                  duration_ms: \"%DURATION%\"
";

/// Everything goes to the upstream.
const ROUTE: &str = "          route_config:
            name: routes
            virtual_hosts:
            - name: any
              domains: [\"*\"]
              routes:
              - name: default
                match:
                  prefix: /
                route:
                  cluster: upstream
";

/// The upstream is spoken to as the client speaks to Envoy.
const UPSTREAM_PROTOCOL: &str = "    typed_extension_protocol_options:
      envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
        \"@type\": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
        use_downstream_protocol_config:
          http_protocol_options:
            enable_trailers: true
          http2_protocol_options: {}
";

fn admin() -> String {
    let place = "127.0.0.1:9901";
    // The constant is a place.
    let place = place.parse().map(|place| address(&place, 2)).unwrap_or_default();
    format!("admin:\n{place}")
}

fn address(endpoint: &Endpoint, indent: usize) -> String {
    format!(
        "{:indent$}address:\n\
         {:indent$}  socket_address:\n\
         {:indent$}    address: {}\n\
         {:indent$}    port_value: {}\n",
        "",
        "",
        "",
        scalar(endpoint.host()),
        "",
        endpoint.port()
    )
}

fn cluster(name: &str, endpoint: &Endpoint) -> String {
    let kind = if endpoint.is_address() { "STATIC" } else { "STRICT_DNS" };
    let name = scalar(name);
    format!(
        "  - name: {name}
    type: {kind}
    connect_timeout: 1s
    load_assignment:
      cluster_name: {name}
      endpoints:
      - lb_endpoints:
        - endpoint:
{}",
        address(endpoint, 12)
    )
}

/// A path for a shell, in a comment: one that a shell or the comment would not keep is left to the
/// reader.
fn shell(path: &str) -> &str {
    let plain = |c: char| c.is_alphanumeric() || "_-./".contains(c);
    if path.chars().all(plain) { path } else { "envoy.yaml" }
}

#[cfg(test)]
mod tests;
