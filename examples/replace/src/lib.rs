//! Replaces text in request and response bodies while they stream.
//!
//! The text is found however the bodies are cut into chunks, and a chunk in which nothing is found
//! is neither copied back nor held up.

#![deny(unsafe_code)]

use chunkwise::http::{BodyAction, HeadersAction, ReplaceBody, RequestHeaders, ResponseHeaders};
use chunkwise::stream::Replacer;
use chunkwise::{Chunk, Config, ConfigError, Filter, Plugin, Result};
use serde::Deserialize;

chunkwise::plugin!(Replace);

/// What is replaced by what, and in which direction.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    rules: Vec<Rule>,
    #[serde(default = "yes")]
    request: bool,
    #[serde(default = "yes")]
    response: bool,
}

/// One needle and what takes its place. Where several begin at the same byte, the first rule wins.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rule {
    find: String,
    replace: String,
}

fn yes() -> bool {
    true
}

/// The plugin with its configuration.
#[derive(Debug)]
pub struct Replace {
    replacer: Replacer,
    request: bool,
    response: bool,
}

impl Plugin for Replace {
    type Filter = ReplaceFilter;

    fn configure(config: &Config<'_>) -> Result<Self, ConfigError> {
        let Settings { rules, request, response } = config.parse()?;
        let rules = rules.into_iter().map(|rule| (rule.find, rule.replace));
        let replacer =
            Replacer::new(rules).map_err(|error| ConfigError::invalid("rules", error))?;
        Ok(Self { replacer, request, response })
    }

    fn filter(&self) -> ReplaceFilter {
        let body = |wanted: bool| wanted.then(|| ReplaceBody::new(&self.replacer));
        ReplaceFilter { request: body(self.request), response: body(self.response) }
    }
}

/// The two bodies of one stream; `None` for one that is not looked at.
#[derive(Debug)]
pub struct ReplaceFilter {
    request: Option<ReplaceBody>,
    response: Option<ReplaceBody>,
}

impl Filter<Replace> for ReplaceFilter {
    fn request_headers(
        &mut self,
        _: &Replace,
        headers: &RequestHeaders<'_>,
    ) -> Result<HeadersAction> {
        if let Some(body) = &mut self.request {
            body.request(headers)?;
        }
        Ok(HeadersAction::Continue)
    }

    fn request_body(&mut self, _: &Replace, chunk: &mut Chunk<'_>) -> Result<BodyAction> {
        self.request.as_mut().map_or(Ok(BodyAction::Pass), |body| body.chunk(chunk))
    }

    fn response_headers(
        &mut self,
        _: &Replace,
        headers: &ResponseHeaders<'_>,
    ) -> Result<HeadersAction> {
        if let Some(body) = &mut self.response {
            body.response(headers)?;
        }
        Ok(HeadersAction::Continue)
    }

    fn response_body(&mut self, _: &Replace, chunk: &mut Chunk<'_>) -> Result<BodyAction> {
        self.response.as_mut().map_or(Ok(BodyAction::Pass), |body| body.chunk(chunk))
    }
}
