//! The two passes over the same traffic: one that counts, one that takes time.

use std::io::IsTerminal as _;

use indicatif::{ProgressBar, ProgressStyle};

use super::Failure;
use crate::engine::wasm::{Limits, WasmPlugin};
use crate::host::Measure;
use crate::measure::Phase;
use crate::module::Module;
use crate::replay::{Options, Run, replay};
use crate::traffic::Traffic;

/// Which passes are made; at least one of them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Passes {
    /// Count instructions.
    pub fuel: bool,
    /// Take time.
    pub wall: bool,
    /// What the plugin may use while it is counted; the same goes for the other pass, as far as
    /// looking does not cost time.
    pub limits: Limits,
}

impl Passes {
    /// Replays the traffic once or twice, and puts both results together.
    ///
    /// A plugin that crashed while it was counted is not timed.
    ///
    /// Counting instructions slows the guest down by up to a half, so time is taken in a pass of
    /// its own; everything else comes from the first pass.
    pub fn run(
        self,
        module: &Module,
        traffic: &Traffic,
        options: &Options,
    ) -> Result<Run, Failure> {
        let requests = traffic.requests().saturating_mul(options.repeat.get() as u64);
        let bar = progress(requests.saturating_mul(self.count()));
        let step = |_| bar.inc(1);
        let counted = if self.fuel {
            let plugin = WasmPlugin::compile(&module.bytes, self.limits)?;
            let measure = Measure { time: false, usage: true };
            let options = Options { measure, ..options.clone() };
            Some(replay(&plugin, traffic, &options, &step)?)
        } else {
            None
        };
        // What crashed once does it again, and may not end where nothing stops it.
        let crashed = counted.as_ref().is_some_and(|run| !run.crashes.is_empty());
        let timed = if self.wall && !crashed {
            let limits =
                if counted.is_some() { self.limits.uncounted() } else { self.limits.stopped() };
            let plugin = WasmPlugin::compile(&module.bytes, limits)?;
            let measure = Measure { time: true, usage: counted.is_none() };
            let outputs = options.outputs.clone().filter(|_| counted.is_none());
            let options = Options { measure, outputs, ..options.clone() };
            Some(replay(&plugin, traffic, &options, &step)?)
        } else {
            None
        };
        bar.finish_and_clear();
        match (counted, timed) {
            (Some(mut counted), Some(mut timed)) => {
                if !same_work(&counted, &timed) {
                    eprintln!(
                        "warning: the plugin did not do the same work in both passes; \
                         its counters are those of the first"
                    );
                }
                counted.ledger.take_latencies(&mut timed.ledger);
                counted.request_latency = timed.request_latency;
                counted.instantiate = timed.instantiate;
                counted.configure = timed.configure;
                Ok(counted)
            }
            (Some(run), None) | (None, Some(run)) => Ok(run),
            (None, None) => {
                Err(Failure::Input("--no-fuel and --no-wall together leave nothing to do".into()))
            }
        }
    }

    fn count(self) -> u64 {
        u64::from(self.fuel) + u64::from(self.wall)
    }
}

/// Whether two passes made the same callbacks, host calls and copies.
fn same_work(one: &Run, other: &Run) -> bool {
    Phase::ALL.into_iter().all(|phase| {
        let (mine, theirs) = (one.ledger.phase(phase), other.ledger.phase(phase));
        (mine.calls, mine.bytes_in, mine.bytes_out)
            == (theirs.calls, theirs.bytes_in, theirs.bytes_out)
            && one.ledger.host_calls(phase) == other.ledger.host_calls(phase)
    })
}

pub(super) fn progress(requests: u64) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} requests {eta}");
    ProgressBar::new(requests)
        .with_style(style.expect("the template is a constant that the tests draw"))
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_progress_template_is_valid() {
        let style = indicatif::ProgressStyle::with_template("{bar:40} {pos}/{len} requests {eta}");
        assert!(style.is_ok());
    }
}
