//! Reading and changing one chunk: what comes out, and exactly what it costs.

#![expect(clippy::unwrap_used, reason = "a test fails where it does not hold")]

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::Bound;

use bench_host::measure::Phase;
use bench_host::testing::{Answer, Call, TestHost};
use chunkwise::abi::Direction;
use chunkwise::http::{BodyAction, ReplaceBody};
use chunkwise::stream::Replacer;
use chunkwise::{Chunk, Config, ConfigError, Error, Filter, Plugin, Result};

type Work = Box<dyn FnMut(&mut Chunk<'_>) -> Result<()>>;

thread_local! {
    static WORK: RefCell<Work> = RefCell::new(Box::new(|_| Ok(())));
}

/// Does with every chunk what the test says; a failed assertion in there fails the stream.
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

impl Filter<Scripted> for ScriptedFilter {
    fn request_body(&mut self, _: &Scripted, chunk: &mut Chunk<'_>) -> Result<BodyAction> {
        WORK.with_borrow_mut(|work| work(chunk)).map(|()| BodyAction::Pass)
    }

    fn response_body(&mut self, _: &Scripted, chunk: &mut Chunk<'_>) -> Result<BodyAction> {
        WORK.with_borrow_mut(|work| work(chunk)).map(|()| BodyAction::Pass)
    }
}

/// What came out of a body, and what all of its callbacks cost.
#[derive(Debug, PartialEq, Eq)]
struct Passed {
    body: String,
    calls: BTreeMap<String, u64>,
    bytes_in: u64,
    bytes_out: u64,
}

const GET: &str = "proxy_get_buffer_bytes";
const SET: &str = "proxy_set_buffer_bytes";

fn passed(body: &str, calls: &[(&str, u64)], bytes_in: u64, bytes_out: u64) -> Passed {
    let calls = calls.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect();
    Passed { body: body.to_owned(), calls, bytes_in, bytes_out }
}

/// Sends these chunks, as a request and as a response, which has to come to the same.
fn pass(
    chunks: &[&str],
    work: impl FnMut(&mut Chunk<'_>) -> Result<()> + Clone + 'static,
) -> Passed {
    let request = pass_one(Direction::Request, chunks, work.clone());
    let response = pass_one(Direction::Response, chunks, work);
    assert_eq!(request, response);
    request
}

fn pass_one(
    direction: Direction,
    chunks: &[&str],
    work: impl FnMut(&mut Chunk<'_>) -> Result<()> + 'static,
) -> Passed {
    WORK.set(Box::new(work));
    let mut host = TestHost::native::<Scripted>("").unwrap();
    let (call, phase) = match direction {
        Direction::Request => (Call::post("/").chunks(chunks), Phase::RequestBody),
        Direction::Response => {
            (Call::get("/").answer(Answer::new(200).chunks(chunks)), Phase::ResponseBody)
        }
    };
    let outcome = host.send(call).unwrap();
    let (seen, other) = match direction {
        Direction::Request => (outcome.upstream, outcome.downstream),
        Direction::Response => (outcome.downstream, outcome.upstream),
    };
    assert!(seen.ended && other.ended && other.body.is_empty(), "{:?}", host.log());
    assert_eq!(host.log(), []);
    let costs = host.ledger().phase(phase);
    assert_eq!(costs.calls, chunks.len() as u64);
    Passed {
        body: seen.text().into_owned(),
        bytes_in: costs.bytes_in,
        bytes_out: costs.bytes_out,
        calls: host.ledger().host_calls(phase),
    }
}

#[test]
fn a_chunk_that_is_left_alone_costs_nothing() {
    assert_eq!(pass(&["hello ", "world"], |_| Ok(())), passed("hello world", &[], 0, 0));
}

#[test]
fn so_does_asking_for_what_is_known_anyway() {
    let mut left = vec![(5, true), (0, false), (3, false)];
    let looked = pass(&["abc", "", "hello"], move |chunk| {
        let (len, last) = left.pop().unwrap();
        assert_eq!((chunk.len(), chunk.is_last()), (len, last));
        assert_eq!((chunk.is_empty(), chunk.held()), (len == 0, 0));
        assert!(!chunk.is_released());
        Ok(())
    });
    assert_eq!(looked, passed("abchello", &[], 0, 0));
}

#[test]
fn bytes_are_fetched_once() {
    let read = pass(&["abc", "defgh"], |chunk| {
        let first = chunk.bytes()?;
        // Slices live as long as the callback, whatever is read later.
        let again = chunk.bytes()?;
        assert_eq!((first, first.as_ptr()), (again, again.as_ptr()));
        assert!(first == b"abc" || first == b"defgh");
        Ok(())
    });
    assert_eq!(read, passed("abcdefgh", &[(GET, 2)], 8, 0));
}

#[test]
fn an_empty_chunk_is_read_for_nothing() {
    let read = pass(&[""], |chunk| {
        assert_eq!(chunk.bytes()?, b"");
        assert_eq!(chunk.range(0..0)?, b"");
        Ok(())
    });
    assert_eq!(read, passed("", &[], 0, 0));
}

#[test]
fn a_range_fetches_that_range_only() {
    let read = pass(&["0123456789"], |chunk| {
        assert_eq!(chunk.range(2..5)?, b"234");
        Ok(())
    });
    assert_eq!(read, passed("0123456789", &[(GET, 1)], 3, 0));
}

#[test]
fn a_range_inside_of_what_was_read_last_is_free() {
    let read = pass(&["0123456789"], |chunk| {
        let middle = chunk.range(2..8)?;
        assert_eq!(chunk.range(2..=7)?, middle);
        assert_eq!(chunk.range(3..5)?, b"34");
        assert_eq!(chunk.range((Bound::Excluded(2), Bound::Excluded(4)))?, b"3");
        assert_eq!(chunk.range(8..8)?, b"");
        Ok(())
    });
    assert_eq!(read, passed("0123456789", &[(GET, 1)], 6, 0));

    let read = pass(&["0123456789"], |chunk| {
        let middle = chunk.range(2..8)?;
        assert_eq!(chunk.range(1..4)?, b"123");
        assert_eq!(chunk.range(..2)?, b"01");
        assert_eq!(chunk.range(7..)?, b"789");
        assert_eq!(chunk.range(10..)?, b"");
        assert_eq!(middle, b"234567");
        Ok(())
    });
    assert_eq!(read, passed("0123456789", &[(GET, 4)], 6 + 3 + 2 + 3, 0));
}

#[test]
fn a_range_outside_of_the_chunk_is_an_error_and_no_host_call() {
    let read = pass(&["01234"], |chunk| {
        let outside = |start, end| Err(Error::OutOfRange { start, end, len: 5 });
        assert_eq!(chunk.range(3..9), outside(3, 9));
        assert_eq!(chunk.range(6..), outside(6, 5));
        assert_eq!(chunk.range(usize::MAX..), outside(usize::MAX, 5));
        assert_eq!(chunk.range(..=usize::MAX), outside(0, usize::MAX));
        assert_eq!(chunk.range((Bound::Included(4), Bound::Excluded(2))), outside(4, 2));
        let after_all = (Bound::Excluded(usize::MAX), Bound::Unbounded);
        assert_eq!(chunk.range(after_all), outside(usize::MAX, 5));
        assert_eq!(chunk.prefix_mut(6).map(|bytes| bytes.len()), outside(0, 6).map(<[u8]>::len));
        Ok(())
    });
    assert_eq!(read, passed("01234", &[], 0, 0));
}

#[test]
fn bytes_changed_in_place_are_written_back_once() {
    let changed = pass(&["abc", "de"], |chunk| {
        let bytes = chunk.bytes_mut()?;
        bytes[0] = b'!';
        bytes.make_ascii_uppercase();
        Ok(())
    });
    assert_eq!(changed, passed("!BC!E", &[(GET, 2), (SET, 2)], 5, 5));
}

#[test]
fn of_a_prefix_only_the_prefix_crosses() {
    let changed = pass(&["hello world"], |chunk| {
        chunk.prefix_mut(2)?.make_ascii_uppercase();
        Ok(())
    });
    assert_eq!(changed, passed("HEllo world", &[(GET, 1), (SET, 1)], 2, 2));
}

#[test]
fn what_was_changed_in_place_is_read_without_fetching_it_again() {
    let changed = pass(&["hello world"], |chunk| {
        chunk.prefix_mut(5)?.make_ascii_uppercase();
        assert_eq!(chunk.range(1..4)?, b"ELL");
        Ok(())
    });
    assert_eq!(changed, passed("HELLO world", &[(GET, 1), (SET, 1)], 5, 5));

    let changed = pass(&["hello world"], |chunk| {
        chunk.prefix_mut(5)?.make_ascii_uppercase();
        assert_eq!(chunk.bytes()?, b"HELLO world");
        Ok(())
    });
    assert_eq!(changed, passed("HELLO world", &[(GET, 2), (SET, 1)], 5 + 11, 5));
}

#[test]
fn nothing_of_an_empty_chunk_is_changed_for_nothing() {
    let changed = pass(&["ab", ""], |chunk| {
        chunk.bytes_mut()?.make_ascii_uppercase();
        assert!(chunk.prefix_mut(0)?.is_empty());
        Ok(())
    });
    assert_eq!(changed, passed("AB", &[(GET, 1), (SET, 1)], 2, 2));
}

#[test]
fn every_edit_is_one_host_call_with_the_new_bytes_only() {
    let edit = |edit: fn(&mut Chunk<'_>) -> Result<()>, len: usize| {
        pass(&["hello"], move |chunk| {
            edit(chunk)?;
            assert_eq!((chunk.len(), chunk.is_empty()), (len, len == 0));
            Ok(())
        })
    };
    let cost = |body: &str, out| passed(body, &[(SET, 1)], 0, out);
    assert_eq!(edit(|chunk| chunk.replace(b"bye"), 3), cost("bye", 3));
    assert_eq!(edit(|chunk| chunk.replace(b"and much longer"), 15), cost("and much longer", 15));
    assert_eq!(edit(|chunk| chunk.replace_prefix(1, b"J"), 5), cost("Jello", 1));
    assert_eq!(edit(|chunk| chunk.replace_prefix(4, b""), 1), cost("o", 0));
    assert_eq!(edit(|chunk| chunk.replace_prefix(0, b"s"), 6), cost("shello", 1));
    assert_eq!(edit(|chunk| chunk.replace_prefix(usize::MAX, b"x"), 1), cost("x", 1));
    assert_eq!(edit(|chunk| chunk.prepend(b"oh, "), 9), cost("oh, hello", 4));
    assert_eq!(edit(|chunk| chunk.append(b"!"), 6), cost("hello!", 1));
    assert_eq!(edit(|chunk| chunk.clear(), 0), cost("", 0));
}

#[test]
fn an_empty_last_chunk_can_be_given_a_body() {
    let grown =
        pass(&["ab", ""], |chunk| if chunk.is_last() { chunk.append(b"[end]") } else { Ok(()) });
    assert_eq!(grown, passed("ab[end]", &[(SET, 1)], 0, 5));
    let made = pass(&[""], |chunk| chunk.replace(b"body"));
    assert_eq!(made, passed("body", &[(SET, 1)], 0, 4));
}

#[test]
fn edits_follow_each_other() {
    let edited = pass(&["hello"], |chunk| {
        chunk.bytes_mut()?[0] = b'J';
        chunk.append(b" world")?;
        assert_eq!(chunk.bytes()?, b"Jello world");
        chunk.prefix_mut(1)?[0] = b'C';
        chunk.prefix_mut(5)?[1] = b'a';
        chunk.prepend(b">> ")?;
        assert_eq!(chunk.len(), 14);
        assert_eq!(chunk.range(3..8)?, b"Callo");
        chunk.replace_prefix(3, b"")?;
        Ok(())
    });
    let calls = [(GET, 5), (SET, 6)];
    let (bytes_in, bytes_out) = (5 + 11 + 1 + 5 + 5, 5 + 6 + 1 + 5 + 3);
    assert_eq!(edited, passed("Callo world", &calls, bytes_in, bytes_out));
}

#[test]
fn slices_read_before_an_edit_keep_what_they_showed() {
    let edited = pass(&["hello"], |chunk| {
        let before = chunk.bytes()?;
        chunk.bytes_mut()?.make_ascii_uppercase();
        let between = chunk.bytes()?;
        chunk.replace(b"other")?;
        assert_eq!(
            (before, between, chunk.bytes()?),
            (&b"hello"[..], &b"HELLO"[..], &b"other"[..])
        );
        Ok(())
    });
    assert_eq!(edited, passed("other", &[(GET, 3), (SET, 2)], 15, 10));
}

/// The only match of a chunk is replaced where it lies, but not where the plugin is looking.
#[test]
fn what_was_read_before_a_replacement_stays_as_it_was() {
    let replacer = Replacer::new([("world", "you all")]).unwrap();
    for reads in [false, true] {
        let replacer = replacer.clone();
        let passed = pass(&["hello, world, and others"], move |chunk| {
            let before = if reads { chunk.bytes()? } else { &[] };
            ReplaceBody::new(&replacer).chunk(chunk)?;
            assert!(!reads || before == b"hello, world, and others");
            assert_eq!(chunk.bytes()?, b"hello, you all, and others");
            Ok(())
        });
        assert_eq!(passed.body, "hello, you all, and others");
        // What is in front of the match and the replacement.
        assert_eq!((passed.calls[GET], passed.calls[SET], passed.bytes_out), (2, 1, 14));
    }
}

#[test]
fn what_a_replacement_looked_at_in_vain_is_not_fetched_again() {
    let replacer = Replacer::new([("word", "other")]).unwrap();
    let passed = pass(&["hello"], move |chunk| {
        ReplaceBody::new(&replacer).chunk(chunk)?;
        assert_eq!(chunk.bytes()?, b"hello");
        Ok(())
    });
    assert_eq!(passed, self::passed("hello", &[(GET, 1)], 5, 0));
}
