//! A driver that a host calls in the middle of a host call, or that stays after it has refused.
//!
//! It is driven from within the callbacks of a scripted plugin, so that its host calls find the host
//! of that one: hosts that do what Envoy rarely does.

#![expect(clippy::unwrap_used, reason = "a test fails where it does not hold")]

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use bench_host::host::Direction;
use chunkwise::abi::Guest;
use chunkwise::http::{
    BodyAction, BodyMode, HeadersAction, RequestHeaders, ResponseHeaders, Resume, StreamHandle,
    Trailers, TrailersAction,
};
use chunkwise::{Chunk, Config, ConfigError, Driver, Error, Filter, Host, Plugin, Result};
use chunkwise_task_tests::{AUTH, Case, Script, Signal, headers, open};

const PASS: u32 = 0;
const DROP_BODY: u32 = 3;
const HOLD_TRAILERS: u32 = 1;

thread_local! {
    static INNER: Driver<Inner> = Driver::new();
    static SIGNAL: RefCell<Signal> = RefCell::default();
    static KEPT: RefCell<Option<StreamHandle>> = const { RefCell::new(None) };
    static SENT: Cell<Option<Result<()>>> = const { Cell::new(None) };
}

#[derive(Debug)]
struct Inner;

impl Plugin for Inner {
    type Filter = InnerFilter;

    const HOST: Host = Host::Higress;

    fn configure(_: &Config<'_>) -> Result<Self, ConfigError> {
        Ok(Self)
    }

    fn filter(&self) -> InnerFilter {
        InnerFilter
    }
}

#[derive(Debug)]
struct InnerFilter;

impl Filter<Inner> for InnerFilter {
    const REQUEST_BODY: BodyMode = BodyMode::Stream;

    fn request_headers(
        &mut self,
        _: &Inner,
        headers: &RequestHeaders<'_>,
    ) -> Result<HeadersAction> {
        // A stream that comes when another one's handle is there chooses that for a while.
        if let Some(other) = KEPT.replace(Some(headers.handle())) {
            other.shared_data(|_| {
                // The host calls back, and then has the context chosen that was before.
                INNER.with(|inner| inner.on_context_create(99, 1));
                Ok(())
            })?;
            headers.set("x-mine", "1")?;
        }
        Ok(HeadersAction::Hold)
    }

    fn request_body(&mut self, _: &Inner, chunk: &mut Chunk<'_>) -> Result<BodyAction> {
        match (chunk.is_last(), chunk.len()) {
            (true, _) => chunk.wait(async |_| {
                SIGNAL.with_borrow(Signal::clone).await;
                Ok(Resume::Continue)
            }),
            (false, 1) => Ok(BodyAction::Edit("longer".into())),
            (false, 2) => {
                let error = Error::ShortRead { wanted: 2, got: 0 };
                assert_eq!(chunk.to_bytes().err(), Some(error));
                Ok(BodyAction::Drop)
            }
            (false, _) => Ok(BodyAction::Hold),
        }
    }

    fn request_trailers(&mut self, _: &Inner, _: &Trailers<'_>) -> Result<TrailersAction> {
        Err(Error::Plugin("not these trailers"))
    }

    fn response_headers(
        &mut self,
        _: &Inner,
        headers: &ResponseHeaders<'_>,
    ) -> Result<HeadersAction> {
        Ok(headers.relay(async |mut body| {
            SIGNAL.with_borrow(Signal::clone).await;
            SENT.set(Some(body.send("late")));
            Ok(())
        }))
    }

    fn response_trailers(&mut self, _: &Inner, _: &Trailers<'_>) -> Result<TrailersAction> {
        Err(Error::Plugin("not these trailers"))
    }
}

/// Runs something with the inner driver, which knows these streams, in a callback of the last.
fn within<const N: usize>(
    body: bool,
    run: impl Fn(&Driver<Inner>, [u32; N]) + 'static,
) -> Vec<bool> {
    let ran = Rc::new(Cell::new(false));
    let (noted, contexts) = (Rc::clone(&ran), Rc::new(Cell::new([0; N])));
    let known = Rc::clone(&contexts);
    let runs = move || {
        INNER.with(|inner| {
            inner.on_context_create(1, 0);
            assert!(inner.on_configure(1, 0));
            known.get().into_iter().for_each(|context| inner.on_context_create(context, 1));
            run(inner, known.get());
        });
        noted.set(true);
    };
    let runs = Rc::new(runs);
    let at_headers = Rc::clone(&runs);
    let script = Script::new()
        .request_headers(move |headers| {
            if headers.get("x-last")?.is_some() && !body {
                at_headers();
            }
            Ok(HeadersAction::Continue)
        })
        .request_body(move |_| {
            runs();
            Ok(BodyAction::Pass)
        });
    let mut host = Case { higress: true, refuse: true }.with(AUTH, script);
    let streams = [(); N].map(|()| open(&mut host));
    contexts.set(streams.map(|stream| stream.context));
    for (number, stream) in (1..).zip(streams) {
        let last: &[_] = if number == N { &[("x-last", "1")] } else { &[] };
        headers(&mut host, stream, Direction::Request, last, false);
    }
    if body {
        chunkwise_task_tests::data(&mut host, streams[N - 1], Direction::Request, b"a", false);
    }
    assert!(ran.get());
    let closed = streams.map(|stream| host.slot().close(stream).unwrap());
    let marked = |headers: bench_host::host::HeaderMap| headers.get(b"x-mine").is_some();
    closed.map(|closed| closed.request.received.headers.is_some_and(marked)).to_vec()
}

/// Hosts give a callback in the middle of another one a context of its own, and put that back which
/// was chosen before (proxy-wasm C++ host, `SaveRestoreContext`).
#[test]
fn a_callback_in_the_middle_leaves_the_chosen_context_as_it_was() {
    let marked = within(false, |inner, [first, second]| {
        inner.on_request_headers(first, 0, false);
        inner.on_request_headers(second, 0, false);
    });
    assert_eq!(marked, [false, true]);
}

#[test]
fn a_body_whose_length_cannot_be_mended_does_not_go_on() {
    within(true, |inner, [stream]| {
        inner.on_request_headers(stream, 0, false);
        for _ in 0..3 {
            assert_eq!(inner.on_request_body(stream, 1, false), DROP_BODY);
        }
        assert_eq!(inner.on_request_trailers(stream, 0), HOLD_TRAILERS);
    });
}

/// A guard must not take nothing for the whole of a body.
#[test]
fn bytes_that_a_host_announces_and_does_not_give_are_an_error() {
    within(false, |inner, [stream]| {
        inner.on_request_headers(stream, 0, false);
        assert_eq!(inner.on_request_body(stream, 2, false), DROP_BODY);
    });
}

#[test]
fn a_body_that_waits_does_not_go_on_when_its_trailers_are_refused() {
    within(false, |inner, [stream]| {
        inner.on_request_headers(stream, 0, false);
        inner.on_request_body(stream, 5, false);
        assert_eq!(inner.on_request_trailers(stream, 0), HOLD_TRAILERS);
        SIGNAL.with_borrow(Signal::clone).set();
        inner.on_tick(1);
        assert_eq!(inner.on_request_body(stream, 5, true), DROP_BODY);
    });
}

#[test]
fn a_relay_sends_nothing_when_its_trailers_are_refused() {
    within(false, |inner, [stream]| {
        assert_eq!(inner.on_response_headers(stream, 0, false), PASS);
        assert_eq!(inner.on_response_trailers(stream, 0), HOLD_TRAILERS);
        SIGNAL.with_borrow(Signal::clone).set();
        inner.on_tick(1);
    });
    assert_eq!(SENT.get(), Some(Err(Error::StreamGone)));
}
