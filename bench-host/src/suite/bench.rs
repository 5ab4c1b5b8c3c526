//! What a case costs: the same case many times over, each callback on its own.

use std::num::NonZeroU64;
use std::time::{Duration, Instant};

use serde::Serialize;

use super::session::{COUNT, NOTHING, Session, Setup, TIME};
use crate::engine::{Fault, Plugin, StartError};
use crate::host::Measure;
use crate::measure::{Percentiles, Phase};

/// What a case costs.
#[derive(Clone, Debug, Serialize)]
pub struct Bench {
    /// Times that the case was run for taking time.
    pub iterations: u64,
    /// Other streams that were open meanwhile.
    pub additional_streams: u64,
    /// Each callback that was made.
    pub phases: Vec<BenchPhase>,
    /// Pages of linear memory before the first iteration.
    pub pages_initial: u64,
    /// Pages of linear memory after the last one.
    pub pages_final: u64,
}

/// What one callback costs.
#[derive(Clone, Debug, Serialize)]
pub struct BenchPhase {
    /// Which one.
    pub phase: &'static str,
    /// Times that it was made and timed.
    pub calls: u64,
    /// How long it took.
    pub latency_ns: Percentiles,
    /// Instructions of all counted calls.
    pub fuel_total: u64,
    /// Calls that were counted.
    pub fuel_calls: u64,
}

/// A case as something that can be repeated.
pub(super) trait Work {
    /// Other streams that it keeps open.
    fn additional_streams(&self) -> u64 {
        0
    }

    /// Sets up a fresh VM, unmeasured.
    fn prepare(&mut self, session: &mut Session) -> Result<(), Fault>;

    /// What goes on beside each iteration, unmeasured.
    fn aside(&mut self, session: &mut Session) -> Result<(), Fault>;

    /// One iteration.
    fn once(&mut self, session: &mut Session) -> Result<(), Fault>;
}

/// Iterations, and time for them, where no number was asked for.
const LEAST: u64 = 100;
const ENOUGH: Duration = Duration::from_millis(500);
/// Iterations that are counted; counts hardly vary.
const COUNTED: u64 = 100;
/// Iterations before time is taken, for caches and lazy initialisation.
const WARM_UP: u64 = 10;

/// Runs a case in a VM that counts, then in one that takes time.
///
/// # Errors
/// [`StartError`] when the plugin does not start or traps.
pub(super) fn bench(
    counted: &dyn Plugin,
    timed: &dyn Plugin,
    setup: &Setup,
    iterations: Option<NonZeroU64>,
    work: &mut dyn Work,
) -> Result<Bench, StartError> {
    let most = iterations.map_or(COUNTED, |number| number.get().min(COUNTED));
    let mut counts = Pass::start(counted, setup, work)?;
    counts.run(COUNT, work, |done| done < most)?;
    let mut times = Pass::start(timed, setup, work)?;
    times.run(NOTHING, work, |done| done < WARM_UP)?;
    let start = Instant::now();
    let done = times.run(TIME, work, |done| match iterations {
        Some(number) => done < number.get(),
        None => done < LEAST || start.elapsed() < ENOUGH,
    })?;
    let phases = Phase::ALL.into_iter().filter_map(|phase| {
        let calls = times.calls[phase as usize];
        let latency = times.session.ledger().phase(phase).latency.as_ref()?.percentiles();
        Some(BenchPhase {
            phase: phase.name(),
            calls,
            latency_ns: latency,
            fuel_total: counts.session.ledger().phase(phase).fuel.unwrap_or(0),
            fuel_calls: counts.calls[phase as usize],
        })
    });
    Ok(Bench {
        iterations: done,
        additional_streams: work.additional_streams(),
        phases: phases.collect(),
        pages_initial: times.pages,
        pages_final: times.session.pages(),
    })
}

/// One VM, in which a case is repeated.
struct Pass<'a> {
    session: Session<'a>,
    /// Measured calls by phase.
    calls: [u64; Phase::ALL.len()],
    pages: u64,
}

impl<'a> Pass<'a> {
    fn start(
        plugin: &'a dyn Plugin,
        setup: &Setup,
        work: &mut dyn Work,
    ) -> Result<Self, StartError> {
        let mut session = Session::start(plugin, setup, NOTHING)?;
        work.prepare(&mut session)?;
        let pages = session.pages();
        Ok(Self { session, calls: [0; Phase::ALL.len()], pages })
    }

    /// Repeats while `more` says so, and gives how often.
    fn run(
        &mut self,
        measure: Measure,
        work: &mut dyn Work,
        more: impl Fn(u64) -> bool,
    ) -> Result<u64, Fault> {
        let mut done = 0;
        while more(done) {
            self.session.set_measure(NOTHING);
            work.aside(&mut self.session)?;
            self.session.set_measure(measure);
            let before = self.made();
            work.once(&mut self.session)?;
            if measure != NOTHING {
                let after = self.made();
                for (sum, (after, before)) in self.calls.iter_mut().zip(after.zip(before)) {
                    *sum += after - before;
                }
            }
            done += 1;
        }
        Ok(done)
    }

    /// Calls made so far, by phase.
    fn made(&mut self) -> impl Iterator<Item = u64> + use<> {
        let ledger = self.session.ledger();
        Phase::ALL.map(|phase| ledger.phase(phase).calls).into_iter()
    }
}
