//! The same traffic through Envoy and through the bench host, and what differs.
//!
//! Both get the same module, configuration, upstream answers and services. What is compared is what
//! the client and the upstream see, what the access log calls it, and what the plugin wrote for the
//! log; [`crate::view`] says which headers are Envoy's own.

use std::time::Duration;
use std::{fmt, io, thread};

use bench_host::engine::{Fault, StartError};
use bench_host::testing::{Call, Outcome, Seen, Setup, TestHost, TestModule};
use bench_host::traffic::Exchange;
use bench_host::upstream::{UpstreamError, Upstreams};
use chunkwise_tests::module;
use serde_json::Value;
use similar::TextDiff;

use crate::bootstrap::{BootstrapError, ports};
use crate::client::ClientError;
use crate::plan::Plan;
use crate::{Bootstrap, Gateway, GatewayError, Services, Upstream, traffic, view};

/// One plugin in both gateways.
#[derive(Debug)]
pub struct Parity {
    gateway: Gateway,
    upstream: Upstream,
    services: Services,
    host: TestHost,
    compares_calls: bool,
    compared: usize,
    /// Requests that Envoy has got, whether they were compared or not.
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

impl Difference {
    /// Shows where two texts begin to differ. Bodies may be long, and the rest says little.
    pub(crate) fn of(envoy: &str, bench_host: &str) -> Self {
        const SHOWN: usize = 40;
        const BEFORE: usize = 12;
        let same = envoy.lines().zip(bench_host.lines()).take_while(|(a, b)| a == b).count();
        let part = |text: &str| -> String {
            let lines = text.lines().skip(same.saturating_sub(BEFORE)).take(BEFORE + SHOWN);
            lines.map(|line| format!("{line}\n")).collect()
        };
        let (envoy, bench_host) = (part(envoy), part(bench_host));
        let diff = TextDiff::from_lines(&envoy, &bench_host);
        Self(diff.unified_diff().header("envoy", "bench host").to_string())
    }
}

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
        Self::of(&Plan::of(example).script(script))
    }

    /// Starts an example as a test plans it.
    ///
    /// # Errors
    /// [`ParityError`].
    pub fn of(plan: &Plan) -> Result<Self, ParityError> {
        Self::begin(plan, &plan.bootstrap()?, &plan.config())
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
        Self::begin(&Plan::of(example).script(script), bootstrap, config)
    }

    fn begin(plan: &Plan, bootstrap: &Bootstrap, config: &str) -> Result<Self, ParityError> {
        // A name has no slash, a folder has one.
        let folder = format!("examples/{}", plan.example);
        let module = module(if plan.example.contains('/') { &folder } else { &plan.example });
        let module = TestModule::read(&module).expect("an example is a plugin");
        let setup = Setup::new().upstreams(&plan.script)?.route(&plan.route).cluster(&plan.cluster);
        let setup = setup.plugin_name(&bootstrap.plugin_name().unwrap_or_default());
        let stops = bootstrap.text().contains("allow_on_headers_stop_iteration: true");
        let setup = if stops { setup.allow_stop_iteration() } else { setup };
        let host = setup.module(&module, config)?;

        let upstream = Upstream::start()?;
        let mut services = Services::new(&Upstreams::parse(&plan.script, "services")?);
        let mut placed = bootstrap.clone().with_flags()?;
        for (cluster, port) in bootstrap.clusters() {
            let real = match port {
                ports::UPSTREAM => upstream.port(),
                _ => services.serve(&cluster)?,
            };
            placed = placed.port(port, real)?;
        }
        let gateway = Gateway::start(placed, 1)?;
        let compares_calls = plan.compares_calls;
        Ok(Self { gateway, upstream, services, host, compares_calls, compared: 0, sent: 0 })
    }

    /// Sends an exchange through Envoy until what comes back is as expected, and lets as much time
    /// pass in the bench host: for plugins that fetch something when they start.
    ///
    /// # Errors
    /// [`ParityError`], and [`ParityError::Io`] when it never is.
    pub fn warm_up(
        &mut self,
        exchange: &Exchange,
        until: impl Fn(&Seen) -> bool,
    ) -> Result<(), ParityError> {
        /// What plugins that fetch something again and again wait at least.
        const SOON: Duration = Duration::from_millis(50);
        let exchange = traffic::on_the_wire(exchange.clone(), "warm-up");
        for _ in 0..200 {
            self.sent += 1;
            let seen = self.gateway.send(&exchange, Duration::ZERO);
            if seen.is_ok_and(|seen| until(&seen)) {
                self.host.run_for(SOON)?;
                return Ok(());
            }
            thread::sleep(SOON);
        }
        Err(io::Error::other("the plugin in Envoy does not come to what it waits for").into())
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
        self.compared += 1;
        let exchange = traffic::on_the_wire(exchange, &key);
        let mut envoy = self.envoy(&exchange, &key, pause)?;
        let mut bench_host = self.bench_host(exchange)?;
        let made = self.host.take_callouts();
        if self.compares_calls {
            envoy += &view::calls(&self.services.take_calls(made.len()));
            bench_host += &view::calls(&made);
        }
        if envoy == bench_host {
            return Ok(Ok(()));
        }
        Ok(Err(Difference::of(&envoy, &bench_host)))
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
        self.compared
    }

    /// The gateway, for what it has counted.
    pub fn gateway(&self) -> &Gateway {
        &self.gateway
    }
}
