//! One plugin that does what a header says, in Envoy and in the bench host.
//!
//! Beside what client and upstream see, what the plugin was told is compared, callback by callback,
//! and how each of its host calls was answered.

use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

use bench_host::testing::{Call, Outcome, Setup, TestModule};
use bench_host::traffic::Exchange;
use bench_host::upstream::Upstreams;
use chunkwise_tests::module;
use serde_json::Value;

use crate::bootstrap::ports;
use crate::parity::{Difference, ParityError};
use crate::{Bootstrap, Gateway, Services, Upstream, client, traffic, view};

/// The header that holds the script.
pub const SCRIPT: &str = "x-do";

/// The name of the plugin.
const NAME: &str = "scripted";

/// How long Envoy lets a stream stand still. Far more than ticks and answers take.
const IDLE: &str = "0.7s";

/// What answers the plugin's calls: later than any traffic that does not wait for it, and later than
/// a tick.
const SERVICE: &str = r#"
[cluster.service]
[[cluster.service.http]]
status = 200
body = "answer"
latency = "170ms"
"#;

/// The plugin in both gateways.
#[derive(Debug)]
pub struct Scripted {
    gateway: Gateway,
    upstream: Upstream,
    /// Kept alive for as long as the gateway may call them.
    _services: Services,
    module: TestModule,
    /// Where `StopIteration` is read as the host likes, and where it is what it says.
    listeners: [SocketAddr; 2],
    sent: usize,
    /// Bytes of Envoy's log that belong to exchanges before.
    read: usize,
}

/// What one gateway made of an exchange.
struct Made {
    /// What was seen at both ends, and what the access log says.
    seen: String,
    /// What the plugin logged.
    trace: Vec<String>,
    /// Nothing came any more.
    stalled: bool,
}

impl Scripted {
    /// Starts Envoy with two listeners, of which one allows `StopIteration`.
    ///
    /// # Errors
    /// [`ParityError`].
    pub fn start() -> Result<Self, ParityError> {
        let module = TestModule::read(&module("tests/envoy/plugin")).expect("it is a plugin");
        let upstream = Upstream::start()?;
        let mut services = Services::new(&Upstreams::parse(SERVICE, "service")?);
        let bootstrap = Bootstrap::new(bootstrap(upstream.port(), services.serve("service")?));
        let gateway = Gateway::start(bootstrap, 1)?;
        let listeners = [gateway.listener_named("converts")?, gateway.listener_named("stops")?];
        let read = gateway.log()?.len();
        Ok(Self { gateway, upstream, _services: services, module, listeners, sent: 0, read })
    }

    /// Sends an exchange through both, with a pause between the chunks on the wire.
    ///
    /// # Errors
    /// [`ParityError`] where one of them fails altogether.
    pub fn compare(
        &mut self,
        stops: bool,
        exchange: &Exchange,
        pause: Duration,
    ) -> Result<Result<(), Difference>, ParityError> {
        let key = format!("{}", self.sent);
        self.sent += 1;
        let exchange = traffic::on_the_wire(exchange.clone(), &key);
        let mut envoy = self.envoy(stops, &exchange, &key, pause)?;
        let (mut bench_host, sound) = self.bench_host(stops, exchange, &key)?;
        if envoy.stalled && bench_host.stalled {
            // What became of the stream then is not the plugin's doing.
            bench_host.trace.retain(|line| !line.starts_with("log") && line != "delete");
            envoy.trace.truncate(bench_host.trace.len());
        }
        if !sound {
            // The plugin has made a message of which everybody reads something else.
            bench_host.seen.clone_from(&envoy.seen);
        }
        let (envoy, bench_host) = (envoy.text(), bench_host.text());
        if envoy == bench_host {
            return Ok(Ok(()));
        }
        Ok(Err(Difference::of(&envoy, &bench_host)))
    }

    fn envoy(
        &mut self,
        stops: bool,
        exchange: &Exchange,
        key: &str,
        pause: Duration,
    ) -> Result<Made, ParityError> {
        if let Some(answer) = &exchange.response {
            self.upstream.answer(key, answer.clone(), pause);
        }
        let downstream = client::send(self.listeners[usize::from(stops)], exchange, pause);
        let (trace, log) = self.logged(key)?;
        let upstream = self.upstream.take(key);
        let stalled = log["response_flags"].as_str() == Some("SI");
        Ok(Made { seen: view::envoy(downstream.ok(), upstream, &log), trace, stalled })
    }

    /// What Envoy's log has of an exchange, once the stream is gone.
    fn logged(&mut self, key: &str) -> Result<(Vec<String>, Value), ParityError> {
        /// How long the end of a stream may take to be logged.
        const PATIENCE: Duration = Duration::from_millis(1500);
        let start = Instant::now();
        let (mark, access) = (format!("@{key} "), format!("\"path\":\"{key}\""));
        loop {
            let log = self.gateway.log()?;
            let new = log.get(self.read..).unwrap_or_default();
            let trace: Vec<String> = new
                .lines()
                .filter_map(|line| line.split_once(&mark))
                .map(|(_, said)| said.to_owned())
                .collect();
            let access = new.lines().find(|line| line.contains(&access));
            let complete = trace.iter().any(|line| line == "delete") && access.is_some();
            if complete || start.elapsed() > PATIENCE {
                let access = access.and_then(|line| serde_json::from_str(line).ok());
                self.read = log.len();
                return Ok((trace, access.unwrap_or_default()));
            }
            thread::sleep(Duration::from_millis(2));
        }
    }

    /// What the bench host makes of it, and whether both messages are what they say they are.
    fn bench_host(
        &self,
        stops: bool,
        exchange: Exchange,
        key: &str,
    ) -> Result<(Made, bool), ParityError> {
        let setup = Setup::new().upstreams(SERVICE)?.plugin_name(NAME);
        let setup = setup.route("default").cluster("upstream");
        let setup = if stops { setup.allow_stop_iteration() } else { setup };
        let mut host = setup.module(&self.module, "")?;
        let head = exchange.request.headers.get(":method").is_some_and(|method| method == "HEAD");
        let outcome: Outcome = host.send(Call::from(exchange))?;
        let sound = head || [&outcome.upstream, &outcome.downstream].into_iter().all(is_sound);
        let mark = format!("@{key} ");
        let lines = host.log().iter().map(|line| line.message.to_string());
        let trace = lines.filter_map(|line| line.strip_prefix(&mark).map(str::to_owned)).collect();
        let stalled = outcome.stalled.is_some();
        Ok((Made { seen: view::bench_host(outcome), trace, stalled }, sound))
    }

    /// The gateway, for what it has logged.
    pub fn gateway(&self) -> &Gateway {
        &self.gateway
    }
}

/// Whether a message is as long as it says.
fn is_sound(seen: &bench_host::testing::Seen) -> bool {
    seen.header("content-length").is_none_or(|length| length == seen.body.len().to_string())
}

impl Made {
    fn text(&self) -> String {
        let seen = if self.stalled { "stalled\n" } else { &self.seen };
        format!("{seen}{}\n", self.trace.join("\n"))
    }
}

/// Two listeners, one upstream, one service.
fn bootstrap(upstream: u16, service: u16) -> String {
    let listeners = [listener("converts", false), listener("stops", true)].concat();
    let clusters = [cluster("upstream", upstream), cluster("service", service)].concat();
    format!(
        "admin: {{address: {{socket_address: {{address: 127.0.0.1, port_value: {}}}}}}}\n\
         static_resources:\n  listeners:\n{listeners}  clusters:\n{clusters}",
        ports::ADMIN
    )
}

fn listener(name: &str, stops: bool) -> String {
    let port = ports::LISTENER;
    format!(
        r#"  - name: {name}
    address: {{socket_address: {{address: 127.0.0.1, port_value: {port}}}}}
    filter_chains:
    - filters:
      - name: http
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: http
          stream_idle_timeout: {IDLE}
          http_protocol_options: {{enable_trailers: true}}
          access_log:
          - name: stderr
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.access_loggers.stream.v3.StderrAccessLog
              log_format:
                json_format:
                  path: "%REQ(x-exchange)%"
                  response_code_details: "%RESPONSE_CODE_DETAILS%"
                  response_flags: "%RESPONSE_FLAGS%"
          route_config:
            virtual_hosts:
            - {{name: all, domains: ["*"], routes: [{{name: default, match: {{prefix: /}}, route: {{cluster: upstream}}}}]}}
          http_filters:
          - name: wasm
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm
              config:
                name: {NAME}
                root_id: {name}
                allow_on_headers_stop_iteration: {stops}
                vm_config:
                  vm_id: {name}
                  runtime: envoy.wasm.runtime.v8
                  code: {{local: {{filename: target/wasm32-wasip1/guest/scripted.wasm}}}}
          - {{name: router, typed_config: {{"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}}}}
"#
    )
}

fn cluster(name: &str, port: u16) -> String {
    format!(
        r#"  - name: {name}
    load_assignment: {{cluster_name: {name}, endpoints: [{{lb_endpoints: [{{endpoint: {{address: {{socket_address: {{address: 127.0.0.1, port_value: {port}}}}}}}}}]}}]}}
    typed_extension_protocol_options:
      envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
        "@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
        use_downstream_protocol_config: {{http_protocol_options: {{enable_trailers: true}}, http2_protocol_options: {{}}}}
"#
    )
}
