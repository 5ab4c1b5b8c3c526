//! What one worker has of a plugin: the VM of today, and older ones whose streams have not ended.
//!
//! A VM is replaced when it has failed (by the [failure policy](super::FailurePolicy)) or when it has grown
//! too large or asks for it (Higress). Streams stay in the VM in which they began.

use std::fmt;
use std::mem;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::ended::{Ended, remember};
use super::output::Received;
use super::proxy::{Measure, Proxy};
use super::settings::{Profile, Settings};
use super::stream::Stream;
use super::world::World;
use super::{Clock, Host};
use crate::engine::{Fault, Guest, StartError};

/// A stream, and the VM that it is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamId {
    vm: u64,
    /// Its context in that VM.
    pub context: u32,
}

/// A VM that trapped.
#[derive(Clone, Debug)]
pub struct Crash {
    /// The request whose callback it was, counted from 0; `None` outside of requests.
    pub request: Option<u64>,
    /// What happened.
    pub fault: Fault,
}

/// How long the first VM took to make.
#[derive(Clone, Copy, Debug, Default)]
pub struct StartTimes {
    /// Instance and what runs before the first callback.
    pub instantiate: Duration,
    /// Start and configuration.
    pub configure: Duration,
}

/// Makes a VM.
pub type Make<'a> = dyn Fn(Host) -> Result<Box<dyn Guest>, StartError> + 'a;

/// One worker's VMs of a plugin.
pub struct Slot<'a> {
    make: Box<Make<'a>>,
    settings: Settings,
    world: World,
    configuration: Bytes,
    measure: Measure,
    current: Generation,
    /// VMs that were replaced and still have streams.
    old: Vec<Generation>,
    /// What is left of VMs that are gone.
    ended: Vec<Ended>,
    last_vm: u64,
    /// When a VM was last made anew, or that was tried.
    last_attempt: Option<u64>,
    next_look: u64,
    start: StartTimes,
    crashes: Vec<Crash>,
    rebuilds: u64,
}

#[derive(Debug)]
struct Generation {
    vm: u64,
    proxy: Proxy,
    /// The fault of this VM has been noted.
    noted: bool,
}

/// How long after an attempt to make a VM anew the next one is made: Higress's
/// `kRecoveryGuardInterval`, and the default of Envoy's `reload_config.backoff.base_interval`.
const BACK_OFF: u64 = 1_000_000_000;

/// Events that are let happen in a gap between requests; those beyond come late. A timer of a
/// millisecond would keep a run busy for days where a trace has a gap of months.
const MOST_EVENTS: u32 = 100_000;

/// How often Higress looks whether a VM is to be replaced: `kReclaimTimerInterval`.
const LOOK: u64 = 1_000_000_000;

/// Linear memory over which Higress replaces a VM: the default of
/// `envoy.wasm.reclaim.memory_threshold_bytes`.
const RECLAIM: u64 = 800 * 1024 * 1024;

/// Bytes in a page of linear memory.
const PAGE: u64 = 64 * 1024;

impl fmt::Debug for Slot<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Slot")
            .field("current", &self.current)
            .field("old", &self.old)
            .finish_non_exhaustive()
    }
}

impl<'a> Slot<'a> {
    /// Makes the first VM.
    ///
    /// # Errors
    /// [`StartError`] when the plugin does not load, traps or answers no.
    pub fn start(
        make: impl Fn(Host) -> Result<Box<dyn Guest>, StartError> + 'a,
        settings: Settings,
        world: World,
        configuration: Bytes,
        measure: Measure,
    ) -> Result<Self, StartError> {
        let make = Box::new(make);
        let (proxy, start) = vm(&*make, &settings, &world, &configuration, measure)?;
        let next_look = world.clock.now().saturating_add(LOOK);
        // Envoy's back-off begins with the first load, Higress's with the first recovery.
        let last_attempt = match settings.profile {
            Profile::Envoy => Some(world.clock.now()),
            Profile::Higress => None,
        };
        Ok(Self {
            make,
            settings,
            world,
            configuration,
            measure,
            current: Generation { vm: 1, proxy, noted: false },
            old: Vec::new(),
            ended: Vec::new(),
            last_vm: 1,
            last_attempt,
            next_look,
            start,
            crashes: Vec::new(),
            rebuilds: 0,
        })
    }

    /// Gives the plugin another configuration, in the same VM. Streams that are open keep theirs.
    ///
    /// # Errors
    /// [`StartError`] when the plugin traps or answers no; what was configured before stays.
    pub fn configure(&mut self, configuration: Bytes) -> Result<(), StartError> {
        canary(&*self.make, &self.settings, &self.world, &configuration)?;
        self.current.proxy.configure(&configuration)?;
        self.configuration = configuration;
        Ok(())
    }

    /// Opens a stream, in a new VM if the current one has failed and the time has come.
    pub fn open(
        &mut self,
        protocol: &'static str,
        upstream: Received,
        downstream: Received,
    ) -> StreamId {
        let on_purpose = self.current.proxy.fault().map(|fault| fault.on_purpose);
        if let Some(on_purpose) = on_purpose
            && self.recovers()
            && self.replace()
            && on_purpose
            && self.settings.reloads()
        {
            self.rebuilds += 1;
        }
        let context = self.current.proxy.open(protocol, upstream, downstream);
        StreamId { vm: self.current.vm, context }
    }

    /// The VM of a stream.
    pub fn proxy(&mut self, id: StreamId) -> Option<&mut Proxy> {
        if self.current.vm == id.vm {
            return Some(&mut self.current.proxy);
        }
        self.old.iter_mut().find(|old| old.vm == id.vm).map(|old| &mut old.proxy)
    }

    /// The VM of streams that are opened now.
    pub fn current(&mut self) -> &mut Proxy {
        &mut self.current.proxy
    }

    /// A stream that is open.
    pub fn stream(&mut self, id: StreamId) -> Option<&mut Stream> {
        self.proxy(id)?.stream(id.context)
    }

    /// Ends a stream, and the VM that it was the last one of.
    pub fn close(&mut self, id: StreamId) -> Option<Stream> {
        let stream = self.proxy(id)?.close(id.context);
        self.end_drained();
        stream
    }

    /// When something happens next, in nanoseconds of the clock.
    pub fn next_due(&mut self) -> Option<u64> {
        let all = self.old.iter_mut().chain([&mut self.current]);
        all.filter_map(|generation| generation.proxy.next_due()).min()
    }

    /// Whether a plugin waits for the answer to a call that it made.
    pub fn awaits_answers(&mut self) -> bool {
        let mut all = self.old.iter_mut().chain([&mut self.current]);
        all.any(|generation| {
            generation.proxy.fault().is_none() && generation.proxy.awaits_answers()
        })
    }

    /// Lets everything happen that is due by then, in the order in which it is due.
    pub fn run_until(&mut self, by: u64) {
        // Events may cause others that are due before those of another VM.
        for _ in 0..MOST_EVENTS {
            let Some(due) = self.next_step().filter(|due| *due <= by) else { break };
            self.run_due(due);
        }
        // Queues are no matter of time.
        self.run_due(0);
        self.world.clock.wait_until(by);
    }

    /// When an event is due, or the look at the VM.
    fn next_step(&mut self) -> Option<u64> {
        let look = (self.settings.profile == Profile::Higress).then_some(self.next_look);
        self.next_due().into_iter().chain(look).min()
    }

    fn run_due(&mut self, by: u64) {
        self.world.clock.wait_until(by);
        for generation in self.old.iter_mut().chain([&mut self.current]) {
            generation.proxy.run_until(by);
        }
        self.look();
        self.end_drained();
    }

    /// Time now, in nanoseconds of the clock.
    pub fn now(&self) -> u64 {
        self.world.clock.now()
    }

    /// The clock.
    pub fn clock(&self) -> &Clock {
        &self.world.clock
    }

    /// Notes faults that are new, as those of a request if one is named. True if there were any
    /// that are crashes.
    pub fn note_faults(&mut self, request: Option<u64>) -> bool {
        let before = self.crashes.len();
        for generation in self.old.iter_mut().chain([&mut self.current]) {
            if let Some(fault) = generation.proxy.fault()
                && !mem::replace(&mut generation.noted, true)
            {
                // What a plugin does to be given a fresh VM is no failure where it is given one.
                if !(fault.on_purpose && self.settings.reloads()) {
                    self.crashes.push(Crash { request, fault: fault.clone() });
                }
            }
        }
        self.crashes.len() > before
    }

    /// VMs that trapped.
    pub fn crashes(&self) -> &[Crash] {
        &self.crashes
    }

    /// VMs that were made, without those that only tried a configuration.
    pub fn vms(&self) -> u64 {
        self.last_vm
    }

    /// VMs that were replaced before they failed: because they asked for it, had grown too large, or
    /// ended themselves to be replaced.
    pub fn rebuilds(&self) -> u64 {
        self.rebuilds
    }

    /// Calls that no rule of the upstreams answered: the first ones, and how many there were.
    pub fn unmatched(&self) -> (Vec<String>, u64) {
        self.world.unmatched()
    }

    /// What outlives its VMs.
    pub fn world(&self) -> &World {
        &self.world
    }

    /// How long the first VM took to make.
    pub fn start_times(&self) -> StartTimes {
        self.start
    }

    /// Ends everything; what is left of all VMs, in the order in which they ended.
    pub fn finish(mut self) -> Vec<Ended> {
        for old in mem::take(&mut self.old) {
            remember(&mut self.ended, Ended::of(old.proxy));
        }
        let Self { current, ended: mut all, .. } = self;
        remember(&mut all, Ended::of(current.proxy));
        all
    }

    /// Whether the failure policy lets a failed VM be replaced now.
    fn recovers(&self) -> bool {
        let recovers = match self.settings.profile {
            Profile::Envoy => self.settings.reloads(),
            Profile::Higress => true,
        };
        recovers && self.is_attempt_due()
    }

    fn is_attempt_due(&self) -> bool {
        let now = self.now();
        self.last_attempt.is_none_or(|last| now.saturating_sub(last) >= BACK_OFF)
    }

    /// Higress's look at the VM, once a second.
    fn look(&mut self) {
        if self.settings.profile != Profile::Higress || self.now() < self.next_look {
            return;
        }
        self.next_look = self.now().saturating_add(LOOK);
        let proxy = &mut self.current.proxy;
        let too_large = proxy.guest().heap().pages.saturating_mul(PAGE) > RECLAIM;
        let wanted = too_large || proxy.host().rebuild_requested;
        // One old VM at a time: two hold twice the memory already.
        if proxy.fault().is_none() && wanted && self.old.is_empty() && self.is_attempt_due() {
            if self.replace() {
                self.rebuilds += 1;
            } else if too_large {
                self.current.proxy.host().rebuild_requested = false;
            }
        }
    }

    /// Makes a VM that takes the place of the current one. Without success that one stays.
    fn replace(&mut self) -> bool {
        self.last_attempt = Some(self.now());
        let made = vm(&*self.make, &self.settings, &self.world, &self.configuration, self.measure);
        let Ok((proxy, _)) = made else { return false };
        self.last_vm += 1;
        self.note_faults(None);
        let next = Generation { vm: self.last_vm, proxy, noted: false };
        let mut before = mem::replace(&mut self.current, next);
        before.proxy.shut_down();
        self.old.push(before);
        self.end_drained();
        true
    }

    /// Ends old VMs that have neither streams nor root contexts any more.
    fn end_drained(&mut self) {
        let mut at = 0;
        while at < self.old.len() {
            let proxy = &mut self.old[at].proxy;
            // A dead VM says nothing any more, and its root contexts end with it.
            let at_work = proxy.fault().is_none() && proxy.has_roots();
            if at_work || proxy.open_contexts() > 0 {
                at += 1;
                continue;
            }
            let old = self.old.remove(at);
            remember(&mut self.ended, Ended::of(old.proxy));
        }
    }
}

/// Tries a configuration in a VM of its own that is thrown away, as the real host does before it
/// gives the configuration to its workers.
///
/// # Errors
/// [`StartError`] when the plugin does not load, traps or answers no.
pub fn canary(
    make: &Make<'_>,
    settings: &Settings,
    world: &World,
    configuration: &Bytes,
) -> Result<(), StartError> {
    let measure = Measure { time: false, usage: false };
    vm(make, settings, world, configuration, measure).map(drop)
}

fn vm(
    make: &Make<'_>,
    settings: &Settings,
    world: &World,
    configuration: &Bytes,
    measure: Measure,
) -> Result<(Proxy, StartTimes), StartError> {
    let begin = Instant::now();
    let guest = make(Host::new(settings.clone(), world))?;
    let instantiate = begin.elapsed();
    let begin = Instant::now();
    let proxy = Proxy::start(guest, configuration, measure)?;
    Ok((proxy, StartTimes { instantiate, configure: begin.elapsed() }))
}
