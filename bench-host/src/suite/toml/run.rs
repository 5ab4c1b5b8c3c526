//! Running a case: a fresh VM, and one exchange through the filter manager.

use std::fs;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Instant;

use bytes::Bytes;

use super::super::RunOptions;
use super::super::bench::Work;
use super::super::case::{CaseResult, Failure};
use super::super::session::{NOTHING, Session, Setup};
use super::check::Check;
use super::model::{Case, Common};
use super::values::{Config, Http};
use crate::engine::{Fault, Plugin};
use crate::host::{Level, Profile, Settings};
use crate::traffic::lines_body::WrittenBody;
use crate::traffic::{Body, Exchange, Headers, HttpVersion, Message};
use crate::upstream::Upstreams;

/// How bodies without chunks of their own are cut where nothing says it.
const CHUNK: NonZeroUsize = NonZeroUsize::new(16 * 1024).expect("16 KiB is not zero");

/// What a case needs before it can be run.
///
/// # Errors
/// What cannot be read, as a failure of the case.
pub(in super::super) fn setup(
    case: &Case,
    defaults: &Common,
    options: &RunOptions,
    folder: &Path,
) -> Result<Setup, Failure> {
    let common = case.common(defaults);
    let written = common.host;
    let mut settings = Settings::new(options.profile.or(written).unwrap_or(Profile::Envoy));
    options.adapt(&mut settings);
    settings.allow_stop_iteration |= common.allow_stop_iteration == Some(true);
    settings.buffer_limit = common.buffer_limit.map(|limit| limit.0.get());
    let level = options.log_level.or(common.log_level);
    settings.log_level = level.unwrap_or(Level::Info);
    let configuration = match (&options.configuration, common.config, common.config_file) {
        (Some(configuration), _, _) => configuration.clone(),
        (None, Some(Config(text)), _) => text,
        (None, None, Some(name)) => {
            read(folder, &name).map_err(|what| Failure::new(case.at, "configuration", what))?
        }
        (None, None, None) => Bytes::new(),
    };
    let values = common.properties.into_iter();
    settings.properties =
        values.map(|(path, value)| (path.into_bytes(), value.into_bytes())).collect();
    let upstreams = match case.upstreams.clone() {
        Some(table) => Upstreams::from_table(table, folder)
            .map_err(|error| Failure::new(case.at, "upstreams", error.to_string()))?,
        None => Upstreams::none(),
    };
    Ok(Setup {
        settings,
        configuration,
        update: case.config_update.clone().map(|Config(text)| text),
        upstreams,
        frozen: common.time_secs.map(|seconds| seconds.saturating_mul(1_000_000_000)),
        whole_log: true,
    })
}

/// Runs a case; `folder` is where the files of the suite are.
pub(in super::super) fn run(
    case: &Case,
    defaults: &Common,
    plugin: &dyn Plugin,
    setup: &Setup,
    folder: &Path,
) -> CaseResult {
    let start = Instant::now();
    let mut failures = Vec::new();
    let mut log = Vec::new();
    let mut crash = None;
    match Repeated::of(case, defaults, folder) {
        Ok(repeated) => match Session::start(plugin, setup, NOTHING) {
            Ok(mut session) => {
                let outcome = session.exchange(repeated.exchange, repeated.cut);
                let mut check = Check { expected: &case.expect, folder, failures: &mut failures };
                match outcome {
                    Ok(outcome) => {
                        check.outcome(&outcome);
                        check.log(session.log_since(0));
                    }
                    Err(fault) => crash = Some(fault.to_string()),
                }
                let lines = session.log_since(0).iter();
                log = lines.map(|line| format!("[{}] {}", line.level, line.message)).collect();
            }
            Err(error) => crash = Some(error.to_string()),
        },
        Err(failure) => failures.push(failure),
    }
    if failures.is_empty() && crash.is_none() {
        log.clear();
    }
    let took = start.elapsed();
    CaseResult { name: case.name.clone(), at: case.at, failures, crash, log, took, bench: None }
}

/// A case's exchange, over and over.
#[derive(Clone, Debug)]
pub(in super::super) struct Repeated {
    exchange: Exchange,
    cut: NonZeroUsize,
}

impl Repeated {
    /// The exchange of a case.
    ///
    /// # Errors
    /// What cannot be read, as a failure of the case.
    pub fn of(case: &Case, defaults: &Common, folder: &Path) -> Result<Self, Failure> {
        let common = case.common(defaults);
        let (request, response) = (&case.request, &case.response);
        let fail = |part| move |what| Failure::new(case.at, part, what);
        let mut request_headers = Headers::new();
        request_headers.push(":method", request.method.clone());
        request_headers.push(":scheme", request.scheme.clone());
        request_headers.push(":authority", request.authority.clone());
        request_headers.push(":path", request.path.clone());
        request_headers.extend(request.headers.0.iter().cloned());
        let mut response_headers = Headers::new();
        response_headers.push(":status", response.status.0.to_string());
        response_headers.extend(response.headers.0.iter().cloned());
        let request = Message {
            headers: request_headers,
            body: body(&request.body, request.body_file.as_ref(), &request.chunks, folder)
                .map_err(fail("request"))?,
            trailers: request.trailers.0.clone(),
        };
        let response = Message {
            headers: response_headers,
            body: body(&response.body, response.body_file.as_ref(), &response.chunks, folder)
                .map_err(fail("response"))?,
            trailers: response.trailers.0.clone(),
        };
        let http = common.http.map_or(HttpVersion::Http1, |http: Http| http.into());
        Ok(Self {
            exchange: Exchange {
                label: case.name.clone(),
                start: None,
                http,
                request,
                response: Some(response),
            },
            cut: common.chunk.map_or(CHUNK, |size| size.0),
        })
    }
}

impl Work for Repeated {
    fn prepare(&mut self, _: &mut Session) -> Result<(), Fault> {
        Ok(())
    }

    fn aside(&mut self, _: &mut Session) -> Result<(), Fault> {
        Ok(())
    }

    fn once(&mut self, session: &mut Session) -> Result<(), Fault> {
        session.exchange(self.exchange.clone(), self.cut).map(drop)
    }
}

/// A body, written in one of three ways.
fn body(
    whole: &WrittenBody,
    file: Option<&PathBuf>,
    chunks: &[WrittenBody],
    folder: &Path,
) -> Result<Body, String> {
    match (&whole.0, file, chunks) {
        (body, None, []) => Ok(body.clone()),
        (Body::None, Some(file), []) => read(folder, file).map(Body::Whole),
        (Body::None, None, chunks) => {
            let pieces = chunks.iter().flat_map(|chunk| match &chunk.0 {
                Body::Whole(piece) => vec![piece.clone()],
                Body::Chunks(pieces) => pieces.clone(),
                Body::Timed(pieces) => pieces.iter().map(|(_, piece)| piece.clone()).collect(),
                Body::None | Body::Generated(_) => Vec::new(),
            });
            Ok(Body::Chunks(pieces.collect()))
        }
        _ => Err("body, body_file and chunks are three ways to write one body: use one".to_owned()),
    }
}

fn read(folder: &Path, name: &Path) -> Result<Bytes, String> {
    let read = fs::read(folder.join(name)).map(Bytes::from);
    read.map_err(|error| format!("cannot read {}: {error}", name.display()))
}
