//! Messages that go on because a plugin says so.

use std::mem;

use super::abi::Direction;
use super::misuse::ENDED_TWICE;
use super::proxy::Proxy;
use super::stream::Iteration;

impl Proxy {
    /// Lets a message go on that the filter has stopped.
    pub(super) fn resume(&mut self, context: u32, direction: Direction) {
        let now = self.host().clock.now();
        if self.stream(context).is_none_or(|stream| stream.closing) {
            return;
        }
        let Some(half) = self.open_half(context, direction) else { return };
        let moves = half.iteration != Iteration::Running && !half.received.ended;
        if moves && let Some(stream) = self.stream(context) {
            stream.moved = now;
        }
        let Some(half) = self.open_half(context, direction) else { return };
        if half.received.ended {
            if direction == Direction::Response {
                self.host().misused(ENDED_TWICE);
            }
            return;
        }
        match half.iteration {
            // Resuming what runs has no effect; in particular from the callback that stops it.
            Iteration::Running => half.resumed_too_early = true,
            Iteration::StopSingle => {
                let buffering = half.buffering;
                half.release();
                half.still_buffering = buffering;
            }
            Iteration::StopAll { .. } => {
                half.iteration = Iteration::Running;
                let end = half.complete && half.trailers.is_none();
                let frame_waits = mem::take(&mut half.frame_waits);
                half.release_headers(end && !frame_waits);
                if half.received.ended {
                    return;
                }
                let had_trailers = half.trailers.is_some();
                half.from_current = true;
                if frame_waits {
                    // What was held starts again at this filter.
                    half.frame = mem::take(&mut half.held);
                    self.deliver(context, direction, end);
                }
                if had_trailers {
                    self.deliver_trailers(context, direction);
                }
                if let Some(stream) = self.stream(context) {
                    stream.half(direction).from_current = false;
                }
            }
        }
    }
}
