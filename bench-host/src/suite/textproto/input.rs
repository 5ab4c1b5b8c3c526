//! What a test sends, ready to be sent.

use std::path::Path;

use bytes::Bytes;

use super::super::case::Failure;
use super::chunks::chunks;
use super::http1;
use super::model::{Input, Invocation, Test};
use crate::host::{Direction, HeaderMap};

/// What a test sends. What cannot be read is a failure of the test, not of the suite.
#[derive(Clone, Debug, Default)]
pub(in super::super) struct Inputs {
    pub request_headers: Option<HeaderMap>,
    /// The chunks of each invocation.
    pub request_body: Vec<Vec<Bytes>>,
    pub response_headers: Option<HeaderMap>,
    /// The chunks of each invocation.
    pub response_body: Vec<Vec<Bytes>>,
}

impl Inputs {
    /// Reads files and HTTP/1 heads; files are named from the suite's folder.
    pub fn of(test: &Test, folder: &Path) -> Result<Self, Failure> {
        let headers = |invocation: &Option<Invocation>, direction, phase| {
            let Some(invocation) = invocation else { return Ok(None) };
            headers(&invocation.input, direction, folder)
                .map(Some)
                .map_err(|what| Failure::new(invocation.at, phase, what))
        };
        let bodies = |invocations: &[Invocation], phase| {
            if let [_, second, ..] = invocations
                && test.chunking.is_some()
            {
                let what = "a body that is cut into chunks takes one invocation";
                return Err(Failure::new(second.at, phase, what));
            }
            let chunked = invocations.iter().map(|invocation| {
                let body = body(&invocation.input, folder)
                    .map_err(|what| Failure::new(invocation.at, phase, what))?;
                Ok(chunks(body, test.chunking))
            });
            chunked.collect::<Result<Vec<_>, _>>()
        };
        Ok(Self {
            request_headers: headers(&test.request_headers, Direction::Request, "request_headers")?,
            request_body: bodies(&test.request_body, "request_body")?,
            response_headers: headers(
                &test.response_headers,
                Direction::Response,
                "response_headers",
            )?,
            response_body: bodies(&test.response_body, "response_body")?,
        })
    }
}

/// A file goes before content, and content before single headers.
fn headers(input: &Input, direction: Direction, folder: &Path) -> Result<HeaderMap, String> {
    let content = body(input, folder)?;
    if content.is_empty() && input.file.is_empty() {
        let mut map = HeaderMap::folded();
        for header in &input.headers {
            map.add(header.key.as_bytes(), &header.value);
        }
        return Ok(map);
    }
    match direction {
        Direction::Request => http1::request(&content),
        Direction::Response => http1::response(&content),
    }
    .map_err(|what| format!("the input is not an HTTP/1 head: {what}"))
}

fn body(input: &Input, folder: &Path) -> Result<Bytes, String> {
    if input.file.is_empty() {
        return Ok(Bytes::copy_from_slice(&input.content));
    }
    std::fs::read(folder.join(&input.file))
        .map(Bytes::from)
        .map_err(|error| format!("cannot read {}: {error}", input.file))
}
