//! Leadership: one worker of a proxy does what must be done once.
//!
//! ```
//! # use std::time::Duration;
//! # use chunkwise::{Plugin, PluginContext, Result};
//! # fn start<P: Plugin>(context: &PluginContext<P>) -> Result<()> {
//! let leader = context.lead();
//! context.every(Duration::from_secs(10), move |_| {
//!     if leader.is_leader()? {
//!         chunkwise::info!("leader task");
//!     }
//!     Ok(())
//! });
//! # Ok(())
//! # }
//! ```
//!
//! A proxy runs a plugin in a VM for each worker, and Envoy in one more for its main thread, which
//! gets no streams and may lead all the same. They elect a leader through
//! [shared data](crate::shared), which every host has: a value says who leads and until when, and is
//! only ever written with compare-and-swap. The leader writes it anew three times in a term. A
//! candidate that finds the time passed takes it over.
//!
//! # What is promised
//! No two workers of a proxy lead at one time. The time until which a worker leads stands in the
//! value, and others take over when it has passed by the clock that they read; all workers of a
//! proxy read the same one, that of the machine. A clock that is set back puts a take-over off by as
//! much; where that is more than an hour, a worker that stood still meanwhile may not know that it
//! was followed.
//!
//! A value that is none is replaced when it has not changed for a term.
//!
//! Work that takes longer than what is left of the term may overlap with that of the next leader.
//!
//! # Who competes
//! The plugins with one `plugin_root_id` and one `plugin_name` in VMs of one VM id: those are what
//! shared data and an operator's configuration tell apart. What a plugin is configured with is no
//! part of it, because a proxy runs the old and the new configuration at the same time, and each of
//! them would have a leader. Other proxies have leaders of their own.
//!
//! Envoy's main thread has a VM of its own, beside those of the workers, that competes as well: it
//! runs timers and tasks, and never gets a request.
//!
//! # How long nobody leads
//! - At the start: until the first timer fires, a millisecond or so. The VM in which a proxy tries a
//!   configuration and which it throws away is ended before that, and so never competes.
//! - When the leader's VM crashes: what is left of the term, which is at most a whole one and at
//!   least two thirds.
//! - When it [resigns](Leader::resign), all its handles are dropped, the proxy ends its
//!   configuration in order, or its VM ends itself for a fresh one
//!   ([`Plugin::REBUILD`](crate::Plugin::REBUILD)): a third of the term. A host may end a VM without
//!   telling it; that is like a crash.
//!
//! # Cost
//! In a third of the term, each worker: a tick in which the clock is read three times and the value
//! once, and the host's timer is set where that is needed. The leader writes the value as well.

mod candidate;
mod claim;
mod record;

use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use crate::error::Result;
pub(crate) use candidate::{Candidate, run};
use record::LONGEST;

/// What is led, and how long at a time.
///
/// ```
/// # use std::time::Duration;
/// # use chunkwise::{lease::Lease, Plugin, PluginContext};
/// # fn start<P: Plugin>(context: &PluginContext<P>) {
/// let prices = context.lead_with(Lease::new().named("prices"));
/// let quotas = context.lead_with(Lease::new().named("quotas").term(Duration::from_secs(60)));
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    name: String,
    term: Duration,
}

impl Lease {
    /// The term unless another one is said: 15 s, as Kubernetes' leader election has it
    /// (`LeaseDuration` of `client-go`). It survives two renewals that are missed, so an event loop
    /// that stands still for 10 s, and after a crash nobody leads for no longer than an operator
    /// takes to notice. Renewing costs a worker a host call or two a second.
    pub const TERM: Duration = Duration::from_secs(15);

    /// The plugin's own, for the usual [term](Self::TERM).
    pub const fn new() -> Self {
        Self { name: String::new(), term: Self::TERM }
    }

    /// One of several of the plugin: another name has another leader.
    #[must_use]
    pub fn named(self, name: impl Into<String>) -> Self {
        Self { name: name.into(), ..self }
    }

    /// How long a leader leads without renewing: from a second to an hour, and the nearest of them
    /// for what is outside. All workers are to use the same.
    #[must_use]
    pub fn term(self, term: Duration) -> Self {
        let longest = Duration::from_nanos(LONGEST);
        Self { term: term.clamp(Duration::from_secs(1), longest), ..self }
    }
}

impl Default for Lease {
    fn default() -> Self {
        Self::new()
    }
}

/// A worker's part in an election; made by [`PluginContext::lead`](crate::PluginContext::lead).
///
/// Clones are handles to the same part, and it is given up when the last of them is dropped. Two
/// that are made apart compete with each other, so keep one and clone it.
#[derive(Clone, Debug)]
#[must_use = "leadership is given up when the last handle is dropped"]
pub struct Leader {
    candidate: Rc<Candidate>,
}

impl Leader {
    pub(crate) fn new(candidate: Rc<Candidate>) -> Self {
        Self { candidate }
    }

    /// Whether this worker leads now. While it does, no other does.
    ///
    /// # Cost
    /// One host call for a leader, which reads the clock; none for others.
    ///
    /// # Errors
    /// The host's, when it does not tell the time.
    pub fn is_leader(&self) -> Result<bool> {
        self.candidate.is_leader()
    }

    /// Waits until this worker leads; at once if it does.
    ///
    /// # Cost
    /// That of [`is_leader`](Self::is_leader), twice. No timer of its own.
    ///
    /// # Errors
    /// As for [`is_leader`](Self::is_leader).
    pub async fn acquired(&self) -> Result<()> {
        self.becomes(true).await
    }

    /// Waits until this worker does not lead; at once if it does not.
    ///
    /// # Cost
    /// As for [`acquired`](Self::acquired).
    ///
    /// # Errors
    /// As for [`is_leader`](Self::is_leader).
    pub async fn lost(&self) -> Result<()> {
        self.becomes(false).await
    }

    /// Gives leadership up, for a worker that cannot do the work, and stands back for a term.
    ///
    /// # Cost
    /// Three host calls for a leader, one for others.
    ///
    /// # Errors
    /// The host's. This worker does not lead any more all the same, but others wait for the end of
    /// the term.
    pub fn resign(&self) -> Result<()> {
        self.candidate.resign()
    }

    async fn becomes(&self, leader: bool) -> Result<()> {
        poll_fn(|context| match self.is_leader() {
            Ok(is_leader) if is_leader != leader => {
                self.candidate.tell(context.waker());
                Poll::Pending
            }
            Ok(_) => Poll::Ready(Ok(())),
            Err(error) => Poll::Ready(Err(error)),
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_term_is_kept_within_its_bounds() {
        let term = |seconds| Lease::new().term(Duration::from_secs(seconds)).term.as_secs();
        assert_eq!([0, 1, 20, 3600, 3601, u64::MAX].map(term), [1, 1, 20, 3600, 3600, 3600]);
    }
}
