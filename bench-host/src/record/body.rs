//! Bodies that are recorded while they pass.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};

use super::passing::{Direction, Passing};

/// A body on its way; each frame is asked for when the other side wants one, so a slow receiver
/// slows the sender down.
pub(super) struct Recorded {
    inner: Incoming,
    direction: Direction,
    /// Until the end has passed.
    passing: Option<Arc<Passing>>,
}

impl Recorded {
    pub(super) fn new(inner: Incoming, direction: Direction, passing: &Arc<Passing>) -> Self {
        let ends_with_headers = inner.is_end_stream();
        if ends_with_headers {
            passing.ended_with_headers(direction);
        }
        let passing = (!ends_with_headers).then(|| passing.clone());
        Self { inner, direction, passing }
    }

    fn end(&mut self, apart: bool) {
        if let Some(passing) = self.passing.take() {
            passing.ended(self.direction, apart);
        }
    }
}

impl Body for Recorded {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let next = ready!(Pin::new(&mut self.inner).poll_frame(context));
        match (&next, &self.passing) {
            (Some(Ok(frame)), Some(passing)) => {
                if let Some(data) = frame.data_ref() {
                    passing.data(self.direction, data);
                } else if let Some(trailers) = frame.trailers_ref() {
                    passing.trailers(self.direction, trailers);
                }
                // Who has trailers or all bytes of a length may never ask for the end.
                if frame.is_trailers() || self.inner.is_end_stream() {
                    self.end(false);
                }
            }
            (Some(Err(error)), Some(passing)) => {
                let who = match self.direction {
                    Direction::Request => "the client",
                    Direction::Response => "the upstream",
                };
                passing.lose(format!("{who} broke off: {error}"));
            }
            (None, _) => self.end(true),
            (Some(_), None) => {}
        }
        Poll::Ready(next)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

impl Drop for Recorded {
    fn drop(&mut self) {
        if let Some(passing) = &self.passing {
            passing.cut_short(match self.direction {
                Direction::Request => "the upstream did not take the whole request",
                Direction::Response => "the client went away before the end",
            });
        }
    }
}

/// What a client gets: the upstream's answer, or a line of our own.
pub(super) enum Answer {
    Passed(Recorded),
    Own(Option<Bytes>),
}

impl Body for Answer {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        match self.get_mut() {
            Self::Passed(body) => Pin::new(body).poll_frame(context),
            Self::Own(text) => Poll::Ready(text.take().map(|text| Ok(Frame::data(text)))),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Passed(body) => body.is_end_stream(),
            Self::Own(text) => text.is_none(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Passed(body) => body.size_hint(),
            Self::Own(text) => SizeHint::with_exact(text.as_ref().map_or(0, Bytes::len) as u64),
        }
    }
}
