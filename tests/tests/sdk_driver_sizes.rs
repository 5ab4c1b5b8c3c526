//! The driver against a host that announces sizes that cannot be, and then refuses every call.

use std::cell::Cell;

// Links the host's functions, which find no host here.
use bench_host as _;
use chunkwise::abi::Guest;
use chunkwise::http::{BodyAction, HeadersAction, RequestHeaders, ResponseHeaders};
use chunkwise::{Chunk, Config, ConfigError, Driver, Filter, OnError, Plugin, Result};

const CONTINUE: u32 = 0;

/// Does everything that can be done with what a host announces.
struct Greedy;
struct GreedyFilter;

impl Plugin for Greedy {
    type Filter = GreedyFilter;

    const ON_ERROR: OnError = OnError::Refuse;

    fn configure(config: &Config<'_>) -> Result<Self, ConfigError> {
        // The host has none of it.
        assert_eq!(config.is_empty(), config.bytes().is_ok());
        Ok(Self)
    }

    fn filter(&self) -> GreedyFilter {
        GreedyFilter
    }
}

impl GreedyFilter {
    fn chunk(chunk: &mut Chunk<'_>) -> Result<BodyAction> {
        let len = chunk.len();
        let _ = chunk.bytes();
        let _ = chunk.range(len / 2..);
        let _ = chunk.bytes_mut().map(|bytes| bytes.fill(0));
        let _ = chunk.prefix_mut(len / 2);
        let _ = chunk.append(b"behind");
        let _ = chunk.prepend(b"in front");
        let _ = chunk.replace_prefix(len, b"instead");
        chunk.replace(b"all")?;
        Ok(BodyAction::Hold)
    }
}

impl Filter<Greedy> for GreedyFilter {
    fn request_headers(
        &mut self,
        _: &Greedy,
        headers: &RequestHeaders<'_>,
    ) -> Result<HeadersAction> {
        let _ = headers.iter().map(Iterator::count);
        let _ = headers.set("x", "y");
        headers.get("x")?;
        Ok(HeadersAction::Hold)
    }

    fn request_body(&mut self, _: &Greedy, chunk: &mut Chunk<'_>) -> Result<BodyAction> {
        Self::chunk(chunk)
    }

    fn response_headers(
        &mut self,
        _: &Greedy,
        headers: &ResponseHeaders<'_>,
    ) -> Result<HeadersAction> {
        headers.iter()?;
        Ok(HeadersAction::Hold)
    }

    fn response_body(&mut self, _: &Greedy, chunk: &mut Chunk<'_>) -> Result<BodyAction> {
        Self::chunk(chunk)
    }
}

/// Makes every callback of a context, with numbers that make no sense.
fn storm(guest: &dyn Guest, context: u32) {
    for size in [0, 1, usize::MAX / 2, usize::MAX - 1, usize::MAX] {
        for end in [false, true] {
            guest.on_request_headers(context, size, end);
            guest.on_request_body(context, size, end);
            guest.on_request_trailers(context, size);
            guest.on_response_headers(context, size, end);
            guest.on_response_body(context, size, end);
            guest.on_response_trailers(context, size);
        }
    }
    assert!(guest.on_done(context));
}

const STOP_ALL_HEADERS: u32 = 4;
const STOP_NO_BUFFER: u32 = 3;

#[test]
fn absurd_sizes_and_a_host_that_refuses_everything_are_survived() {
    for size in [0, 1, usize::MAX / 2, usize::MAX] {
        let driver = Driver::<Greedy>::new();
        driver.on_context_create(1, 0);
        assert!(driver.on_vm_start(1, size) && driver.on_configure(1, size));
        for context in 2..40 {
            driver.on_context_create(context, 1);
        }
        // An error refuses the stream, and where the host does not take the reply, the answer stops
        // it all the same. Afterwards nobody is asked, and no body goes on.
        for (headers, body) in [(STOP_ALL_HEADERS, STOP_NO_BUFFER), (CONTINUE, STOP_NO_BUFFER)] {
            assert_eq!(driver.on_request_headers(2, size, false), headers);
            assert_eq!(driver.on_request_body(3, size, false), body);
            assert_eq!(driver.on_response_headers(4, size, false), headers);
            assert_eq!(driver.on_response_body(5, size, true), body);
        }
        for context in 0..44 {
            storm(&driver, context);
            driver.on_delete(context);
        }
    }
}

thread_local! {
    static EDITED: Cell<bool> = const { Cell::new(false) };
}

#[test]
fn edits_of_a_chunk_of_absurd_length_do_not_overflow() {
    struct Edits;
    struct EditsFilter;
    impl Plugin for Edits {
        type Filter = EditsFilter;
        const ON_ERROR: OnError = OnError::Continue;
        fn configure(_: &Config<'_>) -> Result<Self, ConfigError> {
            Ok(Self)
        }
        fn filter(&self) -> EditsFilter {
            EditsFilter
        }
    }
    impl Filter<Edits> for EditsFilter {
        fn request_body(&mut self, _: &Edits, chunk: &mut Chunk<'_>) -> Result<BodyAction> {
            assert_eq!(chunk.len(), usize::MAX);
            assert!(chunk.append(b"x").is_err() && chunk.prepend(b"x").is_err());
            assert!(chunk.replace_prefix(1, b"xy").is_err());
            assert!(chunk.range(usize::MAX - 1..).is_err());
            EDITED.set(true);
            Ok(BodyAction::Pass)
        }
    }
    let driver = Driver::<Edits>::new();
    driver.on_context_create(1, 0);
    assert!(driver.on_configure(1, 0));
    driver.on_context_create(2, 1);
    assert_eq!(driver.on_request_body(2, usize::MAX, false), CONTINUE);
    assert!(EDITED.get());
}

#[test]
fn memory_is_given_or_refused() {
    let driver = Driver::<Greedy>::new();
    assert!(!driver.allocate(0).is_null());
    assert!(!driver.allocate(1).is_null());
    for absurd in [usize::MAX, usize::MAX - 15, isize::MAX as usize, isize::MAX as usize - 16] {
        assert!(driver.allocate(absurd).is_null(), "{absurd}");
    }
    let large = driver.allocate(1 << 20);
    assert!(!large.is_null() && large.is_aligned());
    assert!(!driver.allocate(16).is_null(), "a refusal spoils nothing");
}
