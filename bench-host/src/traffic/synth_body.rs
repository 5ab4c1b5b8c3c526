//! Text and event streams of `synth:` traffic.

use super::{
    Body,
    generator::Generator,
    synth_spec::{Needle, SynthSpec},
    words::{Random, Words},
};

/// How much text is made before it repeats.
const PERIOD: usize = 256 << 10;
/// The largest event, of which a block holds up to four.
const LARGEST_EVENT: u64 = 16 << 20;

const EVENT_START: &str = r#"data: {"choices":[{"index":0,"delta":{"content":""#;
const EVENT_END: &str = "\"}}]}\n\n";

/// Words and spaces, with the needle at a seeded place in every window of `every` bytes.
pub(super) fn text(spec: &SynthSpec) -> Result<Body, String> {
    let mut words = Words::new(spec.seed);
    let mut plain = Vec::new();
    let generator = match &spec.needle {
        None => {
            words.fill(&mut plain, PERIOD);
            Generator::repeat(&plain, spec.size)
        }
        Some(needle) => {
            let (window, windows) = match usize::try_from(needle.every) {
                Ok(every) if every <= PERIOD => (every, PERIOD / every),
                _ => (PERIOD, 1),
            };
            let room = window.checked_sub(needle.text.len()).ok_or_else(|| {
                format!("parameter `needle`: the text has more than {PERIOD} bytes")
            })?;
            words.fill(&mut plain, window * windows);
            let mut planted = plain.clone();
            let mut random = Random::new(spec.seed);
            for window in planted.chunks_exact_mut(window) {
                let at = random.below(room + 1);
                window[at..at + needle.text.len()].copy_from_slice(needle.text.as_bytes());
            }
            let every = needle.every / plain.len() as u64;
            Generator::repeat_planted(&plain, &planted, every, spec.size)
        }
    };
    Ok(Body::Generated(generator.with_chunk(spec.chunk)))
}

/// Server-sent events of exactly `size` bytes, shaped as the answer of a language model.
pub(super) fn events(spec: &SynthSpec) -> Result<Body, String> {
    let needle = spec.needle.as_ref().map(escaped);
    let shortest = EVENT_START.len() + needle.as_ref().map_or(1, String::len) + EVENT_END.len();
    let size = in_memory(spec.size, shortest, LARGEST_EVENT)?;
    let len = spec.events.checked_mul(spec.size).ok_or_else(|| {
        "parameter `events`: that many events of that size overflow 64 bits".to_owned()
    })?;

    let count = (PERIOD / size).max(1);
    let render = |planted: &dyn Fn(usize) -> bool| {
        let mut words = Words::new(spec.seed);
        let mut text = Vec::with_capacity(count * size);
        for event in 0..count {
            let end = (event + 1) * size - EVENT_END.len();
            text.extend_from_slice(EVENT_START.as_bytes());
            if let Some(needle) = needle.as_ref().filter(|_| planted(event)) {
                text.extend_from_slice(needle.as_bytes());
            }
            let room = end - text.len();
            words.fill(&mut text, room);
            text.extend_from_slice(EVENT_END.as_bytes());
        }
        text
    };
    let plain = render(&|_| false);
    let generator = match &spec.needle {
        None => Generator::repeat(&plain, len),
        Some(Needle { every, .. }) if *every <= plain.len() as u64 => {
            // The event that crosses into the next window of `every` bytes gets the needle.
            let window = |event: usize| (event as u64 * spec.size) / every;
            let planted = render(&|event| window(event) != window(event + 1));
            Generator::repeat(&planted, len)
        }
        Some(Needle { every, .. }) => {
            let chosen = Random::new(spec.seed).below(count);
            let planted = render(&|event| event == chosen);
            Generator::repeat_planted(&plain, &planted, every / plain.len() as u64, len)
        }
    };
    let chunk = spec.chunk.or(std::num::NonZeroUsize::new(size));
    Ok(Body::Generated(generator.with_chunk(chunk)))
}

/// The needle as it stands inside a JSON string.
pub(super) fn escaped(needle: &Needle) -> String {
    let quoted = serde_json::Value::from(needle.text.as_str()).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}

/// Checks the size of something that is built in memory; `largest` is in bytes.
pub(super) fn in_memory(size: u64, shortest: usize, largest: u64) -> Result<usize, String> {
    if size < shortest as u64 {
        return Err(format!("parameter `size`: must be at least {shortest}"));
    }
    match usize::try_from(size) {
        Ok(len) if size <= largest => Ok(len),
        _ => Err(format!("parameter `size`: must be at most {largest}")),
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;

    use bytes::Bytes;

    use super::*;

    fn body(spec: &str) -> Body {
        let parsed = SynthSpec::parse(spec).unwrap();
        let make = match spec.split(',').next().unwrap() {
            "sse" => events,
            _ => text,
        };
        make(&parsed).unwrap()
    }

    fn chunks(spec: &str) -> Vec<Bytes> {
        let cut = NonZeroUsize::new(16 << 10).unwrap();
        body(spec).chunks(cut).collect()
    }

    fn joined(spec: &str) -> String {
        String::from_utf8(chunks(spec).concat()).unwrap()
    }

    fn reason(spec: &str) -> String {
        let parsed = SynthSpec::parse(spec).unwrap();
        let result = match spec.split(',').next().unwrap() {
            "sse" => events(&parsed),
            _ => text(&parsed),
        };
        result.unwrap_err()
    }

    #[test]
    fn text_has_its_size_and_chunks() {
        let lengths = |spec| chunks(spec).iter().map(Bytes::len).collect::<Vec<_>>();
        assert_eq!(lengths("upload,size=40000"), [16384, 16384, 7232]);
        assert_eq!(lengths("upload,size=10,chunk=4"), [4, 4, 2]);
        assert_eq!(lengths("upload,size=0"), [0]);
        assert_eq!(joined("upload,size=1MiB").len(), 1 << 20);
        assert_ne!(joined("upload,size=1KiB,seed=1"), joined("upload,size=1KiB"));
    }

    #[test]
    fn a_gibibyte_is_never_held() {
        let body = body("upload,size=1GiB,chunk=64KiB");
        assert_eq!(body.len(), 1 << 30);
        let sum: u64 = body.chunks(NonZeroUsize::MIN).map(|c| c.len() as u64).sum();
        assert_eq!(sum, 1 << 30);
    }

    #[test]
    fn needles_come_about_once_in_every_bytes() {
        for (size, every) in [(1 << 20, 1000), (1 << 20, 4096), (8 << 20, 1 << 20)] {
            let spec = format!("upload,size={size},needle=NEEDLE,every={every}");
            let found = joined(&spec).matches("NEEDLE").count();
            assert!(found.abs_diff(size / every) <= 1 + size / every / 100, "{spec}: {found}");
        }
        let found = joined("sse,events=20000,needle=NEEDLE,every=10KB").matches("NEEDLE").count();
        assert!(found.abs_diff(240) <= 5, "{found}");
        let found = joined("sse,events=20000,needle=NEEDLE,every=600KB").matches("NEEDLE").count();
        assert!((3..=5).contains(&found), "{found}");
    }

    #[test]
    fn one_event_a_chunk() {
        let chunks = chunks(r#"sse,events=3,size=90,needle="x",every=90"#);
        assert_eq!(chunks.len(), 3);
        for chunk in &chunks {
            assert_eq!(chunk.len(), 90);
            let event = std::str::from_utf8(chunk).unwrap();
            let data = event.strip_prefix("data: ").unwrap();
            let data: serde_json::Value = serde_json::from_str(data).unwrap();
            let token = data["choices"][0]["delta"]["content"].as_str().unwrap();
            assert!(token.starts_with("\"x\""));
        }
        let recut = joined("sse,events=3,size=90,chunk=7");
        assert_eq!(recut, joined("sse,events=3,size=90"));
    }

    #[test]
    fn impossible_sizes_are_named() {
        assert_eq!(reason("sse,size=10"), "parameter `size`: must be at least 57");
        assert_eq!(reason("sse,size=1GiB"), "parameter `size`: must be at most 16777216");
        assert_eq!(
            reason("sse,events=9000000000000000000"),
            "parameter `events`: that many events of that size overflow 64 bits"
        );
        let long = "n".repeat(300_000);
        assert_eq!(
            reason(&format!("upload,needle={long},every=1MiB")),
            "parameter `needle`: the text has more than 262144 bytes"
        );
    }
}
