//! The chunks of a response, given to a task that may take its time.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::mem;
use std::ops::Deref;
use std::rc::Rc;
use std::task::{Poll, Waker};

use bytes::Bytes;

use super::stream_view::StreamHandle;
use crate::error::{Error, Result};
use crate::vm::{BoxedTask, TaskId};

/// What [`ResponseHeaders::relay`](super::ResponseHeaders::relay) gives the driver.
pub(crate) struct RelayBegin {
    pub state: Rc<RelayState>,
    pub task: BoxedTask,
}

/// The body of a response on its way through a task: chunks come out of [`next`](Self::next), and
/// what the client is to get goes into [`send`](Self::send).
///
/// Chunks wait in order while the task waits for something else. The response ends once, when the
/// task has ended and the upstream's body has.
///
/// - A task that ends before the body lets the rest pass.
/// - A task that fails leaves the stream to [`Plugin::ON_ERROR`](crate::Plugin::ON_ERROR): it is
///   reset, or everything goes on that the task has taken and not answered with a `send`, and
///   everything behind it. So nothing is lost and nothing is sent twice.
///
/// # Where bytes wait
/// On Higress ([`Host::Higress`](crate::Host::Higress)) chunks leave the host, and what is sent is
/// injected at once. A stock host cannot inject: there the response waits in the host while the
/// task is busy, up to the host's buffer limit, and leaves when the task asks for more than there
/// is; where the task did not have to wait for anything, a millisecond later. Of a response that
/// trailers end, a stock host then has nothing left that more bytes could be put into: what the task
/// sends after its last chunk was let go is [`Error::Withheld`], and the response is reset. Send
/// with the last chunk what has to be sent, or take the trailers off upstream.
///
/// # Cost
/// For each chunk: one host call and one allocation to take it, for a chunk that waits has to own
/// its bytes; one host call for each `send` outside of a body callback.
#[derive(Debug)]
pub struct Relay {
    state: Rc<RelayState>,
    handle: StreamHandle,
}

impl Relay {
    /// Bytes of a response that may wait in the plugin: those that the task has not taken, and
    /// where errors [pass](crate::OnError::Continue) also those that it has taken and not answered.
    pub const LIMIT: usize = 4 * 1024 * 1024;

    pub(crate) fn new(state: Rc<RelayState>, handle: StreamHandle) -> Self {
        Self { state, handle }
    }

    /// The next chunk, which is never empty; `None` when the body has ended.
    pub async fn next(&mut self) -> Option<Bytes> {
        poll_fn(|context| match self.state.take_next() {
            Some(chunk) => Poll::Ready(Some(chunk)),
            None if self.state.ended.get() => Poll::Ready(None),
            None => {
                *self.state.starving.borrow_mut() = Some(context.waker().clone());
                Poll::Pending
            }
        })
        .await
    }

    /// Sends bytes to the client. Chunks that were taken before are answered with it, be it with no
    /// bytes.
    ///
    /// # Errors
    /// [`Error::StreamGone`] when the stream or the task that it was made for has ended, or the
    /// host's.
    pub fn send(&mut self, data: impl AsRef<[u8]>) -> Result<()> {
        self.state.send(&self.handle, data.as_ref())?;
        self.state.settle();
        Ok(())
    }

    /// Takes the rest of the body as it comes, and keeps nothing of it: the client has got all that
    /// it gets, and the response ends when the upstream's body does.
    ///
    /// A loop over [`next`](Self::next) would keep every chunk for the case that the task fails.
    pub async fn discard(&mut self) {
        loop {
            self.state.settle();
            if self.next().await.is_none() {
                return;
            }
        }
    }

    /// Bytes that have come and were not taken; free.
    pub fn waiting(&self) -> usize {
        self.state.queued.get()
    }

    /// Whether the upstream's body has come to its end; free.
    pub fn has_ended(&self) -> bool {
        self.state.ended.get()
    }
}

impl Deref for Relay {
    type Target = StreamHandle;

    fn deref(&self) -> &StreamHandle {
        &self.handle
    }
}

/// How a host takes bytes outside of a body callback.
pub(crate) type Inject = fn(&[u8]) -> Result<()>;

/// What the driver and the task share.
#[derive(Default)]
pub(crate) struct RelayState {
    queue: RefCell<VecDeque<Bytes>>,
    queued: Cell<usize>,
    /// Chunks that the task has taken since it sent something.
    unsettled: RefCell<Vec<Bytes>>,
    unsettled_bytes: Cell<usize>,
    /// Those chunks are needed, since they go on when the task fails.
    pub passes_errors: Cell<bool>,
    /// The task has ended, and what was sent would come too late.
    is_over: Cell<bool>,
    /// What goes to the client with the next opportunity.
    out: RefCell<Vec<u8>>,
    /// The task waits for a chunk.
    starving: RefCell<Option<Waker>>,
    /// The upstream's body has come to its end.
    pub ended: Cell<bool>,
    /// The host waits for a word from us.
    pub stopped: Cell<bool>,
    /// The host was let go in the middle of the body while it held a part of it.
    ///
    /// Envoy's filter goes on to buffer then, and loses what a callback lets pass: every frame from
    /// there on has to be held, and let go outside of its callback. (Mended in August 2026, see the
    /// runtime guard `filter_manager_forward_added_data_on_continue`; a plugin cannot tell.)
    pub must_hold: Cell<bool>,
    /// The host has bytes in its buffer that were not let go.
    pub holds: Cell<bool>,
    /// A timer is set that lets the host go.
    pub nudged: Cell<bool>,
    /// A body callback runs: what is sent becomes its chunk.
    pub in_callback: Cell<bool>,
    pub task: Cell<Option<TaskId>>,
    /// How this host takes bytes outside of a body callback, if it does.
    pub inject: Cell<Option<Inject>>,
}

impl RelayState {
    /// A chunk has come. It is there even if it is too much, for whoever passes errors over.
    pub fn push(&self, chunk: Vec<u8>) -> Result<()> {
        if !chunk.is_empty() {
            self.queued.set(self.queued.get() + chunk.len());
            self.queue.borrow_mut().push_back(chunk.into());
        }
        let bytes = self.queued.get() + self.unsettled_bytes.get();
        if bytes > Relay::LIMIT { Err(Error::RelayFull { bytes }) } else { Ok(()) }
    }

    /// Whether the task has taken everything and asks for more.
    pub fn is_starving(&self) -> bool {
        self.starving.borrow().is_some()
    }

    /// There is something new to see, and the task is going to be polled.
    pub fn feed(&self) {
        let waker = self.starving.borrow_mut().take();
        drop(waker);
    }

    /// What the task has sent and nobody has taken.
    pub fn take_out(&self) -> Vec<u8> {
        mem::take(&mut *self.out.borrow_mut())
    }

    /// Gives a buffer back that [`take_out`](Self::take_out) gave, with what came of sending it.
    pub fn sent(&self, mut buffer: Vec<u8>, result: Result<()>) -> Result<()> {
        if result.is_ok() {
            buffer.clear();
        }
        let mut out = self.out.borrow_mut();
        if out.is_empty() {
            *out = buffer;
        }
        result
    }

    /// Bytes that the client has not got.
    pub fn unsent(&self) -> usize {
        self.queued.get() + self.out.borrow().len()
    }

    /// Whether something waits to be sent.
    pub fn has_out(&self) -> bool {
        !self.out.borrow().is_empty()
    }

    /// Polls the task: what it sends becomes the chunk of this callback.
    pub fn during_callback<R>(&self, poll: impl FnOnce() -> R) -> R {
        self.in_callback.set(true);
        let result = poll();
        self.in_callback.set(false);
        result
    }

    /// The task has failed: what it took and has not answered is sent as it is.
    pub fn fail(&self) {
        self.out.borrow_mut().extend(self.unsettled.borrow().iter().flatten());
        self.settle();
    }

    /// What was taken is answered.
    fn settle(&self) {
        self.unsettled.borrow_mut().clear();
        self.unsettled_bytes.set(0);
    }

    /// Nothing can be sent any more.
    pub fn close(&self) {
        self.is_over.set(true);
    }

    /// The task is over: what it has not taken is sent as it is.
    pub fn release(&self) {
        self.close();
        let mut out = self.out.borrow_mut();
        for chunk in self.queue.borrow_mut().drain(..) {
            out.extend_from_slice(&chunk);
        }
        self.queued.set(0);
    }

    fn take_next(&self) -> Option<Bytes> {
        let chunk = self.queue.borrow_mut().pop_front()?;
        self.queued.set(self.queued.get() - chunk.len());
        if self.passes_errors.get() {
            self.unsettled.borrow_mut().push(chunk.clone());
            self.unsettled_bytes.set(self.unsettled_bytes.get() + chunk.len());
        }
        Some(chunk)
    }

    fn send(&self, handle: &StreamHandle, data: &[u8]) -> Result<()> {
        if self.is_over.get() {
            return Err(Error::StreamGone);
        }
        handle.act(|_| match self.inject.get() {
            Some(inject) if !self.in_callback.get() => {
                self.flush(inject)?;
                if data.is_empty() { Ok(()) } else { inject(data) }
            }
            _ => {
                self.out.borrow_mut().extend_from_slice(data);
                Ok(())
            }
        })
    }

    /// Injects what waits to be sent.
    pub fn flush(&self, inject: Inject) -> Result<()> {
        let out = self.take_out();
        if out.is_empty() {
            return Ok(());
        }
        let result = inject(&out);
        self.sent(out, result)
    }
}

impl fmt::Debug for RelayState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RelayState")
            .field("queued", &self.queued)
            .field("ended", &self.ended)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::pin::pin;
    use std::task::Context;

    use super::*;
    use crate::vm::{Owner, SharedVm, Vm};

    fn poll<T>(future: std::pin::Pin<&mut impl Future<Output = T>>) -> Poll<T> {
        future.poll(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn what_is_discarded_is_not_kept() {
        let state = Rc::new(RelayState::default());
        state.passes_errors.set(true);
        let handle =
            StreamHandle { vm: SharedVm::new(Vm::default()), owner: Owner { context: 2, root: 1 } };
        let mut relay = Relay::new(Rc::clone(&state), handle);
        state.push(b"one".to_vec()).unwrap();
        assert_eq!(poll(pin!(relay.next())), Poll::Ready(Some(Bytes::from("one"))));
        assert_eq!(state.unsettled.borrow().len(), 1, "the task may still fail");

        let mut discard = pin!(relay.discard());
        for chunk in [b"two", b"six"] {
            state.push(chunk.to_vec()).unwrap();
            assert_eq!(poll(discard.as_mut()), Poll::Pending);
            assert!(state.unsettled.borrow().is_empty() && state.queued.get() == 0);
            assert_eq!(state.unsettled_bytes.get(), 0, "it does not count against the limit");
        }
        state.ended.set(true);
        assert_eq!(poll(discard), Poll::Ready(()));
    }
}
