//! A suite as it is written.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;
use toml::Spanned;

use super::super::place::Place;
use super::expect::{self, Expect};
use super::values::{Config, Fields, Http, Size, Status};
use crate::host::{Level, Profile};
use crate::traffic::lines_body::WrittenBody;

/// The file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct File {
    /// The plugin, where the command line names none.
    pub plugin: Option<PathBuf>,
    /// What holds for every case that does not say otherwise.
    #[serde(default)]
    pub defaults: Common,
    #[serde(default, rename = "case")]
    written: Vec<Spanned<Case>>,
    /// The cases, with their places.
    #[serde(skip)]
    pub cases: Vec<Case>,
}

/// What a case is run with.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct Common {
    pub config: Option<Config>,
    pub config_file: Option<PathBuf>,
    pub host: Option<Profile>,
    pub http: Option<Http>,
    pub chunk: Option<Size>,
    pub buffer_limit: Option<Size>,
    pub allow_stop_iteration: Option<bool>,
    pub log_level: Option<Level>,
    pub time_secs: Option<u64>,
    #[serde(default)]
    pub properties: BTreeMap<String, String>,
}

/// A case.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct Case {
    pub name: String,
    #[serde(default)]
    pub benchmark: bool,
    // The keys of `Common` once more: flattened, they would lose their places.
    config: Option<Config>,
    config_file: Option<PathBuf>,
    host: Option<Profile>,
    http: Option<Http>,
    chunk: Option<Size>,
    buffer_limit: Option<Size>,
    allow_stop_iteration: Option<bool>,
    log_level: Option<Level>,
    time_secs: Option<u64>,
    #[serde(default)]
    properties: BTreeMap<String, String>,
    #[serde(default)]
    pub request: Request,
    #[serde(default)]
    pub response: Response,
    #[serde(default)]
    pub expect: Expect,
    /// What answers calls that the plugin makes.
    pub upstreams: Option<toml::Table>,
    /// Another configuration, which the plugin gets in the same VM before the exchange.
    pub config_update: Option<Config>,
    #[serde(skip)]
    pub at: Place,
}

/// What the client sends.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(in super::super) struct Request {
    pub method: String,
    pub scheme: String,
    pub authority: String,
    pub path: String,
    pub headers: Fields,
    pub body: WrittenBody,
    pub body_file: Option<PathBuf>,
    pub chunks: Vec<WrittenBody>,
    pub trailers: Fields,
}

impl Default for Request {
    fn default() -> Self {
        Self {
            method: "GET".to_owned(),
            scheme: "https".to_owned(),
            authority: "example.com".to_owned(),
            path: "/".to_owned(),
            headers: Fields::default(),
            body: WrittenBody::default(),
            body_file: None,
            chunks: Vec::new(),
            trailers: Fields::default(),
        }
    }
}

/// What the upstream answers.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(in super::super) struct Response {
    pub status: Status,
    pub headers: Fields,
    pub body: WrittenBody,
    pub body_file: Option<PathBuf>,
    pub chunks: Vec<WrittenBody>,
    pub trailers: Fields,
}

impl File {
    /// Finds the places of what was read, and fills in the defaults.
    pub fn locate(&mut self, text: &str) {
        let lines = expect::lines(text);
        for case in std::mem::take(&mut self.written) {
            let start = case.span().start;
            let line = lines.partition_point(|begin| *begin <= start);
            let begin = line.checked_sub(1).and_then(|line| lines.get(line)).copied();
            let before = text.get(begin.unwrap_or(0)..start).unwrap_or_default();
            let at = Place { line, column: before.chars().count() + 1 };
            let mut case = case.into_inner();
            case.at = at;
            case.expect.locate(&lines, at);
            self.cases.push(case);
        }
    }
}

impl Case {
    /// What the case is run with: what it says itself, else what the file says for all.
    pub fn common(&self, defaults: &Common) -> Common {
        // A configuration is one thing, however it is written.
        let own = self.config.is_some() || self.config_file.is_some();
        let (config, config_file) = if own {
            (&self.config, &self.config_file)
        } else {
            (&defaults.config, &defaults.config_file)
        };
        let mut properties = defaults.properties.clone();
        properties.extend(self.properties.clone());
        Common {
            config: config.clone(),
            config_file: config_file.clone(),
            host: self.host.or(defaults.host),
            http: self.http.or(defaults.http),
            chunk: self.chunk.or(defaults.chunk),
            buffer_limit: self.buffer_limit.or(defaults.buffer_limit),
            allow_stop_iteration: self.allow_stop_iteration.or(defaults.allow_stop_iteration),
            log_level: self.log_level.or(defaults.log_level),
            time_secs: self.time_secs.or(defaults.time_secs),
            properties,
        }
    }
}
