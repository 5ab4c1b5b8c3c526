//! Trailers: they end a body, and then they are given themselves.

use std::time::Duration;

use super::Driver;
use super::answer::{HOLD_TRAILERS, PASS, Ran};
use super::body::{Verdict, pass, settle};
use super::stream::Stream;
use crate::abi::Direction;
use crate::error::Result;
use crate::http::{BodyAction, BodyMode, Chunk, Resume, Site, TrailersAction};
use crate::plugin::Plugin;
use crate::time::sleep;
use crate::used::TASKS;
use crate::vm::Purpose;

impl<P: Plugin> Driver<P> {
    /// Ends the body if no chunk did, then gives the trailers.
    pub(super) fn trailers(
        &self,
        direction: Direction,
        context: u32,
        phase: &'static str,
        last_chunk: impl FnOnce(&P, &mut P::Filter, &mut Chunk<'_>) -> Result<BodyAction>,
        work: impl FnOnce(&P, &mut P::Filter, Site<'_>) -> Result<TrailersAction>,
    ) -> u32 {
        self.stream_callback(context, direction, |stream| {
            let body = self.end_body(stream, direction, phase, last_chunk);
            if direction == Direction::Response && stream.control.is_reply.get() {
                return body;
            }
            let trailers = match self.run(stream, phase, work) {
                Ran::Answered(TrailersAction::Continue | TrailersAction::Replied(_))
                | Ran::Skipped => PASS,
                Ran::Refused => {
                    stream.control.side(direction).refuse();
                    HOLD_TRAILERS
                }
            };
            body.max(trailers)
        })
    }

    fn end_body(
        &self,
        stream: &mut Stream<P>,
        direction: Direction,
        phase: &'static str,
        last_chunk: impl FnOnce(&P, &mut P::Filter, &mut Chunk<'_>) -> Result<BodyAction>,
    ) -> u32 {
        let side = stream.control.side(direction);
        if side.refused.get() {
            return HOLD_TRAILERS;
        }
        if side.ended.replace(true) {
            return if side.waiting.get() { HOLD_TRAILERS } else { PASS };
        }
        if side.given_away.get() {
            let relay = side.relay.get();
            return match relay {
                Some(relay) => self.relay_trailers(stream, &relay),
                None => {
                    side.waiting.set(true);
                    let length = side.held.get();
                    let purpose = Purpose::Body(direction);
                    self.give_reply(stream, Some(length), purpose, HOLD_TRAILERS)
                }
            };
        }
        if side.mode.get() == BodyMode::Skip {
            return pass(stream, direction);
        }
        let held = side.held.take();
        let mut left = held;
        let ran = self.run(stream, phase, |plugin, filter, site| {
            let mut chunk = Chunk::ended_by_trailers(site, direction, held);
            let verdict = last_chunk(plugin, filter, &mut chunk)
                .and_then(|action| settle(action, &mut chunk));
            left = chunk.len();
            verdict
        });
        if left != held {
            stream.control.side(direction).length_changed.set(true);
        }
        if !self.mend_length(stream, direction, Some(left), phase) {
            return HOLD_TRAILERS;
        }
        let answer = match ran {
            Ran::Answered(Verdict::Wait(task)) => {
                self.wait_with_body(stream, direction, left, task, HOLD_TRAILERS)
            }
            Ran::Answered(Verdict::Pass | Verdict::Hold) | Ran::Skipped => pass(stream, direction),
            Ran::Refused => {
                stream.control.side(direction).refuse();
                HOLD_TRAILERS
            }
        };
        let has_waited = TASKS.is_set() && stream.control.side(direction).has_waited.get();
        if answer == PASS && has_waited && left > 0 {
            return self.pass_later(stream, direction, left);
        }
        answer
    }

    /// Lets a held body and its trailers go in another turn of the proxy's event loop.
    ///
    /// Where headers had stopped everything, Envoy hands over what came meanwhile while it resumes
    /// them. A body that is held then, and let go by the callback of its trailers, is lost (seen in
    /// Envoy 1.40): the filter manager takes this filter for one that has had the end of it.
    fn pass_later(&self, stream: &mut Stream<P>, direction: Direction, length: usize) -> u32 {
        let turn = async {
            // As short as a timer can be. Where there are none, the body is no better off waiting.
            let _ = sleep(Duration::from_millis(1)).await;
            Ok(Resume::Continue)
        };
        self.wait_with_body(stream, direction, length, Box::pin(turn), HOLD_TRAILERS)
    }
}
