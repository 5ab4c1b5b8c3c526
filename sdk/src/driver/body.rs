//! Bodies: what a filter answers to their chunks.

use super::Driver;
use super::answer::{DROP_BODY, HOLD_BODY, PASS, Ran, failed};
use super::stream::Stream;
use crate::abi::{Direction, Map, host};
use crate::error::Result;
use crate::http::{BodyAction, BodyMode, Chunk, HeadersState, fix_length};
use crate::plugin::Plugin;
use crate::used::{EDITS, WHOLE_BODIES};
use crate::vm::{BoxedTask, Purpose};

/// What is left of a verdict when its edits have been made.
pub(crate) enum Verdict {
    Pass,
    Hold,
    Wait(BoxedTask),
}

impl<P: Plugin> Driver<P> {
    pub(super) fn body(
        &self,
        direction: Direction,
        context: u32,
        size: usize,
        end_of_stream: bool,
        phase: &'static str,
        work: impl FnOnce(&P, &mut P::Filter, &mut Chunk<'_>) -> Result<BodyAction>,
    ) -> u32 {
        self.stream_callback(context, direction, |stream| {
            let side = stream.control.side(direction);
            if side.given_away.get() {
                return self.body_of_a_task(stream, direction, size, end_of_stream);
            }
            match side.mode.get() {
                BodyMode::Buffer
                    if WHOLE_BODIES.is_set() && !end_of_stream && stream.filter.is_some() =>
                {
                    side.held.set(size);
                    return HOLD_BODY;
                }
                BodyMode::Skip => return pass(stream, direction),
                BodyMode::Buffer | BodyMode::Stream => (),
            }
            let held = side.held.take();
            side.ended.set(side.ended.get() || end_of_stream);
            let mut left = size;
            let ran = self.run(stream, phase, |plugin, filter, site| {
                let mut chunk = Chunk::new(site, direction, size, held, end_of_stream);
                let verdict =
                    work(plugin, filter, &mut chunk).and_then(|action| settle(action, &mut chunk));
                left = chunk.len();
                verdict
            });
            if left != size {
                stream.control.side(direction).length_changed.set(true);
            }
            let goes_on = end_of_stream || !matches!(ran, Ran::Answered(Verdict::Hold));
            if goes_on && !self.mend_length(stream, direction, end_of_stream.then_some(left), phase)
            {
                return DROP_BODY;
            }
            match ran {
                // Nothing comes behind the last chunk, so holding it would hang the stream.
                Ran::Answered(Verdict::Hold) if !end_of_stream => {
                    stream.control.side(direction).held.set(left);
                    HOLD_BODY
                }
                Ran::Answered(Verdict::Wait(task)) => {
                    self.wait_with_body(stream, direction, left, task, HOLD_BODY)
                }
                Ran::Answered(Verdict::Hold | Verdict::Pass) | Ran::Skipped => {
                    if size > 0 {
                        stream.control.side(direction).has_passed.set(true);
                    }
                    pass(stream, direction)
                }
                Ran::Refused => {
                    stream.control.side(direction).refuse();
                    DROP_BODY
                }
            }
        })
    }

    /// Makes the `content-length` of headers that wait right before they leave, if edits have
    /// changed the length of the body; `whole` is what it has become, and `None` when more is to
    /// come. False: the stream is refused.
    #[inline]
    pub(super) fn mend_length(
        &self,
        stream: &mut Stream<P>,
        direction: Direction,
        whole: Option<usize>,
        phase: &'static str,
    ) -> bool {
        let side = stream.control.side(direction);
        if !EDITS.is_set() || !side.length_changed.get() || side.headers.get() != HeadersState::Held
        {
            return true;
        }
        self.mend_length_of_held(stream, direction, whole, phase)
    }

    #[cold]
    fn mend_length_of_held(
        &self,
        stream: &mut Stream<P>,
        direction: Direction,
        whole: Option<usize>,
        phase: &'static str,
    ) -> bool {
        let map = Map::headers(direction);
        let mended = match whole {
            Some(length) => fix_length(&self.vm.arena.scope(), map, length),
            // Nobody knows it yet, and a message needs none.
            None => host::remove_header(map, "content-length"),
        };
        let Err(error) = mended else { return true };
        stream.filter = None;
        let is_refused = matches!(failed::<P, ()>(phase, error), Ran::Refused);
        if is_refused {
            stream.control.side(direction).refuse();
        }
        !is_refused
    }

    /// Holds a whole body of this length until a task has ended.
    pub(super) fn wait_with_body(
        &self,
        stream: &mut Stream<P>,
        direction: Direction,
        length: usize,
        task: BoxedTask,
        stop: u32,
    ) -> u32 {
        let side = stream.control.side(direction);
        side.given_away.set(true);
        side.waiting.set(true);
        self.wait_for(stream, Purpose::Body(direction), length, task, stop)
    }

    /// A part of a body that the filter does not get.
    fn body_of_a_task(
        &self,
        stream: &mut Stream<P>,
        direction: Direction,
        size: usize,
        end_of_stream: bool,
    ) -> u32 {
        let side = stream.control.side(direction);
        if side.refused.get() {
            return DROP_BODY;
        }
        if side.waiting.get() {
            return HOLD_BODY;
        }
        let relay = side.relay.get();
        if let Some(relay) = relay {
            return self.relay_chunk(stream, &relay, size, end_of_stream);
        }
        if !end_of_stream {
            side.held.set(size);
            return HOLD_BODY;
        }
        side.ended.set(true);
        side.waiting.set(true);
        self.give_reply(stream, Some(size), Purpose::Body(direction), HOLD_BODY)
    }
}

/// Makes the edits of a verdict.
#[inline]
pub(crate) fn settle(action: BodyAction, chunk: &mut Chunk<'_>) -> Result<Verdict> {
    if let BodyAction::Pass = action {
        // What nearly every chunk gets.
        chunk.commit()?;
        return Ok(Verdict::Pass);
    }
    settle_edits(action, chunk)
}

#[inline(never)]
fn settle_edits(action: BodyAction, chunk: &mut Chunk<'_>) -> Result<Verdict> {
    let verdict = match action {
        BodyAction::Pass | BodyAction::Replied(_) => Verdict::Pass,
        BodyAction::Edit(bytes) => {
            chunk.replace(&bytes)?;
            Verdict::Pass
        }
        BodyAction::Drop => {
            if !chunk.is_empty() {
                chunk.clear()?;
            }
            Verdict::Pass
        }
        BodyAction::Hold => Verdict::Hold,
        BodyAction::Wait(task) => Verdict::Wait(task.0),
    };
    chunk.commit()?;
    Ok(verdict)
}

/// What was held goes on with this chunk, headers too.
pub(super) fn pass<P: Plugin>(stream: &Stream<P>, direction: Direction) -> u32 {
    stream.control.side(direction).headers.set(HeadersState::Sent);
    PASS
}
