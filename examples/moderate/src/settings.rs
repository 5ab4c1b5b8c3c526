//! The configuration.

use std::rc::Rc;
use std::time::Duration;

use chunkwise::call::{Client, Cluster};
use chunkwise::{Config, ConfigError};
use serde::Deserialize;
use serde_json::json;

use super::Moderator;
use crate::service::Service;
use crate::text::Names;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    cluster: Cluster,
    #[serde(default = "root")]
    path: String,
    #[serde(default = "one_second")]
    timeout_ms: u32,
    #[serde(default = "some_sentences")]
    batch_bytes: usize,
    #[serde(default)]
    on_failure: OnFailure,
    #[serde(default)]
    other: Other,
    #[serde(default = "apology")]
    replacement: String,
    #[serde(default = "known_names")]
    fields: Vec<String>,
    #[serde(default = "known_objects")]
    objects: Vec<String>,
}

#[derive(Clone, Copy, Default, Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
enum OnFailure {
    #[default]
    Closed,
    Open,
}

#[derive(Clone, Copy, Default, Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
enum Other {
    #[default]
    Refuse,
    Pass,
}

fn root() -> String {
    "/".into()
}

fn one_second() -> u32 {
    1000
}

fn some_sentences() -> usize {
    500
}

fn apology() -> String {
    "The rest of this answer was withheld.".into()
}

/// Where providers put what a model says: answers, thoughts, refusals, and arguments of tools as
/// text.
fn known_names() -> Vec<String> {
    let names = [
        "content",
        "text",
        "reasoning_content",
        "thinking",
        "refusal",
        "arguments",
        "partial_json",
        "delta",
    ];
    names.map(Into::into).into()
}

/// Where Anthropic and Gemini put the arguments of tools as objects.
fn known_objects() -> Vec<String> {
    ["input", "args"].map(Into::into).into()
}

/// Reads the configuration, and refuses everything that would make calls fail later.
pub fn read(config: &Config<'_>) -> Result<Moderator, ConfigError> {
    let settings: Settings = config.parse()?;
    if settings.batch_bytes == 0 {
        return Err(ConfigError::invalid("batch_bytes", "begins with 1"));
    }
    if settings.fields.is_empty() {
        return Err(ConfigError::invalid("fields", "without any, nothing would be checked"));
    }
    let timeout = Duration::from_millis(settings.timeout_ms.into());
    let client = Client::new(settings.cluster).with_timeout(timeout);
    client.post(&settings.path).check().map_err(|error| ConfigError::invalid("path", error))?;
    let chunk = chunk(&settings.replacement);
    Ok(Moderator {
        service: Service { client, path: settings.path },
        batch_bytes: settings.batch_bytes,
        fails_open: settings.on_failure == OnFailure::Open,
        passes_others: settings.other == Other::Pass,
        events: format!("data: {chunk}\n\ndata: [DONE]\n\n").into(),
        line: format!("{chunk}\n").into(),
        document: document(&settings.replacement),
        names: Rc::new(Names { fields: settings.fields, objects: settings.objects }),
    })
}

/// How a stream ends in OpenAI's format when its answer was filtered.
fn chunk(text: &str) -> String {
    let delta = json!({ "content": text });
    let last = json!({
        "object": "chat.completion.chunk",
        "choices": [{ "index": 0, "delta": delta, "finish_reason": "content_filter" }],
    });
    last.to_string()
}

/// And how a whole answer looks then.
fn document(text: &str) -> Vec<u8> {
    let message = json!({ "role": "assistant", "content": text });
    let answer = json!({
        "object": "chat.completion",
        "choices": [{ "index": 0, "message": message, "finish_reason": "content_filter" }],
    });
    answer.to_string().into()
}
