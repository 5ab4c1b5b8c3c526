//! `chunkwise::stream::Events` against the standard's own steps on the whole text, one by one.

#![expect(clippy::unwrap_used, reason = "a test fails where it does not hold")]

use chunkwise::stream::{EventTooLong, Events};
use proptest::prelude::*;

/// What readers see of an event: `data` is `None` where they are not told of it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Seen {
    name: String,
    data: Option<String>,
    id: Option<String>,
    retry: Option<u64>,
}

/// The standard's interpretation of an event stream (WHATWG HTML, section 9.2.6), but that events
/// without data are kept, and that the id and the time are told of their own event.
fn oracle(text: &str) -> Vec<Seen> {
    let text = text.strip_prefix('\u{FEFF}').unwrap_or(text);
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let mut lines: Vec<&str> = text.split('\n').collect();
    lines.pop();

    let mut events = Vec::new();
    let (mut data, mut kind) = (String::new(), String::new());
    let (mut id, mut retry) = (None, None);
    for line in lines {
        if line.is_empty() {
            let name = if kind.is_empty() { "message".to_owned() } else { kind.clone() };
            let told = data.strip_suffix('\n').map(str::to_owned);
            events.push(Seen { name, data: told, id: id.take(), retry: retry.take() });
            data.clear();
            kind.clear();
            continue;
        }
        let (field, value) = match line.split_once(':') {
            Some((field, value)) => (field, value.strip_prefix(' ').unwrap_or(value)),
            None => (line, ""),
        };
        match field {
            "event" => kind = value.to_owned(),
            "data" => {
                data.push_str(value);
                data.push('\n');
            }
            "id" if !value.contains('\0') => id = Some(value.to_owned()),
            "retry" if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) => {
                retry = Some(value.parse().unwrap());
            }
            _ => {}
        }
    }
    events
}

/// What came of a stream: events, their bytes, and what was left; an error's bytes are all that
/// is to be passed on.
#[derive(Debug, PartialEq, Eq)]
struct Outcome {
    events: Vec<Seen>,
    raws: Vec<String>,
    rest: String,
    failed: bool,
}

fn string(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Feeds pieces of the given lengths, the rest being the last one.
fn drive(text: &str, pieces: &[usize], limit: usize) -> Outcome {
    let mut events = Events::new(limit);
    let mut outcome =
        Outcome { events: Vec::new(), raws: Vec::new(), rest: String::new(), failed: false };
    let mut rest = text.as_bytes();
    for len in pieces.iter().chain([&text.len()]) {
        let (piece, behind) = rest.split_at((*len).min(rest.len()));
        let result = events.push(piece, |event| see(&mut outcome, event));
        if let Err(EventTooLong { from, .. }) = result {
            let left = [events.rest(), &piece[from..], behind].concat();
            return Outcome { rest: string(&left), failed: true, ..outcome };
        }
        rest = behind;
        assert!(events.rest().len() <= limit);
    }
    let left = events.finish(|event| see(&mut outcome, event)).unwrap();
    let left = string(left);
    Outcome { rest: left, ..outcome }
}

fn see(outcome: &mut Outcome, event: chunkwise::stream::Event<'_>) -> Result<(), EventTooLong> {
    outcome.raws.push(string(event.raw));
    outcome.events.push(Seen {
        name: string(event.name),
        data: event.data.map(string),
        id: event.id.map(string),
        retry: event.retry,
    });
    Ok(())
}

fn check(text: &str, pieces: &[usize]) {
    let outcome = drive(text, pieces, usize::MAX);
    let context = format!("{text:?} {pieces:?}");
    assert_eq!(outcome.events, oracle(text), "{context}");
    assert_eq!(outcome.raws.concat() + &outcome.rest, text, "{context}");
    assert_eq!(outcome, drive(text, &[], usize::MAX), "{context}");
    for raw in &outcome.raws {
        assert!(raw.ends_with(['\r', '\n']), "{context}");
    }
}

#[test]
fn every_short_text_in_every_cut() {
    const PARTS: [&str; 5] = ["data", ":", "\r", "\n", "\u{FEFF}"];
    for number in 0..5_usize.pow(6) {
        let text: String = (0..6).map(|place| PARTS[number / 5_usize.pow(place) % 5]).collect();
        let bytes = text.len();
        check(&text, &vec![1; bytes]);
        check(&text, &[number % (bytes + 1)]);
    }
}

#[test]
fn the_examples_of_the_standard() {
    let events = |text| drive(text, &[], 999).events.into_iter().filter_map(|event| event.data);
    let all = |text| events(text).collect::<Vec<_>>();
    assert_eq!(all("data: YHOO\ndata: +2\ndata: 10\n\n"), ["YHOO\n+2\n10"]);
    let text = ": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third";
    assert_eq!(all(text), ["first event", "second event"]);
    assert_eq!(all("data\n\ndata\ndata\n\ndata:"), ["", "\n"]);
    assert_eq!(all("data:test\n\ndata: test\n\n"), ["test", "test"]);
}

fn text() -> impl Strategy<Value = String> {
    "\u{FEFF}?((data|event|id|retry|other|)(:| :|: |:  )?(a|12|\u{0}|ä|:|x{1,20})?(\n|\r|\r\n){1,3}){0,20}(data: x)?"
}

/// Streams as they are: one line end throughout.
fn uniform() -> impl Strategy<Value = String> {
    let line = "(data: (a|\\{\"b\":1\\})|event: delta|id: 7|: ping|)";
    let lines = prop::collection::vec(line, 0..40);
    (lines, prop::sample::select(vec!["\n", "\r", "\r\n"])).prop_map(|(lines, end)| lines.join(end))
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 1_000,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn any_cut_gives_the_same(text in text(), pieces in prop::collection::vec(0..15_usize, 0..40)) {
        check(&text, &pieces);
    }

    #[test]
    fn one_line_end_throughout(
        text in uniform(),
        pieces in prop::collection::vec(0..30_usize, 0..40),
    ) {
        check(&text, &pieces);
    }

    #[test]
    fn the_limit_does_not_depend_on_the_cut(
        text in text(),
        pieces in prop::collection::vec(0..15_usize, 0..40),
        limit in 0..60_usize,
    ) {
        let outcome = drive(&text, &pieces, limit);
        let whole = drive(&text, &[], usize::MAX);
        let short = whole.raws.iter().take_while(|raw| raw.len() <= limit).count();
        prop_assert_eq!(&outcome.raws[..], &whole.raws[..short]);
        prop_assert_eq!(outcome.failed, short < whole.raws.len() || whole.rest.len() > limit);
        prop_assert_eq!(outcome.raws.concat() + &outcome.rest, text);
    }
}
