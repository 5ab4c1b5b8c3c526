//! What one candidate decides: no host call is made here.

use super::record::{LONGEST, Owner, Record};
use crate::shared::{NO_ONES, Swap, Version, Versioned};

/// What a candidate knows.
#[derive(Debug)]
pub(super) struct Claim {
    owner: Owner,
    /// In nanoseconds.
    term: u64,
    /// Until when it leads.
    until: u64,
    /// What is there instead of a record, and when it has been there for a term.
    garbage: Option<(Version, u64)>,
}

/// What a candidate does about the shared value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Write this over what was read, whose version it is; where nothing was there, unless
    /// something is by now.
    Write { record: Record, over: Version },
    /// The same, over something that is no record.
    Replace { record: Record, over: Version },
    /// Look again then, or sooner.
    Wait { until: u64 },
    /// [Watch](Claim::watch) something that is no record.
    Watch { version: Version },
}

impl Claim {
    pub fn new(owner: Owner, term: u64) -> Self {
        Self { owner, term, until: 0, garbage: None }
    }

    /// Whether it leads at a time. Others take over at `until` and not before.
    pub fn leads(&self, now: u64) -> bool {
        now < self.until && self.until - now <= LONGEST
    }

    /// Whether it may lead at some time without another write.
    pub fn may_lead(&self) -> bool {
        self.until > 0
    }

    /// Until when it leads; in the past where it does not.
    pub fn until(&self) -> u64 {
        self.until
    }

    /// What to do, given a value that was read after `now`: so whatever is written with it ends at
    /// the latest a term after it was written.
    pub fn consider(&mut self, found: Option<Versioned<'_>>, now: u64) -> Step {
        let record = Record { owner: self.owner, until: now.saturating_add(self.term) };
        let Some(Versioned { value, version }) = found else {
            return Step::Write { record, over: NO_ONES };
        };
        match Record::parse(value, now) {
            Some(found) if found.owner == self.owner || found.until <= now => {
                self.garbage = None;
                Step::Write { record, over: version }
            }
            Some(found) => {
                (self.garbage, self.until) = (None, 0);
                Step::Wait { until: found.until }
            }
            None => {
                self.until = 0;
                // It may be the record of another version of this library, whose owner leads; then
                // it is written anew within a term.
                match self.garbage {
                    Some((known, until)) if known == version && now >= until => {
                        Step::Replace { record, over: version }
                    }
                    Some((known, until)) if known == version => Step::Wait { until },
                    _ => Step::Watch { version },
                }
            }
        }
    }

    /// Something that is no record was seen, at a time that was read after it. That from
    /// [before](Self::consider) would not do: whoever led when it was written does so for a term.
    pub fn watch(&mut self, version: Version, now: u64) {
        self.garbage = Some((version, now.saturating_add(self.term)));
    }

    /// What became of the write.
    pub fn wrote(&mut self, record: Record, swap: Swap) {
        self.until = if swap.is_swapped() { record.until } else { 0 };
        self.garbage = None;
    }

    /// It does not lead any more. What is to be written over its own record, if that is found.
    pub fn give_up(&mut self) -> Record {
        self.until = 0;
        Record { owner: self.owner, until: 0 }
    }

    /// Whether a value is its own.
    pub fn is_mine(&self, value: &[u8]) -> bool {
        // Whenever it was written: what is its own ends at a time that can be.
        Record::parse(value, u64::MAX).is_some_and(|record| record.owner == self.owner)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TERM: u64 = 90;

    /// A store as hosts have it (0 is no check, and an absent value is set whatever is asked for),
    /// and the clock that everybody reads.
    #[derive(Default)]
    struct Store {
        value: Option<(Vec<u8>, u32)>,
        last: u32,
        now: u64,
    }

    impl Store {
        fn swap(&mut self, new: &[u8], Version(over): Version) -> Swap {
            let fits = self.value.as_ref().is_none_or(|(_, version)| over == 0 || over == *version);
            if !fits {
                return Swap::Lost;
            }
            self.last += 1;
            self.value = Some((new.to_vec(), self.last));
            Swap::Swapped
        }
    }

    /// A worker between two of its host calls.
    enum At {
        Idle,
        HasTime(u64),
        HasRead(Step),
        Resigns(Option<Version>, Record),
    }

    struct Worker {
        claim: Claim,
        at: At,
    }

    impl Worker {
        fn new(number: u8) -> Self {
            Self { claim: Claim::new(Owner([number; 16]), TERM), at: At::Idle }
        }

        /// Makes one host call.
        fn step(&mut self, store: &mut Store, resigns: bool) {
            let found = store.value.clone();
            let found = found
                .as_ref()
                .map(|(value, version)| Versioned { value, version: Version(*version) });
            self.at = match self.at {
                At::Idle if resigns => {
                    let record = self.claim.give_up();
                    let mine = found.filter(|found| self.claim.is_mine(found.value));
                    At::Resigns(mine.map(|found| found.version), record)
                }
                At::Idle => At::HasTime(store.now),
                At::HasTime(now) => At::HasRead(self.claim.consider(found, now)),
                At::HasRead(Step::Write { record, over } | Step::Replace { record, over }) => {
                    let swap = store.swap(&record.encode(), over);
                    self.claim.wrote(record, swap);
                    At::Idle
                }
                At::Resigns(Some(over), record) => {
                    let _ = store.swap(&record.encode(), over);
                    At::Idle
                }
                At::HasRead(Step::Watch { version }) => {
                    self.claim.watch(version, store.now);
                    At::Idle
                }
                At::HasRead(Step::Wait { .. }) | At::Resigns(None, _) => At::Idle,
            };
        }
    }

    #[derive(Clone, Copy, Debug)]
    enum Event {
        Step { worker: usize, resigns: bool },
        Crash { worker: usize },
        Garbage,
        Pass { time: u64 },
    }

    fn event() -> impl Strategy<Value = Event> {
        prop_oneof![
            20 => (0usize..3, prop::bool::weighted(0.1))
                .prop_map(|(worker, resigns)| Event::Step { worker, resigns }),
            1 => (0usize..3).prop_map(|worker| Event::Crash { worker }),
            1 => Just(Event::Garbage),
            6 => (1u64..TERM / 2).prop_map(|time| Event::Pass { time }),
        ]
    }

    proptest! {
        #[test]
        fn however_their_host_calls_interleave_no_two_lead(
            events in prop::collection::vec(event(), 0..400),
        ) {
            let mut store = Store::default();
            let mut workers = [1, 2, 3].map(Worker::new);
            let mut born = 3;
            for event in events {
                match event {
                    Event::Step { worker, resigns } => workers[worker].step(&mut store, resigns),
                    Event::Crash { worker } => {
                        born += 1;
                        workers[worker] = Worker::new(born);
                    }
                    Event::Garbage => {
                        store.last += 1;
                        store.value = Some((b"garbage".to_vec(), store.last));
                    }
                    Event::Pass { time } => store.now += time,
                }
                let leaders = workers.iter().filter(|worker| worker.claim.leads(store.now));
                prop_assert!(leaders.count() <= 1);
            }
            // And whatever has happened, somebody leads in the end.
            for worker in &mut workers {
                worker.at = At::Idle;
            }
            for _ in 0..9 {
                for worker in &mut workers {
                    (0..3).for_each(|_| worker.step(&mut store, false));
                }
                store.now += TERM / 3;
            }
            let leaders = workers.iter().filter(|worker| worker.claim.leads(store.now));
            prop_assert_eq!(leaders.count(), 1);
        }
    }

    #[test]
    fn what_is_no_record_is_taken_over_when_it_has_not_changed_for_a_term() {
        let mut claim = Claim::new(Owner([1; 16]), TERM);
        let found = |version| Some(Versioned { value: b"?".as_slice(), version: Version(version) });
        let watch = |version| Step::Watch { version: Version(version) };
        assert_eq!(claim.consider(found(1), 9), watch(1));
        claim.watch(Version(1), 10);
        assert_eq!(claim.consider(found(1), 11), Step::Wait { until: 10 + TERM });
        assert_eq!(claim.consider(found(2), 49), watch(2), "somebody is there");
        claim.watch(Version(2), 50);
        assert_eq!(claim.consider(found(2), 49 + TERM), Step::Wait { until: 50 + TERM });
        let record = Record { owner: Owner([1; 16]), until: 50 + 2 * TERM };
        let over = Version(2);
        assert_eq!(claim.consider(found(2), 50 + TERM), Step::Replace { record, over });
    }
}
