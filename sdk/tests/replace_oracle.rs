//! `chunkwise::stream::Replacer` against a scan of the whole body that is too simple to be wrong.
//!
//! Whatever the cuts and whatever becomes of the tails, the output has to be the oracle's; and
//! after every single chunk, what was handed on has to be the oracle's output of exactly the bytes
//! that are neither carried nor undecided.

use std::collections::HashSet;

use chunkwise::stream::{Edit, Replacer, Tail};
use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;

type Rule = (Vec<u8>, Vec<u8>);

/// One replacement in the whole body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Match {
    start: usize,
    end: usize,
    rule: usize,
}

/// Leftmost-first, by the book: at each position the first rule whose needle starts there.
fn matches(rules: &[Rule], body: &[u8]) -> Vec<Match> {
    let mut found = Vec::new();
    let mut start = 0;
    while start < body.len() {
        match rules.iter().position(|(needle, _)| body[start..].starts_with(needle)) {
            Some(rule) => {
                let end = start + rules[rule].0.len();
                found.push(Match { start, end, rule });
                start = end;
            }
            None => start += 1,
        }
    }
    found
}

/// The output for `body[..end]`, where `end` must not lie inside a match.
fn emitted(rules: &[Rule], found: &[Match], body: &[u8], end: usize) -> Vec<u8> {
    let mut output = Vec::new();
    let mut copied = 0;
    for hit in found.iter().take_while(|hit| hit.start < end) {
        assert!(hit.end <= end, "decided up to {end}, which is inside {hit:?}");
        output.extend_from_slice(&body[copied..hit.start]);
        output.extend_from_slice(&rules[hit.rule].1);
        copied = hit.end;
    }
    output.extend_from_slice(&body[copied..end]);
    output
}

fn oracle(rules: &[Rule], body: &[u8]) -> Vec<u8> {
    emitted(rules, &matches(rules, body), body, body.len())
}

/// Whether the end of `seen` may still become part of a match, by any rule at any position.
fn may_grow(rules: &[Rule], seen: &[u8]) -> bool {
    rules.iter().any(|(needle, _)| (1..needle.len()).any(|n| seen.ends_with(&needle[..n])))
}

/// Feeds `body` in `pieces` of the given lengths, the rest as the last one, and checks each step
/// against the oracle. Returns all that was handed on.
fn drive(rules: &[Rule], body: &[u8], pieces: &[(usize, Tail)]) -> Vec<u8> {
    let replacer = Replacer::new(rules.iter().map(|(needle, with)| (needle, with)))
        .expect("every needle has a byte and is the only one of its kind");
    let longest = rules.iter().map(|(needle, _)| needle.len()).max().unwrap_or(0);
    assert_eq!(replacer.longest_needle(), longest);

    let found = matches(rules, body);
    let mut stream = replacer.stream();
    let mut handed_on = Vec::new();
    // What was there before must not come through.
    let mut out = b"left over".to_vec();
    let mut at = 0; // where the next piece starts in the body
    let mut kept = 0; // bytes before `at` that the caller still holds

    let mut pieces = pieces.iter();
    loop {
        let (len, tail) = match pieces.next() {
            Some(&(len, tail)) => (len.min(body.len() - at), tail),
            None => (body.len() - at, Tail::Last),
        };
        let base = at - kept;
        let input = &body[base..at + len];
        let carried_before = stream.carried();
        let last = matches!(tail, Tail::Last);
        let step = stream.feed(input, tail, &mut out);
        let carried = stream.carried();
        let context = || {
            format!(
                "input {:?} at {base} with {tail:?}, {carried_before} -> {carried} carried, \
                 {step:?}, out {:?}",
                input.escape_ascii().to_string(),
                out.escape_ascii().to_string(),
            )
        };

        assert!(step.undecided <= input.len(), "{}", context());
        assert!(step.undecided + carried < longest.max(1), "{}", context());
        if !matches!(tail, Tail::Keep) {
            assert_eq!(step.undecided, 0, "{}", context());
        }
        if last || (matches!(tail, Tail::Keep) && carried_before == 0) {
            assert_eq!(carried, 0, "{}", context());
        }

        let decided = base + input.len() - step.undecided - carried;
        let forwarded = &input[..input.len() - step.undecided];
        match step.edit {
            Edit::Pass => handed_on.extend_from_slice(forwarded),
            Edit::Prefix { from } => {
                assert!(from <= forwarded.len(), "{}", context());
                handed_on.extend_from_slice(&out);
                handed_on.extend_from_slice(&forwarded[from..]);
            }
        }
        let expected = emitted(rules, &found, body, decided);
        assert!(
            handed_on == expected,
            "handed on {:?}, expected {:?}: {}",
            handed_on.escape_ascii().to_string(),
            expected.escape_ascii().to_string(),
            context(),
        );

        // Minimality. A rule that replaces a needle with itself may count as an edit or not.
        let here: Vec<_> = found
            .iter()
            .filter(|hit| {
                hit.end > base && hit.end <= decided && hit.start + carried_before >= base
            })
            .collect();
        let identity = here.iter().any(|hit| rules[hit.rule].0 == rules[hit.rule].1);
        if carried_before == 0 && here.is_empty() {
            let seen = &body[..base + input.len()];
            if last || !may_grow(rules, seen) {
                assert_eq!(step.undecided + carried, 0, "nothing to wait for: {}", context());
            }
            if carried == 0 {
                assert!(matches!(step.edit, Edit::Pass), "nothing changed: {}", context());
            }
        }
        if let (Edit::Prefix { from }, 0, false) = (step.edit, carried, identity) {
            let end = here.last().map_or(0, |hit| hit.end - base);
            assert_eq!(from, end, "not right behind the last edit: {}", context());
        }

        kept = step.undecided;
        at += len;
        if last {
            break;
        }
    }
    handed_on
}

fn rules(list: &[(&str, &str)]) -> Vec<Rule> {
    list.iter()
        .map(|(needle, with)| (needle.as_bytes().to_vec(), with.as_bytes().to_vec()))
        .collect()
}

/// All ways to cut a short body in up to three, with every choice of tails, and byte by byte.
fn every_way(list: &[(&str, &str)], body: &str, expected: &str) {
    let (rules, body) = (rules(list), body.as_bytes());
    let check = |pieces: &[(usize, Tail)]| {
        let output = drive(&rules, body, pieces);
        assert_eq!(output.escape_ascii().to_string(), expected, "cut as {pieces:?}");
    };
    check(&[]);
    let tails = [Tail::Carry, Tail::Keep];
    for first in 0..=body.len() {
        for tail in tails {
            check(&[(first, tail)]);
            for second in 0..=body.len() - first {
                for next in tails {
                    check(&[(first, tail), (second, next)]);
                }
            }
        }
    }
    for tails in [[Tail::Carry; 2], [Tail::Keep; 2], tails, [Tail::Keep, Tail::Carry]] {
        let bytewise: Vec<_> = (0..body.len()).map(|i| (1, tails[i % 2])).collect();
        check(&bytewise);
    }
}

#[test]
fn a_longer_needle_that_comes_first_is_waited_for() {
    let list = [("abcd", "1"), ("abc", "2")];
    every_way(&list, "abcd", "1");
    every_way(&list, "abc", "2");
    every_way(&list, "abcabcd", "21");
    every_way(&list, "ababcabcabcdd", "ab221d");
}

#[test]
fn a_longer_needle_that_comes_second_is_never_reached() {
    every_way(&[("abc", "1"), ("abcd", "2")], "abcd", "1d");
}

#[test]
fn a_match_that_starts_further_left_wins_over_one_that_ends_earlier() {
    let list = [("abcde", "1"), ("cd", "2")];
    every_way(&list, "xabcde", "x1");
    every_way(&list, "xabcdf", "xab2f");
    every_way(&list, "xabcd", "xab2");
    every_way(&[("cd", "2"), ("abcde", "1")], "xabcde", "x1");
}

#[test]
fn a_run_before_the_needle_is_not_lost() {
    every_way(&[("aab", "-")], "aaaaab", "aaa-");
    every_way(&[("aab", "-")], "aabaaabaa", "-a-aa");
}

#[test]
fn matches_do_not_overlap() {
    every_way(&[("aa", "b")], "aaaaa", "bba");
    every_way(&[("aba", "-")], "ababa", "-ba");
}

#[test]
fn the_needle_is_the_whole_body() {
    every_way(&[("needle", "thread")], "needle", "thread");
    every_way(&[("needle", "")], "needle", "");
}

#[test]
fn a_replacement_may_be_empty() {
    every_way(&[("ab", "")], "xababyab", "xy");
    // What closes up is not scanned again.
    every_way(&[("ab", "")], "aabb", "ab");
}

#[test]
fn a_replacement_is_not_scanned_again() {
    every_way(&[("a", "aa")], "aba", "aabaa");
    every_way(&[("ab", "xabx"), ("xa", "!")], "abab", "xabxxabx");
    every_way(&[("a", "b"), ("b", "a")], "abba", "baab");
    every_way(&[("bc", "a"), ("ab", "!")], "abcb", "!cb");
}

#[test]
fn an_empty_body_and_a_body_without_a_match_stay() {
    let list = [("abc", "-"), ("bcd", "+")];
    every_way(&list, "", "");
    every_way(&list, "ab", "ab");
    every_way(&list, "aabbccdd", "aabbccdd");
}

#[test]
fn bytes_are_bytes() {
    let rules: Vec<Rule> =
        vec![(vec![0, 0xff, 0], vec![0xff]), (vec![0xff, 0xfe], vec![]), (vec![0x80], vec![0, 0])];
    let body = [0, 0, 0xff, 0xfe, 0, 0xff, 0, 0x80, 0xff, 0xff, 0xfe, 0];
    let expected = [0, 0, 0xff, 0, 0, 0xff, 0];
    assert_eq!(oracle(&rules, &body), expected, "the oracle itself");
    for first in 0..=body.len() {
        for second in 0..=body.len() - first {
            for tail in [Tail::Carry, Tail::Keep] {
                assert_eq!(drive(&rules, &body, &[(first, tail), (second, tail)]), expected);
            }
        }
    }
}

#[test]
fn an_untouched_chunk_passes_between_edits() {
    let replacer = Replacer::new([("needle", "thread")]).unwrap();
    let mut stream = replacer.stream();
    let mut out = Vec::new();
    for tail in [Tail::Carry, Tail::Keep] {
        let step = stream.feed(b"hay, and more hay.", tail, &mut out);
        assert!(matches!(step.edit, Edit::Pass), "{step:?}");
        assert_eq!((step.undecided, stream.carried()), (0, 0));

        let step = stream.feed(b"a needle in it", tail, &mut out);
        assert!(matches!(step.edit, Edit::Prefix { from: 8 }), "{step:?}");
        assert_eq!(out, b"a thread");
    }
}

#[test]
fn a_kept_tail_leaves_the_chunk_alone() {
    let replacer = Replacer::new([("needle", "thread")]).unwrap();
    let mut stream = replacer.stream();
    let mut out = Vec::new();
    let step = stream.feed(b"hay and a nee", Tail::Keep, &mut out);
    assert!(matches!(step.edit, Edit::Pass), "{step:?}");
    assert_eq!((step.undecided, stream.carried()), (3, 0));
    let step = stream.feed(b"needle", Tail::Keep, &mut out);
    assert!(matches!(step.edit, Edit::Prefix { from: 6 }), "{step:?}");
    assert_eq!((out.as_slice(), step.undecided), (&b"thread"[..], 0));
}

#[test]
fn a_needle_without_bytes_is_refused() {
    assert!(Replacer::new([("", "x")]).is_err());
    assert!(Replacer::new([("a", "x"), ("", "")]).is_err());
}

#[test]
fn a_rule_that_could_never_apply_is_refused() {
    assert!(Replacer::new([("ab", "1"), ("c", "2"), ("ab", "3")]).is_err());
}

#[test]
fn lengths_are_kept_only_when_every_rule_keeps_them() {
    assert!(Replacer::new([("abc", "xyz"), ("q", "r")]).unwrap().keeps_length());
    assert!(!Replacer::new([("abc", "xyz"), ("q", "")]).unwrap().keeps_length());
    assert!(!Replacer::new([("abc", "xy")]).unwrap().keeps_length());
}

fn tail() -> impl Strategy<Value = Tail> {
    prop_oneof![Just(Tail::Carry), Just(Tail::Keep)]
}

/// Piece lengths from nothing to most of a body, short ones more often, each with its tail. One
/// choice of tail for the whole body as often as a mix.
fn pieces() -> impl Strategy<Value = Vec<(usize, Tail)>> {
    let len =
        prop_oneof![2 => Just(0_usize), 4 => 1..4_usize, 3 => 4..32_usize, 1 => 32..2048_usize];
    let cuts = prop::collection::vec((len, tail()), 0..64);
    (cuts, prop::option::of(tail())).prop_map(|(mut cuts, same)| {
        if let Some(same) = same {
            cuts.iter_mut().for_each(|(_, tail)| *tail = same);
        }
        cuts
    })
}

fn word(
    alphabet: &'static [u8],
    len: std::ops::RangeInclusive<usize>,
) -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(prop::sample::select(alphabet), len)
}

/// Needles over few letters overlap and nest by themselves; cut ones make sure of it.
fn tangled(alphabet: &'static [u8], most: usize) -> impl Strategy<Value = Vec<Rule>> {
    let rule = (word(alphabet, 1..=most), word(alphabet, 0..=most + 2));
    (prop::collection::vec(rule, 1..=6), any::<u64>()).prop_map(|(mut rules, seed)| {
        for i in 1..rules.len() {
            let (bits, needle) = (seed >> (i * 8), rules[i - 1].0.clone());
            let cut = (bits >> 2) as usize % needle.len();
            match bits & 3 {
                0 => rules[i].0 = needle[cut..].to_vec(),
                1 => rules[i].0 = needle[..needle.len() - cut].to_vec(),
                _ => {}
            }
        }
        let mut seen = HashSet::new();
        rules.retain(|(needle, _)| seen.insert(needle.clone()));
        rules
    })
}

/// A body that is mostly needles, parts of needles and a little else.
fn body_of(
    rules: Vec<Rule>,
    alphabet: &'static [u8],
    parts: usize,
) -> impl Strategy<Value = (Vec<Rule>, Vec<u8>)> {
    let needles: Vec<Vec<u8>> = rules.iter().map(|(needle, _)| needle.clone()).collect();
    let part = (prop::sample::select(needles), any::<(u8, u8)>(), word(alphabet, 0..=3));
    prop::collection::vec(part, 0..=parts).prop_map(move |parts| {
        let mut body = Vec::new();
        for (needle, (start, end), other) in parts {
            let start = if start < 160 { 0 } else { start as usize % needle.len() };
            let end = if end < 128 { needle.len() } else { end as usize % (needle.len() + 1) };
            body.extend_from_slice(&needle[start.min(end)..end]);
            body.extend_from_slice(&other);
        }
        body.truncate(4096);
        (rules.clone(), body)
    })
}

fn case(
    alphabet: &'static [u8],
    most: usize,
    parts: usize,
) -> impl Strategy<Value = (Vec<Rule>, Vec<u8>)> {
    tangled(alphabet, most).prop_flat_map(move |rules| body_of(rules, alphabet, parts))
}

/// What plugins really do: words, markup and secrets in JSON and HTML.
fn realistic() -> impl Strategy<Value = (Vec<Rule>, Vec<u8>)> {
    const RULES: [(&str, &str); 9] = [
        ("</body>", "<script></script></body>"),
        ("</head>", "<base></head>"),
        ("http://", "https://"),
        ("\"password\"", "\"********\""),
        ("sk-live-", "[key]"),
        ("the", "THE"),
        ("there", "here"),
        ("\r\n\r\n", "\n\n"),
        ("data: ", ""),
    ];
    const TEXT: [&str; 12] = [
        "<html><head><title>there</title></head>",
        "<body class=\"x\"><p>the theatre</p></body></html>",
        "http://example.com/the/http:/",
        "{\"user\":\"th\",\"password\":\"sk-live-0\"}",
        "data: {\"delta\":\"the\"}\r\n\r\n",
        "\r\n\r",
        "</bo",
        "</",
        "sk-liv",
        "Überall \u{1f980} ",
        "lorem ipsum dolor sit amet, consectetur ",
        " ",
    ];
    let list = prop::sample::subsequence(RULES.to_vec(), 1..=6).prop_shuffle();
    let text = prop::collection::vec(prop::sample::select(TEXT.to_vec()), 0..120);
    (list, text).prop_map(|(list, text)| {
        let mut body = text.concat().into_bytes();
        body.truncate(4096);
        (rules(&list), body)
    })
}

fn config() -> ProptestConfig {
    let default = ProptestConfig::default();
    ProptestConfig {
        // Three times the usual, of which `PROPTEST_CASES` still decides.
        cases: default.cases.saturating_mul(3),
        failure_persistence: Some(Box::new(FileFailurePersistence::WithSource("regressions"))),
        ..default
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn two_letters((rules, body) in case(b"ab", 6, 24), pieces in pieces()) {
        prop_assert_eq!(drive(&rules, &body, &pieces), oracle(&rules, &body));
    }

    #[test]
    fn long_needles_of_three_letters((rules, body) in case(b"abc", 12, 400), pieces in pieces()) {
        prop_assert_eq!(drive(&rules, &body, &pieces), oracle(&rules, &body));
    }

    #[test]
    fn any_bytes((rules, body) in case(&[0, 0x7f, 0x80, 0xff], 12, 200), pieces in pieces()) {
        prop_assert_eq!(drive(&rules, &body, &pieces), oracle(&rules, &body));
    }

    #[test]
    fn one_rule((rules, body) in case(b"ab", 12, 60), pieces in pieces()) {
        let rules = &rules[..1];
        prop_assert_eq!(drive(rules, &body, &pieces), oracle(rules, &body));
    }

    #[test]
    fn byte_by_byte((rules, body) in case(b"ab", 8, 24), tails in prop::collection::vec(tail(), 1..8)) {
        let pieces: Vec<_> = (0..body.len()).map(|i| (1, tails[i % tails.len()])).collect();
        prop_assert_eq!(drive(&rules, &body, &pieces), oracle(&rules, &body));
    }

    #[test]
    fn text((rules, body) in realistic(), pieces in pieces()) {
        prop_assert_eq!(drive(&rules, &body, &pieces), oracle(&rules, &body));
    }

    #[test]
    fn same_lengths((mut rules, body) in case(b"ab", 6, 40), pieces in pieces()) {
        for (needle, with) in &mut rules {
            with.resize(needle.len(), b'.');
        }
        let output = drive(&rules, &body, &pieces);
        prop_assert_eq!(output.len(), body.len());
        prop_assert_eq!(output, oracle(&rules, &body));
    }
}
