//! How a body comes to a plugin: its end, what was held of it, trailers, both directions.

#![expect(clippy::unwrap_used, reason = "a test fails where it does not hold")]

use std::cell::{Cell, RefCell};

use bench_host::measure::Phase;
use bench_host::testing::{Answer, Call, Seen, TestHost};
use chunkwise::abi::Direction;
use chunkwise::http::{BodyAction, HeadersAction, RequestHeaders, ResponseHeaders};
use chunkwise::http::{Trailers, TrailersAction};
use chunkwise::{Chunk, Config, ConfigError, Error, Filter, Plugin, Result};

type Work = Box<dyn FnMut(&mut Chunk<'_>) -> Result<BodyAction>>;

thread_local! {
    static WORK: RefCell<Work> = RefCell::new(Box::new(|_| Ok(BodyAction::Pass)));
    static DIRECTION: Cell<Direction> = const { Cell::new(Direction::Request) };
    static LOOKS: RefCell<Vec<Look>> = const { RefCell::new(Vec::new()) };
}

/// What a plugin was shown.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Look {
    Headers { has_body: bool },
    Chunk { bytes: String, held: usize, last: bool },
    Trailers,
}

fn headers(has_body: bool) -> Look {
    Look::Headers { has_body }
}

fn chunk(bytes: &str, held: usize) -> Look {
    Look::Chunk { bytes: bytes.to_owned(), held, last: false }
}

fn last(bytes: &str, held: usize) -> Look {
    Look::Chunk { bytes: bytes.to_owned(), held, last: true }
}

/// Takes down what it is shown of one direction, and does with chunks what the test says.
struct Scripted;
struct ScriptedFilter;

impl Plugin for Scripted {
    type Filter = ScriptedFilter;

    fn configure(_: &Config<'_>) -> Result<Self, ConfigError> {
        Ok(Self)
    }

    fn filter(&self) -> ScriptedFilter {
        ScriptedFilter
    }
}

fn see(direction: Direction, look: Look) -> bool {
    let seen = DIRECTION.get() == direction;
    if seen {
        LOOKS.with_borrow_mut(|looks| looks.push(look));
    }
    seen
}

fn body(direction: Direction, chunk: &mut Chunk<'_>) -> Result<BodyAction> {
    let bytes = String::from_utf8_lossy(chunk.bytes()?).into_owned();
    let look = Look::Chunk { bytes, held: chunk.held(), last: chunk.is_last() };
    if see(direction, look) {
        WORK.with_borrow_mut(|work| work(chunk))
    } else {
        Ok(BodyAction::Pass)
    }
}

impl Filter<Scripted> for ScriptedFilter {
    fn request_headers(
        &mut self,
        _: &Scripted,
        headers: &RequestHeaders<'_>,
    ) -> Result<HeadersAction> {
        see(Direction::Request, Look::Headers { has_body: headers.has_body() });
        Ok(HeadersAction::Continue)
    }

    fn request_body(&mut self, _: &Scripted, chunk: &mut Chunk<'_>) -> Result<BodyAction> {
        body(Direction::Request, chunk)
    }

    fn request_trailers(&mut self, _: &Scripted, _: &Trailers<'_>) -> Result<TrailersAction> {
        see(Direction::Request, Look::Trailers);
        Ok(TrailersAction::Continue)
    }

    fn response_headers(
        &mut self,
        _: &Scripted,
        headers: &ResponseHeaders<'_>,
    ) -> Result<HeadersAction> {
        see(Direction::Response, Look::Headers { has_body: headers.has_body() });
        Ok(HeadersAction::Continue)
    }

    fn response_body(&mut self, _: &Scripted, chunk: &mut Chunk<'_>) -> Result<BodyAction> {
        body(Direction::Response, chunk)
    }

    fn response_trailers(&mut self, _: &Scripted, _: &Trailers<'_>) -> Result<TrailersAction> {
        see(Direction::Response, Look::Trailers);
        Ok(TrailersAction::Continue)
    }
}

/// A message, which the tests send as a request and as a response.
#[derive(Clone, Copy, Debug, Default)]
struct Message {
    http1: bool,
    chunks: &'static [&'static str],
    trailers: bool,
}

impl Message {
    fn of(chunks: &'static [&'static str]) -> Self {
        Self { chunks, ..Self::default() }
    }

    fn http1(self) -> Self {
        Self { http1: true, ..self }
    }

    fn trailers(self) -> Self {
        Self { trailers: true, ..self }
    }

    fn call(self, direction: Direction) -> Call {
        let mut answer = Answer::new(200);
        let mut call = Call::post("/");
        if self.http1 {
            call = call.http1();
        }
        match direction {
            Direction::Request => {
                if !self.chunks.is_empty() {
                    call = call.chunks(self.chunks);
                }
                if self.trailers {
                    call = call.trailer("x-sum", "1");
                }
            }
            Direction::Response => {
                if !self.chunks.is_empty() {
                    answer = answer.chunks(self.chunks);
                }
                if self.trailers {
                    answer = answer.trailer("x-sum", "1");
                }
            }
        }
        call.answer(answer)
    }
}

/// Sends a message in a direction; gives what the plugin saw and what its receiver got.
fn send(
    direction: Direction,
    message: Message,
    work: impl FnMut(&mut Chunk<'_>) -> Result<BodyAction> + 'static,
) -> (Vec<Look>, Seen) {
    WORK.set(Box::new(work));
    DIRECTION.set(direction);
    LOOKS.take();
    let mut host = TestHost::native::<Scripted>("").unwrap();
    let outcome = host.send(message.call(direction)).unwrap();
    assert_eq!(host.log(), []);
    assert!(outcome.upstream.ended && outcome.downstream.ended, "{message:?} hangs: {outcome:?}");
    assert!(!outcome.replied_locally && !outcome.reset);
    let (seen, trailers) = match direction {
        Direction::Request => (outcome.upstream, Phase::RequestTrailers),
        Direction::Response => (outcome.downstream, Phase::ResponseTrailers),
    };
    assert_eq!(host.ledger().phase(trailers).calls, u64::from(message.trailers));
    assert_eq!(seen.trailers.len(), usize::from(message.trailers));
    (LOOKS.take(), seen)
}

/// Sends a message both ways, and checks what the plugin saw and what came out.
fn check(
    message: Message,
    work: impl FnMut(&mut Chunk<'_>) -> Result<BodyAction> + Clone + 'static,
    looks: &[Look],
    out: &str,
) {
    for direction in [Direction::Request, Direction::Response] {
        let (saw, seen) = send(direction, message, work.clone());
        assert_eq!(saw, looks, "{direction:?} {message:?}");
        assert_eq!(seen.text(), out, "{direction:?} {message:?}");
    }
}

fn go_on(_: &mut Chunk<'_>) -> Result<BodyAction> {
    Ok(BodyAction::Pass)
}

fn hold(_: &mut Chunk<'_>) -> Result<BodyAction> {
    Ok(BodyAction::Hold)
}

#[test]
fn headers_that_end_the_message_bring_no_chunk() {
    check(Message::of(&[]), go_on, &[headers(false)], "");
}

#[test]
fn the_last_chunk_comes_once_however_the_body_ends() {
    let with = [headers(true), chunk("ab", 0), last("cd", 0)];
    check(Message::of(&["ab", "cd"]), go_on, &with, "abcd");
    let with = [headers(true), chunk("ab", 0), chunk("cd", 0), last("", 0)];
    check(Message::of(&["ab", "cd"]).http1(), go_on, &with, "abcd");
    check(Message::of(&["ab", "cd", ""]), go_on, &with, "abcd");
    let with = [headers(true), chunk("ab", 0), chunk("", 0), last("cd", 0)];
    check(Message::of(&["ab", "", "cd"]), go_on, &with, "abcd");
}

#[test]
fn an_empty_body_is_one_empty_last_chunk() {
    let with = [headers(true), last("", 0)];
    check(Message::of(&[""]), go_on, &with, "");
    check(Message::of(&[""]).http1(), go_on, &with, "");
}

#[test]
fn trailers_end_a_body_with_a_last_chunk_that_is_empty() {
    let with = [headers(true), chunk("ab", 0), chunk("cd", 0), last("", 0), Look::Trailers];
    check(Message::of(&["ab", "cd"]).trailers(), go_on, &with, "abcd");
    check(Message::of(&["ab", "cd"]).trailers().http1(), go_on, &with, "abcd");
    check(Message::of(&[]).trailers(), go_on, &[headers(true), last("", 0), Look::Trailers], "");
}

#[test]
fn what_was_released_before_trailers_cannot_be_changed() {
    let edits = |chunk: &mut Chunk<'_>| {
        assert_eq!(chunk.is_released(), chunk.is_last());
        if chunk.is_last() {
            let released = Err(Error::BodyReleased);
            assert_eq!(chunk.append(b"x"), released);
            assert_eq!(chunk.prepend(b"x"), released);
            assert_eq!(chunk.replace(b"x"), released);
            assert_eq!(chunk.replace_prefix(0, b"x"), released);
            assert_eq!(chunk.clear(), released);
            assert_eq!(chunk.bytes_mut().err(), Some(Error::BodyReleased));
            assert_eq!(chunk.prefix_mut(0).err(), Some(Error::BodyReleased));
            assert_eq!((chunk.len(), chunk.bytes()), (0, Ok(&b""[..])));
        }
        Ok(BodyAction::Pass)
    };
    let with = [headers(true), chunk("ab", 0), last("", 0), Look::Trailers];
    check(Message::of(&["ab"]).trailers(), edits, &with, "ab");
}

#[test]
fn what_was_held_can_still_be_changed_when_trailers_come() {
    let shout = |chunk: &mut Chunk<'_>| {
        assert!(!chunk.is_released());
        if chunk.is_last() {
            chunk.bytes_mut()?.make_ascii_uppercase();
            chunk.append(b"!")?;
        }
        Ok(BodyAction::Hold)
    };
    let with = [headers(true), chunk("ab", 0), chunk("abcd", 2), last("abcd", 4), Look::Trailers];
    check(Message::of(&["ab", "cd"]).trailers(), shout, &with, "ABCD!");
}

#[test]
fn what_was_held_comes_again_with_what_follows() {
    let mut chunks = 0;
    let hold_first = move |_: &mut Chunk<'_>| {
        chunks += 1;
        Ok(if chunks == 1 { BodyAction::Hold } else { BodyAction::Pass })
    };
    let with = [headers(true), chunk("ab", 0), chunk("abcd", 2), last("ef", 0)];
    check(Message::of(&["ab", "cd", "ef"]), hold_first, &with, "abcdef");
    let (_, seen) = send(Direction::Request, Message::of(&["ab", "cd", "ef"]), hold_first);
    assert_eq!(seen.frames, 2, "the held one leaves with the one behind it");

    let with = [headers(true), chunk("ab", 0), chunk("abcd", 2), last("abcdef", 4)];
    check(Message::of(&["ab", "cd", "ef"]), hold, &with, "abcdef");
}

#[test]
fn holding_the_last_chunk_does_not_hang() {
    check(Message::of(&["ab"]), hold, &[headers(true), last("ab", 0)], "ab");
    check(Message::of(&[""]), hold, &[headers(true), last("", 0)], "");
    let with = [headers(true), chunk("ab", 0), last("ab", 2)];
    check(Message::of(&["ab"]).http1(), hold, &with, "ab");
    let with = [headers(true), last("", 0), Look::Trailers];
    check(Message::of(&[]).trailers(), hold, &with, "");
}

#[test]
fn held_counts_what_an_edit_left() {
    let empty = |chunk: &mut Chunk<'_>| chunk.clear().map(|()| BodyAction::Hold);
    let with = [headers(true), chunk("ab", 0), chunk("cd", 0), last("ef", 0)];
    check(Message::of(&["ab", "cd", "ef"]), empty, &with, "");
    let with = [headers(true), chunk("ab", 0), last("", 0), Look::Trailers];
    check(
        Message::of(&["ab"]).trailers(),
        |chunk| {
            if chunk.is_last() {
                assert!(chunk.is_released(), "nothing is left in the host");
                return Ok(BodyAction::Pass);
            }
            chunk.clear().map(|()| BodyAction::Hold)
        },
        &with,
        "",
    );

    let mark = |chunk: &mut Chunk<'_>| chunk.append(b"|").map(|()| BodyAction::Hold);
    let with = [headers(true), chunk("ab", 0), chunk("ab|cd", 3), last("ab|cd|ef", 6)];
    check(Message::of(&["ab", "cd", "ef"]), mark, &with, "ab|cd|ef|");
}

#[test]
fn edits_in_place_of_a_held_chunk_are_seen_by_the_next() {
    let shout = |chunk: &mut Chunk<'_>| {
        let new = chunk.len() - chunk.held();
        assert_eq!(new, 2);
        chunk.bytes_mut()?.make_ascii_uppercase();
        Ok(BodyAction::Hold)
    };
    let with = [headers(true), chunk("ab", 0), chunk("ABcd", 2), last("ABCDef", 4)];
    check(Message::of(&["ab", "cd", "ef"]), shout, &with, "ABCDEF");
}

#[test]
fn interleaved_streams_hold_for_themselves() {
    WORK.set(Box::new(hold));
    DIRECTION.set(Direction::Request);
    let mut host = TestHost::native::<Scripted>("").unwrap();
    let calls = ["1", "22", "333"].map(|part| Call::post("/").chunks([part; 4]));
    let outcomes = host.interleave(calls).unwrap();
    let bodies = outcomes.iter().map(|outcome| outcome.upstream.text());
    assert_eq!(bodies.collect::<Vec<_>>(), ["1111", "22222222", "333333333333"]);
}
