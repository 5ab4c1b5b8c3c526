//! What timers and tasks promise to any plugin.

#![expect(clippy::unwrap_used, reason = "a test fails where it does not hold")]

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::BTreeMap;
use std::time::Duration;

use bench_host::engine::native::NativePlugin;
use bench_host::host::{Clock, Profile, Received, Settings, Shared, World};
use bench_host::measure::Phase;
use bench_host::testing::{Call, Setup, TestHost};
use bench_host::upstream::Upstreams;
use bytes::Bytes;
use chunkwise::http::{HeadersAction, RequestHeaders};
use chunkwise::{Config, ConfigError, Error, Filter, Plugin, PluginContext, Result, time};

/// Does what its configuration names, and logs what it does.
struct Timed {
    scenario: String,
    context: OnceCell<PluginContext<Self>>,
}

struct TimedFilter;

const MS: Duration = Duration::from_millis(1);
const HOUR: Duration = Duration::from_secs(3600);

thread_local! {
    /// How often each timer has ticked; every test has a thread of its own.
    static TICKS: RefCell<BTreeMap<&'static str, u64>> = RefCell::default();
}

fn log(context: &PluginContext<Timed>, period: Duration, name: &'static str) {
    context.every(period, move |_| {
        chunkwise::info!("{name}");
        TICKS.with_borrow_mut(|ticks| *ticks.entry(name).or_default() += 1);
        Ok(())
    });
}

fn count(name: &str) -> u64 {
    TICKS.with_borrow(|ticks| ticks.get(name).copied().unwrap_or_default())
}

impl Plugin for Timed {
    type Filter = TimedFilter;

    fn configure(config: &Config<'_>) -> Result<Self, ConfigError> {
        let scenario = String::from_utf8_lossy(config.bytes()?).into_owned();
        Ok(Self { scenario, context: OnceCell::new() })
    }

    fn start(&self, context: &PluginContext<Self>) -> Result<()> {
        let _ = self.context.set(context.clone());
        match self.scenario.as_str() {
            "second" => log(context, 1000 * MS, "tick"),
            "three" => {
                log(context, MS, "1 ms");
                log(context, 700 * MS, "700 ms");
                log(context, 5000 * MS, "5 s");
            }
            "later" => {
                let plugin = context.clone();
                context.spawn(async move {
                    time::sleep(1500 * MS).await?;
                    log(&plugin, 1000 * MS, "later");
                    Ok(())
                });
            }
            "failing" => {
                let ticks = Cell::new(0);
                context.every(1000 * MS, move |_| match ticks.replace(ticks.get() + 1) {
                    1 => Err(Error::Plugin("on purpose")),
                    n => {
                        chunkwise::info!("tick {n}");
                        Ok(())
                    }
                });
                log(context, 1000 * MS, "other");
            }
            "refused" => {
                log(context, 1000 * MS, "of a refused one");
                return Err(Error::Plugin("on purpose"));
            }
            other => log(context, 1000 * MS, if other == "a" { "a" } else { "b" }),
        }
        Ok(())
    }

    fn filter(&self) -> TimedFilter {
        TimedFilter
    }
}

impl Filter<Timed> for TimedFilter {
    fn request_headers(
        &mut self,
        plugin: &Timed,
        headers: &RequestHeaders<'_>,
    ) -> Result<HeadersAction> {
        let context = plugin.context.get().unwrap();
        if headers.get("x-limit")?.is_some() {
            // As a limit on the time that something takes, which is not reached.
            headers.spawn(async { time::sleep(900 * MS).await });
        }
        if headers.get("x-spawn")?.is_some() {
            context.spawn(async { time::sleep(5 * MS).await });
            headers.set("x-still", "mine")?;
        }
        if headers.get("x-every")?.is_some() {
            log(context, 1000 * MS, "begun by a request");
        }
        Ok(HeadersAction::Continue)
    }
}

fn start(scenario: &str) -> TestHost {
    Setup::new().native::<Timed>(scenario).unwrap()
}

fn host_calls(host: &mut TestHost, phase: Phase, call: &str) -> u64 {
    host.ledger().host_calls(phase).get(call).copied().unwrap_or_default()
}

const SET: &str = "proxy_set_tick_period_milliseconds";
const CLOCK: &str = "proxy_get_current_time_nanoseconds";

#[test]
fn timers_of_any_period_share_the_one_of_the_host() {
    // A clock that stands still while the plugin runs, so that even a millisecond is exact.
    let at = 1_800_000_000_000_000_000;
    let world = World::new(Clock::frozen(at), Shared::default(), &Upstreams::none());
    let settings = Settings::new(Profile::Envoy);
    let plugin = NativePlugin::<Timed>::new();
    let mut host = TestHost::start_in(&plugin, settings, world, "three").unwrap();
    host.run_for(20_000 * MS).unwrap();
    assert_eq!((count("1 ms"), count("700 ms"), count("5 s")), (20_000, 28, 4));
    assert_eq!(host_calls(&mut host, Phase::Configure, SET), 1);
    assert_eq!(host_calls(&mut host, Phase::Tick, SET), 0, "its period stays a millisecond");
}

#[test]
fn no_period_drifts_over_an_hour() {
    let mut host = start("second");
    host.run_for(HOUR + 2 * MS).unwrap();
    assert_eq!(count("tick"), 3600);
    let ticks = host.ledger().phase(Phase::Tick).calls;
    assert_eq!(ticks, 3600, "the host's timer fires for every tick and never for nothing");
    // Each tick takes a few microseconds of the virtual clock, which the host's timer runs late by
    // and more; after a millisecond it is set anew, and then back to the whole period.
    let set = host_calls(&mut host, Phase::Tick, SET);
    assert!((2..=40).contains(&set), "{set}");
    assert_eq!(host_calls(&mut host, Phase::Tick, CLOCK), 3 * 3600);
}

#[test]
fn a_timer_can_be_begun_at_any_time() {
    let mut host = start("later");
    host.run_for(2490 * MS).unwrap();
    assert_eq!(count("later"), 0);
    host.run_for(3020 * MS).unwrap();
    assert_eq!(count("later"), 4);
    host.send(Call::get("/").header("x-every", "1")).unwrap();
    host.run_for(3010 * MS).unwrap();
    assert_eq!((count("later"), count("begun by a request")), (7, 3));
}

#[test]
fn a_tick_that_fails_is_logged_and_the_next_one_is_made() {
    let mut host = start("failing");
    host.run_for(4010 * MS).unwrap();
    let lines: Vec<_> = host.log().iter().map(|line| line.message.as_str()).collect();
    let failed = "tick every 1s: on purpose";
    assert_eq!(lines, ["tick 0", "other", failed, "other", "tick 2", "other", "tick 3", "other"]);
}

#[test]
fn ticks_that_a_host_has_missed_are_not_made_up_for() {
    let mut host = start("second");
    host.run_for(1010 * MS).unwrap();
    // The worker is busy with something else for more than three periods.
    host.slot().clock().pass(3500 * MS);
    host.run_for(MS).unwrap();
    assert_eq!(count("tick"), 2);
    // The next one is due 5 s after the start, where it always was.
    host.run_for(400 * MS).unwrap();
    assert_eq!(count("tick"), 2);
    host.run_for(100 * MS).unwrap();
    assert_eq!(count("tick"), 3);
}

/// Opens a stream, which keeps the plugin context that it belongs to alive.
fn open(host: &mut TestHost) -> bench_host::host::StreamId {
    host.slot().open("HTTP/2", Received::keeping(), Received::keeping())
}

#[test]
fn plugin_contexts_in_one_vm_keep_their_own_timers() {
    let mut host = start("a");
    let stream = open(&mut host);
    host.run_for(500 * MS).unwrap();
    host.configure("b").unwrap();
    host.run_for(3010 * MS).unwrap();
    assert_eq!((count("a"), count("b")), (3, 3));
    // Its last stream ends, and with it the older one's timer.
    host.slot().close(stream);
    host.run_for(3000 * MS).unwrap();
    assert_eq!((count("a"), count("b")), (3, 6));
    assert_eq!(host.slot().vms(), 1);
}

#[test]
fn timers_end_with_the_configuration() {
    let mut host = start("a");
    host.configure("b").unwrap();
    host.run_for(5010 * MS).unwrap();
    assert_eq!((count("a"), count("b")), (0, 5));
    host.proxy().shut_down();
    host.run_for(5010 * MS).unwrap();
    assert_eq!(count("b"), 5);
}

#[test]
fn a_refused_configuration_leaves_the_timers_of_the_one_before_alone() {
    let mut host = start("a");
    host.proxy().configure(&Bytes::from_static(b"refused")).unwrap_err();
    host.run_for(3010 * MS).unwrap();
    assert_eq!((count("a"), count("of a refused one")), (3, 0));
    let about_timers = host.log().iter().find(|line| line.message.contains("timers:"));
    assert!(about_timers.is_none(), "{about_timers:?}");
}

#[test]
fn a_request_that_starts_a_task_of_the_plugin_goes_on_with_its_own_headers() {
    let mut host = start("none");
    let outcome = host.send(Call::get("/").header("x-spawn", "1")).unwrap();
    assert_eq!(outcome.upstream.header("x-still").as_deref(), Some("mine"));
}

#[test]
fn a_timer_that_is_set_and_cancelled_for_every_request_costs_one_look_at_the_clock() {
    let mut host = start("second");
    for _ in 0..100 {
        host.send(Call::get("/").header("x-limit", "1")).unwrap();
    }
    // The first one is due before the tick, the others just after the first.
    assert_eq!(host_calls(&mut host, Phase::RequestHeaders, SET), 1);
    assert_eq!(host_calls(&mut host, Phase::RequestHeaders, CLOCK), 101);
    assert!(host.ledger().host_calls(Phase::Delete).is_empty());
    host.run_for(3010 * MS).unwrap();
    assert_eq!(count("tick"), 3);
    assert_eq!(host.ledger().phase(Phase::Tick).calls, 4, "one of them for nothing");
}
