//! Where traffic comes from.

use std::slice;

use bytes::Bytes;

use super::{
    Exchange, TrafficError,
    lines::{self, Lines},
    open,
    synth::Synth,
    tap::{self, Tap},
};

const DEMO: &str = include_str!("../../traffic/demo.jsonl");
const SYNTH: &str = "synth:";

/// A source of exchanges that can be gone through again for every pass.
///
/// # Cost
///
/// A HAR file is held decoded; each pass clones header lists and shares bodies. JSON lines are read
/// anew in each pass, a line at a time, and take no memory in between. Output of Envoy's tap filter
/// is read anew as well; of one file, streams that came in pieces are held until the file ends, up
/// to 1 GiB. Generated traffic holds about one megabyte whatever its size.
#[derive(Clone, Debug)]
pub struct Traffic {
    source: String,
    kind: Kind,
    requests: u64,
    notes: Vec<String>,
}

/// The readers behind a [`Traffic`].
#[derive(Clone, Debug)]
pub(super) enum Kind {
    Lines(Lines),
    Recording(Vec<Exchange>),
    Synth(Box<Synth>),
    Tap(Tap),
}

impl Traffic {
    /// Opens a trace file, whatever its format, or understands a `synth:` notation.
    ///
    /// The whole trace is checked here, so that its mistakes show before a run starts.
    ///
    /// # Errors
    ///
    /// [`TrafficError`] with the file, the entry or line, and the reason.
    pub fn open(spec: &str) -> Result<Self, TrafficError> {
        let (kind, notes) = match spec.strip_prefix(SYNTH) {
            Some(text) => (Kind::Synth(Box::new(Synth::open(text)?)), Vec::new()),
            None => open::file(spec)?,
        };
        Self::checked(spec, kind, notes)
    }

    /// Understands a trace that is in memory, whatever its format; `name` is its path for messages.
    ///
    /// # Errors
    ///
    /// [`TrafficError`] with the name, the entry or line, and the reason.
    pub fn parse(name: &str, content: Vec<u8>) -> Result<Self, TrafficError> {
        let (kind, notes) = open::read_content(name, content)?;
        Self::checked(name, kind, notes)
    }

    fn checked(source: &str, kind: Kind, notes: Vec<String>) -> Result<Self, TrafficError> {
        let mut traffic = Self { source: source.to_owned(), kind, requests: 0, notes };
        traffic.requests = traffic.count()?;
        if traffic.requests == 0 {
            return Err(TrafficError::NoRequests {
                file: traffic.source,
                reason: match traffic.notes.first() {
                    Some(note) => note.clone(),
                    None if matches!(traffic.kind, Kind::Tap(_)) => "no stream".to_owned(),
                    None => "`log.entries` is empty".to_owned(),
                },
            });
        }
        Ok(traffic)
    }

    /// The trace that is built in: a handful of exchanges with every shape of body.
    pub fn demo() -> Self {
        let mut traffic = Self {
            source: "demo".to_owned(),
            kind: Kind::Lines(Lines::Text(Bytes::from_static(DEMO.as_bytes()))),
            requests: 0,
            notes: Vec::new(),
        };
        traffic.requests = traffic.exchanges().filter(Result::is_ok).count() as u64;
        traffic
    }

    /// As many exchanges as that, all like the first one but for a change.
    #[cfg(feature = "cli")]
    pub(crate) fn alike(
        &self,
        requests: usize,
        change: impl FnOnce(&mut Exchange),
    ) -> Result<Self, TrafficError> {
        let mut exchange = self.exchanges().next().expect("no trace is empty")?;
        change(&mut exchange);
        let kind = Kind::Recording(vec![exchange; requests]);
        Ok(Self { kind, requests: requests as u64, ..self.clone() })
    }

    /// What the user called it: a path, a `synth:` notation or `demo`.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// How many exchanges one pass has.
    pub fn requests(&self) -> u64 {
        self.requests
    }

    /// What a user should know before trusting results, one sentence each; mostly empty.
    ///
    /// For example that a recorder left out response bodies.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Starts a pass over all exchanges, in the order in which they were recorded.
    ///
    /// A pass fails only when a file that is read anew has changed since it was opened, and then ends.
    pub fn exchanges(&self) -> Exchanges<'_> {
        Exchanges(match &self.kind {
            Kind::Lines(lines) => Pass::Lines(lines.read(&self.source)),
            Kind::Recording(exchanges) => Pass::Recording(exchanges.iter()),
            Kind::Tap(tap) => Pass::Tap(tap.read()),
            Kind::Synth(synth) => Pass::Synth { synth, next: 0 },
        })
    }

    /// Counts the exchanges, which checks every line of a file that is not held in memory.
    fn count(&self) -> Result<u64, TrafficError> {
        match &self.kind {
            Kind::Lines(lines) => {
                lines.read(&self.source).try_fold(0, |count, exchange| exchange.map(|_| count + 1))
            }
            Kind::Recording(exchanges) => Ok(exchanges.len() as u64),
            Kind::Synth(synth) => Ok(synth.len()),
            Kind::Tap(tap) => Ok(tap.requests()),
        }
    }
}

/// One pass over the exchanges of a [`Traffic`].
pub struct Exchanges<'a>(Pass<'a>);

enum Pass<'a> {
    Lines(lines::Reader<'a>),
    Recording(slice::Iter<'a, Exchange>),
    Synth { synth: &'a Synth, next: u64 },
    Tap(tap::Reader<'a>),
}

impl Iterator for Exchanges<'_> {
    type Item = Result<Exchange, TrafficError>;

    fn next(&mut self) -> Option<Self::Item> {
        match &mut self.0 {
            Pass::Lines(lines) => lines.next(),
            Pass::Tap(tap) => tap.next(),
            Pass::Recording(exchanges) => exchanges.next().cloned().map(Ok),
            Pass::Synth { synth, next } => {
                let exchange = synth.exchange(*next)?;
                *next += 1;
                Some(Ok(exchange))
            }
        }
    }
}

impl std::fmt::Debug for Exchanges<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Exchanges").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, num::NonZeroUsize};

    use super::*;
    use crate::traffic::Body;

    #[test]
    fn traffic_is_shared_between_workers() {
        fn shared<T: Send + Sync>() {}
        shared::<Traffic>();
        fn sent<T: Send>() {}
        sent::<Exchanges<'_>>();
    }

    #[test]
    fn a_trace_in_memory_is_that_of_its_file() {
        let traffic = Traffic::parse("demo.jsonl", DEMO.into()).unwrap();
        assert_eq!(
            (traffic.source(), traffic.requests()),
            ("demo.jsonl", Traffic::demo().requests())
        );
        let error = Traffic::parse("t", b"{\"log\": {\"entries\": []}}".to_vec()).unwrap_err();
        assert!(matches!(error, TrafficError::NoRequests { .. }), "{error}");
    }

    #[test]
    fn the_demo_has_every_shape() {
        let traffic = Traffic::demo();
        let exchanges: Vec<_> = traffic.exchanges().map(Result::unwrap).collect();
        assert_eq!(exchanges.len() as u64, traffic.requests());
        assert_eq!(traffic.requests(), 9);
        assert!(DEMO.len() < 40_000);

        let responses = exchanges.iter().map(|e| e.response.as_ref().unwrap());
        let messages: Vec<_> = exchanges.iter().map(|e| &e.request).chain(responses).collect();
        let any = |wanted: fn(&Body) -> bool| messages.iter().any(|m| wanted(&m.body));
        assert!(any(|body| matches!(body, Body::None)));
        assert!(any(|body| matches!(body, Body::Whole(text) if text.is_empty())));
        assert!(any(|body| matches!(body, Body::Chunks(_))));
        assert!(messages.iter().any(|m| !m.trailers.is_empty()));

        // Lengths are right, and the old address is there, whole and cut.
        let (mut in_bodies, mut in_chunks) = (0, 0);
        let count = |text: &[u8]| {
            let text = String::from_utf8_lossy(text);
            text.matches("http://old.example.com").count()
        };
        for message in &messages {
            let chunks: Vec<_> = message.body.chunks(NonZeroUsize::MAX).collect();
            in_bodies += count(&chunks.concat());
            in_chunks += chunks.iter().map(|chunk| count(chunk)).sum::<usize>();
            if let Some(length) = message.headers.get("content-length") {
                assert_eq!(length, message.body.len().to_string().as_str());
            }
        }
        assert_eq!((in_bodies, in_chunks), (32, 26));
    }

    #[test]
    fn every_pass_sees_the_same() {
        let dir = tempfile::tempdir().unwrap();
        let file = |name, content: &str| {
            let path = dir.path().join(name);
            fs::write(&path, content).unwrap();
            path.to_str().unwrap().to_owned()
        };
        let har = r#"{"log": {"entries": [{"request": {"method": "GET", "url": "http://a"}}]}}"#;
        for (spec, requests) in [
            (file("named.har", "# lines all the same\n{}\n{}"), 2),
            (file("named.jsonl", har), 1),
            ("synth:json,requests=3".to_owned(), 3),
        ] {
            let traffic = Traffic::open(&spec).unwrap();
            assert_eq!(traffic.source(), spec);
            assert_eq!(traffic.requests(), requests);
            for _ in 0..2 {
                let labels = traffic.exchanges().map(|e| e.unwrap().label);
                assert_eq!(labels.count() as u64, requests);
            }
        }
    }

    #[test]
    fn a_file_that_vanishes_fails_the_pass() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("trace");
        fs::write(&path, "{}").unwrap();
        let traffic = Traffic::open(path.to_str().unwrap()).unwrap();
        fs::remove_file(&path).unwrap();
        let mut pass = traffic.exchanges();
        assert!(matches!(pass.next(), Some(Err(TrafficError::Io { .. }))));
        assert!(pass.next().is_none());
    }
}
