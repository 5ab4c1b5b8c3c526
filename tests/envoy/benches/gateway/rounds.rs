//! What Envoy did in a round.

use std::error::Error;
use std::num::NonZeroU32;
use std::time::Duration;

use envoy_tests::cpu::cpu_time;
use envoy_tests::load::Report;
use envoy_tests::{Gateway, Load};

use crate::cases::Case;

/// Connections of the closed loop: enough to have one worker always busy.
const CONNECTIONS: usize = 8;
/// Streams that are paced by their pauses are many at a time.
const PACED: usize = 16;
/// Connections of the open loop, so that none of its requests waits for one.
const OPEN: usize = 64;
/// The share of Envoy's throughput without a plugin at which latency is measured.
const SHARE: f64 = 0.2;

/// How much is sent in a round.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// Requests of the closed loop.
    pub closed: u64,
    /// Requests of the open one, and how many a second; none where streams are paced.
    pub open: Option<(u64, NonZeroU32)>,
}

/// What was measured.
#[derive(Clone, Copy, Debug, Default)]
pub struct Measured {
    pub answers: u64,
    pub failed: u64,
    /// Microseconds of CPU time for a request.
    pub cpu: f64,
    pub p50: f64,
    pub p99: f64,
    pub throughput: f64,
    pub busy: f64,
    /// As `cpu`, of this process.
    pub client: f64,
}

impl Size {
    /// So much that each loop takes about this long without a plugin, and three times as long
    /// where answers are few.
    pub fn calibrate(case: &Case, none: &Gateway, time: Duration) -> Result<Self, Box<dyn Error>> {
        let requests = if case.pause.is_zero() { 500 } else { 32 };
        let report = closed(case, none, requests)?;
        let rate = report.throughput();
        let time = if case.pause.is_zero() { time } else { time * 3 };
        let many = |rate: f64| ((rate * time.as_secs_f64()) as u64).max(20);
        let per_second = NonZeroU32::new((rate * SHARE) as u32).unwrap_or(NonZeroU32::MIN);
        let open = case.pause.is_zero().then(|| (many(rate * SHARE), per_second));
        Ok(Self { closed: many(rate), open })
    }
}

/// One round of a plugin under a traffic.
pub fn measure(case: &Case, gateway: &Gateway, size: Size) -> Result<Measured, Box<dyn Error>> {
    let pid = gateway.pid()?;
    let used =
        |process| cpu_time(process).ok_or("this machine does not tell the CPU time of a process");
    let me = std::process::id();
    let (before, mine) = (used(pid)?, used(me)?);
    let report = closed(case, gateway, size.closed)?;
    let (cpu, client) = (used(pid)?.saturating_sub(before), used(me)?.saturating_sub(mine));
    let latency = match size.open {
        Some((requests, per_second)) => {
            let load = load(case)?.connections(OPEN);
            load.open(gateway.listener(), per_second, requests)
        }
        None => report.clone(),
    };
    let micros = |time: Duration| time.as_secs_f64() * 1e6;
    let open = size.open.is_some().then_some(&latency);
    Ok(Measured {
        answers: report.latency.len() + open.map_or(0, |open| open.latency.len()),
        failed: report.failed() + open.map_or(0, Report::failed),
        cpu: micros(cpu) / report.requests as f64,
        p50: micros(latency.quantile(0.5)),
        p99: micros(latency.quantile(0.99)),
        throughput: report.throughput(),
        busy: cpu.as_secs_f64() / report.elapsed.as_secs_f64(),
        client: micros(client) / report.requests as f64,
    })
}

/// Has Envoy compile what it will need, and make its connections.
pub fn warm_up(case: &Case, gateway: &Gateway, size: Size) -> Result<(), Box<dyn Error>> {
    closed(case, gateway, size.closed)?;
    Ok(())
}

fn closed(case: &Case, gateway: &Gateway, requests: u64) -> Result<Report, Box<dyn Error>> {
    let connections = if case.pause.is_zero() { CONNECTIONS } else { PACED };
    Ok(load(case)?.connections(connections).closed(gateway.listener(), requests))
}

fn load(case: &Case) -> Result<Load, Box<dyn Error>> {
    Ok(Load::new(std::slice::from_ref(&case.exchange), Duration::ZERO)?)
}
