//! A test as something that can be repeated, with other streams beside it.

use std::sync::Arc;

use bytes::Bytes;

use super::super::bench::Work;
use super::super::session::Session;
use super::input::Inputs;
use super::model::Env;
use crate::engine::Fault;
use crate::host::{Direction, HeaderMap};

/// A test's callbacks, over and over.
#[derive(Debug)]
pub(in super::super) struct Repeated {
    script: Arc<[Action]>,
    others: Vec<Stream>,
    wanted: u64,
    rate: u64,
    random: u64,
}

/// One callback of a stream, or several that belong together.
#[derive(Clone, Debug)]
enum Action {
    Create,
    Headers(Direction, HeaderMap),
    Body(Direction, Bytes, bool),
    Destroy,
}

/// A stream on its way through the script.
#[derive(Clone, Debug)]
struct Stream {
    script: Arc<[Action]>,
    context: u32,
    next: usize,
}

/// Other streams that move with each iteration where the suite does not say how many.
const RATE: u64 = 3;
/// More streams than any proxy has open in one VM.
const MOST_STREAMS: u64 = 1_000_000;

impl Repeated {
    /// The callbacks of a test, which is given what it is: response headers get the response's.
    pub fn new(inputs: Inputs, env: &Env) -> Self {
        let mut script = vec![Action::Create];
        let halves = [
            (Direction::Request, inputs.request_headers, inputs.request_body),
            (Direction::Response, inputs.response_headers, inputs.response_body),
        ];
        for (direction, headers, bodies) in halves {
            script.extend(headers.map(|headers| Action::Headers(direction, headers)));
            let chunks: Vec<Bytes> = bodies.into_iter().flatten().collect();
            let last = chunks.len().saturating_sub(1);
            let bodies = chunks.into_iter().enumerate();
            script.extend(bodies.map(|(at, chunk)| Action::Body(direction, chunk, at == last)));
        }
        script.push(Action::Destroy);
        let rate = env.additional_stream_advance_rate;
        Self {
            script: script.into(),
            others: Vec::new(),
            wanted: env.num_additional_streams.min(MOST_STREAMS),
            rate: if rate == 0 { RATE } else { rate },
            random: 0,
        }
    }

    fn stream(&self) -> Stream {
        Stream { script: Arc::clone(&self.script), context: 0, next: 0 }
    }

    /// SplitMix64 (Steele, Lea and Flood 2014), from the same seed in every run.
    fn random(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.random;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }
}

impl Work for Repeated {
    fn additional_streams(&self) -> u64 {
        self.wanted
    }

    fn prepare(&mut self, session: &mut Session) -> Result<(), Fault> {
        self.random = 0;
        self.others.clear();
        for _ in 0..self.wanted {
            let mut stream = self.stream();
            // Open, and with one callback behind it.
            stream.advance(session)?;
            stream.advance(session)?;
            self.others.push(stream);
        }
        Ok(())
    }

    fn aside(&mut self, session: &mut Session) -> Result<(), Fault> {
        if self.others.is_empty() {
            return Ok(());
        }
        for _ in 0..self.rate {
            let number = self.random() % self.others.len() as u64;
            let at = usize::try_from(number).unwrap_or(0);
            self.others[at].advance(session)?;
        }
        Ok(())
    }

    fn once(&mut self, session: &mut Session) -> Result<(), Fault> {
        let mut stream = self.stream();
        stream.advance(session)?;
        while stream.next > 0 {
            stream.advance(session)?;
        }
        Ok(())
    }
}

impl Stream {
    /// Makes the next callback; behind the last one it is at the start again.
    fn advance(&mut self, session: &mut Session) -> Result<(), Fault> {
        let script = Arc::clone(&self.script);
        let step = match script.get(self.next) {
            Some(Action::Create) => {
                self.context = session.open()?;
                self.next += 1;
                return Ok(());
            }
            Some(Action::Headers(direction, headers)) => {
                session.headers(self.context, *direction, headers.clone())?
            }
            Some(Action::Body(direction, chunk, end)) => {
                session.body(self.context, *direction, chunk.clone(), *end)?
            }
            Some(Action::Destroy) | None => {
                self.next = 0;
                return session.close(self.context);
            }
        };
        self.next += 1;
        if step.reply.is_some() {
            // Nothing is shown to a plugin that has answered.
            self.next = script.len() - 1;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn each_half_gets_its_own_input() {
        let suite = r#"test {
            request_headers { input { header { key: ":method" value: "GET" } } }
            request_body { input { content: "a" } } request_body { input { content: "b" } }
            response_headers { input { header { key: ":status" value: "200" } } } }"#;
        let suite = super::super::read(suite).unwrap();
        let inputs = Inputs::of(&suite.tests[0], Path::new("")).unwrap();
        let script = Repeated::new(inputs, &suite.env).script;
        let shown = script.iter().map(|action| match action {
            Action::Create => "create".to_owned(),
            Action::Headers(direction, map) => {
                let names = map.iter().map(|(name, _)| String::from_utf8_lossy(name).into_owned());
                format!("{direction:?} {}", names.collect::<String>())
            }
            Action::Body(direction, chunk, end) => format!("{direction:?} {chunk:?} {end}"),
            Action::Destroy => "destroy".to_owned(),
        });
        insta::assert_snapshot!(shown.collect::<Vec<_>>().join("\n"), @r#"
        create
        Request :method
        Request b"a" false
        Request b"b" true
        Response :status
        destroy
        "#);
    }
}
