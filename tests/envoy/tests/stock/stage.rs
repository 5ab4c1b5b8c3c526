//! Many plugins in one Envoy, each behind a listener of its own, and each in a bench host as well.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use bench_host::host::HeaderMap;
use bench_host::testing::{Call, Outcome, Seen, Setup, TestHost, TestModule};
use bench_host::traffic::Exchange;
use bench_host::upstream::Upstreams;
use envoy_tests::client::{self, ClientError};
use envoy_tests::{Bootstrap, Gateway, Services, Upstream, upstream};
use serde_json::{Value, json};
use tempfile::TempDir;

/// How long a log line may take.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// A plugin as an operator configures it.
#[derive(Clone, Debug)]
pub struct Plugin {
    pub name: String,
    pub module: PathBuf,
    pub configuration: String,
    /// `allow_on_headers_stop_iteration`
    pub allow: bool,
    /// What is changed in the listener's connection manager.
    pub manager: Value,
}

impl Plugin {
    /// A module with a name.
    pub fn new(name: &str, module: impl Into<PathBuf>, configuration: &str) -> Self {
        Self {
            name: name.to_owned(),
            module: module.into(),
            configuration: configuration.to_owned(),
            allow: false,
            manager: json!({}),
        }
    }

    /// An example with the configuration that lies beside it.
    pub fn example(name: &str) -> Self {
        let folder = chunkwise_tests::root().join("examples").join(name);
        let configuration = fs::read_to_string(folder.join("config.json")).unwrap();
        Self::new(name, chunkwise_tests::module(name), &configuration)
    }

    pub fn configured(mut self, configuration: &Value) -> Self {
        self.configuration = configuration.to_string();
        self
    }

    pub fn allow(mut self) -> Self {
        self.allow = true;
        self
    }

    pub fn named(mut self, name: &str) -> Self {
        name.clone_into(&mut self.name);
        self
    }

    /// Fields of the connection manager.
    pub fn manager(mut self, fields: Value) -> Self {
        self.manager = fields;
        self
    }

    /// The same plugin in a bench host.
    pub fn bench(&self, setup: &Setup) -> TestHost {
        let setup = if self.allow { setup.clone().allow_stop_iteration() } else { setup.clone() };
        let setup = setup.plugin_name(&self.name);
        let module = TestModule::read(&self.module).unwrap();
        setup.module(&module, &self.configuration).unwrap()
    }
}

/// Plugins that wrote themselves into files.
#[derive(Debug)]
pub struct Written(TempDir);

impl Written {
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// A guest as text.
    pub fn plugin(&self, name: &str, body: &str) -> Plugin {
        self.module(name, &chunkwise_tests::guest::module(body))
    }

    /// A guest as bytes.
    pub fn module(&self, name: &str, bytes: &[u8]) -> Plugin {
        let path = self.0.path().join(format!("{name}.wasm"));
        fs::write(&path, bytes).unwrap();
        Plugin::new(name, path, "cfg")
    }
}

/// What a request has come to in Envoy.
#[derive(Debug)]
pub struct Real {
    /// What the client got; none where the connection broke.
    pub downstream: Result<Seen, ClientError>,
    /// What the upstream got.
    pub upstream: Vec<Seen>,
    /// The line of the access log.
    pub line: Value,
    /// What the plugin logged meanwhile.
    pub log: Vec<String>,
}

impl Real {
    pub fn down(&self) -> &Seen {
        self.downstream.as_ref().unwrap()
    }

    pub fn details(&self) -> &str {
        self.line["details"].as_str().unwrap_or_default()
    }
}

/// A line that a plugin logged.
#[derive(Clone, Debug)]
pub struct Line {
    pub thread: String,
    /// Whether that is the main thread.
    pub main: bool,
    /// As Envoy writes it.
    pub level: String,
    pub message: String,
}

/// One Envoy with all of them.
#[derive(Debug)]
pub struct Stage {
    pub gateway: Gateway,
    pub upstream: Upstream,
    ports: BTreeMap<String, SocketAddr>,
    lines: usize,
    next: u32,
    _services: Services,
}

/// Clusters that plugins call, and how they answer.
#[derive(Debug, Default)]
pub struct Calls<'a> {
    pub script: &'a str,
    /// Clusters that are answered by the script.
    pub served: &'a [&'a str],
    /// Clusters of which nobody listens.
    pub down: &'a [&'a str],
    /// Clusters that a test serves itself.
    pub own: &'a [(&'a str, u16)],
    /// Names of attributes in the access log.
    pub attributes: &'a [&'a str],
}

impl Stage {
    /// Starts one worker.
    pub fn start(plugins: &[Plugin], calls: &Calls<'_>) -> Self {
        Self::with_workers(plugins, calls, 1)
    }

    pub fn with_workers(plugins: &[Plugin], calls: &Calls<'_>, workers: u32) -> Self {
        let upstream = Upstream::start().unwrap();
        let script = Upstreams::parse(calls.script, "test").unwrap();
        let mut services = Services::new(&script);
        let mut clusters = vec![cluster("upstream", upstream.port())];
        for name in calls.served {
            clusters.push(cluster(name, services.serve(name).unwrap()));
        }
        for name in calls.down {
            // The port was free a moment ago, and nobody listens on it since.
            let socket = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
            clusters.push(cluster(name, socket.local_addr().unwrap().port()));
        }
        clusters.extend(calls.own.iter().map(|(name, port)| cluster(name, *port)));
        let listeners: Vec<_> =
            plugins.iter().map(|plugin| listener(plugin, calls.attributes)).collect();
        let resources = json!({"listeners": listeners, "clusters": clusters}).to_string();
        // As the harness looks for ports.
        let resources = resources.replace("\"port_value\":", "port_value: ");
        let bootstrap = format!(
            "admin: {{address: {{socket_address: {{address: 127.0.0.1, port_value: 9901}}}}}}\n\
             node: {{id: node-1, cluster: gateway, metadata: {{KEY: v}}}}\n\
             stats_flush_on_admin: true\n\
             static_resources: {resources}\n"
        );
        let gateway = Gateway::start(Bootstrap::new(bootstrap), workers).unwrap();
        let known = gateway.admin_json("/listeners?format=json").unwrap();
        let ports = known["listener_statuses"].as_array().unwrap().iter().map(|listener| {
            let port = listener["local_address"]["socket_address"]["port_value"].as_u64().unwrap();
            let address = SocketAddr::from(([127, 0, 0, 1], u16::try_from(port).unwrap()));
            (listener["name"].as_str().unwrap().to_owned(), address)
        });
        let ports = ports.collect();
        Self { gateway, upstream, ports, lines: 0, next: 0, _services: services }
    }

    /// Where a plugin listens.
    pub fn address(&self, plugin: &str) -> SocketAddr {
        self.ports[plugin]
    }

    /// Sends a request to a plugin, with so much time between chunks.
    pub fn send(&mut self, plugin: &str, call: Call, pause: Duration) -> Real {
        self.next += 1;
        let key = self.next.to_string();
        let before = self.log(plugin).len();
        let exchange = Exchange::from(call.header(upstream::EXCHANGE, &key));
        self.upstream.answer(&key, exchange.response.clone().unwrap(), pause);
        let downstream = client::send(self.address(plugin), &exchange, pause);
        self.lines += 1;
        let lines = self.gateway.access_log(self.lines).unwrap();
        let line = lines.into_iter().find(|line| line["key"] == key.as_str()).unwrap_or_default();
        let mut log = self.log(plugin);
        let log = log.split_off(before);
        Real { downstream, upstream: self.upstream.take(&key), line, log }
    }

    /// What a plugin has logged in the VMs of workers. The main thread has one as well.
    pub fn log(&self, plugin: &str) -> Vec<String> {
        let lines = self.threads(plugin).into_iter().filter(|line| !line.main);
        lines.map(|line| line.message).collect()
    }

    /// What a plugin has logged, and where.
    pub fn threads(&self, plugin: &str) -> Vec<Line> {
        let text = self.gateway.log().unwrap();
        // Lines of streams name the plugin, its root id and its VM's; those of root contexts lack
        // the first.
        let marks = [format!("{plugin} {plugin}"), format!("{plugin} {plugin} {plugin}")];
        let marks = marks.map(|names| format!("] wasm log {names}: "));
        let heads = |line: &str| {
            let mut heads = line.split("][").skip(1);
            let thread = heads.next()?.to_owned();
            Some((thread, heads.next()?.to_owned()))
        };
        let main = text.lines().find_map(heads).map(|(thread, _)| thread);
        let parsed = text.lines().filter_map(|line| {
            let (_, message) = marks.iter().find_map(|mark| line.split_once(mark))?;
            let (thread, level) = heads(line)?;
            let main = Some(&thread) == main.as_ref();
            Some(Line { thread, main, level, message: message.to_owned() })
        });
        parsed.collect()
    }

    /// How many calls have gone to a cluster.
    pub fn calls(&self, cluster: &str) -> u64 {
        let name = format!("cluster.{cluster}.upstream_rq_total: ");
        let stats = self.gateway.admin("/stats").unwrap();
        let line = stats.lines().find_map(|line| line.strip_prefix(&name));
        line.unwrap_or_else(|| panic!("no {name}")).parse().unwrap()
    }

    /// Waits until so many calls have gone to a cluster.
    pub fn wait_for_calls(&self, cluster: &str, calls: u64) {
        let start = Instant::now();
        while self.calls(cluster) < calls {
            assert!(start.elapsed() < PATIENCE, "{} calls to {cluster}", self.calls(cluster));
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

fn address(port: u16) -> Value {
    json!({"socket_address": {"address": "127.0.0.1", "port_value": port}})
}

fn cluster(name: &str, port: u16) -> Value {
    let endpoint = json!({"endpoint": {"address": address(port)}});
    let options = json!({
        "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
        "use_downstream_protocol_config": {
            "http_protocol_options": {"enable_trailers": true},
            "http2_protocol_options": {},
        },
    });
    let mut cluster = json!({
        "name": name,
        "connect_timeout": "1s",
        "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": [endpoint]}]},
    });
    if name == "upstream" {
        cluster["typed_extension_protocol_options"] =
            json!({"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": options});
    }
    cluster
}

fn listener(plugin: &Plugin, attributes: &[&str]) -> Value {
    let Plugin { name, module, configuration, allow, manager } = plugin;
    let mut line = json!({
        "plugin": name,
        "key": "%REQ(X-EXCHANGE)%",
        "code": "%RESPONSE_CODE%",
        "details": "%RESPONSE_CODE_DETAILS%",
        "flags": "%RESPONSE_FLAGS%",
    });
    for attribute in attributes {
        line[attribute] = json!(format!("%FILTER_STATE(wasm.{attribute}:PLAIN)%"));
    }
    let mut http = json!({
        "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "http",
        "codec_type": "AUTO",
        "http_protocol_options": {"enable_trailers": true},
        "access_log": [{
            "name": "stdout",
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.access_loggers.stream.v3.StdoutAccessLog",
                "log_format": {"json_format": line},
            },
        }],
        "route_config": {
            "name": "routes",
            "virtual_hosts": [{
                "name": "any",
                "domains": ["*"],
                "routes": [{"name": "default", "match": {"prefix": "/"}, "route": {"cluster": "upstream"}}],
            }],
        },
        "http_filters": [
            {
                "name": "wasm",
                "typed_config": {
                    "@type": "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm",
                    "config": {
                        "name": name,
                        "root_id": name,
                        "failure_policy": "FAIL_CLOSED",
                        "allow_on_headers_stop_iteration": allow,
                        "configuration": {
                            "@type": "type.googleapis.com/google.protobuf.StringValue",
                            "value": configuration,
                        },
                        "vm_config": {
                            // What plugins share is not for others.
                            "vm_id": name,
                            "runtime": "envoy.wasm.runtime.v8",
                            "code": {"local": {"filename": module}},
                        },
                    },
                },
            },
            {
                "name": "router",
                "typed_config": {
                    "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router",
                    "suppress_envoy_headers": true,
                },
            },
        ],
    });
    for (field, value) in manager.as_object().into_iter().flatten() {
        http[field] = value.clone();
    }
    json!({
        "name": name,
        // As the bench host says of its own.
        "traffic_direction": "INBOUND",
        "address": address(10000),
        "filter_chains": [{"filters": [{"name": "http", "typed_config": http}]}],
    })
}

/// Compares what is the same in both: status, bodies, whether it ended, details.
pub fn same(real: &Real, bench: &Outcome, what: &str) {
    let down = real.down();
    assert_eq!(
        down.status(),
        bench.downstream.status(),
        "{what}: status\n{} {:?}",
        real.line,
        real.log
    );
    assert_eq!(
        down.text(),
        bench.downstream.text(),
        "{what}: the client's body\n{} {:?}",
        real.line,
        real.log
    );
    assert_eq!(down.ended, bench.downstream.ended, "{what}: its end\n{} {:?}", real.line, real.log);
    assert_eq!(real.details(), bench.details, "{what}: details\n{} {:?}", real.line, real.log);
    let up = real.upstream.first();
    let text = up.map(Seen::text).unwrap_or_default();
    assert_eq!(
        text,
        bench.upstream.text(),
        "{what}: the upstream's body\n{} {:?}",
        real.line,
        real.log
    );
    same_headers(&real.down().headers, &bench.downstream.headers, what);
    if let Some(up) = up {
        same_headers(&up.headers, &bench.upstream.headers, what);
    }
}

/// What proxies add of their own, and what HTTP/1 says of framing.
const OF_THE_PROXY: [&str; 10] = [
    "server",
    "date",
    "x-envoy-upstream-service-time",
    "x-envoy-expected-rq-timeout-ms",
    "x-forwarded-proto",
    "x-request-id",
    "transfer-encoding",
    "connection",
    "x-exchange",
    ":scheme",
];

fn same_headers(real: &HeaderMap, bench: &HeaderMap, what: &str) {
    let kept = |headers: &HeaderMap| {
        let mut fields: Vec<_> = headers
            .iter()
            .map(|(name, value)| {
                (
                    String::from_utf8_lossy(name).into_owned(),
                    String::from_utf8_lossy(value).into_owned(),
                )
            })
            .filter(|(name, value)| {
                let framing = name == "content-length" && value == "0";
                !framing && !OF_THE_PROXY.contains(&name.as_str())
            })
            .collect();
        fields.sort();
        fields
    };
    assert_eq!(kept(real), kept(bench), "{what}: headers");
}

/// Lines of a bench host's log.
pub fn lines(host: &mut TestHost) -> Vec<String> {
    host.log().iter().map(|line| line.message.clone()).collect()
}
