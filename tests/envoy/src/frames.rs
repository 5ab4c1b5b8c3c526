//! A body that costs a load client and its upstream next to nothing.

use std::convert::Infallible;
use std::num::NonZeroUsize;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bench_host::traffic::Message;
use bytes::Bytes;
use hyper::HeaderMap;
use hyper::body::{Body, Frame, SizeHint};
use tokio::time::Sleep;

use crate::message;

/// The chunks of a message, sent as frames of their own. A clone shares them and starts anew; no
/// task stands behind it, unlike the bodies that tests of behaviour send.
///
/// Without a pause its length is known, so HTTP/1.1 announces it; with one it is streamed.
#[derive(Debug)]
pub struct Frames {
    chunks: Arc<[Bytes]>,
    trailers: Option<HeaderMap>,
    pause: Duration,
    next: usize,
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Frames {
    /// The body and the trailers of a message, with a pause after each chunk but the last.
    pub fn of(message: &Message, pause: Duration) -> Self {
        let chunks: Vec<_> = match message.ends_with_headers() {
            true => Vec::new(),
            false => message.body.chunks(NonZeroUsize::MAX).filter(|c| !c.is_empty()).collect(),
        };
        let trailers = Some(message::fields(&message.trailers)).filter(|all| !all.is_empty());
        Self { chunks: chunks.into(), trailers, pause, next: 0, sleep: None }
    }
}

impl Clone for Frames {
    fn clone(&self) -> Self {
        let trailers = self.trailers.clone();
        Self { chunks: Arc::clone(&self.chunks), trailers, pause: self.pause, next: 0, sleep: None }
    }
}

impl Body for Frames {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if let Some(sleep) = &mut self.sleep {
            ready!(sleep.as_mut().poll(context));
            self.sleep = None;
        }
        let Some(chunk) = self.chunks.get(self.next).cloned() else {
            let trailers = self.trailers.take();
            return Poll::Ready(trailers.map(|trailers| Ok(Frame::trailers(trailers))));
        };
        self.next += 1;
        if self.next < self.chunks.len() && !self.pause.is_zero() {
            self.sleep = Some(Box::pin(tokio::time::sleep(self.pause)));
        }
        Poll::Ready(Some(Ok(Frame::data(chunk))))
    }

    fn is_end_stream(&self) -> bool {
        self.next == self.chunks.len() && self.trailers.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        let rest = self.chunks.get(self.next..).unwrap_or_default();
        match self.pause.is_zero() && self.trailers.is_none() {
            true => SizeHint::with_exact(rest.iter().map(|chunk| chunk.len() as u64).sum()),
            false if self.is_end_stream() => SizeHint::with_exact(0),
            false => SizeHint::default(),
        }
    }
}
