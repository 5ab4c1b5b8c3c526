//! The dispatcher: contexts, phases and bodies. It knows no ABI version.
//!
//! Rules that hold for every callback:
//! - the author's filter is taken out of the table while it runs, and no borrow is held;
//! - a callback for an id that nobody knows, or for a stream whose own callback is running (a host
//!   may re-enter), lets everything pass;
//! - what the host wrote during a callback is free again when the callback ends.

mod contexts;
mod stream;
mod table;

use std::fmt;

use crate::abi::{Direction, Guest};
use crate::config::{Config, ConfigError};
use crate::error::{Error, Result};
use crate::http::{
    BodyAction, Chunk, HeadersAction, Reply, RequestHeaders, ResponseHeaders, Trailers,
    TrailersAction,
};
use crate::log;
use crate::memory::{Arena, Scope};
use crate::plugin::{Filter, OnError, Plugin};
use contexts::Contexts;
use stream::Stream;

/// Bytes of arena that a plugin starts with: a few chunks of 16 KiB, the usual frame.
const ARENA: usize = 64 * 1024;

/// Everything that one VM knows of one plugin.
///
/// [`plugin!`](crate::plugin) makes one in each module. Natively a host makes them, one for each
/// VM that it imitates.
pub struct Driver<P: Plugin> {
    arena: Arena,
    contexts: Contexts<P>,
}

impl<P: Plugin> fmt::Debug for Driver<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Filters are the author's and need not be printable.
        f.debug_struct("Driver").field("arena", &self.arena).finish_non_exhaustive()
    }
}

impl<P: Plugin> Default for Driver<P> {
    fn default() -> Self {
        Self::new()
    }
}

impl<P: Plugin> Driver<P> {
    /// A VM that has not been started.
    pub const fn new() -> Self {
        Self { arena: Arena::new(), contexts: Contexts::new() }
    }

    /// Runs one header callback of a stream's filter.
    fn headers(
        &self,
        context: u32,
        end_of_stream: bool,
        phase: &'static str,
        work: impl FnOnce(&P, &mut P::Filter, &Scope<'_>) -> Result<HeadersAction>,
    ) -> u32 {
        self.with_stream(context, PASS, |stream| match self.run(stream, phase, work) {
            // Nothing comes that would let them go.
            Ran::Answered(HeadersAction::Stop) if end_of_stream => PASS,
            Ran::Answered(action) => action as u32,
            Ran::Skipped => PASS,
            Ran::Refused => STOP_ALL_HEADERS,
        })
    }

    fn body(
        &self,
        direction: Direction,
        context: u32,
        size: usize,
        end_of_stream: bool,
        phase: &'static str,
        work: impl FnOnce(&P, &mut P::Filter, &mut Chunk<'_>) -> Result<BodyAction>,
    ) -> u32 {
        self.with_stream(context, PASS, |stream| {
            let held = stream.body(direction).held;
            let mut left = 0;
            let ran = self.run(stream, phase, |plugin, filter, scope| {
                let mut chunk = Chunk::new(scope, direction, size, held, end_of_stream);
                let action = work(plugin, filter, &mut chunk)?;
                chunk.commit()?;
                left = chunk.len();
                Ok(action)
            });
            let body = stream.body(direction);
            body.ended |= end_of_stream;
            body.held = 0;
            match ran {
                // Nothing comes behind the last chunk, so holding it would hang the stream.
                Ran::Answered(BodyAction::Hold) if !end_of_stream => {
                    body.held = left;
                    BodyAction::Hold as u32
                }
                Ran::Answered(BodyAction::Hold | BodyAction::Continue) | Ran::Skipped => PASS,
                Ran::Refused => DROP_DATA,
            }
        })
    }

    /// Ends the body if no chunk did, then gives the trailers.
    fn trailers(
        &self,
        direction: Direction,
        context: u32,
        phase: &'static str,
        last_chunk: impl FnOnce(&P, &mut P::Filter, &mut Chunk<'_>) -> Result<BodyAction>,
        work: impl FnOnce(&P, &mut P::Filter, &Scope<'_>) -> Result<TrailersAction>,
    ) -> u32 {
        self.with_stream(context, PASS, |stream| {
            let body = stream.body(direction);
            if !body.ended {
                body.ended = true;
                let held = std::mem::take(&mut body.held);
                let ran = self.run(stream, phase, |plugin, filter, scope| {
                    let mut chunk = Chunk::ended_by_trailers(scope, direction, held);
                    let action = last_chunk(plugin, filter, &mut chunk)?;
                    chunk.commit()?;
                    Ok(action)
                });
                if let Ran::Refused = ran {
                    return STOP_TRAILERS;
                }
            }
            match self.run(stream, phase, work) {
                Ran::Answered(TrailersAction::Continue) | Ran::Skipped => PASS,
                Ran::Refused => STOP_TRAILERS,
            }
        })
    }

    fn with_stream<A>(&self, context: u32, pass: A, work: impl FnOnce(&mut Stream<P>) -> A) -> A {
        let Some(mut stream) = self.contexts.take(context) else { return pass };
        let answer = work(&mut stream);
        self.contexts.put_back(context, stream);
        answer
    }

    fn run<A>(
        &self,
        stream: &mut Stream<P>,
        phase: &'static str,
        work: impl FnOnce(&P, &mut P::Filter, &Scope<'_>) -> Result<A>,
    ) -> Ran<A> {
        let (Some(plugin), Some(filter)) = (stream.plugin.as_deref(), stream.filter.as_mut())
        else {
            return Ran::Skipped;
        };
        log::callback_begins();
        let scope = self.arena.scope();
        match work(plugin, filter, &scope) {
            Ok(action) => Ran::Answered(action),
            Err(error) => {
                // Whatever state the filter was in, it is not asked again.
                stream.filter = None;
                failed::<P, A>(phase, error)
            }
        }
    }
}

impl<P: Plugin> Guest for Driver<P> {
    fn allocate(&self, size: usize) -> *mut u8 {
        self.arena.grant(size)
    }

    fn on_context_create(&self, context: u32, parent: u32) {
        log::callback_begins();
        if parent == 0 {
            self.arena.reserve(ARENA);
            self.contexts.open_plugin(context);
        } else {
            self.contexts.open_stream(context, parent);
        }
    }

    fn on_vm_start(&self, _context: u32, _configuration_size: usize) -> bool {
        true
    }

    fn on_configure(&self, context: u32, configuration_size: usize) -> bool {
        log::callback_begins();
        let scope = self.arena.scope();
        match P::configure(&Config::new(&scope, configuration_size)) {
            Ok(plugin) => {
                self.contexts.configure_plugin(context, plugin);
                true
            }
            Err(error) => {
                refuse_configuration(&error);
                false
            }
        }
    }

    fn on_request_headers(&self, context: u32, headers: usize, end_of_stream: bool) -> u32 {
        self.headers(context, end_of_stream, "request_headers", |plugin, filter, scope| {
            filter.request_headers(plugin, &RequestHeaders::new(scope, headers, end_of_stream))
        })
    }

    fn on_request_body(&self, context: u32, size: usize, end_of_stream: bool) -> u32 {
        let phase = "request_body";
        self.body(
            Direction::Request,
            context,
            size,
            end_of_stream,
            phase,
            |plugin, filter, chunk| filter.request_body(plugin, chunk),
        )
    }

    fn on_request_trailers(&self, context: u32, trailers: usize) -> u32 {
        self.trailers(
            Direction::Request,
            context,
            "request_trailers",
            |plugin, filter, chunk| filter.request_body(plugin, chunk),
            |plugin, filter, scope| {
                let trailers = Trailers::new(scope, Direction::Request, trailers);
                filter.request_trailers(plugin, &trailers)
            },
        )
    }

    fn on_response_headers(&self, context: u32, headers: usize, end_of_stream: bool) -> u32 {
        self.headers(context, end_of_stream, "response_headers", |plugin, filter, scope| {
            filter.response_headers(plugin, &ResponseHeaders::new(scope, headers, end_of_stream))
        })
    }

    fn on_response_body(&self, context: u32, size: usize, end_of_stream: bool) -> u32 {
        let phase = "response_body";
        self.body(
            Direction::Response,
            context,
            size,
            end_of_stream,
            phase,
            |plugin, filter, chunk| filter.response_body(plugin, chunk),
        )
    }

    fn on_response_trailers(&self, context: u32, trailers: usize) -> u32 {
        self.trailers(
            Direction::Response,
            context,
            "response_trailers",
            |plugin, filter, chunk| filter.response_body(plugin, chunk),
            |plugin, filter, scope| {
                let trailers = Trailers::new(scope, Direction::Response, trailers);
                filter.response_trailers(plugin, &trailers)
            },
        )
    }

    fn on_done(&self, context: u32) -> bool {
        self.with_stream(context, (), |stream| {
            if let (Some(plugin), Some(filter)) = (stream.plugin.as_deref(), &mut stream.filter) {
                log::callback_begins();
                filter.done(plugin);
            }
        });
        true
    }

    fn on_delete(&self, context: u32) {
        log::callback_begins();
        self.contexts.close(context);
    }
}

/// What came of a callback.
enum Ran<A> {
    /// The author's code decided.
    Answered(A),
    /// There is nobody to ask, or the error is to be passed over.
    Skipped,
    /// The stream must not go on. A host that took the reply stops it by itself; one that did not
    /// gets an answer that stops it.
    Refused,
}

/// Answers of the ABI: `Continue` in every phase, and those that stop a stream that is refused
/// (`StopAllIterationAndWatermark`, `StopIterationNoBuffer`, `StopIteration`).
const PASS: u32 = 0;
const STOP_ALL_HEADERS: u32 = 4;
const DROP_DATA: u32 = 3;
const STOP_TRAILERS: u32 = 1;

// Reporting stays out of the way of the hot path, and out of every callback's copy of it.
#[cold]
#[inline(never)]
fn failed<P: Plugin, A>(phase: &'static str, error: Error) -> Ran<A> {
    crate::error!("{phase}: {error}");
    let on_error = match error {
        // Bytes of the body are gone: what is left of it must not look whole.
        Error::Withheld { .. } => OnError::Refuse,
        _ => P::ON_ERROR,
    };
    match on_error {
        OnError::Continue => Ran::Skipped,
        OnError::Refuse => {
            if let Err(error) = Reply::new(500).details("plugin_error").send() {
                crate::error!("{phase}: could not answer with 500: {error}");
            }
            Ran::Refused
        }
    }
}

#[cold]
#[inline(never)]
fn refuse_configuration(error: &ConfigError) {
    crate::error!("configuration refused: {error}");
}
