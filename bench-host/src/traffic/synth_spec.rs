//! The `synth:` notation: what it may say and what its parameters mean.

use std::num::NonZeroUsize;

use crate::units::{SizeError, parse_size};

/// Explains `synth:` traffic; meant for the help text of a `--traffic` option.
pub const SYNTH_HELP: &str = "\
synth:KIND[,NAME=VALUE…] generates traffic, the same bytes on every run:

  synth:upload    POST with a text request body of size= bytes
  synth:download  GET with a text response body of size= bytes
  synth:echo      POST with the same text in both directions
  synth:sse       GET answered by a text/event-stream of LLM tokens, one event a chunk
  synth:json      POST with a JSON request body of size= bytes

  size=SIZE       length of the body, of one event for sse  [1MiB, sse 120, json 16KiB]
  events=N        number of events, sse only                [100]
  chunk=SIZE      fixes the chunks of the body              [as --chunk says, sse one event]
  requests=N      number of requests                        [1]
  seed=N          chooses the text                          [0]
  framing=streamed|sized  without or with content-length    [streamed]
  needle=TEXT     text to plant (it cannot hold a comma)
  every=SIZE      plant it about once in so many bytes      [4KiB]

  for example synth:upload,size=1GiB,chunk=16KiB,needle=secret,every=64KiB
";

/// What kind of traffic is generated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SynthKind {
    Download,
    Echo,
    Json,
    Sse,
    Upload,
}

/// Kinds by name, with the parameters that each understands.
const KINDS: [(&str, SynthKind, &[&str]); 5] = [
    ("upload", SynthKind::Upload, TEXT),
    ("download", SynthKind::Download, TEXT),
    ("echo", SynthKind::Echo, TEXT),
    (
        "sse",
        SynthKind::Sse,
        &["size", "events", "chunk", "requests", "seed", "framing", "needle", "every"],
    ),
    ("json", SynthKind::Json, TEXT),
];
const TEXT: &[&str] = &["size", "chunk", "requests", "seed", "framing", "needle", "every"];

/// A parsed `synth:` notation, defaults filled in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SynthSpec {
    pub(super) kind: SynthKind,
    pub(super) size: u64,
    pub(super) events: u64,
    pub(super) chunk: Option<NonZeroUsize>,
    pub(super) requests: u64,
    pub(super) seed: u64,
    pub(super) sized: bool,
    pub(super) needle: Option<Needle>,
}

/// Text to find, and how far apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Needle {
    pub(super) text: String,
    pub(super) every: u64,
}

impl SynthSpec {
    /// Parses what follows `synth:`; the error is the reason.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut parts = text.split(',');
        let name = parts.next().unwrap_or_default();
        let Some(&(_, kind, known)) = KINDS.iter().find(|(known, ..)| *known == name) else {
            let names: Vec<_> = KINDS.iter().map(|(name, ..)| *name).collect();
            return Err(format!("unknown kind `{name}`; use one of {}", names.join(", ")));
        };

        let mut spec = Self::defaults(kind);
        let (mut needle, mut every) = (None, None);
        let mut seen = Vec::new();
        for part in parts {
            let (parameter, value) = part.split_once('=').unwrap_or((part, ""));
            if !known.contains(&parameter) {
                return Err(format!(
                    "unknown parameter `{parameter}`; {name} understands {}",
                    known.join(", ")
                ));
            }
            if seen.contains(&parameter) {
                return Err(format!("parameter `{parameter}` is given twice"));
            }
            seen.push(parameter);
            let wrong = |reason: String| format!("parameter `{parameter}`: {reason}");
            match parameter {
                "size" => spec.size = size(value).map_err(wrong)?,
                "chunk" => spec.chunk = Some(chunk(value).map_err(wrong)?),
                "events" => spec.events = number(value).map_err(wrong)?,
                "requests" => spec.requests = at_least_one(value).map_err(wrong)?,
                "seed" => spec.seed = number(value).map_err(wrong)?,
                "framing" => spec.sized = framing(value).map_err(wrong)?,
                "needle" => needle = Some(value).filter(|value| !value.is_empty()),
                "every" => every = Some(size(value).map_err(wrong)?),
                _ => {}
            }
        }
        spec.needle = match (needle, every) {
            (Some(text), every) => Some(Needle::new(text, every.unwrap_or(4 << 10))?),
            (None, Some(_)) => return Err("parameter `every` needs a needle=TEXT".to_owned()),
            (None, None) if seen.contains(&"needle") => {
                return Err("parameter `needle`: the text is empty".to_owned());
            }
            (None, None) => None,
        };
        Ok(spec)
    }

    fn defaults(kind: SynthKind) -> Self {
        Self {
            kind,
            size: match kind {
                SynthKind::Json => 16 << 10,
                SynthKind::Sse => 120,
                SynthKind::Download | SynthKind::Echo | SynthKind::Upload => 1 << 20,
            },
            events: 100,
            chunk: None,
            requests: 1,
            seed: 0,
            sized: false,
            needle: None,
        }
    }
}

impl Needle {
    fn new(text: &str, every: u64) -> Result<Self, String> {
        if every < text.len() as u64 {
            return Err(format!(
                "parameter `every`: {every} bytes do not hold the needle, which has {}",
                text.len()
            ));
        }
        Ok(Self { text: text.to_owned(), every })
    }
}

fn size(value: &str) -> Result<u64, String> {
    parse_size(value).map_err(|error: SizeError| error.to_string())
}

fn chunk(value: &str) -> Result<NonZeroUsize, String> {
    usize::try_from(size(value)?)
        .ok()
        .and_then(NonZeroUsize::new)
        .ok_or_else(|| format!("`{value}` is not a possible chunk; use 1 byte or more"))
}

fn number(value: &str) -> Result<u64, String> {
    value.parse().map_err(|_| format!("`{value}` is not a whole number"))
}

fn at_least_one(value: &str) -> Result<u64, String> {
    match number(value)? {
        0 => Err("must be at least 1".to_owned()),
        number => Ok(number),
    }
}

fn framing(value: &str) -> Result<bool, String> {
    match value {
        "sized" => Ok(true),
        "streamed" => Ok(false),
        _ => Err(format!("`{value}` is neither `streamed` nor `sized`")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_replace_the_defaults() {
        let spec = SynthSpec::parse(
            "sse,size=1KiB,events=5,chunk=7,requests=2,seed=9,framing=sized,needle=a=b,every=2KiB",
        );
        let expected = SynthSpec {
            kind: SynthKind::Sse,
            size: 1024,
            events: 5,
            chunk: NonZeroUsize::new(7),
            requests: 2,
            seed: 9,
            sized: true,
            needle: Some(Needle { text: "a=b".to_owned(), every: 2048 }),
        };
        assert_eq!(spec, Ok(expected));
        assert_eq!(SynthSpec::parse("json").unwrap().size, 16 << 10);
    }

    #[test]
    fn mistakes_are_named() {
        for (text, reason) in [
            ("", "unknown kind ``; use one of upload, download, echo, sse, json"),
            (
                "upload,sise=1",
                "unknown parameter `sise`; upload understands size, chunk, requests, seed, \
                 framing, needle, every",
            ),
            (
                "json,events=1",
                "unknown parameter `events`; json understands size, chunk, requests, seed, \
                 framing, needle, every",
            ),
            ("upload,size=1,size=2", "parameter `size` is given twice"),
            (
                "upload,size",
                "parameter `size`: `` is not a size; write a whole number and a unit, such as \
                 64KiB",
            ),
            (
                "upload,chunk=0",
                "parameter `chunk`: `0` is not a possible chunk; use 1 byte or more",
            ),
            ("upload,seed=x", "parameter `seed`: `x` is not a whole number"),
            ("upload,requests=0", "parameter `requests`: must be at least 1"),
            ("upload,framing=big", "parameter `framing`: `big` is neither `streamed` nor `sized`"),
            ("upload,every=1KiB", "parameter `every` needs a needle=TEXT"),
            ("upload,needle=", "parameter `needle`: the text is empty"),
            (
                "upload,needle=secret,every=5",
                "parameter `every`: 5 bytes do not hold the needle, which has 6",
            ),
        ] {
            assert_eq!(SynthSpec::parse(text).unwrap_err(), reason, "{text}");
        }
    }

    #[test]
    fn help_names_every_kind_and_parameter() {
        for (name, _, parameters) in KINDS {
            assert!(SYNTH_HELP.contains(&format!("synth:{name}")));
            assert!(parameters.iter().all(|p| SYNTH_HELP.contains(&format!("\n  {p}="))));
        }
    }
}
