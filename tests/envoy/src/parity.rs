//! The same traffic through Envoy and through the bench host, and what differs.
//!
//! Both get the same module, configuration, upstream answers and services. What is compared is what
//! the client and the upstream see, what the access log calls it, and what the plugin wrote for the
//! log; [`crate::view`] says which headers are Envoy's own.

use std::time::Duration;
use std::{fmt, fs, io};

use bench_host::engine::{Fault, StartError};
use bench_host::testing::{Call, Outcome, Seen, Setup, TestHost, TestModule};
use bench_host::traffic::Exchange;
use bench_host::upstream::{UpstreamError, Upstreams};
use chunkwise_tests::{module, root};
use serde_json::Value;
use similar::TextDiff;

use crate::bootstrap::{BootstrapError, ports};
use crate::client::ClientError;
use crate::{Bootstrap, Gateway, GatewayError, Services, Upstream, traffic, view};

/// One plugin in both gateways.
#[derive(Debug)]
pub struct Parity {
    gateway: Gateway,
    upstream: Upstream,
    /// Kept alive for as long as the gateway may call them.
    _services: Services,
    host: TestHost,
    sent: usize,
}

/// Why the two cannot be compared.
#[derive(Debug, thiserror::Error)]
pub enum ParityError {
    /// Envoy does not start.
    #[error(transparent)]
    Gateway(#[from] GatewayError),
    /// Envoy's bootstrap is not as expected.
    #[error(transparent)]
    Bootstrap(#[from] BootstrapError),
    /// A file or a port is not to be had.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The script of the services is wrong.
    #[error(transparent)]
    Script(#[from] UpstreamError),
    /// The bench host does not start the plugin.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The plugin traps in the bench host.
    #[error("the plugin failed in the bench host: {0}")]
    Fault(#[from] Fault),
}

/// What differs between the two, as a diff from Envoy to the bench host.
#[derive(Debug)]
pub struct Difference(String);

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Parity {
    /// Starts an example with its own bootstrap and configuration; `script` is what answers its
    /// calls, in the words of the bench host.
    ///
    /// # Errors
    /// [`ParityError`].
    pub fn of_example(example: &str, script: &str) -> Result<Self, ParityError> {
        let config = root().join("examples").join(example.split('/').next().unwrap_or(example));
        let config = fs::read_to_string(config.join("config.json")).unwrap_or_default();
        Self::start(example, &Bootstrap::of_example(example)?, &config, script)
    }

    /// Starts an example with this bootstrap, which holds this configuration.
    ///
    /// # Errors
    /// [`ParityError`].
    pub fn start(
        example: &str,
        bootstrap: &Bootstrap,
        config: &str,
        script: &str,
    ) -> Result<Self, ParityError> {
        let module = module(example);
        let module = TestModule::read(&module).expect("an example is a plugin");
        let setup = Setup::new().upstreams(script)?.route("default").cluster("upstream");
        let stops = bootstrap.text().contains("allow_on_headers_stop_iteration: true");
        let setup = if stops { setup.allow_stop_iteration() } else { setup };
        let host = setup.module(&module, config)?;

        let upstream = Upstream::start()?;
        let mut services = Services::new(&Upstreams::parse(script, "services")?);
        let mut placed = bootstrap.clone();
        for (cluster, port) in bootstrap.clusters() {
            let real = match port {
                ports::UPSTREAM => upstream.port(),
                _ => services.serve(&cluster)?,
            };
            placed = placed.port(port, real)?;
        }
        let gateway = Gateway::start(placed, 1)?;
        Ok(Self { gateway, upstream, _services: services, host, sent: 0 })
    }

    /// Sends an exchange through both, with a pause between the chunks on the wire.
    ///
    /// # Errors
    /// [`ParityError`] where one of them fails altogether.
    pub fn compare(
        &mut self,
        exchange: Exchange,
        pause: Duration,
    ) -> Result<Result<(), Difference>, ParityError> {
        let key = format!("{}", self.sent);
        self.sent += 1;
        let exchange = traffic::on_the_wire(exchange, &key);
        let (envoy, bench_host) = (self.envoy(&exchange, &key, pause)?, self.bench_host(exchange)?);
        if envoy == bench_host {
            return Ok(Ok(()));
        }
        let diff = TextDiff::from_lines(&envoy, &bench_host);
        let diff = diff.unified_diff().header("envoy", "bench host").to_string();
        Ok(Err(Difference(diff)))
    }

    /// What Envoy makes of it.
    fn envoy(
        &self,
        exchange: &Exchange,
        key: &str,
        pause: Duration,
    ) -> Result<String, ParityError> {
        if let Some(answer) = &exchange.response {
            self.upstream.answer(key, answer.clone(), pause);
        }
        let downstream: Result<Seen, ClientError> = self.gateway.send(exchange, pause);
        let log = self.gateway.access_log(self.sent)?;
        let line = log.into_iter().nth(self.sent - 1).unwrap_or(Value::Null);
        let upstream = self.upstream.take(key);
        Ok(view::envoy(downstream.ok(), upstream, &line))
    }

    /// What the bench host makes of it.
    fn bench_host(&mut self, exchange: Exchange) -> Result<String, ParityError> {
        let outcome: Outcome = self.host.send(Call::from(exchange))?;
        Ok(view::bench_host(outcome))
    }

    /// How many exchanges have been compared.
    pub fn compared(&self) -> usize {
        self.sent
    }

    /// The gateway, for what it has counted.
    pub fn gateway(&self) -> &Gateway {
        &self.gateway
    }
}
