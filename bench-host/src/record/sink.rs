//! The thread that writes what has passed.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
};

use tokio::sync::{
    Notify,
    mpsc::{self, UnboundedReceiver, UnboundedSender, error::TryRecvError},
};

use super::{Event, Listener, Options, RecordError, Summary};
use crate::traffic::{Exchange, Redaction, TraceWriter, WriteError};

/// How many bytes may wait to be written before new requests wait.
const MOST_WAITING: u64 = 64 << 20;

/// Where exchanges go that have ended; clones lead to the same file.
#[derive(Clone)]
pub(super) struct Sink {
    sender: UnboundedSender<(Exchange, u64)>,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    /// Bytes that wait to be written.
    waiting: AtomicU64,
    /// Something has been written.
    written: Notify,
    /// No more can be, or needs to be.
    is_over: Notify,
}

/// What the thread comes back with.
pub(super) type Written = Result<(TraceWriter, Summary), WriteError>;

impl Sink {
    /// Starts the thread; it ends when all sinks are gone.
    pub(super) fn start(
        options: &Options,
        writer: TraceWriter,
        listener: Listener,
    ) -> Result<(Self, JoinHandle<Written>), RecordError> {
        let (sender, receiver) = mpsc::unbounded_channel();
        let state = Arc::new(State::default());
        let mut writing = Writing {
            receiver,
            writer,
            summary: Summary::default(),
            most: options.requests.unwrap_or(u64::MAX),
            redaction: options.redaction.clone(),
            state: state.clone(),
            listener,
        };
        let thread = thread::Builder::new().name("trace".to_owned()).spawn(move || {
            let result = writing.run();
            writing.receiver.close();
            writing.state.waiting.store(0, Ordering::Relaxed);
            writing.state.written.notify_waiters();
            writing.state.is_over.notify_one();
            result.map(|()| (writing.writer, writing.summary))
        });
        Ok((Self { sender, state }, thread.map_err(RecordError::Machine)?))
    }

    /// Writes an exchange, some time.
    pub(super) fn put(&self, exchange: Exchange) {
        let messages = [Some(&exchange.request), exchange.response.as_ref()];
        let size = messages.into_iter().flatten().map(|message| message.body.len()).sum();
        self.state.waiting.fetch_add(size, Ordering::Relaxed);
        // The thread is gone when there is enough, or no more can be written.
        let _ = self.sender.send((exchange, size));
    }

    /// Waits until not too much waits to be written.
    pub(super) async fn has_room(&self) {
        loop {
            let written = self.state.written.notified();
            if self.state.waiting.load(Ordering::Relaxed) <= MOST_WAITING || self.sender.is_closed()
            {
                return;
            }
            written.await;
        }
    }

    /// Waits until no more exchanges are written.
    pub(super) async fn is_over(&self) {
        self.state.is_over.notified().await;
    }
}

/// What the thread has.
struct Writing {
    receiver: UnboundedReceiver<(Exchange, u64)>,
    writer: TraceWriter,
    summary: Summary,
    most: u64,
    redaction: Redaction,
    state: Arc<State>,
    listener: Listener,
}

impl Writing {
    fn run(&mut self) -> Result<(), WriteError> {
        while self.summary.recorded < self.most {
            let next = match self.receiver.try_recv() {
                Ok(next) => Some(next),
                Err(TryRecvError::Disconnected) => None,
                Err(TryRecvError::Empty) => {
                    // Who looks into the file while nothing happens sees what has happened.
                    self.writer.flush()?;
                    self.receiver.blocking_recv()
                }
            };
            let Some((mut exchange, size)) = next else { break };
            let redacted = self.redaction.apply(&mut exchange);
            let event = match self.writer.write(&exchange) {
                Ok(()) => {
                    self.summary.recorded += 1;
                    self.summary.redacted += redacted;
                    Event::Recorded
                }
                Err(WriteError::Exchange { label, cause }) => {
                    Event::LeftOut { label, reason: cause.to_string() }
                }
                Err(error) => return Err(error),
            };
            self.state.waiting.fetch_sub(size, Ordering::Relaxed);
            self.state.written.notify_waiters();
            self.listener.tell(event);
        }
        self.writer.flush()
    }
}

/// The thread's result; a thread that panicked is a failure of ours.
pub(super) fn join(thread: JoinHandle<Written>) -> Result<(TraceWriter, Summary), RecordError> {
    match thread.join() {
        Ok(written) => Ok(written?),
        Err(_) => Err(RecordError::Machine(io::Error::other("the writing thread panicked"))),
    }
}
