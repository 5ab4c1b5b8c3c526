//! The ledger: what every callback cost, by phase.

use std::collections::BTreeMap;
use std::time::Duration;

use super::latency::Latency;
use super::phase::Phase;

/// What all callbacks of one VM (or of several, added up) cost.
#[derive(Clone, Debug)]
pub struct Ledger {
    lines: Vec<Lines>,
    /// Names of the guest's imports; host calls are counted by their place here.
    imports: Vec<String>,
    current: usize,
}

/// The costs of one phase.
#[derive(Clone, Debug, Default)]
pub struct Lines {
    /// Callbacks made.
    pub calls: u64,
    /// How long they took, where time was taken.
    pub latency: Option<Latency>,
    /// Instructions they took, where they were counted.
    pub fuel: Option<u64>,
    /// Bytes that the host wrote into the guest's memory.
    pub bytes_in: u64,
    /// Bytes that the host read out of the guest's memory.
    pub bytes_out: u64,
    /// What the guest's own books say, where it keeps any.
    pub allocations: Option<Allocations>,
    /// Pages of linear memory that were added.
    pub pages_grown: u64,
    host_calls: Vec<u64>,
}

/// Allocations by the guest's own books.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Allocations {
    /// How many.
    pub count: u64,
    /// How many bytes.
    pub bytes: u64,
}

/// What can be read off a guest between two callbacks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Gauge {
    /// Instructions used since the guest began; `None` when they are not counted.
    pub fuel: Option<u64>,
    /// Pages of linear memory.
    pub pages: u64,
    /// Allocations since the guest began; `None` when it keeps no books.
    pub allocations: Option<Allocations>,
}

impl Default for Ledger {
    fn default() -> Self {
        Self {
            lines: vec![Lines::default(); Phase::ALL.len()],
            imports: Vec::new(),
            current: Phase::VmStart as usize,
        }
    }
}

impl Ledger {
    /// The place of an import, under which its calls are counted.
    pub fn import(&mut self, name: &str) -> usize {
        if let Some(at) = self.imports.iter().position(|known| known == name) {
            return at;
        }
        self.imports.push(name.to_owned());
        for lines in &mut self.lines {
            lines.host_calls.resize(self.imports.len(), 0);
        }
        self.imports.len() - 1
    }

    /// Books what follows on a phase.
    pub fn enter(&mut self, phase: Phase) {
        self.current = phase as usize;
    }

    /// Counts the current callback, and how long it took.
    pub fn called(&mut self, took: Option<Duration>) {
        let line = self.line();
        line.calls += 1;
        if let Some(took) = took {
            line.latency.get_or_insert_default().record(took);
        }
    }

    /// Counts a host call.
    pub fn host_call(&mut self, import: usize) {
        if let Some(count) = self.line().host_calls.get_mut(import) {
            *count += 1;
        }
    }

    /// Counts bytes that the host wrote into the guest's memory.
    pub fn bytes_in(&mut self, bytes: u64) {
        self.line().bytes_in += bytes;
    }

    /// Counts bytes that the host read out of the guest's memory.
    pub fn bytes_out(&mut self, bytes: u64) {
        self.line().bytes_out += bytes;
    }

    /// Books what the current callback changed between two readings.
    pub fn changed(&mut self, before: &Gauge, after: &Gauge) {
        let line = self.line();
        line.pages_grown += after.pages.saturating_sub(before.pages);
        if let (Some(before), Some(after)) = (before.fuel, after.fuel) {
            *line.fuel.get_or_insert(0) += after.saturating_sub(before);
        }
        if let (Some(before), Some(after)) = (before.allocations, after.allocations) {
            let sum = line.allocations.get_or_insert_default();
            // These are the guest's words, which may be anything.
            sum.count = sum.count.saturating_add(after.count.saturating_sub(before.count));
            sum.bytes = sum.bytes.saturating_add(after.bytes.saturating_sub(before.bytes));
        }
    }

    /// The costs of a phase.
    pub fn phase(&self, phase: Phase) -> &Lines {
        &self.lines[phase as usize]
    }

    /// The host calls of a phase by name, those that were made.
    pub fn host_calls(&self, phase: Phase) -> BTreeMap<String, u64> {
        let counts = &self.phase(phase).host_calls;
        let named = self.imports.iter().zip(counts).filter(|(_, count)| **count > 0);
        named.map(|(name, count)| (name.clone(), *count)).collect()
    }

    /// Adds everything of another ledger.
    pub fn add(&mut self, other: &Self) {
        let places: Vec<usize> = other.imports.iter().map(|name| self.import(name)).collect();
        for (mine, theirs) in self.lines.iter_mut().zip(&other.lines) {
            mine.calls += theirs.calls;
            mine.bytes_in += theirs.bytes_in;
            mine.bytes_out += theirs.bytes_out;
            mine.pages_grown += theirs.pages_grown;
            if let Some(latency) = &theirs.latency {
                mine.latency.get_or_insert_default().add(latency);
            }
            if let Some(fuel) = theirs.fuel {
                *mine.fuel.get_or_insert(0) += fuel;
            }
            if let Some(theirs) = theirs.allocations {
                let sum = mine.allocations.get_or_insert_default();
                sum.count = sum.count.saturating_add(theirs.count);
                sum.bytes = sum.bytes.saturating_add(theirs.bytes);
            }
            for (place, count) in places.iter().zip(&theirs.host_calls) {
                mine.host_calls[*place] += count;
            }
        }
    }

    /// Takes the durations of another ledger of the same run, which was made without counting.
    pub fn take_latencies(&mut self, timed: &mut Self) {
        for (mine, theirs) in self.lines.iter_mut().zip(&mut timed.lines) {
            mine.latency = theirs.latency.take();
        }
    }

    fn line(&mut self) -> &mut Lines {
        &mut self.lines[self.current]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn costs_are_booked_on_the_phase_that_caused_them() {
        let mut ledger = Ledger::default();
        let get = ledger.import("get");
        ledger.enter(Phase::RequestBody);
        ledger.host_call(get);
        ledger.bytes_in(16);
        ledger.called(None);
        let before = Gauge { fuel: Some(5), pages: 2, allocations: None };
        let after = Gauge { fuel: Some(9), pages: 3, allocations: None };
        ledger.changed(&before, &after);
        ledger.enter(Phase::ResponseBody);
        ledger.bytes_out(7);

        let body = ledger.phase(Phase::RequestBody);
        assert_eq!((body.calls, body.bytes_in, body.bytes_out), (1, 16, 0));
        assert_eq!((body.fuel, body.pages_grown, body.allocations), (Some(4), 1, None));
        assert_eq!(ledger.host_calls(Phase::RequestBody), BTreeMap::from([("get".into(), 1)]));
        assert_eq!(ledger.phase(Phase::ResponseBody).bytes_out, 7);
    }

    #[test]
    fn ledgers_with_other_imports_add_up_by_name() {
        let mut one = Ledger::default();
        let get = one.import("get");
        one.enter(Phase::RequestBody);
        one.host_call(get);
        one.called(None);
        let mut other = Ledger::default();
        let set = other.import("set");
        let get = other.import("get");
        other.enter(Phase::RequestBody);
        other.host_call(set);
        other.host_call(get);
        other.called(Some(Duration::from_nanos(5)));
        one.add(&other);
        let calls = BTreeMap::from([("get".into(), 2), ("set".into(), 1)]);
        assert_eq!(one.host_calls(Phase::RequestBody), calls);
        assert_eq!(one.phase(Phase::RequestBody).calls, 2);
    }
}
