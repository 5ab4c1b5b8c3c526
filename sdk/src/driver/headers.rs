//! Headers: what a filter answers to them.

use super::Driver;
use super::answer::{HOLD_HEADERS, PASS, Ran, STOP_ALL};
use super::stream::Stream;
use crate::abi::{Direction, Map, host};
use crate::error::Result;
use crate::http::{
    BodyMode, HeadersAction, HeadersState, RouteReply, Site, StreamHandle, sent_length,
};
use crate::plugin::{Host, Plugin};
use crate::used::{RELAYS, ROUTE_CALLS, TASKS, WHOLE_BODIES};
use crate::vm::{BoxedTask, Purpose, Started, Tasks};

impl<P: Plugin> Driver<P> {
    /// Runs one header callback of a stream's filter.
    pub(super) fn headers(
        &self,
        direction: Direction,
        context: u32,
        end_of_stream: bool,
        phase: &'static str,
        work: impl FnOnce(&P, &mut P::Filter, Site<'_>) -> Result<HeadersAction>,
    ) -> u32 {
        self.stream_callback(context, direction, |stream| {
            if direction == Direction::Response
                && ROUTE_CALLS.is_set()
                && stream.control.on_reply.borrow().is_some()
            {
                return self.reply_headers(stream, end_of_stream);
            }
            match self.run(stream, phase, work) {
                // Here, so that a filter which never answers anything else has nothing of the rest.
                Ran::Answered(HeadersAction::Continue) => {
                    self.headers_go_on(stream, direction, end_of_stream)
                }
                Ran::Answered(action) => {
                    self.answer_headers(stream, direction, end_of_stream, action)
                }
                Ran::Skipped => PASS,
                Ran::Refused => {
                    stream.control.side(direction).refuse();
                    STOP_ALL
                }
            }
        })
    }

    fn answer_headers(
        &self,
        stream: &mut Stream<P>,
        direction: Direction,
        end_of_stream: bool,
        action: HeadersAction,
    ) -> u32 {
        let side = stream.control.side(direction);
        side.headers.set(HeadersState::Sent);
        match action {
            // Nothing comes that would let them go.
            HeadersAction::Hold if end_of_stream => PASS,
            HeadersAction::Hold => {
                side.headers.set(HeadersState::Held);
                HOLD_HEADERS
            }
            HeadersAction::Continue => self.headers_go_on(stream, direction, end_of_stream),
            HeadersAction::Replied(_) => PASS,
            HeadersAction::Detach => {
                stream.filter = None;
                PASS
            }
            HeadersAction::Wait(task) => {
                self.wait_for(stream, Purpose::Headers(direction), 0, task.0, STOP_ALL)
            }
            HeadersAction::Relay(_) if end_of_stream || !RELAYS.is_set() => PASS,
            HeadersAction::Relay(relaying) => {
                let inject = if P::HOST == Host::Higress { Some(host::inject as _) } else { None };
                // Nobody knows how long the body will be.
                if let Err(error) = host::remove_header(Map::ResponseHeaders, "content-length") {
                    crate::warn!("content-length: {error}");
                }
                self.begin_relay(stream, relaying.0, inject);
                PASS
            }
        }
    }

    fn headers_go_on(&self, stream: &Stream<P>, direction: Direction, end_of_stream: bool) -> u32 {
        stream.control.side(direction).headers.set(HeadersState::Sent);
        if !end_of_stream {
            self.note_length(stream, direction);
        }
        PASS
    }

    /// Headers are about to be sent on. Their length is read where it is going to matter, for a
    /// stock Envoy does not tell it later: an edit of the whole body must not contradict it.
    pub(super) fn note_length(&self, stream: &Stream<P>, direction: Direction) {
        let side = stream.control.side(direction);
        if WHOLE_BODIES.is_set() && side.mode.get() == BodyMode::Buffer {
            let scope = self.vm.arena.scope();
            side.sent_length.set(sent_length(&scope, Map::headers(direction)).unwrap_or_default());
        }
    }

    /// Starts a task, and answers `stop` while it waits; of the body, `length` bytes are there.
    pub(super) fn wait_for(
        &self,
        stream: &mut Stream<P>,
        purpose: Purpose,
        length: usize,
        task: BoxedTask,
        stop: u32,
    ) -> u32 {
        if !TASKS.is_set() {
            // Whoever makes one sets the mark.
            return stop;
        }
        if let Purpose::Headers(direction) | Purpose::Body(direction) = purpose {
            self.vm.holds.begin(stream.control.context, direction, length);
        }
        match Tasks::start(&self.vm, stream.control.owner(), purpose, task) {
            Started::Waiting(_) => {
                if let Purpose::Headers(direction) = purpose {
                    stream.control.side(direction).has_waited.set(true);
                }
                stop
            }
            Started::Ended(result) => {
                if self.goes_on(stream, purpose, &result) {
                    PASS
                } else {
                    stop
                }
            }
        }
    }

    /// Response headers that belong to a rewritten request.
    fn reply_headers(&self, stream: &mut Stream<P>, end_of_stream: bool) -> u32 {
        stream.control.is_reply.set(true);
        let side = stream.control.side(Direction::Response);
        if !end_of_stream {
            side.headers.set(HeadersState::Held);
            side.mode.set(BodyMode::Buffer);
            side.given_away.set(true);
            return HOLD_HEADERS;
        }
        self.give_reply(stream, None, Purpose::Headers(Direction::Response), STOP_ALL)
    }

    /// Gives the whole response to whoever waits for it; `body` is the length of one that has one.
    pub(super) fn give_reply(
        &self,
        stream: &mut Stream<P>,
        body: Option<usize>,
        purpose: Purpose,
        stop: u32,
    ) -> u32 {
        if !ROUTE_CALLS.is_set() {
            return PASS;
        }
        let Some(on_reply) = stream.control.on_reply.take() else { return PASS };
        let handle = StreamHandle { vm: self.vm.clone(), owner: stream.control.owner() };
        let task = (on_reply.0)(RouteReply::new(handle, body.is_some()));
        self.wait_for(stream, purpose, body.unwrap_or(0), task, stop)
    }
}
