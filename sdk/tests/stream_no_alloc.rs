//! Searching and splitting lines and events allocates nothing once it is warm, and looking up JSON
//! nothing that it does not say: a count, not an estimate.

#[path = "common/counting.rs"]
mod counting;

use chunkwise::stream::{Event, EventTooLong, Events, Finder, Lines, RawJson, TooLong};
use counting::allocations;

const STREAMS: usize = 1_000;

/// Lines and events that are cut, and data that has to be joined.
const PIECES: [&str; 5] = [
    "data: one\n\ndata: tw",
    "o\ndata: lines\r",
    "\n\r\n: ping\n\nevent: del",
    "ta\ndata: {\"a\":1}\n\n",
    "data: cut off",
];

/// Allocations that `work` makes when it is done for the second time and later.
fn warm_allocations(mut work: impl FnMut()) -> usize {
    work();
    let before = allocations();
    (0..STREAMS).for_each(|_| work());
    allocations() - before
}

#[test]
fn every_turn_counts() {
    assert_eq!(warm_allocations(|| drop(std::hint::black_box(Box::new(1)))), STREAMS);
}

#[test]
fn lines_allocate_nothing() {
    let (mut lines, mut bytes) = (Lines::new(1024), 0);
    let count = warm_allocations(|| {
        let mut line = |line: &[u8]| {
            bytes += line.len();
            Ok::<_, TooLong>(())
        };
        PIECES.iter().for_each(|piece| lines.push(piece.as_bytes(), &mut line).unwrap());
        lines.finish(line).unwrap();
    });
    assert_eq!(count, 0);
    assert_eq!(bytes % (STREAMS + 1), 0);
    assert!(bytes > 50 * STREAMS, "the test has to do something: {bytes} bytes");
}

#[test]
fn lines_and_events_in_one_piece_allocate_nothing_at_all() {
    let before = allocations();
    Lines::new(99).push(b"a\nb\r\n", |_| Ok::<_, TooLong>(())).unwrap();
    Events::new(99).push(b"data: a\n\n: b\r\n\r\n", |_| Ok::<_, EventTooLong>(())).unwrap();
    assert_eq!(allocations() - before, 0);
}

#[test]
fn events_allocate_nothing() {
    let (mut events, mut bytes) = (Events::new(1024), 0);
    let count = warm_allocations(|| {
        let mut told = |event: Event<'_>| {
            bytes += event.data.map_or(0, <[u8]>::len);
            Ok::<_, EventTooLong>(())
        };
        PIECES.iter().for_each(|piece| events.push(piece.as_bytes(), &mut told).unwrap());
        assert_eq!(events.finish(told), Ok(&b"data: cut off"[..]));
    });
    assert_eq!(count, 0);
    assert_eq!(bytes, ("one".len() + "two\nlines".len() + "{\"a\":1}".len()) * (STREAMS + 1));
}

#[test]
fn searching_allocates_nothing() {
    for needles in [&["event: deltas"][..], &["event: deltas", "cut\toff"]] {
        let finder = Finder::new(needles).unwrap();
        let count = warm_allocations(|| {
            let mut body = finder.stream();
            assert!(PIECES.iter().all(|piece| body.feed(piece.as_bytes()).is_none()));
            // Its end is the beginning of a needle for as long as it can be.
            assert!((0..99).all(|_| body.feed(b"event").is_none()));
        });
        assert_eq!(count, 0, "{needles:?}");
    }
}

#[test]
fn depth_and_place_are_found_without_allocating() {
    let json = br#"{"a":[[1]]}"#;
    let value = RawJson::find(json, &["a"]).unwrap();
    let before = allocations();
    assert_eq!((value.depth(), value.range_in(json)), (2, Some(5..10)));
    assert_eq!(allocations() - before, 0);
}

#[test]
fn a_value_is_found_without_allocating() {
    let find = |json: &str, path: &[&str]| {
        let mut found = None;
        let count = warm_allocations(|| {
            let value = RawJson::find(json.as_bytes(), path);
            found = value.and_then(|value| value.as_u64().map(|number| (number, value.as_str())));
        });
        assert_eq!(found, Some((17, None)), "{json}");
        count / STREAMS
    };
    let usage = r#"{"model":"m","usage":{"list":[1,2],"total":17},"choices":[1,"a"]}"#;
    assert_eq!(find(usage, &["usage", "total"]), 0);
    assert_eq!(find(r#"{"a":[[1]],"b":17}"#, &["b"]), 1, "what is nested in what is nested");
    assert_eq!(find(r#"{"a":"\n","b":17}"#, &["b"]), 0, "text that is passed over");
    assert_eq!(find(r#"{"\n":1,"b":17}"#, &["b"]), 1, "a name with an escape");
}

#[test]
fn a_string_is_borrowed() {
    let count = warm_allocations(|| {
        let text = RawJson::find(br#"{"a":"b"}"#, &["a"]);
        assert_eq!(text.and_then(|text| text.as_str()).as_deref(), Some("b"));
    });
    assert_eq!(count, 0);
}
