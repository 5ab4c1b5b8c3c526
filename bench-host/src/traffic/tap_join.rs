//! Puts the pieces of streams together, whatever streams they are mixed with.

use std::{
    collections::{HashMap, VecDeque},
    mem,
};

use bytes::Bytes;

use super::{
    Body, Headers,
    tap_model::{Content, Origin, Part, Piece, Recorded, Side, Trace},
};

/// What a stream and what a header field or a chunk take besides their bytes, at most.
const STREAM: u64 = 1 << 10;
const FIELD: u64 = 64;

/// Exchanges whose pieces may still come, in the order in which their first pieces came.
///
/// The filter marks no end of a stream, so that one which came in pieces is whole when its file
/// ends, or when its number begins another one.
pub(super) struct Join {
    waiting: VecDeque<Waiting>,
    /// How many have been taken off the front.
    taken: u64,
    /// The place of the stream that has a number now, counted from the very first.
    open: HashMap<u64, u64>,
    held: u64,
    limit: u64,
}

/// An exchange, and where its first message is.
struct Waiting {
    origin: Origin,
    recorded: Recorded,
    is_whole: bool,
    held: u64,
}

impl Join {
    /// `limit` is how much memory may be held, in bytes.
    pub(super) fn new(limit: u64) -> Self {
        let (waiting, open) = (VecDeque::new(), HashMap::new());
        Self { waiting, taken: 0, open, held: 0, limit }
    }

    /// Takes the message at `origin`; the error is the reason.
    pub(super) fn push(&mut self, origin: Origin, message: Trace) -> Result<(), String> {
        match message {
            Trace::Buffered(recorded) => self.begin(origin, *recorded, true),
            Trace::Segment { id, piece } => self.piece(origin, id, piece)?,
            Trace::Socket => {
                return Err("bytes of a connection, as the tap transport socket records them, \
                            hold no requests to replay; use the HTTP filter \
                            envoy.filters.http.tap"
                    .to_owned());
            }
        }
        if self.held > self.limit {
            return Err(format!(
                "the streams up to here take more than {} bytes, which is the most that is held \
                 for one file; record one file a stream (file_per_tap), or less",
                self.limit
            ));
        }
        Ok(())
    }

    /// The next exchange that is whole, and where its first message is.
    pub(super) fn pop(&mut self) -> Option<(Origin, Recorded)> {
        if !self.waiting.front()?.is_whole {
            return None;
        }
        let front = self.waiting.pop_front()?;
        self.taken += 1;
        self.held = self.held.saturating_sub(front.held);
        Some((front.origin, front.recorded))
    }

    /// The file has ended: all that came in pieces is whole.
    pub(super) fn finish(&mut self) {
        self.open.clear();
        for waiting in &mut self.waiting {
            waiting.is_whole = true;
        }
    }

    fn begin(&mut self, origin: Origin, recorded: Recorded, is_whole: bool) {
        self.waiting.push_back(Waiting { origin, recorded, is_whole, held: STREAM });
        self.held += STREAM;
    }

    fn piece(&mut self, origin: Origin, id: u64, piece: Piece) -> Result<(), String> {
        let begins = matches!(piece, Piece { side: Side::Request, content: Content::Headers(_) });
        let known = self.open.get(&id).copied();
        let place = match known {
            Some(place) if !begins => place,
            // Numbers are drawn by chance, and may repeat.
            known => {
                if let Some(old) = known.and_then(|place| self.at(place)) {
                    old.is_whole = true;
                }
                let place = self.taken + self.waiting.len() as u64;
                self.begin(origin, Recorded::default(), false);
                self.open.insert(id, place);
                place
            }
        };
        let size = size(&piece.content);
        if let Some(waiting) = self.at(place) {
            let side = piece.side;
            add(waiting.recorded.side(side), piece.content)
                .map_err(|what| format!("the {} of stream {id} {what}", side.name()))?;
            waiting.held += size;
            self.held += size;
        }
        Ok(())
    }

    fn at(&mut self, place: u64) -> Option<&mut Waiting> {
        let index = usize::try_from(place.checked_sub(self.taken)?).ok()?;
        self.waiting.get_mut(index)
    }
}

/// Adds a piece to its message; the error is the end of a sentence about the message.
fn add(part: &mut Part, content: Content) -> Result<(), &'static str> {
    match content {
        Content::Headers(_) if part.headers.is_some() => Err("has headers for a second time"),
        Content::Trailers(_) if part.trailers.is_some() => Err("has trailers for a second time"),
        Content::Chunk(_) if part.trailers.is_some() => Err("goes on behind its trailers"),
        Content::Headers(headers) => {
            part.headers = Some(headers);
            Ok(())
        }
        Content::Trailers(trailers) => {
            part.trailers = Some(trailers);
            Ok(())
        }
        Content::Chunk(chunk) => {
            part.truncated |= chunk.truncated;
            let mut chunks = match mem::take(&mut part.body) {
                Body::Chunks(chunks) => chunks,
                _ => Vec::new(),
            };
            chunks.push(chunk.bytes);
            part.body = Body::Chunks(chunks);
            Ok(())
        }
    }
}

fn size(content: &Content) -> u64 {
    let fields = |headers: &Headers| {
        let bytes = |(name, value): &(Bytes, Bytes)| name.len() + value.len();
        headers.iter().map(|field| bytes(field) as u64 + FIELD).sum()
    };
    match content {
        Content::Headers(headers) | Content::Trailers(headers) => fields(headers),
        Content::Chunk(chunk) => chunk.bytes.len() as u64 + FIELD,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::traffic::tap_model::Chunk;

    fn headers() -> Content {
        let mut headers = Headers::new();
        headers.push(":method", "GET");
        Content::Headers(headers)
    }

    fn segment(id: u64, side: Side, content: Content) -> Trace {
        Trace::Segment { id, piece: Piece { side, content } }
    }

    fn at(trace: u64) -> Origin {
        Origin { trace, byte: 10 * trace }
    }

    fn popped(join: &mut Join) -> Vec<u64> {
        std::iter::from_fn(|| join.pop()).map(|(origin, _)| origin.trace).collect()
    }

    #[test]
    fn whole_exchanges_do_not_wait_and_streams_keep_their_place() {
        let mut join = Join::new(1 << 20);
        join.push(at(0), Trace::Buffered(Box::default())).unwrap();
        assert_eq!(popped(&mut join), [0]);
        join.push(at(1), segment(7, Side::Request, headers())).unwrap();
        join.push(at(2), Trace::Buffered(Box::default())).unwrap();
        assert_eq!(popped(&mut join), [0; 0], "what began before may go on");
        // The number again, for another stream.
        join.push(at(3), segment(7, Side::Request, headers())).unwrap();
        assert_eq!(popped(&mut join), [1, 2]);
        join.push(at(4), segment(7, Side::Response, headers())).unwrap();
        join.finish();
        let (origin, recorded) = join.pop().unwrap();
        assert_eq!(origin, at(3));
        assert!(recorded.request.headers.is_some() && recorded.response.headers.is_some());
        assert_eq!(join.held, 0);
    }

    #[test]
    fn a_message_has_one_beginning_and_one_end() {
        let mut join = Join::new(1 << 20);
        let end = || Content::Trailers(Headers::new());
        for (content, what) in [
            (headers(), None),
            (headers(), Some("the response of stream 7 has headers for a second time")),
            (end(), None),
            (end(), Some("the response of stream 7 has trailers for a second time")),
            (
                Content::Chunk(Chunk::default()),
                Some("the response of stream 7 goes on behind its trailers"),
            ),
        ] {
            let result = join.push(at(0), segment(7, Side::Response, content));
            assert_eq!(result.err().as_deref(), what);
        }
    }

    #[test]
    fn memory_is_bounded() {
        let mut join = Join::new(10_000);
        let chunk = || {
            let bytes = Bytes::from_static(&[0; 900]);
            Content::Chunk(Chunk { bytes, truncated: false })
        };
        let results: Vec<_> =
            (0..11).map(|at_| join.push(at(at_), segment(1, Side::Request, chunk()))).collect();
        let refused = results.iter().position(Result::is_err);
        assert_eq!(refused, Some(9), "1024 for the stream, and 964 for each chunk");
        // Streams without content count as well.
        let mut join = Join::new(10_000);
        let trailers = || Content::Trailers(Headers::new());
        let refused =
            (0..20).find(|id| join.push(at(*id), segment(*id, Side::Request, trailers())).is_err());
        assert_eq!(refused, Some(9));
    }
}
