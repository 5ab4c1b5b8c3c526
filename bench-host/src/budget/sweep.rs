//! The sweep: which points are measured, and what follows from them.

use std::num::NonZeroUsize;

use super::load::Load;
use super::point::Point;
use super::result::Fit;
use super::search::largest;
use crate::engine::Plugin;
use crate::leak::LeakCheck;
use crate::replay::{Options, ReplayError, replay};

/// The least buffer limit that is tried, and the step between two of them.
const LEAST_LIMIT: u64 = 16 * 1024;
const STEP: u64 = 4 * 1024;

/// What all streams of a point hold at most: the host has to hold it as well.
const MOST_HELD: u64 = 64 << 20;

/// Requests of the leak check.
const LEAK_REQUESTS: usize = 200;

/// What is asked.
#[derive(Clone, Copy, Debug)]
pub struct Question {
    /// Linear memory that all VMs together may have.
    pub budget: u64,
    /// VMs, one for each worker.
    pub workers: NonZeroUsize,
    /// The largest buffer limit that is tried.
    pub most_limit: u64,
    /// The most streams at once that are tried.
    pub most_streams: NonZeroUsize,
    /// The buffer limit for which the most streams are wanted.
    pub usual_limit: u64,
}

/// What was found.
#[derive(Clone, Debug)]
pub struct Swept {
    /// All points, in the order in which they were measured.
    pub points: Vec<Point>,
    /// The largest buffer limit for each number of streams.
    pub frontier: Vec<Fit>,
    /// The most streams with the usual limit; no streams when none fits.
    pub at_usual_limit: Fit,
    /// Whether memory grows with requests, by small requests one at a time.
    pub leak: LeakCheck,
}

/// Measures as many points as it takes.
///
/// With each number of streams (1, 2, 4 and so on) the buffer limit is doubled until the budget is
/// passed over, and then bisected to an eighth. Bodies are as long as the limit, and with one stream
/// four times as long as well, which a plugin that holds bodies does not get to see whole.
///
/// A point counts with the memory of the worst one that has no more streams and no higher limit,
/// since shorter bodies come too. A plugin that crashes does not fit.
///
/// # Errors
/// [`ReplayError`] when the plugin does not start, or the machine has no more threads.
pub fn sweep(
    plugin: &dyn Plugin,
    options: &Options,
    load: &Load,
    question: &Question,
    progress: &dyn Fn(usize, u64),
) -> Result<Swept, ReplayError> {
    let mut sweep = Sweep { plugin, options, load, question, progress, points: Vec::new() };
    let mut frontier = Vec::new();
    let mut streams = NonZeroUsize::MIN;
    loop {
        let most = question.most_limit.min(MOST_HELD / streams.get() as u64);
        let found = largest(LEAST_LIMIT.min(most), most, STEP, |limit| sweep.fits(streams, limit))?;
        let fit = sweep.fit(streams.get(), found.fits, found.is_open);
        let is_none = fit.buffer_limit_bytes.is_none();
        frontier.push(fit);
        let next = streams.get().saturating_mul(2).min(question.most_streams.get());
        match NonZeroUsize::new(next) {
            Some(next) if next > streams && !is_none => streams = next,
            _ => break,
        }
    }
    let limit = question.usual_limit;
    let most = (question.most_streams.get() as u64).min(MOST_HELD / limit.max(1));
    let found = largest(1, most, 1, |streams| {
        let streams = usize::try_from(streams).ok().and_then(NonZeroUsize::new);
        sweep.fits(streams.unwrap_or(NonZeroUsize::MIN), limit)
    })?;
    let streams = found.fits.and_then(|streams| usize::try_from(streams).ok()).unwrap_or(0);
    let at_usual_limit = sweep.fit(streams, found.fits.map(|_| limit), found.is_open);
    let leak = sweep.leak()?;
    Ok(Swept { points: sweep.points, frontier, at_usual_limit, leak })
}

struct Sweep<'a> {
    plugin: &'a dyn Plugin,
    options: &'a Options,
    load: &'a Load,
    question: &'a Question,
    progress: &'a dyn Fn(usize, u64),
    points: Vec<Point>,
}

impl Sweep<'_> {
    /// Whether the VMs of all workers stay within the budget.
    fn fits(&mut self, streams: NonZeroUsize, limit: u64) -> Result<bool, ReplayError> {
        let one = streams == NonZeroUsize::MIN;
        let bodies = [Some(limit), one.then_some(limit.saturating_mul(4))];
        for body in bodies.into_iter().flatten() {
            let is_known = |point: &Point| {
                (point.streams, point.buffer_limit_bytes, point.body_bytes)
                    == (streams.get(), limit, body)
            };
            if !self.points.iter().any(is_known) {
                (self.progress)(streams.get(), limit);
                let at = (streams, limit, body);
                self.points.push(Point::measure(self.plugin, self.options, self.load, at)?);
            }
        }
        let crashed = self.below(streams.get(), limit).any(|point| point.crash.is_some());
        let vm = self.vm_bytes(streams.get(), limit);
        let set = vm.saturating_mul(self.question.workers.get() as u64);
        Ok(!crashed && set <= self.question.budget)
    }

    /// Points that are no larger in any way.
    fn below(&self, streams: usize, limit: u64) -> impl Iterator<Item = &Point> {
        self.points
            .iter()
            .filter(move |point| point.streams <= streams && point.buffer_limit_bytes <= limit)
    }

    fn vm_bytes(&self, streams: usize, limit: u64) -> u64 {
        self.below(streams, limit).map(|point| point.peak_bytes).max().unwrap_or(0)
    }

    fn fit(&self, streams: usize, limit: Option<u64>, is_open: bool) -> Fit {
        let vm = limit.map(|limit| self.vm_bytes(streams, limit));
        let workers = self.question.workers.get() as u64;
        Fit {
            streams,
            buffer_limit_bytes: limit,
            is_open,
            vm_bytes: vm,
            workers_bytes: vm.map(|vm| vm.saturating_mul(workers)),
        }
    }

    fn leak(&self) -> Result<LeakCheck, ReplayError> {
        (self.progress)(1, LEAST_LIMIT);
        let traffic = self.load.traffic(LEAST_LIMIT, LEAK_REQUESTS)?;
        Ok(replay(self.plugin, &traffic, self.options, &|_| ())?.heap.leak_check())
    }
}
