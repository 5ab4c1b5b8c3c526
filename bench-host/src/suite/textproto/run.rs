//! Running a test: a fresh VM, one stream, one phase after the other.

use std::path::Path;
use std::time::Instant;

use bytes::Bytes;

use super::super::case::{CaseResult, Failure};
use super::super::session::{NOTHING, Session, Setup};
use super::check::{Came, Check};
use super::input::Inputs;
use super::model::{Expectation, Invocation, Test};
use crate::engine::{Fault, Plugin};
use crate::host::{Direction, HeaderMap, Step};

/// Runs a test; `folder` is where the files of the suite are.
pub(in super::super) fn run(
    test: &Test,
    plugin: &dyn Plugin,
    setup: &Setup,
    folder: &Path,
) -> CaseResult {
    let start = Instant::now();
    let mut failures = Vec::new();
    let mut log = Vec::new();
    let crash = match Inputs::of(test, folder) {
        Ok(inputs) => match Session::start(plugin, setup, NOTHING) {
            Ok(session) => {
                let failures = &mut failures;
                let mut run = Run { session, folder, failures, replied: false };
                let crash = run.phases(test, inputs).err().map(|fault| fault.to_string());
                log = lines(&mut run.session, 0);
                crash
            }
            Err(error) => Some(error.to_string()),
        },
        Err(failure) => {
            failures.push(failure);
            None
        }
    };
    if failures.is_empty() && crash.is_none() {
        log.clear();
    }
    let took = start.elapsed();
    CaseResult { name: test.name.clone(), at: test.at, failures, crash, log, took, bench: None }
}

struct Run<'a> {
    session: Session<'a>,
    folder: &'a Path,
    failures: &'a mut Vec<Failure>,
    /// The plugin has answered; nothing is shown to it any more.
    replied: bool,
}

impl Run<'_> {
    fn phases(&mut self, test: &Test, inputs: Inputs) -> Result<(), Fault> {
        self.side_effects("plugin_init", &test.plugin_init, 0);
        let mark = self.session.mark();
        let stream = self.session.open()?;
        self.side_effects("stream_init", &test.stream_init, mark);

        let request = (stream, Direction::Request);
        self.headers(request, &test.request_headers, inputs.request_headers)?;
        self.bodies(request, &test.request_body, inputs.request_body)?;
        let response = (stream, Direction::Response);
        self.headers(response, &test.response_headers, inputs.response_headers)?;
        self.bodies(response, &test.response_body, inputs.response_body)?;

        let mark = self.session.mark();
        self.session.close(stream)?;
        self.side_effects("stream_destroy", &test.stream_destroy, mark);
        self.session.end_plugin()
    }

    fn side_effects(&mut self, phase: &'static str, expected: &Expectation, mark: usize) {
        let log = lines(&mut self.session, mark);
        self.check(phase).log(expected, &log, &log);
    }

    fn headers(
        &mut self,
        (stream, direction): (u32, Direction),
        invocation: &Option<Invocation>,
        input: Option<HeaderMap>,
    ) -> Result<(), Fault> {
        let (Some(invocation), Some(input)) = (invocation, input) else { return Ok(()) };
        let phase = match direction {
            Direction::Request => "request_headers",
            Direction::Response => "response_headers",
        };
        let mut came = Came { continues: true, ..Came::default() };
        if !self.replied {
            let mark = self.session.mark();
            let step = self.session.headers(stream, direction, input)?;
            came = self.came(step, mark);
        }
        self.check(phase).headers(&invocation.result, &came);
        Ok(())
    }

    fn bodies(
        &mut self,
        (stream, direction): (u32, Direction),
        invocations: &[Invocation],
        inputs: Vec<Vec<Bytes>>,
    ) -> Result<(), Fault> {
        let phase = match direction {
            Direction::Request => "request_body",
            Direction::Response => "response_body",
        };
        for (invocation, chunks) in invocations.iter().zip(inputs) {
            let mut came = Came { continues: true, ..Came::default() };
            let last = chunks.len().saturating_sub(1);
            for (at, chunk) in chunks.into_iter().enumerate() {
                if self.replied {
                    break;
                }
                let mark = self.session.mark();
                let mut step = self.session.body(stream, direction, chunk, at == last)?;
                came.body.append(&mut step.body);
                let mut one = self.came(step, mark);
                came.last_log_from = came.log.len();
                came.log.append(&mut one.log);
                // What is expected of a reply is compared with it, else what the chunks became.
                if one.reply.is_some() && invocation.result.immediate.is_some() {
                    came = Came { log: came.log, last_log_from: came.last_log_from, ..one };
                }
            }
            self.check(phase).body(&invocation.result, &came);
        }
        Ok(())
    }

    /// What a callback leaves behind; a reply takes the place of the message.
    fn came(&mut self, step: Step, mark: usize) -> Came {
        let log = lines(&mut self.session, mark);
        let Step { answer, reply, headers, body } = step;
        let Some(reply) = reply else {
            // 2 is "continue and end the stream", which no proxy does for a plugin.
            let continues = matches!(answer, 0 | 2);
            return Came { headers, body, continues, log, ..Came::default() };
        };
        self.replied = true;
        let mut headers = HeaderMap::folded();
        for (name, value) in &reply.headers {
            headers.set(name, value);
        }
        let body = reply.body.to_vec();
        Came { headers, body, reply: Some(reply), log, ..Came::default() }
    }

    fn check(&mut self, phase: &'static str) -> Check<'_> {
        Check { phase, folder: self.folder, failures: self.failures }
    }
}

fn lines(session: &mut Session, mark: usize) -> Vec<String> {
    session.log_since(mark).iter().map(|line| line.message.clone()).collect()
}
