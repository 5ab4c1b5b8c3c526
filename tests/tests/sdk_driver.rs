//! The driver against a host that calls whatever it likes, whenever it likes.
//!
//! There is no host here: every host call that a plugin makes fails.

use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};

// Links the host's functions, which find no host here.
use bench_host as _;
use chunkwise::abi::Guest;
use chunkwise::http::{BodyAction, EndedStream, HeadersAction, RequestHeaders};
use chunkwise::http::{Trailers, TrailersAction};
use chunkwise::{Chunk, Config, ConfigError, Driver, Filter, Plugin, Result};

const CONTINUE: u32 = 0;
const HOLD: u32 = 1;
const STOP: u32 = 1;

type Inside = Box<dyn FnOnce(&Driver<Noted>)>;

thread_local! {
    static NOTES: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
    static CONFIGURED: Cell<u32> = const { Cell::new(0) };
    static FILTERS: Cell<u32> = const { Cell::new(0) };
    /// What the host does in the middle of the next callback, or of the next drop of a filter.
    static IN_CALLBACK: RefCell<Option<Inside>> = const { RefCell::new(None) };
    static IN_DROP: RefCell<Option<Inside>> = const { RefCell::new(None) };
    static DRIVER: RefCell<Weak<Driver<Noted>>> = const { RefCell::new(Weak::new()) };
}

fn note(what: String) {
    NOTES.with_borrow_mut(|notes| notes.push(what));
}

fn notes() -> Vec<String> {
    NOTES.take()
}

fn re_enter(inside: Option<Inside>) {
    let driver = DRIVER.with_borrow(Weak::upgrade);
    if let (Some(inside), Some(driver)) = (inside, driver) {
        inside(&driver);
    }
}

/// Numbers its configurations and its filters, and notes what it is asked.
struct Noted {
    version: u32,
}

struct NotedFilter {
    number: u32,
    version: u32,
}

impl Plugin for Noted {
    type Filter = NotedFilter;

    fn configure(_: &Config<'_>) -> Result<Self, ConfigError> {
        CONFIGURED.set(CONFIGURED.get() + 1);
        Ok(Self { version: CONFIGURED.get() })
    }

    fn filter(&self) -> NotedFilter {
        FILTERS.set(FILTERS.get() + 1);
        NotedFilter { number: FILTERS.get(), version: self.version }
    }
}

impl Drop for Noted {
    fn drop(&mut self) {
        note(format!("v{} dropped", self.version));
    }
}

impl NotedFilter {
    fn called(&self, plugin: &Noted, phase: &str) {
        assert_eq!(self.version, plugin.version);
        note(format!("{}.{} {phase}", self.version, self.number));
        re_enter(IN_CALLBACK.take());
    }
}

impl Drop for NotedFilter {
    fn drop(&mut self) {
        chunkwise::info!("filter {} goes", self.number);
        note(format!("{}.{} dropped", self.version, self.number));
        re_enter(IN_DROP.take());
    }
}

impl Filter<Noted> for NotedFilter {
    fn request_headers(&mut self, plugin: &Noted, _: &RequestHeaders<'_>) -> Result<HeadersAction> {
        self.called(plugin, "request_headers");
        Ok(HeadersAction::Hold)
    }

    fn request_body(&mut self, plugin: &Noted, chunk: &mut Chunk<'_>) -> Result<BodyAction> {
        self.called(plugin, &format!("request_body {}", chunk.len()));
        Ok(BodyAction::Hold)
    }

    fn request_trailers(&mut self, plugin: &Noted, _: &Trailers<'_>) -> Result<TrailersAction> {
        self.called(plugin, "request_trailers");
        Ok(TrailersAction::Continue)
    }

    fn done(&mut self, plugin: &Noted, _: &EndedStream<'_>) {
        self.called(plugin, "done");
    }
}

/// A driver with the plugin context 1, configured.
fn driver() -> Rc<Driver<Noted>> {
    let driver = Rc::new(Driver::new());
    driver.on_context_create(1, 0);
    assert!(driver.on_vm_start(1, 0) && driver.on_configure(1, 0));
    DRIVER.set(Rc::downgrade(&driver));
    assert_eq!(notes(), [""; 0]);
    driver
}

fn in_callback(inside: impl FnOnce(&Driver<Noted>) + 'static) {
    IN_CALLBACK.set(Some(Box::new(inside)));
}

/// What a context that nobody knows, or that has no filter, is answered.
fn assert_passes(guest: &dyn Guest, context: u32) {
    for size in [0, 5, usize::MAX] {
        for end in [false, true] {
            assert_eq!(guest.on_request_headers(context, size, end), CONTINUE);
            assert_eq!(guest.on_request_body(context, size, end), CONTINUE);
            assert_eq!(guest.on_request_trailers(context, size), CONTINUE);
            assert_eq!(guest.on_response_headers(context, size, end), CONTINUE);
            assert_eq!(guest.on_response_body(context, size, end), CONTINUE);
            assert_eq!(guest.on_response_trailers(context, size), CONTINUE);
        }
    }
    assert!(guest.on_done(context));
}

#[test]
fn contexts_that_nobody_knows_pass() {
    let fresh = Driver::<Noted>::new();
    let driver = driver();
    driver.on_context_create(2, 1);
    for context in [0, 1, 3, u32::MAX] {
        assert_passes(&fresh, context);
        assert_passes(&*driver, context);
        fresh.on_delete(context);
    }
    driver.on_delete(77);
    assert_eq!(notes(), [""; 0]);
    assert_eq!(driver.on_request_headers(2, 1, false), STOP);
}

#[test]
fn streams_of_a_plugin_that_was_never_configured_pass() {
    let driver = Driver::<Noted>::new();
    driver.on_context_create(2, 1);
    driver.on_context_create(1, 0);
    driver.on_context_create(3, 1);
    assert!(driver.on_configure(1, 0));
    for context in [2, 3] {
        assert_passes(&driver, context);
    }
    driver.on_context_create(4, 1);
    assert_eq!(driver.on_request_headers(4, 1, false), STOP);
    assert_eq!(notes().len(), 1);
}

#[test]
fn a_context_can_be_configured_before_it_is_made() {
    let driver = Driver::<Noted>::new();
    assert!(driver.on_configure(9, 0));
    driver.on_context_create(10, 9);
    assert_eq!(driver.on_request_headers(10, 1, false), STOP);
}

#[test]
fn a_deleted_context_passes_and_is_deleted_once() {
    let driver = driver();
    driver.on_context_create(2, 1);
    assert_eq!(driver.on_request_body(2, 5, false), HOLD);
    assert!(driver.on_done(2));
    assert_eq!(notes(), ["1.1 request_body 5", "1.1 done"]);
    driver.on_delete(2);
    assert_eq!(notes(), ["1.1 dropped"]);
    driver.on_delete(2);
    assert_passes(&*driver, 2);
    driver.on_delete(2);
    assert_eq!(notes(), [""; 0]);
}

#[test]
fn a_stream_id_that_is_used_twice_is_the_newer_stream() {
    let driver = driver();
    driver.on_context_create(2, 1);
    driver.on_context_create(2, 1);
    assert_eq!(notes(), ["1.1 dropped"]);
    assert_eq!(driver.on_request_headers(2, 1, false), STOP);
    driver.on_delete(2);
    assert_eq!(notes(), ["1.2 request_headers", "1.2 done", "1.2 dropped"]);
    assert_passes(&*driver, 2);
}

#[test]
fn a_plugin_context_that_is_opened_twice_is_deleted_once() {
    let driver = driver();
    driver.on_context_create(1, 0);
    driver.on_context_create(2, 1);
    assert_eq!(driver.on_request_headers(2, 1, false), STOP);
    driver.on_delete(1);
    driver.on_context_create(3, 1);
    assert_passes(&*driver, 3);
    assert!(driver.on_configure(1, 0));
    driver.on_context_create(4, 1);
    assert_eq!(driver.on_request_headers(4, 1, false), STOP);
}

#[test]
fn the_id_0_is_nobody() {
    let driver = driver();
    driver.on_context_create(0, 1);
    assert_eq!(notes(), ["1.1 dropped"], "there is no place for its filter");
    assert_passes(&*driver, 0);
    driver.on_delete(0);
    driver.on_context_create(0, 0);
    assert!(driver.on_configure(0, 0));
    driver.on_delete(0);
    assert_eq!(notes(), ["v2 dropped"]);
}

#[test]
fn a_stream_keeps_the_configuration_that_it_began_with() {
    let driver = driver();
    driver.on_context_create(2, 1);
    assert!(driver.on_configure(1, 0));
    driver.on_context_create(3, 1);
    driver.on_request_headers(2, 1, true);
    driver.on_request_headers(3, 1, true);
    assert_eq!(notes(), ["1.1 request_headers", "2.2 request_headers"]);
    driver.on_delete(2);
    assert_eq!(notes(), ["1.1 done", "1.1 dropped", "v1 dropped"], "the last stream of it is gone");
    driver.on_delete(1);
    assert_eq!(driver.on_request_headers(3, 1, false), STOP);
    driver.on_delete(3);
    assert_eq!(notes(), ["2.2 request_headers", "2.2 done", "2.2 dropped", "v2 dropped"]);
}

#[test]
fn a_driver_that_goes_takes_its_streams_along() {
    let driver = Driver::<Noted>::new();
    driver.on_context_create(1, 0);
    assert!(driver.on_configure(1, 0));
    driver.on_context_create(2, 1);
    drop(driver);
    let mut gone = notes();
    gone.sort();
    assert_eq!(gone, ["1.1 dropped", "v1 dropped"]);
}

#[test]
fn the_last_chunk_and_errors_are_not_held() {
    let driver = driver();
    driver.on_context_create(2, 1);
    assert_eq!(driver.on_request_body(2, 5, false), HOLD);
    assert_eq!(driver.on_request_body(2, 9, true), CONTINUE);
    assert_eq!(driver.on_request_trailers(2, 1), CONTINUE);
    let chunks = ["1.1 request_body 5", "1.1 request_body 9", "1.1 request_trailers"];
    assert_eq!(notes(), chunks, "the body had ended before the trailers");
}

#[test]
fn a_callback_of_the_stream_whose_callback_runs_passes() {
    let driver = driver();
    driver.on_context_create(2, 1);
    in_callback(|driver| {
        assert_passes(driver, 2);
        note("back".to_owned());
    });
    assert_eq!(driver.on_request_headers(2, 1, false), STOP);
    assert_eq!(notes(), ["1.1 request_headers", "back"]);
    assert_eq!(driver.on_request_body(2, 5, false), HOLD);
    assert_eq!(notes(), ["1.1 request_body 5"], "the filter is there again");
}

#[test]
fn a_callback_of_another_stream_works_in_the_middle_of_one() {
    let driver = driver();
    driver.on_context_create(2, 1);
    driver.on_context_create(3, 1);
    in_callback(|driver| {
        assert_eq!(driver.on_request_body(3, 7, false), HOLD);
        driver.on_context_create(4, 1);
        in_callback(|driver| assert_eq!(driver.on_request_headers(3, 1, false), STOP));
        assert_eq!(driver.on_request_headers(4, 1, false), STOP);
        driver.on_delete(4);
        for context in 100..200 {
            driver.on_context_create(context, 1);
        }
    });
    assert_eq!(driver.on_request_body(2, 5, false), HOLD);
    let expected = [
        "1.1 request_body 5",
        "1.2 request_body 7",
        "1.3 request_headers",
        "1.2 request_headers",
        "1.3 done",
        "1.3 dropped",
    ];
    assert_eq!(notes(), expected);
    assert_eq!(driver.on_request_body(2, 8, true), CONTINUE);
    assert_eq!(notes(), ["1.1 request_body 8"]);
}

#[test]
fn a_stream_that_is_deleted_in_its_own_callback_ends_behind_it() {
    let driver = driver();
    driver.on_context_create(2, 1);
    in_callback(|driver| {
        driver.on_delete(2);
        assert_eq!(notes(), ["1.1 request_headers"], "its filter is still at work");
        driver.on_delete(2);
    });
    assert_eq!(driver.on_request_headers(2, 1, false), STOP);
    assert_eq!(notes(), ["1.1 done", "1.1 dropped"]);
    assert_passes(&*driver, 2);
}

#[test]
fn a_stream_that_is_replaced_in_its_own_callback_is_the_newer_one() {
    let driver = driver();
    driver.on_context_create(2, 1);
    in_callback(|driver| driver.on_context_create(2, 1));
    // The older one goes behind its callback, and its end may bring callbacks too.
    IN_DROP.set(Some(Box::new(|driver| {
        assert_eq!(driver.on_request_headers(2, 1, false), STOP);
    })));
    assert_eq!(driver.on_request_headers(2, 1, false), STOP);
    assert_eq!(notes(), ["1.1 request_headers", "1.1 done", "1.1 dropped", "1.2 request_headers"]);
    driver.on_delete(2);
    assert_eq!(notes(), ["1.2 done", "1.2 dropped"]);
}

#[test]
fn so_it_is_when_it_was_deleted_before() {
    let driver = driver();
    driver.on_context_create(2, 1);
    in_callback(|driver| {
        driver.on_delete(2);
        driver.on_context_create(2, 1);
        assert_eq!(driver.on_request_body(2, 3, false), HOLD);
    });
    assert_eq!(driver.on_request_headers(2, 1, false), STOP);
    assert_eq!(notes(), ["1.1 request_headers", "1.2 request_body 3", "1.1 done", "1.1 dropped"]);
    assert_eq!(driver.on_request_body(2, 4, true), CONTINUE);
    assert_eq!(notes(), ["1.2 request_body 4"]);
}

#[test]
fn the_plugin_can_be_configured_and_deleted_in_the_middle_of_a_callback() {
    let driver = driver();
    driver.on_context_create(2, 1);
    in_callback(|driver| {
        assert!(driver.on_configure(1, 0));
        driver.on_context_create(3, 1);
        driver.on_delete(1);
        note("deleted".to_owned());
    });
    assert_eq!(driver.on_request_headers(2, 1, false), STOP);
    driver.on_delete(2);
    let expected = ["1.1 request_headers", "deleted", "1.1 done", "1.1 dropped", "v1 dropped"];
    assert_eq!(notes(), expected);
    assert_eq!(driver.on_request_headers(3, 1, false), STOP);
    assert_eq!(notes(), ["2.2 request_headers"]);
}

#[test]
fn a_filter_that_is_dropped_may_bring_callbacks() {
    let driver = driver();
    driver.on_context_create(2, 1);
    driver.on_context_create(3, 1);
    IN_DROP.set(Some(Box::new(|driver| {
        assert_passes(driver, 2);
        assert_eq!(driver.on_request_headers(3, 1, false), STOP);
        driver.on_delete(3);
        driver.on_context_create(4, 1);
    })));
    driver.on_delete(2);
    assert_eq!(
        notes(),
        ["1.1 done", "1.1 dropped", "1.2 request_headers", "1.2 done", "1.2 dropped"]
    );
    assert_eq!(driver.on_request_headers(4, 1, false), STOP);
}

#[test]
fn memory_is_given_in_the_middle_of_nested_callbacks() {
    let driver = driver();
    driver.on_context_create(2, 1);
    driver.on_context_create(3, 1);
    in_callback(|driver| {
        let outer = driver.allocate(100);
        in_callback(|driver| assert!(!driver.allocate(1 << 20).is_null()));
        assert_eq!(driver.on_request_headers(3, 1, false), STOP);
        let later = driver.allocate(100);
        assert!(!outer.is_null() && !later.is_null());
        assert!(driver.allocate(usize::MAX).is_null());
    });
    assert_eq!(driver.on_request_headers(2, 1, false), STOP);
    assert_eq!(driver.on_request_body(2, 1, true), CONTINUE);
}
