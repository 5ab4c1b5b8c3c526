//! The bodies of one stream of a plugin that somebody else dispatches.

use crate::abi::Direction;
use crate::error::{Error, Result};
use crate::http::{BodyAction, Chunk, Reply, RequestHeaders, ResponseHeaders};
use crate::log;
use crate::memory::{self, Arena, Scope};
use crate::plugin::OnError;

/// Bytes of arena that a plugin starts with: a few chunks of 16 KiB, the usual frame.
const ARENA: usize = 64 * 1024;

thread_local! {
    /// A module has one thread, and natively a VM stays on its own.
    static ARENA_OF_VM: Arena = const { Arena::lending() };
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
#[derive(Clone, Debug)]
pub struct Stream<A> {
    proceed: A,
    pause: A,
    on_error: OnError,
    request: Body,
    response: Body,
    state: State,
}

/// How far a body is.
#[derive(Clone, Copy, Debug, Default)]
struct Body {
    /// Bytes at the front of the host's buffer that were given before.
    held: usize,
    /// The last chunk was given.
    ended: bool,
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
        ARENA_OF_VM.with(|arena| arena.reserve(ARENA));
        Self {
            proceed,
            pause,
            on_error: OnError::Refuse,
            request: Body::default(),
            response: Body::default(),
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
        self.run(Direction::Request, "request_headers", |scope, _| {
            work(&RequestHeaders::new(scope, count, end_of_stream)).map(|()| Verdict::Proceed)
        })
    }

    /// Response headers arrived.
    pub fn response_headers(
        &mut self,
        count: usize,
        end_of_stream: bool,
        work: impl FnOnce(&ResponseHeaders<'_>) -> Result<()>,
    ) -> A {
        self.run(Direction::Response, "response_headers", |scope, _| {
            work(&ResponseHeaders::new(scope, count, end_of_stream)).map(|()| Verdict::Proceed)
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
        self.run(direction, phase, |scope, body| {
            body.ended |= end_of_stream;
            let held = std::mem::take(&mut body.held);
            let mut chunk = Chunk::new(scope, direction, size, held, end_of_stream);
            let action = work(&mut chunk)?;
            chunk.commit()?;
            // Nothing comes behind the last chunk, so holding it would hang the stream.
            if action != BodyAction::Hold || end_of_stream {
                return Ok(Verdict::Proceed);
            }
            body.held = chunk.len();
            Ok(Verdict::Pause)
        })
    }

    fn trailers(
        &mut self,
        direction: Direction,
        phase: &'static str,
        work: impl FnOnce(&mut Chunk<'_>) -> Result<BodyAction>,
    ) -> A {
        self.run(direction, phase, |scope, body| {
            if !std::mem::replace(&mut body.ended, true) {
                let mut chunk = Chunk::ended_by_trailers(scope, direction, body.held);
                work(&mut chunk)?;
                chunk.commit()?;
            }
            Ok(Verdict::Proceed)
        })
    }

    fn run(
        &mut self,
        direction: Direction,
        phase: &'static str,
        work: impl FnOnce(&Scope<'_>, &mut Body) -> Result<Verdict>,
    ) -> A {
        match self.state {
            State::Going => {}
            State::Refused(refused) if refused == direction => return self.pause,
            State::PassedOver | State::Refused(_) => return self.proceed,
        }
        log::callback_begins();
        let body = match direction {
            Direction::Request => &mut self.request,
            Direction::Response => &mut self.response,
        };
        match ARENA_OF_VM.with(|arena| work(&arena.scope(), body)) {
            Ok(Verdict::Proceed) => self.proceed,
            Ok(Verdict::Pause) => self.pause,
            Err(error) => {
                self.state = failed(direction, phase, error, self.on_error);
                if self.state == State::PassedOver { self.proceed } else { self.pause }
            }
        }
    }
}

/// The two answers that the other crate has.
enum Verdict {
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
