//! Finding the settings of a request allocates nothing: a count, not an estimate.

#![expect(unsafe_code, reason = "an allocator that counts")]
#![expect(clippy::unwrap_used, reason = "a test fails where it does not hold")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::fmt::Write as _;

use chunkwise::rules::{Document, Rules, Target};

thread_local! {
    // For each thread, for the test harness allocates on its own.
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
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

/// Rules of every kind, a hundred of each.
fn rules() -> Rules<serde_json::Value> {
    let mut rules = String::new();
    for n in 0..100 {
        let _ = write!(
            rules,
            r#"{{"_match_route_":["r{n}","s{n}"]}},
            {{"_match_route_":"common","_match_service_":"both{n}"}},
            {{"_match_domain_":["{n}.com","*.{n}.com","api.{n}.*"]}},
            {{"_match_service_":["a{n}.dns","b{n}.dns:443"]}},
            {{"_match_route_prefix_":"prefix-{n}/"}},"#
        );
    }
    let json = format!(r#"{{"global":true,"_rules_":[{}]}}"#, rules.trim_end_matches(','));
    Document::new(json.as_bytes()).unwrap().rules().unwrap()
}

#[test]
fn the_count_counts() {
    let before = ALLOCATIONS.get();
    drop(std::hint::black_box(Box::new(1)));
    assert_eq!(ALLOCATIONS.get() - before, 1);
}

#[test]
fn finding_and_keeping_settings_allocates_nothing() {
    let rules = rules();
    let none = Target::default();
    let targets = [
        Target { route: Some("s99"), ..none },
        Target { route: Some("common"), service: Some("outbound|80||both99"), ..none },
        Target { host: Some("www.99.com:443"), route: Some("common"), ..none },
        Target { host: Some("api.99.org"), ..none },
        Target { service: Some("outbound|443||b99.dns"), ..none },
        Target { route: Some("prefix-99/x"), ..none },
    ];
    let global = rules.global().unwrap().clone();
    let others =
        [none, Target { host: Some("h"), route: Some("r"), service: Some("outbound|1||s") }];
    let before = ALLOCATIONS.get();
    let mut found = 0;
    for target in &targets {
        let settings = rules.find_for(target).cloned();
        found += usize::from(settings.is_some_and(|s| !std::rc::Rc::ptr_eq(&s, &global)));
    }
    for target in &others {
        let settings = rules.find_for(target).cloned();
        found += usize::from(settings.is_some_and(|s| std::rc::Rc::ptr_eq(&s, &global)));
    }
    assert_eq!(ALLOCATIONS.get() - before, 0);
    assert_eq!(found, targets.len() + others.len(), "the test has to find something");
}
