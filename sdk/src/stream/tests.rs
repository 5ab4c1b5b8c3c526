//! Replacing in pieces against a naive walk over the bytes so far, which is checked at every piece.

use proptest::prelude::*;

use super::{Edit, Replacer, Tail};

type Rules = Vec<(Vec<u8>, Vec<u8>)>;

/// What is decided of a body's first bytes.
struct Decided {
    output: Vec<u8>,
    /// Where the undecided tail begins.
    open: usize,
    /// Where the last edit ends, in the body; zero without one.
    edited: usize,
}

/// Byte by byte, by definition.
fn naive(rules: &Rules, seen: &[u8], last: bool) -> Decided {
    let mut decided = Decided { output: Vec::new(), open: 0, edited: 0 };
    while let rest @ [byte, ..] = &seen[decided.open..] {
        let may_grow = |needle: &[u8]| needle.len() > rest.len() && needle.starts_with(rest);
        if !last && rules.iter().any(|(needle, _)| may_grow(needle)) {
            break;
        }
        match rules.iter().find(|(needle, _)| rest.starts_with(needle)) {
            Some((needle, replacement)) => {
                decided.output.extend_from_slice(replacement);
                decided.open += needle.len();
                if needle != replacement {
                    decided.edited = decided.open;
                }
            }
            None => {
                decided.output.push(*byte);
                decided.open += 1;
            }
        }
    }
    decided
}

/// Feeds `body` in pieces, the rest as the last one, and compares everything after each of them.
fn check(rules: &Rules, body: &[u8], pieces: &[(usize, Tail)]) {
    let replacer = Replacer::new(rules.iter().map(|(n, r)| (n, r))).unwrap();
    let mut stream = replacer.stream();
    let mut forwarded = Vec::new();
    let mut out = vec![b'?'];
    let (mut end, mut kept) = (0, 0);

    let whole = (body.len(), Tail::Last);
    for &(len, tail) in pieces.iter().chain([&whole]) {
        let start = end - kept;
        end = (end + len).min(body.len());
        let input = &body[start..end];
        let step = stream.feed(input, tail, &mut out);
        let expected = naive(rules, &body[..end], tail == Tail::Last);
        let context = format!("{rules:?} {body:?} {pieces:?} up to {end}: {step:?} {out:?}");

        let from = match step.edit {
            Edit::Pass => 0,
            Edit::Prefix { from } => from,
        };
        assert_eq!(step.edit == Edit::Pass, from == 0 && out.is_empty(), "{context}");
        forwarded.extend_from_slice(&out);
        forwarded.extend_from_slice(&input[from..input.len() - step.undecided]);
        assert_eq!(forwarded, expected.output, "{context}");

        assert_eq!(step.undecided + stream.carried(), end - expected.open, "{context}");
        assert!(stream.carried() < replacer.longest_needle(), "{context}");
        let cut = tail == Tail::Carry && expected.open < end;
        let edited = if cut { input.len() } else { expected.edited.saturating_sub(start) };
        assert_eq!(from, edited, "{context}");
        kept = step.undecided;
    }
    assert_eq!((kept, stream.carried()), (0, 0));
}

fn owned(rules: &[(&str, &str)]) -> Rules {
    rules.iter().map(|(n, r)| (n.as_bytes().to_vec(), r.as_bytes().to_vec())).collect()
}

/// All cuts into three and all choices of tails for them.
fn check_all_cuts(rules: &[(&str, &str)], body: &str, output: &str) {
    let rules = owned(rules);
    assert_eq!(naive(&rules, body.as_bytes(), true).output, output.as_bytes(), "the walk itself");
    for first in 0..=body.len() {
        for second in 0..=body.len() - first {
            for tails in
                [Tail::Carry, Tail::Keep].map(|tail| [(tail, Tail::Carry), (tail, Tail::Keep)])
            {
                for (a, b) in tails {
                    check(&rules, body.as_bytes(), &[(first, a), (second, b)]);
                }
            }
        }
    }
}

#[test]
fn an_overriding_match_is_waited_for() {
    check_all_cuts(&[("abcd", "1"), ("abc", "2")], "abcd abc abcabcd", "1 2 21");
    check_all_cuts(&[("abc", "2"), ("abcd", "1")], "abcd abc", "2d 2");
}

#[test]
fn an_earlier_match_is_waited_for() {
    check_all_cuts(&[("abcde", "1"), ("cd", "2")], "xabcde abcd", "x1 ab2");
}

#[test]
fn a_match_ends_where_a_tail_seemed_to_begin() {
    check_all_cuts(&[("aba", "-"), ("bab", "+")], "ababab", "-+");
    check_all_cuts(&[("aaab", "-"), ("aa", "+")], "aaaaab", "+-");
}

#[test]
fn a_shielded_needle_is_no_edit() {
    let rules = [("foobar", "foobar"), ("foo", "x")];
    check_all_cuts(&rules, "foobarfoo", "foobarx");
    let mut out = Vec::new();
    let step = Replacer::new(rules).unwrap().stream().feed(b"a foobar", Tail::Last, &mut out);
    assert_eq!(step.edit, Edit::Pass);
}

#[test]
fn a_run_of_almost_matches_is_linear() {
    let needle = [vec![b'a'; 4_000], vec![b'b']].concat();
    let replacer = Replacer::new([(&needle, "-")]).unwrap();
    let (mut stream, mut out) = (replacer.stream(), Vec::new());
    let run = vec![b'a'; 64 * 1024];
    let step = stream.feed(&run, Tail::Carry, &mut out);
    assert_eq!(step.edit, Edit::Prefix { from: run.len() });
    assert_eq!((out.len(), stream.carried()), (run.len() - 4_000, 4_000));
    assert_eq!(stream.feed(b"b", Tail::Last, &mut out).edit, Edit::Prefix { from: 1 });
    assert_eq!(out, b"-");
}

fn tail() -> impl Strategy<Value = Tail> {
    prop_oneof![Just(Tail::Carry), Just(Tail::Keep)]
}

fn word(letters: &'static [u8], len: std::ops::Range<usize>) -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(prop::sample::select(letters), len)
}

fn rules() -> impl Strategy<Value = Rules> {
    let rule = (word(b"ab", 1..7), word(b"abX", 0..5));
    prop::collection::vec(rule, 1..6).prop_map(|mut rules| {
        let mut needles = std::collections::HashSet::new();
        rules.retain(|(needle, _)| needles.insert(needle.clone()));
        rules
    })
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 4_000,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn any_cut_gives_the_same(
        rules in rules(),
        body in word(b"ab", 0..60),
        pieces in prop::collection::vec((0..9_usize, tail()), 0..12),
    ) {
        check(&rules, &body, &pieces);
    }

    #[test]
    fn so_does_a_cut_behind_every_byte(
        rules in rules(),
        body in word(b"abc", 0..40),
        tails in prop::collection::vec(tail(), 40),
    ) {
        let pieces: Vec<_> = tails.into_iter().map(|tail| (1, tail)).collect();
        check(&rules, &body, &pieces);
    }
}
