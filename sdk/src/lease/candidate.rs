//! A worker that stands for election.

use std::cell::{Cell, OnceCell, RefCell};
use std::mem;
use std::rc::Weak;
use std::task::Waker;

use super::Lease;
use super::claim::{Claim, Step};
use super::record::Owner;
use crate::abi::host;
use crate::error::Result;
use crate::shared::SharedData;
use crate::time;
use crate::vm::SharedVm;

/// A worker that stands for election. Its handles own it; the [task](run) that renews does not.
#[derive(Debug)]
pub(crate) struct Candidate {
    vm: SharedVm,
    name: String,
    /// In nanoseconds.
    term: u64,
    /// Known from the first look on.
    claim: OnceCell<(String, RefCell<Claim>)>,
    /// It does not stand before.
    rests_until: Cell<u64>,
    /// What those who wait were told last.
    led: Cell<bool>,
    waiting: RefCell<Vec<Waker>>,
    /// A failure was logged, and nothing has succeeded since.
    failing: Cell<bool>,
}

/// Stands for election again and again, until nobody wants to know.
pub(crate) async fn run(candidate: Weak<Candidate>) -> Result<()> {
    // Nothing is claimed before a timer fires. A proxy tries a configuration in a VM that it ends
    // at once; that VM would take leadership with it for a whole term.
    let mut next = 0;
    loop {
        time::sleep_until(next).await?;
        let Some(candidate) = candidate.upgrade() else { return Ok(()) };
        next = candidate.stand(host::now()?);
    }
}

impl Candidate {
    pub fn new(vm: &SharedVm, lease: Lease) -> Self {
        let Lease { name, term } = lease;
        Self {
            vm: vm.clone(),
            name,
            term: u64::try_from(term.as_nanos()).unwrap_or(u64::MAX),
            claim: OnceCell::new(),
            rests_until: Cell::new(0),
            led: Cell::new(false),
            waiting: RefCell::default(),
            failing: Cell::new(false),
        }
    }

    pub fn is_leader(&self) -> Result<bool> {
        match self.claim.get() {
            Some((_, claim)) if claim.borrow().may_lead() => {
                let now = host::now()?;
                Ok(claim.borrow().leads(now))
            }
            _ => Ok(false),
        }
    }

    /// Wakes somebody when it begins to lead, or does not any more.
    pub fn tell(&self, waker: &Waker) {
        let mut waiting = self.waiting.borrow_mut();
        if !waiting.iter().any(|known| known.will_wake(waker)) {
            waiting.push(waker.clone());
        }
    }

    pub fn resign(&self) -> Result<()> {
        let given_up = self.give_up();
        self.told(false);
        self.rests_until.set(host::now()?.saturating_add(self.term));
        given_up
    }

    /// Takes, keeps or leaves leadership; the answer is when to do so next.
    fn stand(&self, now: u64) -> u64 {
        if now < self.rests_until.get() {
            return self.rests_until.get();
        }
        let mut next = now.saturating_add(self.term / 3);
        match self.compete(now) {
            Ok(None) => self.failing.set(false),
            Ok(Some(until)) => {
                self.failing.set(false);
                next = next.min(until);
            }
            Err(error) => {
                if !self.failing.replace(true) {
                    let name = self.claim.get().map_or(self.name.as_str(), |(key, _)| key);
                    crate::error!("cannot stand for election, tries on ({name}): {error}");
                }
            }
        }
        if let Some((_, claim)) = self.claim.get() {
            let (leads, until) = (claim.borrow().leads(now), claim.borrow().until());
            self.told(leads);
            if leads {
                // Without success those who wait are told as soon as it is lost.
                next = next.min(until);
            }
        }
        next
    }

    /// `Some`: there is something to do by then.
    fn compete(&self, now: u64) -> Result<Option<u64>> {
        let (key, claim) = self.claim(now)?;
        let scope = self.vm.arena.scope();
        let shared = SharedData::new(&scope);
        // The time was read before, and so the value is at least as new.
        let found = shared.get(key)?;
        // No host call while it is borrowed.
        let step = claim.borrow_mut().consider(found, now);
        let (record, over) = match step {
            Step::Wait { until } => return Ok(Some(until)),
            Step::Watch { version } => {
                let now = host::now()?;
                claim.borrow_mut().watch(version, now);
                return Ok(None);
            }
            Step::Write { record, over } => (record, over),
            Step::Replace { record, over } => {
                crate::warn!("somebody has written over the shared value {key}: it is replaced");
                (record, over)
            }
        };
        let swap = shared.compare_and_swap(key, record.encode(), over)?;
        claim.borrow_mut().wrote(record, swap);
        Ok(None)
    }

    /// Leads no more, and lets others lead at once.
    fn give_up(&self) -> Result<()> {
        let Some((key, claim)) = self.claim.get() else { return Ok(()) };
        if !claim.borrow().may_lead() {
            return Ok(());
        }
        // First of all: whatever the host answers, this one does not lead from here on.
        let record = claim.borrow_mut().give_up();
        let scope = self.vm.arena.scope();
        let shared = SharedData::new(&scope);
        if let Some(found) = shared.get(key)?
            && claim.borrow().is_mine(found.value)
        {
            // Lost: somebody has taken it over already.
            let _ = shared.compare_and_swap(key, record.encode(), found.version)?;
        }
        Ok(())
    }

    /// The key of the shared value, and what is known of it.
    fn claim(&self, now: u64) -> Result<&(String, RefCell<Claim>)> {
        if let Some(known) = self.claim.get() {
            return Ok(known);
        }
        let scope = self.vm.arena.scope();
        let text = |property| -> Result<_> {
            let value = host::property(&scope, property)?.unwrap_or_default();
            Ok(String::from_utf8_lossy(value))
        };
        let key = key(&text("plugin_root_id")?, &text("plugin_name")?, &self.name);
        let owner = Owner::random(now, std::ptr::from_ref(self).addr());
        Ok(self.claim.get_or_init(|| (key, RefCell::new(Claim::new(owner, self.term)))))
    }

    /// Wakes those who wait, if something has changed.
    fn told(&self, leads: bool) {
        if self.led.replace(leads) == leads {
            return;
        }
        let name = self.claim.get().map_or("", |(key, _)| key);
        crate::info!("{} ({name})", if leads { "leads" } else { "leads no more" });
        wake_all(&self.waiting);
    }
}

impl Drop for Candidate {
    fn drop(&mut self) {
        // Nobody is left to tell, and the term ends by itself.
        let _ = self.give_up();
    }
}

fn wake_all(waiting: &RefCell<Vec<Waker>>) {
    // Without the borrow: a waker may be of any kind.
    let woken = mem::take(&mut *waiting.borrow_mut());
    for waker in woken {
        waker.wake();
    }
}

/// Names come with their lengths, so that no two plugins have the same key.
fn key(root_id: &str, plugin: &str, name: &str) -> String {
    format!("chunkwise.lease:{}:{root_id}:{}:{plugin}:{name}", root_id.len(), plugin.len())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::task::Wake;

    use super::*;

    thread_local! {
        static WAITING: RefCell<Vec<Waker>> = const { RefCell::new(Vec::new()) };
    }

    /// Waits again at once.
    struct Eager;

    impl Wake for Eager {
        fn wake(self: Arc<Self>) {
            WAITING.with_borrow_mut(|waiting| waiting.push(Waker::noop().clone()));
        }
    }

    #[test]
    fn whoever_is_woken_may_wait_again() {
        WAITING.with_borrow_mut(|waiting| waiting.push(Arc::new(Eager).into()));
        WAITING.with(wake_all);
        assert_eq!(WAITING.with_borrow(Vec::len), 1);
    }

    #[test]
    fn no_two_leases_have_the_same_key() {
        assert_eq!(key("root", "plugin", "a:b"), "chunkwise.lease:4:root:6:plugin:a:b");
        let parts = ["", ":", "1:", ":1", "a", "a:", "0::"];
        let mut keys = std::collections::HashSet::new();
        for root in parts {
            for plugin in parts {
                for name in parts {
                    assert!(keys.insert(key(root, plugin, name)), "{root} {plugin} {name}");
                }
            }
        }
    }
}
