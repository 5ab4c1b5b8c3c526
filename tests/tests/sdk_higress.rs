//! What only Higress has, and plugins that are only a filter.

use std::path::Path;
use std::time::Duration;

use bench_host::engine::StartError;
use bench_host::module::Module;
use bench_host::testing::{Call, Setup};
use chunkwise::http::{HeadersAction, RequestHeaders};
use chunkwise::{
    Config, ConfigError, Filter, OnHigress, Plugin, PluginContext, Result, Unconfigured, higress,
};

const UPSTREAMS: &str = "[cluster.search]\nhosts = [\"10.0.0.1:80\", \"10.0.0.2:80\"]\n";

/// Sends each request to the last endpoint.
#[derive(Default)]
struct Last;

impl Filter<Unconfigured<Self, OnHigress>> for Last {
    fn request_headers(
        &mut self,
        _: &Unconfigured<Self, OnHigress>,
        headers: &RequestHeaders<'_>,
    ) -> Result<HeadersAction> {
        if let Some((address, details)) = higress::upstream_hosts(headers)?.last() {
            assert!(details.starts_with(b"{"));
            higress::set_upstream_host(headers, address)?;
        }
        Ok(HeadersAction::Continue)
    }
}

#[test]
fn the_endpoint_of_a_request_can_be_chosen() {
    let setup = Setup::new().higress().upstreams(UPSTREAMS).unwrap();
    for (cluster, chosen) in [("search", Some("10.0.0.2:80")), ("unknown", None)] {
        let setup = setup.clone().cluster(cluster);
        let mut host = setup.native::<Unconfigured<Last, OnHigress>>("").unwrap();
        let outcome = host.send(Call::get("/")).unwrap();
        assert_eq!(outcome.upstream_override.as_deref(), chosen);
    }
}

/// A module that names an import which the host does not have does not load.
#[test]
fn nothing_of_higress_is_linked_into_a_plugin_that_does_not_use_it() {
    let module = Module::read(Path::new(&chunkwise_tests::module("replace"))).unwrap();
    let names: Vec<_> = module.facts.imports.iter().map(|import| import.name.as_str()).collect();
    assert!(names.contains(&"proxy_get_buffer_bytes"), "{names:?}");
    for foreign in ["upstream", "inject", "redis"] {
        assert!(!names.iter().any(|name| name.contains(foreign)), "{names:?}");
    }
}

#[test]
fn a_plugin_that_is_only_a_filter_refuses_settings_and_hosts_that_it_is_not_for() {
    let start = |setup: Setup, configuration: &str| {
        setup.native::<Unconfigured<Last, OnHigress>>(configuration).map(drop)
    };
    start(Setup::new().higress(), r#"{"_plugin_id_":"last"}"#).unwrap();
    let refused = start(Setup::new().higress(), r#"{"limit":1}"#).unwrap_err();
    let StartError::Refused { log, .. } = refused else { panic!("{refused:?}") };
    assert!(format!("{log:?}").contains("limit: this plugin has no settings"), "{log:?}");
    assert!(matches!(start(Setup::new(), ""), Err(StartError::Module { .. })));
}

/// Logs the configuration of its VM, and ticks.
struct Ticks;

impl Plugin for Ticks {
    type Filter = ();

    fn configure(config: &Config<'_>) -> Result<Self, ConfigError> {
        chunkwise::info!("vm: {}", String::from_utf8_lossy(config.vm_bytes()?));
        Ok(Self)
    }

    fn start(&self, context: &PluginContext<Self>) -> Result<()> {
        context.every(Duration::from_secs(1), |_| chunkwise::info!("1s tick"));
        context.every(Duration::from_secs(2), |_| {
            chunkwise::time::now()?;
            Err(chunkwise::Error::Plugin("no luck"))
        });
        Ok(())
    }

    fn filter(&self) {}
}

#[test]
fn ticks_may_fail_or_not_and_a_plugin_without_a_filter_lets_everything_pass() {
    for vm in ["", "two words"] {
        let setup = Setup::new().with(|settings| settings.vm_configuration = vm.into());
        let mut host = setup.native::<Ticks>("").unwrap();
        host.run_for(Duration::from_millis(2500)).unwrap();
        assert_eq!(host.send(Call::post("/").body("x")).unwrap().upstream.text(), "x");
        let log: Vec<_> = host.log().iter().map(|line| line.message.clone()).collect();
        let vm = format!("vm: {vm}");
        assert_eq!(log, [&vm, "1s tick", "1s tick", "tick every 2s: no luck"]);
    }
}
