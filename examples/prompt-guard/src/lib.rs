//! Puts a system message in front of the messages of LLM requests.
//!
//! The body is held until it is whole, and its headers with it, so that `content-length` can be
//! made right. Only what stands in front of the messages is written back.

#![deny(unsafe_code)]

use chunkwise::http::{BodyAction, HeadersAction, Reply, RequestHeaders};
use chunkwise::stream::RawJson;
use chunkwise::{Chunk, Config, ConfigError, Filter, Host, Plugin, Result};
use serde::Deserialize;

/// Other hosts than Higress hold headers where their operator allows it.
const HOST: Host = if cfg!(feature = "higress") { Host::Higress } else { Host::Envoy };

#[cfg(feature = "higress")]
chunkwise::plugin!(PromptGuard, Higress);
#[cfg(not(feature = "higress"))]
chunkwise::plugin!(PromptGuard);

/// How deep a request may be nested, for servers that read it by recursion.
const DEEPEST: usize = 64;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    system: String,
    path: String,
    #[serde(default = "mebibyte")]
    max_bytes: u32,
}

fn mebibyte() -> u32 {
    1024 * 1024
}

/// The plugin with its configuration.
#[derive(Debug)]
pub struct PromptGuard {
    /// The message as JSON.
    message: String,
    path: String,
    max_bytes: u32,
}

/// What the plugin has to know of a chat request. A second list of messages is an error here: which
/// of the two a server takes is anyone's guess.
#[derive(Deserialize)]
struct ChatRequest<'a> {
    #[serde(borrow)]
    messages: RawJson<'a>,
}

impl Plugin for PromptGuard {
    type Filter = Guard;

    const HOST: Host = HOST;

    fn configure(config: &Config<'_>) -> Result<Self, ConfigError> {
        let Settings { system, path, max_bytes } = config.parse()?;
        if system.is_empty() {
            return Err(ConfigError::invalid("system", "there is nothing to say"));
        }
        if !path.starts_with('/') {
            return Err(ConfigError::invalid("path", "it does not begin with a slash"));
        }
        let message = serde_json::json!({ "role": "system", "content": system }).to_string();
        Ok(Self { message, path, max_bytes })
    }

    fn filter(&self) -> Guard {
        Guard
    }
}

impl PromptGuard {
    /// What takes the place of how many of the body's first bytes, or why there is nothing to do.
    fn guarded(&self, body: &[u8]) -> Result<(usize, Vec<u8>), String> {
        let document = RawJson::find(body, &[]).filter(|document| document.raw().starts_with('{'));
        let document = document.ok_or(NO_OBJECT)?;
        if document.depth() > DEEPEST {
            return Err("the body is nested too deeply".to_owned());
        }
        let ChatRequest { messages } =
            serde_json::from_slice(body).map_err(|error| error.to_string())?;
        let range = messages.range_in(body).filter(|_| messages.raw().starts_with('['));
        let list = range.ok_or("`messages` is not a list")?;
        let first = list.start + 1;
        let is_empty = body[first..list.end].trim_ascii_start().starts_with(b"]");
        let comma = if is_empty { "" } else { "," };
        let front = [&body[..first], self.message.as_bytes(), comma.as_bytes()].concat();
        Ok((first, front))
    }
}

/// One stream; everything that has to be remembered of it waits in the host.
#[derive(Debug)]
pub struct Guard;

impl Filter<PromptGuard> for Guard {
    fn request_headers(
        &mut self,
        plugin: &PromptGuard,
        headers: &RequestHeaders<'_>,
    ) -> Result<HeadersAction> {
        if headers.path()? != Some(plugin.path.as_bytes()) {
            return Ok(HeadersAction::Detach);
        }
        if !headers.has_body() {
            if headers.get(":method")? != Some(b"POST") {
                return Ok(HeadersAction::Detach);
            }
            return headers.reply(&refusal(400, NO_OBJECT));
        }
        if headers.content_encoding()?.is_some() {
            return headers.reply(&refusal(415, "the body is encoded"));
        }
        if headers.content_length()?.is_some_and(|length| length > plugin.max_bytes.into()) {
            return headers.reply(&refusal(413, TOO_LONG));
        }
        headers.make_room(plugin.max_bytes)?;
        Ok(HeadersAction::Hold)
    }

    fn request_body(&mut self, plugin: &PromptGuard, chunk: &mut Chunk<'_>) -> Result<BodyAction> {
        if let Some(answer) = chunk.hold_up_to(plugin.max_bytes, || refusal(413, TOO_LONG))? {
            return Ok(answer);
        }
        match plugin.guarded(chunk.bytes()?) {
            Ok((length, front)) => {
                chunk.replace_prefix(length, &front)?;
                Ok(BodyAction::Pass)
            }
            Err(reason) => chunk.reply(&refusal(400, &reason)),
        }
    }
}

const NO_OBJECT: &str = "the body is not a JSON object";
const TOO_LONG: &str = "the body is too long";

/// An error as clients of such an API expect it.
fn refusal(status: u16, message: &str) -> Reply<'static> {
    let error = serde_json::json!({ "message": message, "type": "invalid_request_error" });
    let body = serde_json::json!({ "error": error }).to_string();
    Reply::new(status)
        .header("content-type", "application/json")
        .body(body.into_bytes())
        .details("prompt_guard")
}
