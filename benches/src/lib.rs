//! What the benches share: text to search, an oracle that is too simple to be wrong, and how long
//! to measure.

use std::time::Duration;

use criterion::Criterion;

/// What to find, and what to put in its place. The first rule is that of `examples/replace`.
pub const RULES: [(&str, &str); 8] = [
    ("http://", "https://"),
    ("</body>", "<script></script></body>"),
    ("\"password\"", "\"********\""),
    ("sk-live-", "[key]"),
    ("staging.internal", "www"),
    ("X-Debug", "X-None"),
    ("Lorem", "Morel"),
    ("\r\n\r\n", "\n\n"),
];

// Near misses included: the beginning of most needles is there.
const WORDS: [&str; 12] = [
    "https://example.org/a",
    "<p class=\"x\">",
    "</p>\n",
    "\"pass\":",
    "the",
    "quick",
    "sk-test",
    "staging",
    "httpd",
    "X-Request-Id",
    "consectetur",
    "0123456789",
];

/// What there is to find in a chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hits {
    /// Nothing, by any of the rules.
    None,
    /// The needle of the first rule, once, in the middle.
    One,
}

impl Hits {
    /// All there are.
    pub const ALL: [Self; 2] = [Self::None, Self::One];

    /// Part of the name of a bench.
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "no-match",
            Self::One => "one-match",
        }
    }
}

/// Bytes of [`text`]. More than a processor's branch predictor can learn by heart, which would make
/// a small chunk that comes again and again look several times cheaper than it is.
pub const TEXT: usize = 1024 * 1024;

/// Text to be cut into chunks of `chunk` bytes, the same in every run; the hits are in each chunk.
///
/// No needle begins at a chunk's end, so what a chunk costs does not depend on the one before it.
///
/// # Panics
/// When [`TEXT`] is no multiple of `chunk`.
pub fn text(chunk: usize, hits: Hits) -> Vec<u8> {
    assert_eq!(TEXT % chunk, 0, "the text has to be cut into equal chunks");
    let mut text = Vec::with_capacity(TEXT + 32);
    let mut state = 1_u32;
    while text.len() < TEXT {
        // A linear congruential generator, of which the high bits are the good ones.
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        text.extend_from_slice(WORDS[(state >> 16) as usize % WORDS.len()].as_bytes());
        text.push(b' ');
    }
    text.truncate(TEXT);
    for chunk in text.chunks_exact_mut(chunk) {
        let needle = RULES[0].0.as_bytes();
        let at = chunk.len().saturating_sub(needle.len()) / 2;
        if hits == Hits::One
            && let Some(middle) = chunk.get_mut(at..at + needle.len())
        {
            middle.copy_from_slice(needle);
        }
        if let Some(last) = chunk.last_mut() {
            *last = b' ';
        }
    }
    text
}

/// The text with the rules applied, in the most naive way there is.
pub fn oracle(rules: &[(&str, &str)], text: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut at = 0;
    while at < text.len() {
        let rule = rules.iter().find(|(needle, _)| text[at..].starts_with(needle.as_bytes()));
        match rule {
            Some((needle, replacement)) => {
                out.extend_from_slice(replacement.as_bytes());
                at += needle.len();
            }
            None => {
                out.push(text[at]);
                at += 1;
            }
        }
    }
    out
}

/// Short enough that all benches together end within two minutes. Longer runs would not be any more
/// exact on a machine that does other things besides.
pub fn settings() -> Criterion {
    Criterion::default()
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
        .sample_size(40)
        .nresamples(20_000)
        .without_plots()
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHUNKS: [usize; 5] = [64, 1024, 16 * 1024, 64 * 1024, TEXT];

    #[test]
    fn each_chunk_has_its_hits() {
        let (find, replace) = RULES[0];
        for len in CHUNKS {
            let none = text(len, Hits::None);
            assert_eq!(none.len(), TEXT);
            assert_eq!(oracle(&RULES, &none), none);
            for chunk in text(len, Hits::One).chunks(len) {
                let expected = str::from_utf8(chunk).unwrap().replacen(find, replace, 1);
                assert_ne!(expected.as_bytes(), chunk);
                assert_eq!(oracle(&RULES, chunk), expected.as_bytes());
            }
        }
    }

    #[test]
    fn no_needle_begins_at_the_end_of_a_chunk() {
        let last = |needle: &str| needle.as_bytes()[..needle.len() - 1].contains(&b' ');
        assert!(!RULES.iter().any(|(needle, _)| last(needle)));
        for len in CHUNKS {
            assert!(text(len, Hits::One).chunks(len).all(|chunk| chunk.ends_with(b" ")));
        }
    }

    #[test]
    fn the_oracle_takes_the_first_rule_that_fits_and_does_not_look_back() {
        let rules = [("ab", "a"), ("abc", "-"), ("b", "ab")];
        assert_eq!(oracle(&rules, b"abcbab"), b"acaba");
    }
}
