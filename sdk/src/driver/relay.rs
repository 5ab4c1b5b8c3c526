//! A response's body on its way through a task.
//!
//! Bytes may be sent on in the middle of a body callback (they take the place of its chunk), and
//! outside of one: by injection where the host can, else by changing what the host holds and
//! letting it go.

use std::rc::Rc;
use std::time::Duration;

use super::Driver;
use super::answer::{DROP_BODY, HOLD_BODY, HOLD_TRAILERS, PASS, Ran, failed};
use super::stream::Stream;
use crate::abi::host::{self, Place};
use crate::abi::{Buffer, Direction};
use crate::error::{Error, Result};
use crate::http::{BodyMode, Inject, RelayBegin, RelayState, Resume};
use crate::plugin::{OnError, Plugin};
use crate::time;
use crate::vm::{Purpose, Started, Tasks};

const RESPONSE: Direction = Direction::Response;
const PHASE: &str = "relay";

/// The shortest time that a host's timer has.
const SOON: Duration = Duration::from_millis(1);

impl<P: Plugin> Driver<P> {
    pub(super) fn begin_relay(
        &self,
        stream: &mut Stream<P>,
        begin: RelayBegin,
        inject: Option<Inject>,
    ) {
        let RelayBegin { state, task } = begin;
        state.inject.set(inject);
        state.passes_errors.set(P::ON_ERROR == OnError::Continue);
        let side = stream.control.side(RESPONSE);
        side.given_away.set(true);
        side.relay.begin(Rc::clone(&state));
        let owner = stream.control.owner();
        let started = state.during_callback(|| Tasks::start(&self.vm, owner, Purpose::Relay, task));
        match started {
            Started::Waiting(task) => state.task.set(Some(task)),
            // The first chunk finds a relay without a task, and lets everything pass.
            Started::Ended(Ok(_)) => (),
            Started::Ended(Err(error)) => {
                if let Ran::Refused = failed::<P, ()>(PHASE, error) {
                    self.refuse_relay(stream);
                }
            }
        }
    }

    /// A chunk has come.
    pub(super) fn relay_chunk(
        &self,
        stream: &mut Stream<P>,
        relay: &Rc<RelayState>,
        size: usize,
        end_of_stream: bool,
    ) -> u32 {
        let side = stream.control.side(RESPONSE);
        side.ended.set(side.ended.get() || end_of_stream);
        let held = side.held.get().min(size);
        let result = self.take_chunk(relay, held, size - held).and_then(|()| {
            relay.ended.set(relay.ended.get() || end_of_stream);
            self.poll_relay(relay).unwrap_or(Ok(None))
        });
        let is_over = match result {
            Ok(None) => relay.task.get().is_none(),
            Ok(Some(_)) => true,
            Err(error) => {
                self.cancel_relay(relay);
                let Ran::Skipped = failed::<P, ()>(PHASE, error) else {
                    self.refuse_relay(stream);
                    return DROP_BODY;
                };
                relay.fail();
                true
            }
        };
        if is_over {
            relay.release();
        }
        let passes = match relay.inject.get() {
            _ if is_over => true,
            _ if end_of_stream => false,
            Some(_) => relay.has_out(),
            None => relay.is_starving(),
        };
        if passes && relay.must_hold.get() {
            if let Err(error) = self.nudge(stream, relay, size) {
                self.check_relay(stream, relay, Err(error));
                return DROP_BODY;
            }
            return self.hold(stream, relay, size);
        }
        if passes && let Err(error) = relay.put_out() {
            self.check_relay(stream, relay, Err(error));
            return DROP_BODY;
        }
        let side = stream.control.side(RESPONSE);
        relay.stopped.set(!passes);
        if is_over {
            self.end_relay(stream);
            return PASS;
        }
        match (passes, relay.inject.get()) {
            (true, _) => {
                side.held.set(0);
                relay.holds.set(false);
                PASS
            }
            (false, Some(_)) => DROP_BODY,
            (false, None) => self.hold(stream, relay, size),
        }
    }

    fn hold(&self, stream: &Stream<P>, relay: &RelayState, size: usize) -> u32 {
        stream.control.side(RESPONSE).held.set(size);
        relay.stopped.set(true);
        relay.holds.set(true);
        HOLD_BODY
    }

    /// Sets a timer for what can only be done outside of the body's callbacks. The response waits
    /// for it, with `bytes` that the host holds: without a timer it would for ever.
    fn nudge(&self, stream: &Stream<P>, relay: &RelayState, bytes: usize) -> Result<()> {
        if relay.nudged.replace(true) {
            return Ok(());
        }
        let soon = Box::pin(async { time::sleep(SOON).await.map(|()| Resume::Continue) });
        let started = Tasks::start(&self.vm, stream.control.owner(), Purpose::Nudge, soon);
        let Started::Ended(Err(error)) = started else { return Ok(()) };
        relay.nudged.set(false);
        crate::error!("{PHASE}: {error}");
        Err(Error::Withheld { bytes })
    }

    pub(super) fn relay_nudged(&self, stream: &mut Stream<P>) {
        let Some(relay) = stream.control.side(RESPONSE).relay.get() else { return };
        relay.nudged.set(false);
        let done = match relay.task.get() {
            Some(_) => self.relay_waits(stream, &relay),
            None => self.let_rest_go(stream, &relay),
        };
        self.check_relay(stream, &relay, done);
    }

    /// Trailers have ended the body.
    pub(super) fn relay_trailers(&self, stream: &mut Stream<P>, relay: &Rc<RelayState>) -> u32 {
        relay.ended.set(true);
        let result = self.poll_relay(relay).unwrap_or(Ok(None));
        match result {
            Ok(None) if relay.task.get().is_some() => {
                // What the task has sent meanwhile was meant for a chunk, and none comes any more.
                let sent = relay.inject.get().map_or(Ok(()), |inject| relay.flush(inject));
                relay.stopped.set(true);
                self.check_relay(stream, relay, sent);
                return HOLD_TRAILERS;
            }
            Ok(_) => (),
            Err(error) => {
                let Ran::Skipped = failed::<P, ()>(PHASE, error) else {
                    self.refuse_relay(stream);
                    return HOLD_TRAILERS;
                };
                relay.fail();
            }
        }
        relay.release();
        match self.send_rest(stream, relay) {
            Ok(()) => {
                self.end_relay(stream);
                PASS
            }
            Err(error) => {
                self.check_relay(stream, relay, Err(error));
                HOLD_TRAILERS
            }
        }
    }

    /// A relay's task was polled outside of a callback of its stream.
    pub(super) fn relay_polled(&self, stream: &mut Stream<P>, result: Option<Result<Resume>>) {
        let Some(relay) = stream.control.side(RESPONSE).relay.get() else { return };
        let goes_on = match result {
            None => self.relay_waits(stream, &relay),
            Some(result) => self.relay_over(stream, &relay, result.map(drop)),
        };
        self.check_relay(stream, &relay, goes_on);
    }

    /// Refuses a response that the host would not let go: what is left of it must not look whole,
    /// and it must not wait for ever either.
    fn check_relay(&self, stream: &Stream<P>, relay: &RelayState, done: Result<()>) {
        let error = match done {
            Ok(()) => return,
            Err(error @ Error::Withheld { .. }) => error,
            Err(error) => {
                crate::error!("{PHASE}: {error}");
                Error::Withheld { bytes: relay.unsent() }
            }
        };
        self.cancel_relay(relay);
        self.refuse_relay(stream);
        let _ = failed::<P, ()>(PHASE, error);
    }

    fn relay_waits(&self, stream: &Stream<P>, relay: &RelayState) -> Result<()> {
        if let Some(inject) = relay.inject.get() {
            return relay.flush(inject);
        }
        // Everything that the host holds was answered: it may go, as what it has become.
        if relay.stopped.get() && relay.is_starving() && !relay.ended.get() {
            if self.is_answering(stream) {
                return self.nudge(stream, relay, stream.control.side(RESPONSE).held.get());
            }
            self.send_rest(stream, relay)?;
            relay.stopped.set(false);
            relay.must_hold.set(true);
            host::continue_stream(RESPONSE)?;
        }
        Ok(())
    }

    fn relay_over(
        &self,
        stream: &mut Stream<P>,
        relay: &Rc<RelayState>,
        result: Result<()>,
    ) -> Result<()> {
        relay.task.set(None);
        if let Err(error) = result {
            let Ran::Skipped = failed::<P, ()>(PHASE, error) else {
                self.refuse_relay(stream);
                return Ok(());
            };
            relay.fail();
        }
        self.let_rest_go(stream, relay)
    }

    /// There is no task any more: what waits goes on, and whatever comes.
    fn let_rest_go(&self, stream: &Stream<P>, relay: &RelayState) -> Result<()> {
        relay.release();
        if self.is_answering(stream) {
            return self.nudge(stream, relay, stream.control.side(RESPONSE).held.get());
        }
        let can_inject = relay.inject.get().is_some();
        if !relay.stopped.get() && !can_inject && (relay.has_out() || relay.must_hold.get()) {
            // It goes in front of the next chunk, which still has to be held.
            return Ok(());
        }
        self.send_rest(stream, relay)?;
        let resumes = relay.stopped.replace(false) && (relay.ended.get() || !can_inject);
        if can_inject || relay.ended.get() || !resumes {
            self.end_relay(stream);
        } else {
            relay.must_hold.set(true);
        }
        if resumes { host::continue_stream(RESPONSE) } else { Ok(()) }
    }

    /// Whether the host waits for an answer about this response. It has not stopped it before it has
    /// got that, and loses a resume that comes before.
    fn is_answering(&self, stream: &Stream<P>) -> bool {
        self.answering.get() == Some((stream.control.context, RESPONSE))
    }

    /// Sends everything that waits, outside of a body callback.
    fn send_rest(&self, stream: &Stream<P>, relay: &RelayState) -> Result<()> {
        if let Some(inject) = relay.inject.get() {
            return relay.flush(inject);
        }
        stream.control.side(RESPONSE).held.set(0);
        if relay.holds.replace(false) {
            relay.put_out()
        } else if relay.has_out() {
            // The host has no buffer that bytes could be put into.
            Err(Error::Withheld { bytes: relay.take_out().len() })
        } else {
            Ok(())
        }
    }

    /// Takes what is new in a chunk out of the host.
    fn take_chunk(&self, relay: &RelayState, held: usize, new: usize) -> Result<()> {
        if new == 0 {
            return Ok(());
        }
        let error = match host::owned_buffer(&self.vm.arena, Buffer::ResponseBody, held, new) {
            Ok(bytes) => return relay.push(bytes),
            Err(error) => error,
        };
        crate::error!("{PHASE}: {error}");
        // What goes on must not look whole.
        Err(Error::Withheld { bytes: new })
    }

    /// Polls the task in the middle of a callback of its stream. `None`: there is none any more.
    fn poll_relay(&self, relay: &RelayState) -> Option<Result<Option<Resume>>> {
        let task = relay.task.get()?;
        relay.feed();
        let result = relay.during_callback(|| Tasks::poll_one(&self.vm, task));
        if result.is_some() {
            relay.task.set(None);
        }
        Some(result.transpose())
    }

    fn cancel_relay(&self, relay: &RelayState) {
        if let Some(task) = relay.task.take() {
            self.vm.tasks.cancel(task);
        }
    }

    /// Nothing that comes now goes on.
    fn refuse_relay(&self, stream: &Stream<P>) {
        self.end_relay(stream);
        stream.control.side(RESPONSE).refuse();
    }

    /// Whatever comes now is nobody's business.
    fn end_relay(&self, stream: &Stream<P>) {
        let side = stream.control.side(RESPONSE);
        if let Some(relay) = side.relay.end() {
            relay.close();
        }
        side.given_away.set(false);
        side.mode.set(BodyMode::Skip);
        side.held.set(0);
    }
}

impl RelayState {
    /// Puts what waits to be sent in the place of what the host holds or delivers.
    fn put_out(&self) -> Result<()> {
        let out = self.take_out();
        let result = host::set_buffer(Buffer::ResponseBody, Place::All, &out);
        self.sent(out, result)
    }
}
