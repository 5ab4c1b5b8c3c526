//! The bodies of one stream of a plugin that somebody else dispatches.

use std::fmt;

use crate::abi::Direction;
use crate::driver::{Verdict, settle};
use crate::error::{Error, Result};
use crate::http::{BodyAction, Chunk, Control, Reply, RequestHeaders, ResponseHeaders, Site};
use crate::log;
use crate::memory;
use crate::plugin::OnError;
use crate::vm::{SharedVm, Vm};

/// Bytes of arena that a plugin starts with: a few chunks of 16 KiB, the usual frame.
const ARENA: usize = 64 * 1024;

thread_local! {
    /// A module has one thread, and natively a VM stays on its own.
    static VM: SharedVm = SharedVm::new(Vm::lending());
}

/// How far the bodies of one stream are; a field of the author's `HttpContext`.
///
/// Call each method from the callback of that name (`on_http_response_body` calls
/// [`response_body`](Self::response_body)) and return what it answers. A body that is changed needs
/// [`response_trailers`](Self::response_trailers) as well, or what is held back of a body that
/// trailers end is lost; and [`ReplaceBody`](crate::http::ReplaceBody) needs the headers. What a
/// plugin does not look at takes no call.
///
/// `A` is the other crate's `Action`, which this crate does not know: [`new`](Self::new) is given
/// its two values.
///
/// # Cost
/// No host call and no allocation of its own; [`Chunk`] says what its methods cost.
///
/// # Errors
/// An error that a closure returns is logged. By default the stream is then refused, with a reply
/// of status 500, or a reset where the response has begun; see [`on_error`](Self::on_error).
pub struct Stream<A> {
    proceed: A,
    pause: A,
    on_error: OnError,
    /// Without a context: nobody here dispatches what tasks wait for.
    control: Control,
    state: State,
}

impl<A> fmt::Debug for Stream<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stream").field("state", &self.state).finish_non_exhaustive()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Going,
    /// It failed, and goes on untouched.
    PassedOver,
    /// This direction is over; in the other one goes the reply that says so.
    Refused(Direction),
}

impl<A: Copy> Stream<A> {
    /// For one stream: `Stream::new(Action::Continue, Action::Pause)`.
    ///
    /// # Cost
    /// The first one of a VM allocates the arena.
    pub fn new(proceed: A, pause: A) -> Self {
        VM.with(|vm| vm.arena.reserve(ARENA));
        Self {
            proceed,
            pause,
            on_error: OnError::Refuse,
            control: Control::default(),
            state: State::Going,
        }
    }

    /// What becomes of the stream after an error; [`OnError::Refuse`] unless it is said here.
    ///
    /// [`Error::Withheld`] refuses in any case.
    #[must_use]
    pub fn on_error(self, on_error: OnError) -> Self {
        Self { on_error, ..self }
    }

    /// Request headers arrived.
    pub fn request_headers(
        &mut self,
        count: usize,
        end_of_stream: bool,
        work: impl FnOnce(&RequestHeaders<'_>) -> Result<()>,
    ) -> A {
        self.run(Direction::Request, "request_headers", |site| {
            work(&RequestHeaders::new(site, count, end_of_stream)).map(|()| Answer::Proceed)
        })
    }

    /// Response headers arrived.
    pub fn response_headers(
        &mut self,
        count: usize,
        end_of_stream: bool,
        work: impl FnOnce(&ResponseHeaders<'_>) -> Result<()>,
    ) -> A {
        self.run(Direction::Response, "response_headers", |site| {
            work(&ResponseHeaders::new(site, count, end_of_stream)).map(|()| Answer::Proceed)
        })
    }

    /// A part of the request body arrived.
    pub fn request_body(
        &mut self,
        body_size: usize,
        end_of_stream: bool,
        work: impl FnOnce(&mut Chunk<'_>) -> Result<BodyAction>,
    ) -> A {
        self.body(Direction::Request, "request_body", body_size, end_of_stream, work)
    }

    /// A part of the response body arrived.
    pub fn response_body(
        &mut self,
        body_size: usize,
        end_of_stream: bool,
        work: impl FnOnce(&mut Chunk<'_>) -> Result<BodyAction>,
    ) -> A {
        self.body(Direction::Response, "response_body", body_size, end_of_stream, work)
    }

    /// Request trailers arrived: they end the body, and `work` gets its last chunk.
    pub fn request_trailers(
        &mut self,
        work: impl FnOnce(&mut Chunk<'_>) -> Result<BodyAction>,
    ) -> A {
        self.trailers(Direction::Request, "request_trailers", work)
    }

    /// Response trailers arrived: they end the body, and `work` gets its last chunk.
    pub fn response_trailers(
        &mut self,
        work: impl FnOnce(&mut Chunk<'_>) -> Result<BodyAction>,
    ) -> A {
        self.trailers(Direction::Response, "response_trailers", work)
    }

    fn body(
        &mut self,
        direction: Direction,
        phase: &'static str,
        size: usize,
        end_of_stream: bool,
        work: impl FnOnce(&mut Chunk<'_>) -> Result<BodyAction>,
    ) -> A {
        self.run(direction, phase, |site| {
            let side = site.control.side(direction);
            side.ended.set(side.ended.get() || end_of_stream);
            let held = side.held.take();
            let mut chunk = Chunk::new(site, direction, size, held, end_of_stream);
            match settle(work(&mut chunk)?, &mut chunk)? {
                // Nothing comes behind the last chunk, so holding it would hang the stream.
                Verdict::Hold if !end_of_stream => {
                    side.held.set(chunk.len());
                    Ok(Answer::Pause)
                }
                Verdict::Hold | Verdict::Pass => Ok(Answer::Proceed),
                Verdict::Wait(_) => Err(NO_TASKS),
            }
        })
    }

    fn trailers(
        &mut self,
        direction: Direction,
        phase: &'static str,
        work: impl FnOnce(&mut Chunk<'_>) -> Result<BodyAction>,
    ) -> A {
        self.run(direction, phase, |site| {
            let side = site.control.side(direction);
            if !side.ended.replace(true) {
                let mut chunk = Chunk::ended_by_trailers(site, direction, side.held.take());
                if let Verdict::Wait(_) = settle(work(&mut chunk)?, &mut chunk)? {
                    return Err(NO_TASKS);
                }
            }
            Ok(Answer::Proceed)
        })
    }

    fn run(
        &mut self,
        direction: Direction,
        phase: &'static str,
        work: impl FnOnce(Site<'_>) -> Result<Answer>,
    ) -> A {
        match self.state {
            State::Going => {}
            State::Refused(refused) if refused == direction => return self.pause,
            State::PassedOver | State::Refused(_) => return self.proceed,
        }
        log::callback_begins();
        let control = &self.control;
        let answer = VM.with(|vm| {
            let scope = vm.arena.scope();
            work(Site { vm, scope: &scope, control })
        });
        match answer {
            Ok(Answer::Proceed) => self.proceed,
            Ok(Answer::Pause) => self.pause,
            Err(error) => {
                let for_good = control.rewritten.get();
                let on_error = if for_good { OnError::Refuse } else { self.on_error };
                self.state = failed(direction, phase, error, on_error);
                if self.state == State::PassedOver { self.proceed } else { self.pause }
            }
        }
    }
}

const NO_TASKS: Error =
    Error::Plugin("tasks cannot be waited for in a plugin that another crate dispatches");

/// The two answers that the other crate has.
enum Answer {
    Proceed,
    Pause,
}

// Reporting stays out of the way of the hot path.
#[cold]
#[inline(never)]
fn failed(direction: Direction, phase: &'static str, error: Error, on_error: OnError) -> State {
    crate::error!("{phase}: {error}");
    if matches!(error, Error::ForeignMemory { .. }) && !memory::is_installed() {
        crate::error!("{phase}: the plugin lacks chunkwise's allocator: add chunkwise::interop!()");
    }
    // Where bytes of the body are gone, what is left of it must not look whole.
    if on_error == OnError::Continue && !matches!(error, Error::Withheld { .. }) {
        return State::PassedOver;
    }
    if let Err(error) = Reply::new(500).details("plugin_error").send() {
        crate::error!("{phase}: could not answer with 500: {error}");
    }
    State::Refused(direction)
}
