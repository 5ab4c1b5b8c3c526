//! What the SDK keeps of a stream beside the author's filter.

use std::cell::{Cell, RefCell};
use std::mem::ManuallyDrop;
use std::rc::Rc;

use super::relay::RelayState;
use super::route::OnReply;
use crate::abi::Direction;
use crate::memory::Scope;
use crate::used::{RELAYS, WHOLE_BODIES};
use crate::vm::{Owner, SharedVm};

/// How a body is given to its callback.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum BodyMode {
    /// Every frame as it comes.
    #[default]
    Stream,
    /// All of it at once, when it has come to its end: one call, for empty bodies and those that
    /// trailers end too. The host holds what has come, up to its buffer limit; a longer body it
    /// answers itself, with 413 (a request) or 500 (a response), and the callback is not made.
    ///
    /// The plugin's memory is only used for what it reads: with
    /// [`Chunk::windows`](crate::Chunk::windows) a body of any length is read in a fixed piece.
    ///
    /// An edit may change the length of the body where the headers [wait](super::HeadersAction::Hold)
    /// or have no `content-length`; otherwise it is [`Error::LengthSent`](crate::Error::LengthSent).
    /// To know, one host call is made when headers are sent on before their body has come.
    Buffer,
    /// Not at all; it costs a callback without host calls for each frame.
    Skip,
}

/// How far headers are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum HeadersState {
    #[default]
    Coming,
    Held,
    Sent,
}

/// The `content-length` of headers that were sent on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum SentLength {
    /// Not read before the headers went. Higress tells that of a request all the same.
    #[default]
    Unknown,
    /// There was none, or none that is a number.
    None,
    Bytes(u64),
}

/// State of a stream that its callbacks and its tasks share.
#[derive(Debug, Default)]
pub(crate) struct Control {
    pub context: u32,
    /// The plugin's own context.
    pub root: u32,
    /// A request header was changed, so the host chooses the route again.
    pub route_cleared: Cell<bool>,
    /// The request was rewritten for its route, or a part of it was: it must not go on when its
    /// callback fails.
    pub rewritten: Cell<bool>,
    /// What waits for the response to a rewritten request.
    pub on_reply: RefCell<Option<OnReply>>,
    /// The response is that to a rewritten request, of which the filter sees nothing.
    pub is_reply: Cell<bool>,
    sides: [Side; 2],
}

/// One direction of a stream.
#[derive(Debug, Default)]
pub(crate) struct Side {
    pub mode: Cell<BodyMode>,
    pub headers: Cell<HeadersState>,
    pub sent_length: Cell<SentLength>,
    /// Bytes at the front of the host's buffer that were given before.
    pub held: Cell<usize>,
    /// Edits have changed the length of the body, which the headers may still say.
    pub length_changed: Cell<bool>,
    /// A part of the body was sent on, or dropped.
    pub has_passed: Cell<bool>,
    /// The headers waited for a task, and everything behind them.
    pub has_waited: Cell<bool>,
    /// The last chunk was given.
    pub ended: Cell<bool>,
    /// The body is not the filter's: a task has it, or will get it.
    pub given_away: Cell<bool>,
    /// It must not go on: an error refused it. A host that took the reply stops it by itself.
    pub refused: Cell<bool>,
    /// A task decides what becomes of the body, all of which is in the host.
    pub waiting: Cell<bool>,
    /// A task gets the body chunk by chunk.
    pub relay: RelaySlot,
}

/// The relay that a body goes through, if it does.
#[derive(Debug, Default)]
pub(crate) struct RelaySlot(ManuallyDrop<RefCell<Option<Rc<RelayState>>>>);

impl Drop for RelaySlot {
    fn drop(&mut self) {
        // Without the mark a module would drop relays with every stream, though there are none.
        drop(self.end());
    }
}

impl RelaySlot {
    pub fn begin(&self, relay: Rc<RelayState>) {
        self.0.replace(Some(relay));
    }

    /// The relay, where there is one.
    pub fn get(&self) -> Option<Rc<RelayState>> {
        if RELAYS.is_set() { self.0.borrow().clone() } else { None }
    }

    /// Takes it away; the answer is what it was.
    pub fn end(&self) -> Option<Rc<RelayState>> {
        if RELAYS.is_set() { self.0.take() } else { None }
    }
}

impl Side {
    /// How the plugin wants the body.
    #[inline]
    pub fn choose(&self, mode: BodyMode) {
        if mode == BodyMode::Buffer {
            WHOLE_BODIES.set();
        }
        self.mode.set(mode);
    }

    /// Lets nothing of this direction go on.
    pub fn refuse(&self) {
        self.refused.set(true);
        self.given_away.set(true);
        self.waiting.set(false);
        if let Some(relay) = self.relay.end() {
            relay.close();
        }
    }
}

impl Control {
    pub fn new(context: u32, root: u32, modes: [BodyMode; 2]) -> Self {
        let control = Self { context, root, ..Self::default() };
        for (side, mode) in control.sides.iter().zip(modes) {
            side.choose(mode);
        }
        control
    }

    /// Whom the tasks of this stream belong to.
    pub fn owner(&self) -> Owner {
        Owner { context: self.context, root: self.root }
    }

    pub fn side(&self, direction: Direction) -> &Side {
        let [request, response] = &self.sides;
        match direction {
            Direction::Request => request,
            Direction::Response => response,
        }
    }
}

/// What the views of one callback work on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Site<'a> {
    pub vm: &'a SharedVm,
    pub scope: &'a Scope<'a>,
    pub control: &'a Control,
}
