//! Between the messages of a trace and those of the HTTP library.

use std::convert::Infallible;
use std::num::NonZeroUsize;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bench_host::host::HeaderMap;
use bench_host::testing::Seen;
use bench_host::traffic::{Headers, Message};
use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::body::{Body, Frame, Incoming};
use hyper::header::{HeaderName, HeaderValue};
use tokio::sync::mpsc;

/// A body that sends the chunks of a trace, each as a frame of its own.
#[derive(Debug)]
pub(crate) struct Chunks {
    frames: Option<mpsc::Receiver<Frame<Bytes>>>,
    /// Frames that are not out yet: the last one ends the message, as in the bench host.
    left: usize,
}

impl Chunks {
    /// No body at all.
    pub fn none() -> Self {
        Self { frames: None, left: 0 }
    }

    /// The body and the trailers of a message, with a pause after each chunk but the last.
    pub fn of(message: &Message, pause: Duration) -> Self {
        if message.ends_with_headers() {
            return Self::none();
        }
        const WHOLE: NonZeroUsize = NonZeroUsize::MAX;
        let (send, frames) = mpsc::channel(1);
        let trailers = fields(&message.trailers);
        let left = message.body.chunks(WHOLE).count() + usize::from(!trailers.is_empty());
        let mut chunks = message.body.chunks(WHOLE).peekable();
        crate::runtime().spawn(async move {
            while let Some(chunk) = chunks.next() {
                // Whoever has gone needs no more.
                if send.send(Frame::data(chunk)).await.is_err() {
                    return;
                }
                if chunks.peek().is_some() && !pause.is_zero() {
                    tokio::time::sleep(pause).await;
                }
            }
            if !trailers.is_empty() {
                let _ = send.send(Frame::trailers(trailers)).await;
            }
        });
        Self { frames: Some(frames), left }
    }
}

impl Body for Chunks {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let this = &mut *self;
        match &mut this.frames {
            Some(frames) => {
                let frame = frames.poll_recv(context);
                if let Poll::Ready(Some(_)) = frame {
                    this.left = this.left.saturating_sub(1);
                }
                frame.map(|frame| frame.map(Ok))
            }
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }
}

/// Fields without the pseudo headers. Fields that HTTP does not allow are left out.
pub(crate) fn fields(headers: &Headers) -> hyper::HeaderMap {
    let fields = headers.iter().filter(|(name, _)| !name.starts_with(b":"));
    fields
        .filter_map(|(name, value)| {
            let name = HeaderName::from_bytes(name).ok()?;
            Some((name, HeaderValue::from_bytes(value).ok()?))
        })
        .collect()
}

/// Reads a message to its end, or as far as it comes.
pub(crate) async fn read(headers: HeaderMap, mut body: Incoming) -> Seen {
    let mut seen =
        Seen { headers, body: Vec::new(), frames: 0, trailers: HeaderMap::default(), ended: false };
    loop {
        match body.frame().await {
            None => {
                seen.ended = true;
                return seen;
            }
            Some(Err(_)) => return seen,
            Some(Ok(frame)) => match frame.into_data() {
                Ok(data) => {
                    seen.frames += 1;
                    seen.body.extend_from_slice(&data);
                }
                Err(frame) => {
                    let trailers = frame.into_trailers().unwrap_or_default();
                    add(&mut seen.trailers, &trailers);
                }
            },
        }
    }
}

/// Adds the fields of the HTTP library.
pub(crate) fn add(to: &mut HeaderMap, fields: &hyper::HeaderMap) {
    for (name, value) in fields {
        to.add(name.as_str().as_bytes(), value.as_bytes());
    }
}
