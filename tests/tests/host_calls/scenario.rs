//! Scenarios: scripts, the traffic they see, and what comes of it.

use std::time::Duration;

use bench_host::host::Profile;
use bench_host::testing::Call;

/// What is to hold when a scenario is over.
#[derive(Clone, Copy, Debug)]
pub enum Effect {
    /// A request header as the upstream received it.
    Request(&'static str, Option<&'static str>),
    /// A response header as the client received it.
    Response(&'static str, Option<&'static str>),
    /// A request trailer as the upstream received it.
    RequestTrailer(&'static str, Option<&'static str>),
    /// A response trailer as the client received it.
    ResponseTrailer(&'static str, Option<&'static str>),
    /// The body that the upstream received.
    RequestBody(&'static str),
    /// The body that the client received.
    ResponseBody(&'static str),
    /// The response code details.
    Details(&'static str),
    /// Whether the stream was cut off.
    Reset(bool),
    /// Whether the client got the whole response.
    Ended(bool),
    /// A line of the log.
    Logged(&'static str, &'static str),
    /// A line that is not in the log.
    NotLogged(&'static str),
    /// A callback came, with these arguments.
    Told(&'static str, &'static [i64]),
    /// How often a callback came.
    Times(&'static str, usize),
    /// Bytes that passed a TCP connection to the upstream.
    Passed(&'static str),
    /// A TCP connection was closed.
    Closed(bool),
}

/// One guest, its traffic and what comes of it.
#[derive(Clone, Debug)]
pub struct Scenario {
    pub title: &'static str,
    /// Where it is run, and under which ABI.
    pub hosts: Vec<(Profile, &'static str)>,
    pub scripts: Vec<(&'static str, &'static str)>,
    pub call: Option<Call>,
    pub tcp: bool,
    pub run_for: Duration,
    pub run_on: Duration,
    pub upstreams: &'static str,
    pub effects: Vec<Effect>,
}

/// A `GET` on a stock Envoy and on Higress, under ABI 0.2.1.
pub fn scenario(title: &'static str) -> Scenario {
    Scenario {
        title,
        hosts: vec![(Profile::Envoy, "0_2_1"), (Profile::Higress, "0_2_1")],
        scripts: Vec::new(),
        call: Some(Call::get("/path?q=1")),
        tcp: false,
        run_for: Duration::ZERO,
        run_on: Duration::ZERO,
        upstreams: "",
        effects: Vec::new(),
    }
}

impl Scenario {
    /// What the guest does in a callback; `name@2` is its second invocation.
    pub fn on(mut self, callback: &'static str, script: &'static str) -> Self {
        self.scripts.push((callback, script));
        self
    }

    /// Run on one host only, under this ABI.
    pub fn only(mut self, profile: Profile, abi: &'static str) -> Self {
        self.hosts = vec![(profile, abi)];
        self
    }

    /// Run on Higress only, under its own ABI.
    pub fn higress(self) -> Self {
        self.only(Profile::Higress, "0_2_100")
    }

    /// Run on a stock Envoy only.
    pub fn envoy(self) -> Self {
        self.only(Profile::Envoy, "0_2_1")
    }

    /// Run under this ABI.
    pub fn abi(mut self, abi: &'static str) -> Self {
        for host in &mut self.hosts {
            host.1 = abi;
        }
        self
    }

    pub fn send(mut self, call: Call) -> Self {
        self.call = Some(call);
        self
    }

    /// No request is made.
    pub fn idle(mut self) -> Self {
        self.call = None;
        self
    }

    /// A TCP connection is made, and bytes go both ways.
    pub fn tcp(mut self) -> Self {
        self.call = None;
        self.tcp = true;
        self
    }

    /// Time passes after the traffic.
    pub fn run_for(mut self, milliseconds: u64) -> Self {
        self.run_for = Duration::from_millis(milliseconds);
        self
    }

    /// Time passes after the plugin was told that it is done.
    pub fn run_on(mut self, milliseconds: u64) -> Self {
        self.run_on = Duration::from_millis(milliseconds);
        self
    }

    /// What answers calls.
    pub fn upstreams(mut self, toml: &'static str) -> Self {
        self.upstreams = toml;
        self
    }

    /// What is to hold at the end.
    pub fn then(mut self, effect: Effect) -> Self {
        self.effects.push(effect);
        self
    }
}
