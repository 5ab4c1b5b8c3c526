//! One VM with the proxy around it: callbacks, what they cost, what they put off, and time.

use std::fmt;
use std::time::Instant;

use bytes::Bytes;

use super::Host;
use super::actions::Action;
use super::events::Event;
use super::settings::FailurePolicy;
use super::stream::Stream;
use crate::engine::{Callback, Fault, Guest, StartError};
use crate::measure::{Allocations, Gauge, Phase};

/// What is taken down of each callback.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Measure {
    /// How long it took.
    pub time: bool,
    /// What it used: instructions, memory, allocations.
    pub usage: bool,
}

/// A proxy with one plugin in one VM.
///
/// A VM in which the plugin trapped is dead: it is not called any more, and what its streams and
/// those that are opened after it get is decided by the [failure policy](FailurePolicy).
pub struct Proxy {
    guest: Box<dyn Guest>,
    pub(super) measure: Measure,
    last_context: u32,
    pub(super) root: u32,
    fault: Option<Fault>,
    /// How many times what was put off is being worked off, one inside of the other.
    depth: u32,
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proxy").field("fault", &self.fault).finish_non_exhaustive()
    }
}

/// What a callback about a stream comes to.
pub(super) enum Verdict {
    /// What the plugin answered; an absent callback lets pass.
    Answer(u32),
    /// The answer does not count: the stream is over, or was answered instead.
    Over,
}

/// More than any status of the ABI: a callback that sent a local reply stops, whatever it answers.
pub(super) const STOPPED: u32 = u32::MAX;

impl Proxy {
    /// Starts the VM and configures the plugin.
    ///
    /// # Errors
    /// [`StartError`] when the plugin traps or answers no.
    pub fn start(
        guest: Box<dyn Guest>,
        configuration: &Bytes,
        measure: Measure,
    ) -> Result<Self, StartError> {
        let mut proxy = Self { guest, measure, last_context: 0, root: 0, fault: None, depth: 0 };
        if measure.usage {
            proxy.book_start();
        }
        proxy.configure(configuration)?;
        Ok(proxy)
    }

    /// Books what ran before the first callback (`_initialize`, `_start`): instructions and
    /// allocations. Pages that it added count as initial ones.
    fn book_start(&mut self) {
        let after = self.guest.gauge();
        let before = Gauge {
            fuel: after.fuel.map(|_| 0),
            pages: after.pages,
            allocations: after.allocations.map(|_| Allocations::default()),
        };
        let ledger = &mut self.guest.host().ledger;
        ledger.enter(Phase::VmStart);
        ledger.changed(&before, &after);
    }

    /// An id that no context of this VM had before.
    pub(super) fn next_context(&mut self) -> u32 {
        loop {
            self.last_context = self.last_context.checked_add(1).unwrap_or(1);
            let context = self.last_context;
            // After four billion contexts, some may still be there.
            if !self.host().has_context(context) {
                return context;
            }
        }
    }

    /// A stream that is open.
    pub fn stream(&mut self, context: u32) -> Option<&mut Stream> {
        self.host().streams.get_mut(&context)
    }

    /// Streams and connections that are open.
    pub fn open_contexts(&mut self) -> usize {
        let host = self.host();
        let connections = host.connections.values().filter(|connection| !connection.closed);
        host.streams.len() + connections.count()
    }

    /// Whether the plugin waits for the answer to a call that it made.
    pub fn awaits_answers(&mut self) -> bool {
        !self.host().callouts.is_empty()
    }

    /// What ended the VM, if something did.
    pub fn fault(&self) -> Option<&Fault> {
        self.fault.as_ref()
    }

    /// The host.
    pub fn host(&mut self) -> &mut Host {
        self.guest.host()
    }

    /// The guest.
    pub fn guest(&mut self) -> &mut dyn Guest {
        &mut *self.guest
    }

    /// Ends the VM and gives the host back.
    pub fn into_host(self) -> Host {
        self.guest.into_host()
    }

    /// When the next timer fires or the next answer arrives, in nanoseconds of the host's clock.
    pub fn next_due(&mut self) -> Option<u64> {
        if self.fault.is_some() {
            return None;
        }
        self.host().events.next_due()
    }

    /// Lets everything happen that is due by then; the clock shows each event's time.
    pub fn run_until(&mut self, by: u64) {
        loop {
            self.tell_of_queues();
            if self.fault.is_some() {
                return;
            }
            let Some((at, event)) = self.host().events.take_due(by) else { return };
            self.host().clock.wait_until(at);
            match event {
                Event::Tick { root } => self.tick(root),
                Event::Arrival { token, arrival } => self.arrive(token, arrival),
            }
        }
    }

    fn tick(&mut self, root: u32) {
        self.tell(Callback::Tick { context: root });
        let host = self.host();
        // The next period begins when the plugin has returned, unless it has set another one.
        if let Some(of) = host.roots.get(&root).filter(|of| of.tick_period > 0)
            && !host.events.has_tick(root)
        {
            host.events.set_tick(root, host.clock.now().saturating_add(of.tick_period));
        }
    }

    /// Tells plugins of what was put into queues that they have registered. One that puts something
    /// in whenever it is told is told of the rest another time.
    fn tell_of_queues(&mut self) {
        /// As many as a queue is likely to get between two turns.
        const AT_ONCE: usize = 1_024;
        for _ in 0..AT_ONCE {
            if self.fault.is_some() {
                return;
            }
            let Some((context, token)) = self.next_ready_queue() else { return };
            if self.host().roots.contains_key(&context) {
                self.tell(Callback::QueueReady { context, token });
            }
        }
    }

    fn next_ready_queue(&mut self) -> Option<(u32, u32)> {
        let host = self.host();
        host.shared.take_ready(host.member.vm)
    }

    /// Makes a callback about a stream, lets happen what it put off, and says what its answer
    /// comes to.
    pub(super) fn ask(&mut self, context: u32, callback: Callback) -> Verdict {
        let answer = self.call(callback).unwrap_or(0);
        if self.fault.is_some() {
            return match self.host().settings.failure_policy {
                FailurePolicy::FailOpen => Verdict::Answer(0),
                FailurePolicy::FailClosed | FailurePolicy::FailReload => {
                    self.fail_stream(context);
                    Verdict::Over
                }
            };
        }
        let stopped = std::mem::take(&mut self.host().stopped);
        self.act();
        let now = self.host().clock.now();
        match self.stream(context) {
            Some(stream) if !stream.is_over() => {
                stream.moved = now;
                Verdict::Answer(if stopped { STOPPED } else { answer })
            }
            _ => Verdict::Over,
        }
    }

    /// Makes a callback whose answer decides nothing about a stream, and lets happen what it put
    /// off. `None`: the plugin does not have it, or its VM is dead.
    pub(super) fn tell(&mut self, callback: Callback) -> Option<u32> {
        let answer = self.call(callback);
        self.host().stopped = false;
        self.act();
        answer
    }

    /// Works off what the last callback put off, in order. What that puts off comes last.
    pub(super) fn act(&mut self) {
        /// What an action causes may put off others, which come first, as in the real host; below
        /// this depth they wait for those that are at work already.
        const DEEPEST: u32 = 32;
        if self.depth == DEEPEST {
            return;
        }
        self.depth += 1;
        while let Some(action) = self.host().next_action() {
            match action {
                Action::Reply { context, reply } => self.reply(context, reply),
                Action::Resume { context, direction } => self.resume(context, direction),
                Action::ResumeConnection { context } => self.resume_connection(context),
                Action::Close { context, kind } => self.cut_off(context, kind),
                Action::Inject { context, body, end } => {
                    // There is nobody left to tell that there is no response yet.
                    let _ = self.host().inject(context, &body, end);
                }
                Action::EndRoot { root } => self.end_root(root),
            }
        }
        self.depth -= 1;
    }

    /// Makes a callback and books what it cost.
    pub(super) fn call(&mut self, callback: Callback) -> Option<u32> {
        if self.fault.is_some() {
            return None;
        }
        let before = if self.measure.usage { self.guest.gauge() } else { Gauge::default() };
        let host = self.guest.host();
        host.current = callback.context();
        host.effective = None;
        host.stopped = false;
        host.ledger.enter(callback.phase());
        let start = self.measure.time.then(Instant::now);
        let answer = self.guest.call(callback);
        let took = start.map(|start| start.elapsed());
        self.guest.host().effective = None;
        if let Ok(None) = answer {
            return None;
        }
        if self.measure.usage {
            let after = self.guest.gauge();
            self.guest.host().ledger.changed(&before, &after);
        }
        self.guest.host().ledger.called(took);
        answer.unwrap_or_else(|fault| {
            // What a VM that failed had put off is not done.
            self.host().drop_actions();
            self.fault = Some(fault);
            None
        })
    }
}
