//! `chunkwise::stream::Lines` against a split of the whole text that is too simple to be wrong.

#![expect(clippy::unwrap_used, reason = "a test fails where it does not hold")]

use chunkwise::stream::{Lines, TooLong};
use proptest::prelude::*;

/// All lines of a text.
fn oracle(text: &str) -> Vec<String> {
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let mut lines: Vec<String> = text.split('\n').map(str::to_owned).collect();
    lines.pop_if(|rest| rest.is_empty());
    lines
}

/// The lines up to the first that is too long, if one is.
fn limited(text: &str, limit: usize) -> (Vec<String>, bool) {
    let lines = oracle(text);
    let short = lines.iter().take_while(|line| line.len() <= limit).count();
    (lines[..short].to_vec(), short < lines.len())
}

/// The lines that pieces of the given lengths give, the rest being the last piece.
fn drive(text: &str, pieces: &[usize], limit: usize) -> (Vec<String>, bool) {
    let (mut lines, mut seen) = (Lines::new(limit), Vec::new());
    let mut see = |line: &[u8]| {
        seen.push(String::from_utf8(line.to_vec()).unwrap());
        Ok(())
    };
    let mut rest = text.as_bytes();
    let mut result: Result<(), TooLong> = Ok(());
    for len in pieces.iter().chain([&text.len()]) {
        let (piece, behind) = rest.split_at((*len).min(rest.len()));
        rest = behind;
        result = result.and_then(|()| lines.push(piece, &mut see));
        assert!(lines.carried() <= limit);
    }
    let failed = result.and_then(|()| lines.finish(&mut see)).is_err();
    assert_eq!(lines.carried(), 0);
    (seen, failed)
}

#[test]
fn every_short_text_in_every_cut() {
    const LETTERS: [char; 3] = ['a', '\r', '\n'];
    for number in 0..3_usize.pow(7) {
        let text: String = (0..7).map(|place| LETTERS[number / 3_usize.pow(place) % 3]).collect();
        for first in 0..=text.len() {
            assert_eq!(drive(&text, &[first], 9), (oracle(&text), false), "{text:?} at {first}");
        }
        assert_eq!(drive(&text, &[1; 7], 9), (oracle(&text), false), "{text:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 1_000,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn any_cut_gives_the_same(
        text in "(a|bc|d{1,20}|\r|\n|\r\n){0,60}",
        pieces in prop::collection::vec(0..12_usize, 0..40),
        limit in prop_oneof![Just(4_000_usize), 0..25_usize],
    ) {
        prop_assert_eq!(drive(&text, &pieces, limit), limited(&text, limit));
    }
}
