//! What host calls put off until the callback that made them has returned.
//!
//! A filter manager must not be called while it calls a filter, so Envoy queues what would reach
//! it and works the queue off, first in first out, before it looks at the callback's answer
//! (`DeferAfterCallActions` in the proxy-wasm C++ host).

use bytes::Bytes;

use super::Host;
use super::abi::{Direction, Status, StreamKind};
use super::stream::LocalReply;

/// Something that waits for the current callback to return.
#[derive(Debug)]
pub(super) enum Action {
    /// Answers a stream.
    Reply { context: u32, reply: LocalReply },
    /// Lets a stopped message go on.
    Resume { context: u32, direction: Direction },
    /// Lets a stopped connection go on.
    ResumeConnection { context: u32 },
    /// Cuts a stream or a connection off.
    Close { context: u32, kind: StreamKind },
    /// Sends bytes of a response on behind the filter.
    Inject { context: u32, body: Bytes, end: bool },
    /// Ends a root context that was still at work when it was told to end.
    EndRoot { root: u32 },
}

/// Actions that may wait at once.
const MOST: usize = 65_536;

impl Action {
    /// Bytes that it takes until it is done.
    pub fn memory(&self) -> u64 {
        match self {
            Self::Reply { reply, .. } => reply.memory(),
            Self::Inject { body, .. } => body.len() as u64,
            _ => 0,
        }
    }
}

impl Host {
    /// Puts an action off.
    ///
    /// # Errors
    /// [`Status::InternalFailure`] when there are too many, or when it takes more memory than the
    /// plugin may make the host keep.
    pub(super) fn put_off(&mut self, action: Action) -> Result<(), Status> {
        if self.actions.len() >= MOST {
            self.quota.refuse("put-off actions", action.memory());
            return Err(Status::InternalFailure);
        }
        self.quota.charge("put-off actions", action.memory())?;
        self.actions.push_back(action);
        Ok(())
    }

    /// The next action that was put off.
    pub(super) fn next_action(&mut self) -> Option<Action> {
        let action = self.actions.pop_front()?;
        self.quota.release(action.memory());
        Some(action)
    }

    /// Forgets what was put off.
    pub(super) fn drop_actions(&mut self) {
        while self.next_action().is_some() {}
    }
}
