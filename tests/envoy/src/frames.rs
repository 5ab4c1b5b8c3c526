//! A body that costs a load client and its upstream next to nothing.

use std::convert::Infallible;
use std::fmt;
use std::num::NonZeroUsize;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bench_host::traffic::Message;
use bytes::Bytes;
use hyper::HeaderMap;
use hyper::body::{Body, Frame, SizeHint};

use crate::message;

/// The chunks of a message, sent as frames of their own. A clone shares them and starts anew; no
/// task stands behind it, unlike the bodies that tests of behaviour send.
///
/// The length of a single chunk is told beforehand (`content-length`); several are streamed, each
/// in a write of its own.
pub struct Frames {
    chunks: Arc<[Bytes]>,
    trailers: Option<HeaderMap>,
    pause: Duration,
    /// The chunk that comes next; the trailers are one more.
    next: usize,
    sleep: Option<Wait>,
}

type Wait = Pin<Box<dyn Future<Output = ()> + Send + Sync>>;

/// The pause between two chunks; at the least, whoever writes them gets a turn.
async fn wait(pause: Duration) {
    match pause.is_zero() {
        true => tokio::task::yield_now().await,
        false => tokio::time::sleep(pause).await,
    }
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

impl fmt::Debug for Frames {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {} chunks sent", self.next, self.chunks.len())
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
        if self.is_end_stream() {
            return Poll::Ready(None);
        }
        let chunk = self.chunks.get(self.next).cloned();
        self.next += 1;
        let Some(chunk) = chunk else {
            let trailers = self.trailers.clone().unwrap_or_default();
            return Poll::Ready(Some(Ok(Frame::trailers(trailers))));
        };
        if self.next < self.chunks.len() {
            self.sleep = Some(Box::pin(wait(self.pause)));
        }
        Poll::Ready(Some(Ok(Frame::data(chunk))))
    }

    fn is_end_stream(&self) -> bool {
        self.next == self.chunks.len() + usize::from(self.trailers.is_some())
    }

    fn size_hint(&self) -> SizeHint {
        let rest = self.chunks.get(self.next..).unwrap_or_default();
        match self.chunks.len() <= 1 && self.trailers.is_none() {
            true => SizeHint::with_exact(rest.iter().map(|chunk| chunk.len() as u64).sum()),
            false => SizeHint::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use bench_host::testing::Answer;
    use http_body_util::BodyExt as _;

    use super::*;
    use crate::runtime;

    fn frames(answer: Answer) -> Frames {
        let call = bench_host::testing::Call::get("/").answer(answer);
        Frames::of(&bench_host::traffic::Exchange::from(call).response.unwrap(), Duration::ZERO)
    }

    #[test]
    fn chunks_and_trailers_come_one_by_one_and_again_from_a_clone() {
        let mut first = frames(Answer::new(200).chunks(["a", "", "bc"]).trailer("x-end", "1"));
        for _ in 0..2 {
            let mut body = first.clone();
            let read = async {
                let mut seen = Vec::new();
                while let Some(Ok(frame)) = body.frame().await {
                    seen.push(frame.into_data().unwrap_or_default());
                }
                seen
            };
            assert_eq!(runtime().block_on(read), ["a", "bc", ""]);
            assert!(body.is_end_stream());
            first = body;
        }
    }

    #[test]
    fn only_the_length_of_a_single_chunk_is_told() {
        assert_eq!(frames(Answer::new(200).body("abc")).size_hint().exact(), Some(3));
        assert_eq!(frames(Answer::new(200)).size_hint().exact(), Some(0));
        assert_eq!(frames(Answer::new(200).chunks(["ab", "c"])).size_hint().exact(), None);
        assert!(frames(Answer::new(200)).is_end_stream());
    }
}
