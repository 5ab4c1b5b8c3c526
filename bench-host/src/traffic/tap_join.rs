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
    ///
    /// `shared` is the length of the message where its parts share its memory, so that the smallest
    /// of them holds all of it; otherwise zero.
    pub(super) fn push(
        &mut self,
        origin: Origin,
        message: Trace,
        shared: u64,
    ) -> Result<(), String> {
        match message {
            Trace::Buffered(recorded) => {
                let size = part_size(&recorded.request) + part_size(&recorded.response);
                self.begin(origin, *recorded, true, size.max(shared));
            }
            Trace::Segment { id, piece } => {
                let size = size(&piece.content).max(shared);
                self.piece(origin, id, piece, size)?;
            }
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

    fn begin(&mut self, origin: Origin, recorded: Recorded, is_whole: bool, size: u64) {
        let held = STREAM + size;
        self.waiting.push_back(Waiting { origin, recorded, is_whole, held });
        self.held += held;
    }

    fn piece(&mut self, origin: Origin, id: u64, piece: Piece, size: u64) -> Result<(), String> {
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
                self.begin(origin, Recorded::default(), false, 0);
                self.open.insert(id, place);
                place
            }
        };
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
    match content {
        Content::Headers(headers) | Content::Trailers(headers) => fields_size(headers),
        Content::Chunk(chunk) => chunk.bytes.len() as u64 + FIELD,
    }
}

fn part_size(part: &Part) -> u64 {
    let fields = part.headers.iter().chain(&part.trailers);
    fields.map(fields_size).sum::<u64>() + part.body.len()
}

fn fields_size(headers: &Headers) -> u64 {
    let bytes = |(name, value): &(Bytes, Bytes)| (name.len() + value.len()) as u64;
    headers.iter().map(|field| bytes(field) + FIELD).sum()
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
        join.push(at(0), Trace::Buffered(Box::default()), 0).unwrap();
        assert_eq!(popped(&mut join), [0]);
        join.push(at(1), segment(7, Side::Request, headers()), 0).unwrap();
        join.push(at(2), Trace::Buffered(Box::default()), 0).unwrap();
        assert_eq!(popped(&mut join), [0; 0], "what began before may go on");
        // The number again, for another stream.
        join.push(at(3), segment(7, Side::Request, headers()), 0).unwrap();
        assert_eq!(popped(&mut join), [1, 2]);
        join.push(at(4), segment(7, Side::Response, headers()), 0).unwrap();
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
            let result = join.push(at(0), segment(7, Side::Response, content), 0);
            assert_eq!(result.err().as_deref(), what);
        }
    }

    /// How many of these messages are taken before 10 000 bytes are held.
    fn taken(shared: u64, message: impl Fn(u64) -> Trace) -> Option<u64> {
        let mut join = Join::new(10_000);
        join.push(at(0), segment(0, Side::Request, Content::Trailers(Headers::new())), 0).unwrap();
        (1..30).find(|id| join.push(at(*id), message(*id), shared).is_err()).map(|id| id - 1)
    }

    #[test]
    fn memory_is_bounded() {
        let bytes = Bytes::from_static(&[0; 900]);
        let chunk = || Content::Chunk(Chunk { bytes: bytes.clone(), truncated: false });
        let empty = || Content::Trailers(Headers::new());
        // 1024 for the stream that is open already, 964 for each chunk.
        assert_eq!(taken(0, |_| segment(0, Side::Response, chunk())), Some(9));
        assert_eq!(taken(2000, |_| segment(0, Side::Response, chunk())), Some(4));
        // Streams without content count as well.
        assert_eq!(taken(0, |id| segment(id, Side::Request, empty())), Some(8));
        // So does what is whole and waits.
        let whole = || {
            let body = Body::Whole(bytes.clone());
            let request = Part { body, ..Part::default() };
            Trace::Buffered(Box::new(Recorded { request, response: Part::default() }))
        };
        assert_eq!(taken(0, |_| whole()), Some(4));
        assert_eq!(taken(4000, |_| whole()), Some(1));
    }
}
