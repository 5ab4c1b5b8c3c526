//! Puts a small API in front of that of an LLM: `{"question": …}` in, `{"answer": …}` out.
//!
//! The request is translated and sent to its own route's upstream (a route call), and its reply is
//! translated back. Where the upstream has no answer, the configuration has one.

#![deny(unsafe_code)]

use std::rc::Rc;

use chunkwise::http::{
    BodyAction, HeadersAction, Reply, RequestHeaders, Resume, RouteCall, RouteReply,
};
use chunkwise::stream::RawJson;
use chunkwise::{Chunk, Config, ConfigError, Filter, Host, Plugin, Result};
use serde::Deserialize;
use serde_json::json;

/// Other hosts than Higress hold headers where their operator allows it.
const HOST: Host = if cfg!(feature = "higress") { Host::Higress } else { Host::Envoy };

#[cfg(feature = "higress")]
chunkwise::plugin!(Fallback, Higress);
#[cfg(not(feature = "higress"))]
chunkwise::plugin!(Fallback);

/// Longest question, with the JSON around it.
const LONGEST: usize = 64 * 1024;

/// Longest reply of the upstream, on hosts where that is the plugin's to say; questions are shorter.
const REPLY: u32 = 1024 * 1024;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    path: String,
    upstream_path: String,
    model: String,
    answer: Option<String>,
}

/// What clients send.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Ask {
    question: String,
}

/// The plugin with its configuration.
#[derive(Debug)]
pub struct Fallback {
    settings: Settings,
    /// The reply when the upstream has no answer, for tasks that outlive the configuration.
    reply: Rc<Reply<'static>>,
}

impl Plugin for Fallback {
    type Filter = Translation;

    const HOST: Host = HOST;

    fn configure(config: &Config<'_>) -> Result<Self, ConfigError> {
        let settings: Settings = config.parse()?;
        for (field, path) in [("path", &settings.path), ("upstream_path", &settings.upstream_path)]
        {
            if !path.starts_with('/') || !path.bytes().all(|byte| byte.is_ascii_graphic()) {
                return Err(ConfigError::invalid(field, "it is no path"));
            }
        }
        let reply = match &settings.answer {
            Some(answer) => reply(200, &json!({ "answer": answer, "fallback": true })),
            None => reply(502, &json!({ "error": "there is no answer" })),
        };
        Ok(Self { settings, reply: Rc::new(reply) })
    }

    fn filter(&self) -> Translation {
        Translation
    }
}

/// One stream; everything that has to be remembered of it waits in the host.
#[derive(Debug)]
pub struct Translation;

impl Filter<Fallback> for Translation {
    fn request_headers(
        &mut self,
        plugin: &Fallback,
        headers: &RequestHeaders<'_>,
    ) -> Result<HeadersAction> {
        if headers.path()? != Some(plugin.settings.path.as_bytes()) {
            return Ok(HeadersAction::Detach);
        }
        if headers.get(":method")? != Some(b"POST") {
            let refusal = refusal(405, "questions come by POST").header("allow", "POST");
            return Ok(headers.reply(&refusal)?.into());
        }
        if !headers.has_body() {
            return Ok(headers.reply(&refusal(400, "there is no question"))?.into());
        }
        headers.make_room(REPLY)?;
        // Another path must not lead elsewhere; on other hosts that is the operator's to see to.
        headers.where_possible(headers.keep_route())?;
        Ok(HeadersAction::Hold)
    }

    fn request_body(&mut self, plugin: &Fallback, chunk: &mut Chunk<'_>) -> Result<BodyAction> {
        if chunk.len() > LONGEST {
            return Ok(chunk.reply(&refusal(413, "the question is too long"))?.into());
        }
        if !chunk.is_last() {
            return Ok(BodyAction::Hold);
        }
        let question = match serde_json::from_slice(chunk.bytes()?) {
            Ok(Ask { question }) => question,
            Err(error) => return Ok(chunk.reply(&refusal(400, &error.to_string()))?.into()),
        };
        let messages = [json!({ "role": "user", "content": question })];
        let body = json!({ "model": plugin.settings.model, "messages": messages }).to_string();
        let call = RouteCall::new("POST", &*plugin.settings.upstream_path)
            .header("content-type", "application/json")
            .body(body);
        let otherwise = Rc::clone(&plugin.reply);
        chunk.route(&call, async move |reply| translate(&reply, &otherwise))
    }
}

/// Turns the upstream's reply into ours.
fn translate(upstream: &RouteReply, otherwise: &Reply<'_>) -> Result<Resume> {
    let status = upstream.status()?;
    if status == 200 {
        let body = upstream.bytes()?;
        let text = RawJson::find(&body, &["choices", "0", "message", "content"]);
        if let Some(answer) = text.as_ref().and_then(RawJson::as_str) {
            upstream.set("content-type", "application/json")?;
            upstream.replace(json!({ "answer": answer }).to_string())?;
            return Ok(Resume::Continue);
        }
    }
    chunkwise::warn!("the upstream has no answer, its status is {status}");
    upstream.reply(otherwise)
}

fn refusal(status: u16, message: &str) -> Reply<'static> {
    reply(status, &json!({ "error": message }))
}

fn reply(status: u16, body: &serde_json::Value) -> Reply<'static> {
    Reply::new(status)
        .header("content-type", "application/json")
        .body(body.to_string().into_bytes())
        .details("fallback")
}
