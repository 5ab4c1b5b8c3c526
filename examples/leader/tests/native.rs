//! The plugin's behaviour, natively: plain `cargo test`, no wasm.

mod behaviour;

use std::time::Duration;

use bench_host::engine::StartError;
use bench_host::engine::native::NativePlugin;
use bench_host::host::{Budget, Clock, Profile, Settings, Shared, World};
use bench_host::testing::{Call, Setup, TestHost};
use bench_host::upstream::Upstreams;

fn start(setup: &Setup, configuration: &str) -> Result<TestHost, StartError> {
    setup.native::<leader::Quotas>(configuration)
}

behaviour::tests!(start);

#[test]
fn a_table_that_the_host_has_no_room_for_is_not_the_last_one() {
    let long = "a".repeat(1000);
    let upstreams = format!(
        "[cluster.\"outbound|80||quotas.dns\"]\n\
         [[cluster.\"outbound|80||quotas.dns\".http]]\ntimes = 2\nbody = '{{\"{long}\": 1}}'\n\
         [[cluster.\"outbound|80||quotas.dns\".http]]\nbody = '{{\"ada\": 100}}'\n"
    );
    let shared = Shared::with_budget(Budget::new(500, 10));
    let upstreams = Upstreams::parse(&upstreams, "upstreams").unwrap();
    let world = World::new(Clock::default(), shared, &upstreams);
    let plugin = NativePlugin::<leader::Quotas>::new();
    let settings = Settings::new(Profile::Envoy);
    let configuration = include_str!("../config.json");
    let mut host = TestHost::start_in(&plugin, settings, world, configuration).unwrap();
    host.run_for(Duration::from_secs(15)).unwrap();
    let said: Vec<_> = host.log().iter().map(|line| line.message.clone()).collect();
    let refused = said.iter().filter(|line| line.contains("proxy_set_shared_data")).count();
    assert_eq!(refused, 2, "{said:?}");
    assert_eq!(host.take_callouts().len(), 2, "it waits between them");
    host.run_for(Duration::from_secs(10)).unwrap();
    let outcome = host.send(Call::get("/").header("x-user", "ada")).unwrap();
    assert_eq!(outcome.upstream.header("x-quota").unwrap(), "100");
}
