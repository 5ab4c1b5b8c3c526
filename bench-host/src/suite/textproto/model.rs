//! The schema of Google's plugin tests (`plugins/test/runner.proto` of
//! <https://github.com/GoogleCloudPlatform/service-extensions>), with places.

use super::super::place::Place;

/// `TestSuite`
#[derive(Clone, Debug, Default)]
pub(in super::super) struct TestSuite {
    pub env: Env,
    pub tests: Vec<Test>,
}

/// `Env`; what only their runner needs is read and dropped.
#[derive(Clone, Debug, Default)]
pub(in super::super) struct Env {
    pub wasm_path: String,
    pub config_path: String,
    /// 0 is unset, else one more than the number of the ABI.
    pub log_level: u32,
    pub time_secs: u64,
    pub num_additional_streams: u64,
    pub additional_stream_advance_rate: u64,
}

/// `Test`
#[derive(Clone, Debug, Default)]
pub(in super::super) struct Test {
    pub at: Place,
    pub name: String,
    pub benchmark: bool,
    pub request_headers: Option<Invocation>,
    pub request_body: Vec<Invocation>,
    pub response_headers: Option<Invocation>,
    pub response_body: Vec<Invocation>,
    pub plugin_init: Expectation,
    pub stream_init: Expectation,
    pub stream_destroy: Expectation,
    pub chunking: Option<Chunking>,
    pub properties: Vec<(Vec<u8>, Vec<u8>)>,
}

/// `body_chunking_plan`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Chunking {
    Number(usize),
    Size(usize),
}

/// `Invocation`
#[derive(Clone, Debug, Default)]
pub(in super::super) struct Invocation {
    pub at: Place,
    pub input: Input,
    pub result: Expectation,
}

/// `Input`
#[derive(Clone, Debug, Default)]
pub(in super::super) struct Input {
    pub headers: Vec<Header>,
    pub content: Vec<u8>,
    pub file: String,
}

/// `Header`
#[derive(Clone, Debug, Default)]
pub(in super::super) struct Header {
    pub at: Place,
    pub key: String,
    pub value: Vec<u8>,
}

/// `Expectation`
#[derive(Clone, Debug, Default)]
pub(in super::super) struct Expectation {
    pub at: Place,
    pub has_header: Vec<Header>,
    pub no_header: Vec<Header>,
    pub headers: Vec<StringMatcher>,
    pub body: Vec<StringMatcher>,
    pub immediate: Option<Immediate>,
    pub log: Vec<StringMatcher>,
}

/// `Expectation.Immediate`
#[derive(Clone, Debug, Default)]
pub(in super::super) struct Immediate {
    pub at: Place,
    pub http_status: Option<u32>,
    pub grpc_status: Option<u32>,
    pub details: Option<String>,
}

/// `StringMatcher`
#[derive(Clone, Debug, Default)]
pub(in super::super) struct StringMatcher {
    pub at: Place,
    pub invert: bool,
    pub pattern: Option<Pattern>,
}

/// `StringMatcher.matcher`
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) enum Pattern {
    Exact(Vec<u8>),
    Regex(String),
    File(String),
}
