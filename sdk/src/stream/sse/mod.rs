//! Server-sent events: the event streams of the WHATWG HTML standard, section 9.2.

mod event;
mod frame;

use super::carry::Carry;
use frame::Frame;

pub use event::Event;

/// Finds the events of an event stream (`text/event-stream`), however it was cut.
///
/// Each event comes with the fields that readers see and with its exact bytes, so that a filter
/// can pass, drop or replace one and leave all others as they are. Lines may end in LF, CR or
/// CRLF.
///
/// ```
/// use chunkwise::stream::{EventTooLong, Events};
///
/// let mut events = Events::new(1024 * 1024);
/// let mut forwarded = Vec::new();
/// for piece in ["data: a sec", "ret\n\n: ping\n\ndata: a word\r\n", "\r\ndata: [DO"] {
///     events.push(piece.as_bytes(), |event| {
///         if event.data != Some(b"a secret") {
///             forwarded.extend_from_slice(event.raw);
///         }
///         Ok::<_, EventTooLong>(())
///     })?;
/// }
/// assert_eq!(forwarded, b": ping\n\ndata: a word\r\n\r\n");
///
/// // What the end cut off is no event for any reader; a filter may pass it on all the same.
/// let rest = events.finish(|_| Ok::<_, EventTooLong>(()))?;
/// assert_eq!(rest, b"data: [DO");
/// # Ok::<(), EventTooLong>(())
/// ```
///
/// # Cost
/// One search through each piece, and one through each event for its fields. An event that lies in
/// one piece is borrowed from it, one that was cut is copied once; so is data of several lines,
/// which has to be joined. The only allocations are two buffers for these, which are used again.
///
/// An event is given as soon as its last byte is there. The one exception is an empty line of CR
/// behind a line that ended otherwise: its event waits for the byte that follows, which may be the
/// LF that belongs to it.
#[derive(Debug)]
pub struct Events {
    frame: Frame,
    /// The beginning of the event that the last piece cut off.
    carry: Carry,
    /// Data of several lines, or what is left at the end.
    joined: Vec<u8>,
    /// An event was given, so that no byte order mark can come any more.
    begun: bool,
    failed: bool,
}

impl Events {
    /// Finds events of up to `limit` bytes, all their lines and line ends counted; allocates
    /// nothing yet.
    pub fn new(limit: usize) -> Self {
        let (frame, carry, joined) = (Frame::default(), Carry::new(limit), Vec::new());
        Self { frame, carry, joined, begun: false, failed: false }
    }

    /// Takes the next bytes of the stream and gives the events that end in them, in order.
    ///
    /// # Errors
    /// [`EventTooLong`] where an event passes the limit, whether it has ended or not, and from then
    /// on until [`clear`](Self::clear); events in front of it have been given. And what `event`
    /// itself fails with: the bytes behind that event are lost.
    pub fn push<E: From<EventTooLong>>(
        &mut self,
        piece: &[u8],
        mut event: impl FnMut(Event<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        if self.failed {
            return Err(self.fail(0).into());
        }
        let (mut from, mut rest) = (0, piece);
        while let Some(end) = self.frame.end(rest) {
            let (last, behind) = rest.split_at(end);
            let raw = if self.carry.is_empty() && last.len() <= self.carry.limit() {
                last
            } else if self.carry.push(last) {
                self.carry.bytes()
            } else {
                return Err(self.fail(from).into());
            };
            let first = !std::mem::replace(&mut self.begun, true);
            let result = event(Event::parse(raw, first, &mut self.joined));
            self.carry.clear();
            result?;
            (from, rest) = (from + end, behind);
        }
        if self.carry.push(rest) { Ok(()) } else { Err(self.fail(from).into()) }
    }

    /// Ends the stream, and returns the bytes behind its last event: no reader is told of an event
    /// that no empty line ends. Gives the event that waited for an LF, if there is one. Then it is
    /// ready for another stream.
    ///
    /// # Errors
    /// As [`push`](Self::push).
    pub fn finish<E: From<EventTooLong>>(
        &mut self,
        mut event: impl FnMut(Event<'_>) -> Result<(), E>,
    ) -> Result<&[u8], E> {
        if self.failed {
            return Err(self.fail(0).into());
        }
        let mut result = Ok(());
        if self.frame.ended() {
            result = event(Event::parse(self.carry.bytes(), !self.begun, &mut self.joined));
            self.carry.clear();
        }
        self.joined.clear();
        self.joined.extend_from_slice(self.carry.bytes());
        self.clear();
        result.map(|()| self.joined.as_slice())
    }

    /// The bytes of the pieces so far that no event was made of yet. They stay after
    /// [`EventTooLong`].
    pub fn rest(&self) -> &[u8] {
        self.carry.bytes()
    }

    /// Forgets the stream so far, failures included; keeps the memory.
    pub fn clear(&mut self) {
        self.frame = Frame::default();
        self.carry.clear();
        (self.begun, self.failed) = (false, false);
    }

    fn fail(&mut self, from: usize) -> EventTooLong {
        self.failed = true;
        EventTooLong { limit: self.carry.limit(), from }
    }
}

/// An event is longer than its reader allows. The traffic is at fault, or the limit is too low.
///
/// To pass on what no event was made of, forward [`Events::rest`], then the piece from byte `from`
/// on, then all other pieces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the traffic has an event of more than {limit} bytes: refuse it or raise the limit")]
#[non_exhaustive]
pub struct EventTooLong {
    /// The longest event that is allowed, in bytes.
    pub limit: usize,
    /// Where in the piece the bytes begin that no event was made of.
    pub from: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(events: &mut Events, piece: &str) -> Result<Vec<String>, EventTooLong> {
        let mut seen = Vec::new();
        events.push(piece.as_bytes(), |event| {
            seen.push(event.raw.escape_ascii().to_string());
            Ok::<_, EventTooLong>(())
        })?;
        Ok(seen)
    }

    fn none(_: Event<'_>) -> Result<(), EventTooLong> {
        panic!("there is no event");
    }

    #[test]
    fn an_event_is_given_when_its_last_byte_is_there() {
        let mut events = Events::new(99);
        assert_eq!(seen(&mut events, "data: a\n\ndata").unwrap(), [r"data: a\n\n"]);
        assert_eq!(events.rest(), b"data");
        assert_eq!(seen(&mut events, ": b\r\n").unwrap(), [""; 0]);
        assert_eq!(seen(&mut events, "\r").unwrap(), [""; 0], "an LF is to be expected");
        assert_eq!(
            seen(&mut events, "\ndata: c\r\r").unwrap(),
            [r"data: b\r\n\r\n", r"data: c\r\r"]
        );
        assert_eq!(events.finish(none), Ok(&b""[..]));
    }

    #[test]
    fn the_end_tells_what_is_left() {
        let mut events = Events::new(99);
        assert_eq!(seen(&mut events, "\u{FEFF}data: a\n\n").unwrap().len(), 1);
        assert_eq!(seen(&mut events, "data: b\n\r").unwrap(), [""; 0]);
        let mut data = Vec::new();
        let result = events.finish(|event| {
            data.extend_from_slice(event.data.unwrap());
            Ok::<_, EventTooLong>(())
        });
        assert_eq!((result, data), (Ok(&b""[..]), b"b".to_vec()), "no LF came");
        assert_eq!(seen(&mut events, "data: c\n").unwrap(), [""; 0]);
        assert_eq!(events.finish(none), Ok(&b"data: c\n"[..]));
        assert_eq!(seen(&mut events, "\n").unwrap(), [r"\n"], "another stream");
    }

    #[test]
    fn too_long_an_event_leaves_what_is_to_be_passed_on() {
        let mut events = Events::new(10);
        assert_eq!(seen(&mut events, "data: ab\n\n").unwrap().len(), 1, "just short enough");
        seen(&mut events, "data: ").unwrap();
        let error = seen(&mut events, "a\n\ndata: abc\n\nno more").unwrap_err();
        assert_eq!((error, events.rest()), (EventTooLong { limit: 10, from: 3 }, &b""[..]));
        assert_eq!(seen(&mut events, "\n\n").unwrap_err().from, 0);
        assert!(events.finish(none).is_err());

        events.clear();
        seen(&mut events, "data: ab").unwrap();
        let error = seen(&mut events, "c\n\n").unwrap_err();
        assert_eq!((error.from, events.rest()), (0, &b"data: ab"[..]));
    }

    #[test]
    fn a_caller_that_fails_stops_it() {
        let stop = EventTooLong { limit: 0, from: 7 };
        let mut events = Events::new(99);
        assert_eq!(events.push(b"data: a\n\ndata: b\n\n", |_| Err(stop)), Err(stop));
        assert_eq!(events.rest(), b"");
        assert_eq!(seen(&mut events, "data: c\n\n").unwrap(), [r"data: c\n\n"]);
    }
}
