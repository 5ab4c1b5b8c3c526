//! The proxy that a test starts a plugin in.

use std::sync::{Arc, OnceLock};

use super::TestHost;
use crate::engine::native::NativePlugin;
use crate::engine::{Plugin, StartError};
use crate::host::{Clock, FailurePolicy, Profile, Settings, Shared, World};
use crate::upstream::{UpstreamError, Upstreams};

/// The proxy that a test starts a plugin in: which one it is, how it is configured, and what
/// answers the plugin's calls. The same set-up starts a plugin natively and as a module, so that a
/// test of what it does is written once.
///
/// ```
/// use bench_host::testing::{Call, Setup};
/// # use chunkwise::{Config, ConfigError, Filter, Plugin};
/// # struct Nothing;
/// # struct NothingFilter;
/// # impl Plugin for Nothing {
/// #     type Filter = NothingFilter;
/// #     fn configure(_: &Config<'_>) -> Result<Self, ConfigError> { Ok(Self) }
/// #     fn filter(&self) -> NothingFilter { NothingFilter }
/// # }
/// # impl Filter<Nothing> for NothingFilter {}
///
/// let setup = Setup::new()
///     .higress()
///     .route("search")
///     .cluster("outbound|80||search.dns")
///     .property("source.address", "10.0.0.9:4711")
///     .buffer_limit(1024)
///     .upstreams("[[cluster.auth.http]]\nstatus = 403")?;
/// let mut host = setup.native::<Nothing>("")?;
/// let outcome = host.send(Call::get("/"))?;
/// assert_eq!((outcome.buffer_limit, outcome.stalled), (1024, None));
/// assert!(host.take_callouts().is_empty());
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
///
/// # Cost
/// A start compiles nothing but with [`wasm`](Self::wasm); [`module`](Self::module) starts a module
/// that was compiled once for many tests.
#[derive(Clone, Debug)]
pub struct Setup {
    pub(super) settings: Settings,
    upstreams: Upstreams,
    world: Option<Arc<OnceLock<World>>>,
}

impl Default for Setup {
    fn default() -> Self {
        Self::new()
    }
}

impl Setup {
    /// A stock Envoy in which no cluster is known.
    pub fn new() -> Self {
        let settings = Settings::new(Profile::Envoy);
        Self { settings, upstreams: Upstreams::none(), world: None }
    }

    /// The Envoy of Higress instead of a stock one.
    #[must_use]
    pub fn higress(self) -> Self {
        self.with(|settings| settings.profile = Profile::Higress)
    }

    /// What answers the plugin's calls, as `docs/upstreams.md` describes it; files that it names
    /// are looked for in the current folder.
    ///
    /// # Errors
    /// [`UpstreamError`] when the script makes no sense.
    pub fn upstreams(mut self, script: &str) -> Result<Self, UpstreamError> {
        self.upstreams = Upstreams::parse(script, "upstreams")?;
        Ok(self)
    }

    /// `StopIteration` of header callbacks is what it says up to ABI 0.2.1 too
    /// (`allow_on_headers_stop_iteration`, Envoy 1.33 on).
    #[must_use]
    pub fn allow_stop_iteration(self) -> Self {
        self.with(|settings| settings.allow_stop_iteration = true)
    }

    /// The name of the route, as the property `xds.route_name` shows it.
    #[must_use]
    pub fn route(self, name: &str) -> Self {
        self.with(|settings| name.clone_into(&mut settings.route_name))
    }

    /// The cluster that the route leads to, as the property `xds.cluster_name` shows it; empty where
    /// it leads to none, such as one that answers by itself.
    #[must_use]
    pub fn cluster(self, name: &str) -> Self {
        self.with(|settings| name.clone_into(&mut settings.cluster_name))
    }

    /// The value of a property, before anything that the host would answer; segments of the path
    /// are separated by points or NUL.
    #[must_use]
    pub fn property(self, path: &str, value: impl AsRef<[u8]>) -> Self {
        self.with(|settings| {
            settings.properties.insert(path.into(), value.as_ref().to_vec());
        })
    }

    /// The plugin's name in properties and details of local replies.
    #[must_use]
    pub fn plugin_name(self, name: &str) -> Self {
        self.with(|settings| name.clone_into(&mut settings.plugin_name))
    }

    /// Bytes that each direction of a stream may hold, instead of what the profile says.
    #[must_use]
    pub fn buffer_limit(self, bytes: usize) -> Self {
        self.with(|settings| settings.buffer_limit = Some(bytes))
    }

    /// What becomes of streams when the plugin has failed; they are answered 503 otherwise.
    #[must_use]
    pub fn failure_policy(self, policy: FailurePolicy) -> Self {
        self.with(|settings| settings.failure_policy = policy)
    }

    /// Anything else that an operator configures. What the plugin's ABI decides is set when it
    /// starts, and the log level is always the lowest.
    #[must_use]
    pub fn with(mut self, change: impl FnOnce(&mut Settings)) -> Self {
        change(&mut self.settings);
        self
    }

    /// Hosts that are started from this set-up, or from clones of it made after this, are workers
    /// of one proxy: they have the same time, shared data, queues and upstreams. Metrics are counted
    /// for each of them, where a real proxy has one count for all. Without it every start is a proxy
    /// of its own.
    ///
    /// What one of them does moves the time of all, and timers of the others that are due meanwhile
    /// fire late: when it is their turn. [`run_together`](super::run_together) lets time pass for
    /// all of them, with everything in the order in which it is due.
    #[must_use]
    pub fn workers(mut self) -> Self {
        self.world = Some(Arc::default());
        self
    }

    /// Starts the plugin `P` of this process.
    ///
    /// # Errors
    /// [`StartError`] when it refuses its configuration, or when the proxy does not have its ABI.
    pub fn native<P: chunkwise::Plugin>(
        &self,
        configuration: &str,
    ) -> Result<TestHost, StartError> {
        let mut settings = self.settings.clone();
        settings.stop_is_stop_all = !declares_higress::<P>();
        if declares_higress::<P>() && settings.profile == Profile::Envoy {
            return Err(not_on_envoy());
        }
        TestHost::start_in(&NativePlugin::<P>::new(), settings, self.world(), configuration)
    }

    /// Starts a plugin with what [`with`](Self::with) has set of its ABI.
    ///
    /// # Errors
    /// [`StartError`] when it does not load or refuses its configuration.
    pub fn start(
        &self,
        plugin: &(impl Plugin + Clone + 'static),
        configuration: &str,
    ) -> Result<TestHost, StartError> {
        TestHost::start_in(plugin, self.settings.clone(), self.world(), configuration)
    }

    /// The world of a host that is started now.
    pub(super) fn world(&self) -> World {
        let new = || World::new(Clock::default(), Shared::default(), &self.upstreams);
        match &self.world {
            Some(shared) => shared.get_or_init(new).clone(),
            None => new(),
        }
    }
}

/// Whether a plugin of this process declares ABI 0.2.100.
pub(super) fn declares_higress<P: chunkwise::Plugin>() -> bool {
    P::HOST == chunkwise::Host::Higress
}

pub(super) fn not_on_envoy() -> StartError {
    StartError::Module {
        what: "load",
        reason: "it declares ABI 0.2.100, which a stock Envoy does not have; start it with \
                 `Setup::higress`"
            .to_owned(),
    }
}
