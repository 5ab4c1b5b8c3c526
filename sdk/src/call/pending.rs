//! A call on its way.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use super::error::CallError;
use super::reply::CallReply;
use super::request::Request;
use crate::vm::{SharedVm, current};

/// A call to another service, which is sent when it is awaited for the first time.
///
/// It is a future like any other: several are awaited at once with the combinators of any crate.
/// Dropping it forgets the call (the ABI has no way to take one back, so its answer is ignored), and
/// it is dropped with the task that awaits it when the stream ends.
///
/// # Cost
/// Sending: one host call (two more to learn a [route's cluster](super::RouteCluster)). The
/// answer: one host call for its headers, and one for its body if it has one. Waiting allocates
/// nothing.
///
/// # Errors
/// [`CallError`]; `?` turns it into [`crate::Error`].
#[derive(Debug)]
#[must_use = "a call is not sent before it is awaited"]
pub struct Call {
    state: State,
}

#[derive(Debug)]
enum State {
    /// Empty when sending has failed.
    Unsent(Option<Request>),
    Sent {
        vm: SharedVm,
        token: u32,
    },
    Answered,
}

impl Call {
    pub(super) fn new(request: Request) -> Self {
        Self { state: State::Unsent(Some(request)) }
    }
}

impl Future for Call {
    type Output = Result<CallReply, CallError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if let State::Unsent(request) = &mut self.state {
            let (vm, _) = current().ok_or(CallError::OutsideOfTask)?;
            let request = request.take().ok_or(CallError::StreamGone)?;
            let token = request.encode(&vm, &vm.arena.scope())?.send()?;
            if !vm.calls.sent(token) {
                return Poll::Ready(Err(CallError::StreamGone));
            }
            self.state = State::Sent { vm, token };
        }
        let State::Sent { vm, token } = &self.state else {
            return Poll::Ready(Err(CallError::StreamGone));
        };
        match vm.calls.poll(*token, context.waker()) {
            Some(answer) => {
                self.state = State::Answered;
                Poll::Ready(answer)
            }
            None => Poll::Pending,
        }
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        if let State::Sent { vm, token } = &self.state {
            vm.calls.forget(*token);
        }
    }
}
