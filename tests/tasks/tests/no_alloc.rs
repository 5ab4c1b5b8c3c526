//! What waiting allocates: a count, not an estimate. The host is one of this file's own, for the
//! bench host allocates too.

#![expect(unsafe_code, reason = "an allocator that counts, and a host's functions")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use chunkwise::abi::Guest;
use chunkwise::call::{Client, TargetCluster};
use chunkwise::http::{HeadersAction, RequestHeaders, Resume};
use chunkwise::{Config, ConfigError, Driver, Filter, Plugin, Result, time};
use futures_util::future::{join, select};

thread_local! {
    // For each thread, for the test harness allocates on its own.
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
    static DRIVER: RefCell<Option<Rc<Driver<Waiting>>>> = const { RefCell::new(None) };
    /// The number of the last call, and of the last that was answered.
    static ANSWERED: Cell<u32> = const { Cell::new(0) };
    static CALLS: Cell<u32> = const { Cell::new(0) };
    static NOW: Cell<u64> = const { Cell::new(1) };
    static RESUMED: Cell<u32> = const { Cell::new(0) };
    static KIND: Cell<Kind> = const { Cell::new(Kind::Sequence) };
}

struct Counting;

// SAFETY: both methods hand their arguments on to `System` unchanged and return what it returned;
// `realloc` and `alloc_zeroed` are the trait's own, which call these two.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: the caller keeps `alloc`'s contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller gives a block that `System` returned for the same layout.
        unsafe { System.dealloc(block, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// What a request's task does for ever, or once.
#[derive(Clone, Copy)]
enum Kind {
    Sequence,
    Joined,
    Raced,
    Sleeping,
    Once,
}

struct Waiting {
    client: Client,
}

struct WaitingFilter {
    client: Client,
}

impl Plugin for Waiting {
    type Filter = WaitingFilter;

    fn configure(_: &Config<'_>) -> Result<Self, ConfigError> {
        Ok(Self { client: Client::new(TargetCluster::new("auth", "auth")) })
    }

    fn filter(&self) -> WaitingFilter {
        WaitingFilter { client: self.client.clone() }
    }
}

impl Filter<Waiting> for WaitingFilter {
    fn request_headers(
        &mut self,
        _: &Waiting,
        headers: &RequestHeaders<'_>,
    ) -> Result<HeadersAction> {
        let client = self.client.clone();
        Ok(match KIND.get() {
            Kind::Sequence => headers.wait(async move |_| {
                loop {
                    let reply =
                        client.post("/check").header("x-a", "b").body("body").send().await?;
                    assert_eq!((reply.status(), reply.body()), (200, &b"allowed"[..]));
                }
            }),
            Kind::Joined => headers.wait(async move |_| {
                loop {
                    let (one, two) = join(client.get("/1").send(), client.get("/2").send()).await;
                    assert_eq!((one?.status(), two?.status()), (200, 200));
                }
            }),
            Kind::Raced => headers.wait(async move |_| {
                loop {
                    // The loser is dropped, and its answer comes late.
                    let race = select(client.get("/1").send(), client.get("/2").send());
                    drop(race.await.factor_first().0?);
                }
            }),
            Kind::Sleeping => headers.wait(async move |_| {
                loop {
                    time::sleep(Duration::from_millis(3)).await?;
                }
            }),
            Kind::Once => headers.wait(async move |held| {
                let reply = client.get("/1").send().await?;
                held.set("x-user", reply.body())?;
                Ok(Resume::Continue)
            }),
        })
    }
}

fn driver() -> Rc<Driver<Waiting>> {
    let driver = Rc::new(Driver::new());
    DRIVER.set(Some(Rc::clone(&driver)));
    driver.on_context_create(1, 0);
    assert!(driver.on_vm_start(1, 0) && driver.on_configure(1, 0));
    driver
}

/// Answers all calls up to `last`.
fn answer(driver: &Driver<Waiting>, from: u32, last: u32) {
    for call in from..=last {
        driver.on_http_call_response(1, call, 1, BODY.len(), 0);
    }
}

/// Answers calls one after the other as they are made; gives what that allocates.
fn allocations_of_answers(driver: &Driver<Waiting>, answers: u32) -> usize {
    let before = ALLOCATIONS.get();
    let mut answered = ANSWERED.get();
    let last = answered + answers;
    while answered < last {
        let sent = CALLS.get();
        assert!(sent > answered, "a call is made for every answer");
        answer(driver, answered + 1, sent);
        answered = sent;
    }
    ANSWERED.set(answered);
    ALLOCATIONS.get() - before
}

fn assert_awaits_allocate_nothing(kind: Kind) {
    KIND.set(kind);
    let driver = driver();
    driver.on_context_create(2, 1);
    assert_ne!(driver.on_request_headers(2, 3, true), 0);
    allocations_of_answers(&driver, 50);
    assert_eq!(allocations_of_answers(&driver, 10_000), 0);
    assert!(CALLS.get() >= 10_000);
    DRIVER.take();
}

#[test]
fn calls_one_after_the_other_allocate_nothing() {
    assert_awaits_allocate_nothing(Kind::Sequence);
}

#[test]
fn calls_at_once_allocate_nothing() {
    assert_awaits_allocate_nothing(Kind::Joined);
}

#[test]
fn forgotten_calls_allocate_nothing() {
    assert_awaits_allocate_nothing(Kind::Raced);
}

#[test]
fn sleeping_allocates_nothing() {
    KIND.set(Kind::Sleeping);
    let driver = driver();
    for stream in 2..50 {
        driver.on_context_create(stream, 1);
        driver.on_request_headers(stream, 3, true);
    }
    let tick = || {
        NOW.set(NOW.get() + 1_000_000);
        driver.on_tick(1);
    };
    (0..20).for_each(|_| tick());
    let before = ALLOCATIONS.get();
    (0..1_000).for_each(|_| tick());
    assert_eq!(ALLOCATIONS.get() - before, 0);
    DRIVER.take();
}

/// One for the task, as the documentation says.
#[test]
fn a_stream_that_waits_allocates_once() {
    KIND.set(Kind::Once);
    let driver = driver();
    let stream = |context: u32| {
        driver.on_context_create(context, 1);
        assert_ne!(driver.on_request_headers(context, 3, true), 0);
        answer(&driver, CALLS.get(), CALLS.get());
        driver.on_log(context);
        driver.on_done(context);
        driver.on_delete(context);
    };
    (2..50).for_each(stream);
    let (before, resumed) = (ALLOCATIONS.get(), RESUMED.get());
    (50..1_050).for_each(stream);
    assert_eq!((ALLOCATIONS.get() - before, RESUMED.get() - resumed), (1_000, 1_000));
    DRIVER.take();
}

#[test]
fn the_count_counts() {
    let before = ALLOCATIONS.get();
    drop(std::hint::black_box(Box::new(1)));
    assert_eq!(ALLOCATIONS.get() - before, 1);
}

const OK: u32 = 0;
const BAD_ARGUMENT: u32 = 2;

/// A header map in the wire format: `:status: 200`.
const HEADERS: &[u8] = b"\x01\0\0\0\x07\0\0\0\x03\0\0\0:status\x00200\0";
const BODY: &[u8] = b"allowed";

/// Gives bytes to the guest, in memory that it provides.
fn give(bytes: &[u8], data: *mut *mut u8, size: *mut usize) -> u32 {
    let driver = DRIVER.with_borrow(Clone::clone);
    let Some(driver) = driver else { return BAD_ARGUMENT };
    let memory = driver.allocate(bytes.len());
    if memory.is_null() {
        return BAD_ARGUMENT;
    }
    // SAFETY: the guest gave memory of that length, and its arguments point to its variables.
    unsafe { memory.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) };
    // SAFETY: as above.
    unsafe { data.write(memory) };
    // SAFETY: as above.
    unsafe { size.write(bytes.len()) };
    OK
}

// SAFETY of the attributes: nothing else defines these symbols, since the bench host is not linked.
#[unsafe(no_mangle)]
extern "C" fn proxy_http_call(
    _: *const u8,
    _: usize,
    _: *const u8,
    _: usize,
    _: *const u8,
    _: usize,
    _: *const u8,
    _: usize,
    _: u32,
    token: *mut u32,
) -> u32 {
    CALLS.set(CALLS.get() + 1);
    // SAFETY: the guest's argument points to its variable.
    unsafe { token.write(CALLS.get()) };
    OK
}

#[unsafe(no_mangle)]
extern "C" fn proxy_get_buffer_bytes(
    _: u32,
    _: usize,
    _: usize,
    data: *mut *mut u8,
    size: *mut usize,
) -> u32 {
    give(BODY, data, size)
}

#[unsafe(no_mangle)]
extern "C" fn proxy_get_header_map_pairs(_: u32, data: *mut *mut u8, size: *mut usize) -> u32 {
    give(HEADERS, data, size)
}

#[unsafe(no_mangle)]
extern "C" fn proxy_get_current_time_nanoseconds(now: *mut u64) -> u32 {
    // SAFETY: the guest's argument points to its variable.
    unsafe { now.write(NOW.get()) };
    OK
}

#[unsafe(no_mangle)]
extern "C" fn proxy_continue_stream(_: u32) -> u32 {
    RESUMED.set(RESUMED.get() + 1);
    OK
}

#[unsafe(no_mangle)]
extern "C" fn proxy_log(_: u32, message: *const u8, size: usize) -> u32 {
    // SAFETY: the guest's arguments are a slice of its memory.
    let message = unsafe { std::slice::from_raw_parts(message, size) };
    panic!("{}", String::from_utf8_lossy(message));
}

/// Functions that do nothing, with this answer.
macro_rules! nothing {
    ($($name:ident($($argument:ty),*) = $answer:expr;)*) => {
        $(
            #[unsafe(no_mangle)]
            extern "C" fn $name($(_: $argument),*) -> u32 {
                $answer
            }
        )*
    };
}

type In = *const u8;
type Out = *mut *mut u8;
type Size = *mut usize;

nothing! {
    proxy_get_log_level(*mut u32) = BAD_ARGUMENT;
    proxy_set_buffer_bytes(u32, usize, usize, In, usize) = OK;
    proxy_get_header_map_value(u32, In, usize, Out, Size) = BAD_ARGUMENT;
    proxy_add_header_map_value(u32, In, usize, In, usize) = OK;
    proxy_replace_header_map_value(u32, In, usize, In, usize) = OK;
    proxy_remove_header_map_value(u32, In, usize) = OK;
    proxy_get_property(In, usize, Out, Size) = BAD_ARGUMENT;
    proxy_send_local_response(u32, In, usize, In, usize, In, usize, i32) = OK;
    proxy_set_property(In, usize, In, usize) = OK;
    proxy_set_effective_context(u32) = OK;
    proxy_set_tick_period_milliseconds(u32) = OK;
    proxy_get_shared_data(In, usize, Out, Size, *mut u32) = BAD_ARGUMENT;
    proxy_set_shared_data(In, usize, In, usize, u32) = BAD_ARGUMENT;
    proxy_define_metric(u32, In, usize, *mut u32) = BAD_ARGUMENT;
    proxy_increment_metric(u32, i64) = BAD_ARGUMENT;
    proxy_record_metric(u32, u64) = BAD_ARGUMENT;
    proxy_get_metric(u32, *mut u64) = BAD_ARGUMENT;
    proxy_call_foreign_function(In, usize, In, usize, Out, Size) = BAD_ARGUMENT;
    proxy_inject_encoded_data_to_filter_chain(In, usize, u32) = OK;
    proxy_get_upstream_hosts(Out, Size) = BAD_ARGUMENT;
    proxy_set_upstream_override_host(In, usize) = BAD_ARGUMENT;
}
