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
        let policy = match self.failure_policy {
            FailurePolicy::FailClosed => "FAIL_CLOSED",
            FailurePolicy::FailOpen => "FAIL_OPEN",
            FailurePolicy::FailReload => "FAIL_RELOAD",
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
{environment}                  code:
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
mod tests {
    use serde_json::{Value, json};

    use super::super::yaml::tests::parse;
    use super::*;

    fn bootstrap() -> Bootstrap {
        Bootstrap {
            name: "edit".to_owned(),
            module: "target/edit.wasm".to_owned(),
            file: "package/envoy.yaml".to_owned(),
            configuration: String::new(),
            listen: "127.0.0.1:10000".parse().unwrap(),
            upstream: "127.0.0.1:8080".parse().unwrap(),
            clusters: Vec::new(),
            log_attributes: Vec::new(),
            failure_policy: FailurePolicy::FailClosed,
            environment: Vec::new(),
            allow_stop_iteration: false,
        }
    }

    /// The only HTTP connection manager.
    fn manager(bootstrap: &Bootstrap) -> Value {
        let read = parse(&bootstrap.yaml());
        let listeners = read["static_resources"]["listeners"].as_array().unwrap();
        assert_eq!(listeners.len(), 1);
        listeners[0]["filter_chains"][0]["filters"][0]["typed_config"].clone()
    }

    fn plugin(bootstrap: &Bootstrap) -> Value {
        manager(bootstrap)["http_filters"][0]["typed_config"]["config"].clone()
    }

    #[test]
    fn the_least_bootstrap_in_full() {
        insta::assert_snapshot!("least", bootstrap().yaml());
    }

    #[test]
    fn every_option_in_full() {
        let every = Bootstrap {
            configuration: "{\n  \"a\": 1\n}\n".to_owned(),
            listen: "[::1]:1".parse().unwrap(),
            upstream: "upstream.example:2".parse().unwrap(),
            clusters: vec![
                "outbound|80||auth.dns=127.0.0.1:3".parse().unwrap(),
                "logs=logs.example:4".parse().unwrap(),
            ],
            log_attributes: vec!["ai_log".to_owned()],
            failure_policy: FailurePolicy::FailReload,
            environment: vec![("LEVEL".to_owned(), "1".to_owned())],
            allow_stop_iteration: true,
            ..bootstrap()
        };
        insta::assert_snapshot!("every", every.yaml());
        let log = &manager(&every)["access_log"][0]["typed_config"]["log_format"]["json_format"];
        assert_eq!(log["ai_log"], "%FILTER_STATE(wasm.ai_log:PLAIN)%");
        let vm = &plugin(&every)["vm_config"];
        assert_eq!(vm["environment_variables"]["key_values"], json!({ "LEVEL": "1" }));
    }

    #[test]
    fn odd_texts_stay_what_they_are() {
        for odd in ["", "a: b #c", "\"\\\n", "null", "日本", "- a\n b\n", "{\r\n}\r\n", "\n\n", "%"]
        {
            let odd_one = Bootstrap {
                name: odd.to_owned(),
                module: odd.to_owned(),
                file: odd.to_owned(),
                configuration: odd.to_owned(),
                clusters: vec![Cluster {
                    name: odd.to_owned(),
                    endpoint: "127.0.0.1:1".parse().unwrap(),
                }],
                environment: vec![("A".to_owned(), odd.to_owned())],
                ..bootstrap()
            };
            let read = parse(&odd_one.yaml());
            assert_eq!(read["static_resources"]["clusters"][1]["name"], odd);
            let plugin = plugin(&odd_one);
            assert_eq!((&plugin["name"], &plugin["root_id"]), (&json!(odd), &json!(odd)));
            assert_eq!(plugin["vm_config"]["code"]["local"]["filename"], odd);
            assert_eq!(plugin["vm_config"]["environment_variables"]["key_values"]["A"], odd);
            match odd {
                "" => assert_eq!(plugin["configuration"], Value::Null),
                odd => assert_eq!(plugin["configuration"]["value"], odd),
            }
        }
    }

    #[test]
    fn ports_stand_alone_on_their_lines() {
        let yaml = bootstrap().yaml();
        let ports: Vec<_> =
            yaml.lines().filter_map(|line| line.trim().strip_prefix("port_value: ")).collect();
        assert_eq!(ports, ["9901", "10000", "8080"]);
    }
}
