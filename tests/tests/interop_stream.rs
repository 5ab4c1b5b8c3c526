//! `chunkwise::interop::Stream` natively, under a dispatcher of the test's own.

#![expect(clippy::unwrap_used, reason = "a test fails where it does not hold")]

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

use bench_host::engine::native::NativeExports;
use bench_host::host::{Level, Profile, Settings};
use bench_host::measure::Phase;
use bench_host::testing::{Answer, Call, TestHost};
use chunkwise::abi::{Direction, Guest};
use chunkwise::http::BodyAction;
use chunkwise::interop::Stream;
use chunkwise::{Chunk, Error, OnError, Result};

type Work = fn(Direction, &mut Chunk<'_>) -> Result<BodyAction>;
type Headers = fn(Direction) -> Result<()>;

/// What was shown: how long a chunk is, how much of it was held, whether it is the last one.
type Look = (Direction, usize, usize, bool);

thread_local! {
    static WORK: Cell<Work> = const { Cell::new(|_, _| Ok(BodyAction::Pass)) };
    static HEADERS: Cell<Headers> = const { Cell::new(|_| Ok(())) };
    static ON_ERROR: Cell<OnError> = const { Cell::new(OnError::Refuse) };
    static LOOKS: RefCell<Vec<Look>> = const { RefCell::new(Vec::new()) };
}

/// Does what the crate `proxy-wasm` does, with the numbers of its `Action`.
#[derive(Default)]
struct Dispatcher(RefCell<HashMap<u32, Stream<u32>>>);

const CONTINUE: u32 = 0;
const PAUSE: u32 = 1;

impl Dispatcher {
    fn with(&self, context: u32, callback: impl FnOnce(&mut Stream<u32>) -> u32) -> u32 {
        callback(self.0.borrow_mut().get_mut(&context).unwrap())
    }
}

fn body(direction: Direction) -> impl FnOnce(&mut Chunk<'_>) -> Result<BodyAction> {
    move |chunk| {
        let look = (direction, chunk.len(), chunk.held(), chunk.is_last());
        LOOKS.with_borrow_mut(|looks| looks.push(look));
        WORK.get()(direction, chunk)
    }
}

fn headers(direction: Direction) -> Result<()> {
    HEADERS.get()(direction)
}

impl Guest for Dispatcher {
    fn allocate(&self, size: usize) -> *mut u8 {
        Box::into_raw(vec![0; size].into_boxed_slice()).cast()
    }

    fn on_context_create(&self, context: u32, _parent: u32) {
        let stream = Stream::new(CONTINUE, PAUSE).on_error(ON_ERROR.get());
        self.0.borrow_mut().insert(context, stream);
    }

    fn on_vm_start(&self, _context: u32, _size: usize) -> bool {
        true
    }

    fn on_configure(&self, _context: u32, _size: usize) -> bool {
        true
    }

    fn on_request_headers(&self, context: u32, count: usize, end: bool) -> u32 {
        self.with(context, |stream| {
            stream.request_headers(count, end, |_| headers(Direction::Request))
        })
    }

    fn on_request_body(&self, context: u32, size: usize, end: bool) -> u32 {
        self.with(context, |stream| stream.request_body(size, end, body(Direction::Request)))
    }

    fn on_request_trailers(&self, context: u32, _count: usize) -> u32 {
        self.with(context, |stream| stream.request_trailers(body(Direction::Request)))
    }

    fn on_response_headers(&self, context: u32, count: usize, end: bool) -> u32 {
        self.with(context, |stream| {
            stream.response_headers(count, end, |_| headers(Direction::Response))
        })
    }

    fn on_response_body(&self, context: u32, size: usize, end: bool) -> u32 {
        self.with(context, |stream| stream.response_body(size, end, body(Direction::Response)))
    }

    fn on_response_trailers(&self, context: u32, _count: usize) -> u32 {
        self.with(context, |stream| stream.response_trailers(body(Direction::Response)))
    }

    fn on_tick(&self, _: u32) {}

    fn on_http_call_response(&self, _: u32, _: u32, _: usize, _: usize, _: usize) {}

    fn on_log(&self, _: u32) {}

    fn on_done(&self, _context: u32) -> bool {
        true
    }

    fn on_delete(&self, context: u32) {
        self.0.borrow_mut().remove(&context);
    }
}

fn start(work: Work) -> TestHost {
    WORK.set(work);
    let plugin = NativeExports::new(|| (), || Rc::new(Dispatcher::default()));
    TestHost::start(&plugin, Settings::new(Profile::Envoy), "").unwrap()
}

fn looks(direction: Direction) -> Vec<(usize, usize, bool)> {
    let looks = LOOKS.take().into_iter().filter(|(of, ..)| *of == direction);
    looks.map(|(_, len, held, last)| (len, held, last)).collect()
}

fn hold(_: Direction, chunk: &mut Chunk<'_>) -> Result<BodyAction> {
    if chunk.is_last() {
        chunk.bytes_mut()?.make_ascii_uppercase();
    }
    Ok(BodyAction::Hold)
}

const ERROR: Error = Error::OutOfRange { start: 1, end: 2, len: 0 };

fn fail(direction: Direction, chunk: &mut Chunk<'_>) -> Result<BodyAction> {
    if direction == Direction::Response && chunk.len() > 3 {
        return Err(ERROR);
    }
    Ok(BodyAction::Pass)
}

#[test]
fn what_is_held_comes_again_in_front_of_the_next_chunk() {
    let mut host = start(hold);
    let call = Call::post("/").chunks(["abc", "de", "f"]);
    let outcome = host.send(call.answer(Answer::new(200).chunks(["x", "yz"]))).unwrap();
    assert_eq!((outcome.upstream.text(), outcome.upstream.frames), ("ABCDEF".into(), 1));
    assert_eq!(outcome.downstream.text(), "XYZ");
    assert!(outcome.upstream.ended && outcome.downstream.ended);
    let seen = LOOKS.with_borrow(Vec::clone);
    assert_eq!(looks(Direction::Request), [(3, 0, false), (5, 3, false), (6, 5, true)]);
    LOOKS.set(seen);
    assert_eq!(looks(Direction::Response), [(1, 0, false), (3, 1, true)]);
}

#[test]
fn trailers_end_a_body_once() {
    let mut host = start(hold);
    let answer = Answer::new(200).chunks(["abc", "d"]).trailer("sum", "1");
    let outcome = host.send(Call::get("/").answer(answer)).unwrap();
    assert_eq!(outcome.downstream.text(), "ABCD");
    assert_eq!(outcome.downstream.trailers.len(), 1);
    assert_eq!(looks(Direction::Response), [(3, 0, false), (4, 3, false), (4, 4, true)]);
}

#[test]
fn a_chunk_that_is_left_alone_crosses_no_boundary() {
    let mut host = start(|_, _| Ok(BodyAction::Pass));
    host.send(Call::post("/").chunks(["abc"; 10])).unwrap();
    assert!(host.ledger().host_calls(Phase::RequestBody).is_empty());
    WORK.set(|_, chunk| {
        let bytes = chunk.bytes()?;
        assert_eq!((bytes, chunk.range(1..2)?), (&b"abc"[..], &b"b"[..]));
        Ok(BodyAction::Pass)
    });
    host.send(Call::post("/").chunks(["abc"; 10])).unwrap();
    let calls = host.ledger().host_calls(Phase::RequestBody);
    assert_eq!(calls.into_iter().collect::<Vec<_>>(), [("proxy_get_buffer_bytes".into(), 10)]);
}

#[test]
fn an_error_refuses_the_stream() {
    let mut host = start(fail);
    let answer = Answer::new(200).chunks(["abc", "defg", "h"]);
    let outcome = host.send(Call::get("/").answer(answer)).unwrap();
    assert!(outcome.reset && !outcome.downstream.ended);
    assert_eq!(outcome.downstream.text(), "abc");
    assert_eq!(looks(Direction::Response).len(), 2, "it is not asked again");
    let line = &host.log()[0];
    assert_eq!(line.level, Level::Error);
    assert_eq!(line.message, "response_body: the plugin asked for 1..2 of a chunk of 0 bytes");
}

#[test]
fn an_error_in_a_request_is_answered_with_500() {
    for phase in ["headers", "body"] {
        HEADERS.set(|_| Ok(()));
        let mut host = start(|_, _| Err(ERROR));
        if phase == "headers" {
            HEADERS.set(|_| Err(ERROR));
        }
        let outcome = host.send(Call::post("/").chunks(["abc", "d"])).unwrap();
        assert_eq!(outcome.downstream.header(":status").unwrap(), "500", "{phase}");
        assert!(outcome.replied_locally && outcome.downstream.ended, "{phase}");
        assert_eq!(outcome.upstream.text(), "", "{phase}");
        assert!(looks(Direction::Response).is_empty(), "its own reply passes unseen");
    }
}

#[test]
fn an_observer_lets_the_stream_go_on_after_an_error() {
    ON_ERROR.set(OnError::Continue);
    let mut host = start(fail);
    let answer = Answer::new(200).chunks(["abc", "defg", "h"]).trailer("sum", "1");
    let outcome = host.send(Call::get("/").answer(answer)).unwrap();
    assert_eq!(outcome.downstream.text(), "abcdefgh");
    assert!(outcome.downstream.ended && !outcome.reset);
    assert_eq!(looks(Direction::Response).len(), 2, "it is not asked again");
    assert_eq!(host.log().len(), 1);
}

#[test]
fn what_was_held_goes_on_with_an_observer_that_fails() {
    ON_ERROR.set(OnError::Continue);
    let mut host = start(|_, chunk| match chunk.held() {
        0 => Ok(BodyAction::Hold),
        _ => Err(ERROR),
    });
    let outcome = host.send(Call::post("/").chunks(["abc", "defg", "h"])).unwrap();
    assert_eq!(outcome.upstream.text(), "abcdefgh");
}

#[test]
fn withheld_bytes_are_refused_even_for_observers() {
    ON_ERROR.set(OnError::Continue);
    let mut host = start(|_, _| Err(Error::Withheld { bytes: 3 }));
    let outcome = host.send(Call::post("/").chunks(["abc", "d"])).unwrap();
    assert_eq!(outcome.downstream.header(":status").unwrap(), "500");
}
