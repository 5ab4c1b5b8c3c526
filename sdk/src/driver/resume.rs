//! Tasks that have ended, and what becomes of the streams that waited for them.

use super::Driver;
use super::answer::{Ran, failed};
use super::stream::Stream;
use crate::abi::{Direction, host};
use crate::error::Result;
use crate::http::{HeadersState, Resume};
use crate::plugin::Plugin;
use crate::vm::{Polled, Purpose};

impl<P: Plugin> Driver<P> {
    /// A task was polled at the end of a callback.
    pub(super) fn polled(&self, polled: Polled) {
        let Polled { context, purpose, result } = polled;
        match (purpose, result) {
            (Purpose::Nothing, Some(Err(error))) => crate::error!("task: {error}"),
            (Purpose::Nothing, _) | (Purpose::Headers(_) | Purpose::Body(_), None) => (),
            (Purpose::Headers(direction) | Purpose::Body(direction), Some(result)) => {
                let goes_on = self
                    .with_stream(context, false, |stream| self.goes_on(stream, purpose, &result));
                if goes_on {
                    self.let_go(context, direction);
                }
            }
            (Purpose::Nudge, None) => (),
            (Purpose::Nudge, Some(_)) => {
                self.with_stream(context, (), |stream| self.relay_nudged(stream));
            }
            (Purpose::Relay, result) => {
                self.with_stream(context, (), |stream| self.relay_polled(stream, result));
            }
        }
    }

    /// What a task's end means for its stream: whether it goes on.
    pub(super) fn goes_on(
        &self,
        stream: &mut Stream<P>,
        purpose: Purpose,
        result: &Result<Resume>,
    ) -> bool {
        let (direction, phase) = match purpose {
            Purpose::Headers(Direction::Request) => (Direction::Request, "request_headers"),
            Purpose::Headers(Direction::Response) => (Direction::Response, "response_headers"),
            Purpose::Body(Direction::Request) => (Direction::Request, "request_body"),
            Purpose::Body(Direction::Response) => (Direction::Response, "response_body"),
            Purpose::Relay | Purpose::Nudge | Purpose::Nothing => return false,
        };
        self.vm.holds.end(stream.control.context, direction);
        let side = stream.control.side(direction);
        if side.refused.get() {
            // The trailers behind it were.
            return false;
        }
        side.headers.set(HeadersState::Sent);
        side.given_away.set(false);
        side.waiting.set(false);
        side.held.set(0);
        match result {
            Ok(Resume::Continue) => {
                if let Purpose::Headers(_) = purpose {
                    self.note_length(stream, direction);
                }
                true
            }
            Ok(Resume::Detach) => {
                stream.filter = None;
                true
            }
            Ok(Resume::Replied(_)) => false,
            Err(error) => {
                stream.filter = None;
                let goes_on = matches!(failed::<P, ()>(phase, *error), Ran::Skipped);
                if !goes_on {
                    stream.control.side(direction).refuse();
                }
                goes_on
            }
        }
    }

    fn let_go(&self, context: u32, direction: Direction) {
        if self.answering.get() == Some((context, direction)) {
            // Its stop has not been told yet; a host loses a resume that comes before.
            self.let_go.set(true);
            return;
        }
        let resumed = self.vm.act_on(context).and_then(|()| host::continue_stream(direction));
        if let Err(error) = resumed {
            crate::error!("could not resume: {error}");
        }
    }
}
