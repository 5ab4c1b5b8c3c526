//! Why a stream stands still: which answer stopped it, and how this host read that answer.

use std::fmt;

use super::proxy::{Proxy, STOPPED};
use super::stream::{Half, Iteration, Stream};
use crate::engine::Callback;
use crate::measure::Phase;

/// The answer that stopped a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stop {
    /// The callback.
    pub callback: Phase,
    /// What it answered.
    pub answer: u32,
    /// It was `StopIteration`, and read as "stop everything" for the plugin's ABI.
    pub converted: bool,
    /// Nothing of the message comes after it.
    pub last: bool,
    /// The message was resumed before the callback that stops it had returned.
    pub resumed_too_early: bool,
}

/// Why nobody waits for a stream any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum GivenUp {
    /// Neither a timer nor an answer is due, now or later.
    NothingDue,
    /// It stood still for longer than a proxy lets streams be idle.
    Idle,
    /// It stood still while more happened than a run lets happen.
    Busy,
}

impl Stop {
    /// An answer about which nothing more is known.
    pub(super) const fn of(callback: Callback, answer: u32) -> Self {
        let callback = callback.phase();
        Self { callback, answer, converted: false, last: false, resumed_too_early: false }
    }

    fn is_of_headers(&self) -> bool {
        matches!(self.callback, Phase::RequestHeaders | Phase::ResponseHeaders)
    }

    fn is_of_a_body(&self) -> bool {
        matches!(self.callback, Phase::RequestBody | Phase::ResponseBody)
    }

    /// The name of the answer in the ABI, for the callback that gave it.
    fn name(&self) -> Option<&'static str> {
        match self.answer {
            1 if self.is_of_a_body() => Some("StopIterationAndBuffer"),
            1 => Some("StopIteration"),
            2 if self.is_of_a_body() => Some("StopIterationAndWatermark"),
            3 if self.is_of_a_body() => Some("StopIterationNoBuffer"),
            3 if self.is_of_headers() => Some("StopAllIterationAndBuffer"),
            4 if self.is_of_headers() => Some("StopAllIterationAndWatermark"),
            _ => None,
        }
    }
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let callback = self.callback.name();
        match self.name() {
            Some(name) => write!(f, "{callback} answered {name}")?,
            None if self.answer == STOPPED => {
                write!(f, "{callback} sent a local reply, which stops whatever it answers")?;
            }
            None => write!(f, "{callback} answered {}, which stops", self.answer)?,
        }
        if self.converted {
            f.write_str(
                ", which this host reads as StopAllIterationAndWatermark (ABI up to 0.2.1 without \
                 --allow-stop-iteration)",
            )?;
        } else if self.last && self.is_of_headers() && self.answer == 1 {
            f.write_str(" to headers that end the message, so no body callback can let them go")?;
        } else if self.last && self.is_of_a_body() {
            f.write_str(" to the last frame")?;
        }
        if self.resumed_too_early {
            f.write_str(
                "; it resumed the stream itself, which has no effect before it has stopped",
            )?;
        }
        Ok(())
    }
}

impl Half {
    /// Stops the message.
    pub(super) fn stop(&mut self, iteration: Iteration, stop: Stop) {
        let resumed_too_early = std::mem::take(&mut self.resumed_too_early);
        self.iteration = iteration;
        self.stopped = Some(Stop { resumed_too_early, ..stop });
    }

    /// Whether the plugin keeps the message from going on.
    pub fn is_held(&self) -> bool {
        self.begun && !self.aborted && self.iteration != Iteration::Running
    }
}

impl Stream {
    /// The message that is held, if one is: the response where it has begun.
    fn held(&self) -> Option<(&'static str, &Half)> {
        let halves = [("response", &self.response), ("request", &self.request)];
        halves.into_iter().find(|(_, half)| half.is_held())
    }
}

impl Proxy {
    /// Notes that nobody waits for a stream any more, and why it stands still.
    pub(crate) fn give_up(&mut self, context: u32, given_up: GivenUp) {
        let failed = self.fault().is_some();
        let awaits_answers = self.awaits_answers();
        let Some(stream) = self.stream(context).filter(|stream| !stream.is_over()) else { return };
        let held = match stream.held() {
            Some((message, Half { stopped: Some(stop), .. })) => {
                format!("the plugin held the {message}: {stop}")
            }
            Some((message, _)) => format!("the plugin held the {message}"),
            None => "the response never ended".to_owned(),
        };
        let why = match given_up {
            _ if failed => "the plugin had failed and cannot resume it",
            GivenUp::NothingDue if awaits_answers => {
                "nothing resumed the stream: the call that is under way is never answered"
            }
            GivenUp::NothingDue => {
                "nothing resumed the stream, and no call or timer was left that could"
            }
            GivenUp::Idle => "nothing resumed the stream for 300 s",
            GivenUp::Busy => "nothing resumed the stream, however many timers and answers came",
        };
        stream.stalled = Some(format!("{held}; {why}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stop(callback: Phase, answer: u32) -> Stop {
        Stop { callback, answer, converted: false, last: false, resumed_too_early: false }
    }

    #[test]
    fn answers_are_called_by_their_names() {
        for (callback, answer, text) in [
            (Phase::RequestHeaders, 1, "request_headers answered StopIteration"),
            (Phase::ResponseHeaders, 3, "response_headers answered StopAllIterationAndBuffer"),
            (Phase::ResponseHeaders, 4, "response_headers answered StopAllIterationAndWatermark"),
            (Phase::RequestHeaders, 7, "request_headers answered 7, which stops"),
            (Phase::RequestBody, 1, "request_body answered StopIterationAndBuffer"),
            (Phase::ResponseBody, 2, "response_body answered StopIterationAndWatermark"),
            (Phase::ResponseBody, 3, "response_body answered StopIterationNoBuffer"),
            (Phase::ResponseTrailers, 1, "response_trailers answered StopIteration"),
        ] {
            assert_eq!(stop(callback, answer).to_string(), text);
        }
        let replied = stop(Phase::RequestBody, STOPPED).to_string();
        assert_eq!(replied, "request_body sent a local reply, which stops whatever it answers");
    }

    #[test]
    fn what_makes_the_stop_final_is_said() {
        let converted = Stop { converted: true, ..stop(Phase::RequestHeaders, 1) }.to_string();
        assert!(converted.ends_with("(ABI up to 0.2.1 without --allow-stop-iteration)"));
        let last = |callback, answer| Stop { last: true, ..stop(callback, answer) }.to_string();
        assert!(last(Phase::RequestHeaders, 1).ends_with("so no body callback can let them go"));
        assert!(last(Phase::RequestHeaders, 4).ends_with("StopAllIterationAndWatermark"));
        assert!(last(Phase::RequestBody, 1).ends_with("to the last frame"));
        let early = Stop { resumed_too_early: true, ..stop(Phase::RequestBody, 1) }.to_string();
        assert!(early.ends_with("which has no effect before it has stopped"));
    }
}
