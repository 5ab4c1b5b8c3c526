//! What a callback answers.

use std::fmt;
use std::future::Future;

use bytes::Bytes;

use super::relay::RelayBegin;
use crate::error::Result;
use crate::used::{RELAYS, TASKS};
use crate::vm::BoxedTask;

/// What becomes of headers.
#[derive(Debug)]
#[non_exhaustive]
pub enum HeadersAction {
    /// Send them on.
    Continue,
    /// Send them on, and leave the stream alone: no later callback of this filter is made.
    Detach,
    /// Hold them while this filter still gets the body; they leave with the first chunk that
    /// passes, or with the trailers. Until then a body callback can change them
    /// ([`Chunk::headers`](crate::Chunk::headers)). Where edits have changed the length of the body, a
    /// `content-length` is then made right, or removed if more of the body is to come.
    ///
    /// A stock Envoy reads this as "hold everything" and the stream then waits for ever, unless the
    /// plugin is configured with `allow_on_headers_stop_iteration` there (Envoy 1.35); Higress
    /// needs [`Host::Higress`](crate::Host::Higress). Headers that end the message are not held,
    /// for nothing would come that lets them go.
    Hold,
    /// A local reply was sent.
    Replied(Replied),
    /// Hold them and everything behind them until a task has ended; see
    /// [`RequestHeaders::wait`](super::RequestHeaders::wait).
    Wait(Task),
    /// Send them on, and give the body's chunks to a task; see
    /// [`ResponseHeaders::relay`](super::ResponseHeaders::relay).
    Relay(Relaying),
}

/// What becomes of a chunk.
///
/// Each kind of callback has verdicts of its own, so that none answers what its host cannot do:
///
/// ```compile_fail,E0308
/// # use chunkwise::Chunk;
/// # use chunkwise::http::{BodyAction, HeadersAction};
/// fn request_body(_: &mut Chunk<'_>) -> chunkwise::Result<BodyAction> {
///     Ok(HeadersAction::Continue)
/// }
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum BodyAction {
    /// Send it on as it is now, edits in place included, with what was held before it.
    Pass,
    /// Send these bytes on in its place, and in the place of what was held.
    Edit(Bytes),
    /// Send nothing on, neither it nor what was held.
    Drop,
    /// Leave it in the host; the next chunk begins with it (see [`Chunk::held`]).
    ///
    /// Nothing comes after the last chunk, so there a hold is read as [`Pass`](Self::Pass).
    ///
    /// [`Chunk::held`]: crate::Chunk::held
    Hold,
    /// A local reply was sent.
    Replied(Replied),
    /// Hold the whole body until a task has ended; see [`Chunk::wait`](crate::Chunk::wait).
    Wait(Task),
}

/// What becomes of trailers.
#[derive(Debug)]
#[non_exhaustive]
pub enum TrailersAction {
    /// Send them on, with everything that was held.
    Continue,
    /// A local reply was sent.
    Replied(Replied),
}

/// What becomes of a stream when the task that it waited for has ended.
///
/// A task that has more to wait for awaits it; it cannot answer with another task:
///
/// ```compile_fail,E0308
/// # use chunkwise::http::{HeadersAction, RequestHeaders, Resume};
/// fn request_headers(headers: &RequestHeaders<'static>) -> HeadersAction {
///     headers.wait(async |_| Ok(HeadersAction::Continue))
/// }
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum Resume {
    /// It goes on, with the edits that the task made.
    Continue,
    /// It goes on, and no later callback of this filter is made.
    Detach,
    /// The task has sent a local reply.
    Replied(Replied),
}

/// Proof that a local reply was sent; it is the answer of the callback that sent it.
///
/// It cannot be made up:
///
/// ```compile_fail,E0423
/// # use chunkwise::http::{HeadersAction, Replied};
/// let answer = HeadersAction::Replied(Replied(()));
/// ```
#[derive(Debug)]
pub struct Replied(pub(crate) ());

/// A task that a stream waits for.
pub struct Task(pub(crate) BoxedTask);

impl Task {
    pub(crate) fn new(task: impl Future<Output = Result<Resume>> + 'static) -> Self {
        TASKS.set();
        Self(Box::pin(task))
    }
}

/// A task that gets the chunks of a response.
pub struct Relaying(pub(crate) RelayBegin);

impl Relaying {
    pub(crate) fn new(begin: RelayBegin) -> Self {
        TASKS.set();
        RELAYS.set();
        Self(begin)
    }
}

impl fmt::Debug for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Task")
    }
}

impl fmt::Debug for Relaying {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Relaying")
    }
}

impl From<Replied> for HeadersAction {
    fn from(replied: Replied) -> Self {
        Self::Replied(replied)
    }
}

impl From<Replied> for BodyAction {
    fn from(replied: Replied) -> Self {
        Self::Replied(replied)
    }
}

impl From<Replied> for TrailersAction {
    fn from(replied: Replied) -> Self {
        Self::Replied(replied)
    }
}

impl From<Replied> for Resume {
    fn from(replied: Replied) -> Self {
        Self::Replied(replied)
    }
}
