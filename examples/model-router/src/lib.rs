//! Routes LLM requests by the model that their body asks for, and gives errors their status.
//!
//! The proxy chooses the route by a header which this plugin sets when it has read the body, so
//! the headers wait for it. In the other direction, an upstream that answers 200 with an error
//! inside gets the status that clients understand.

#![deny(unsafe_code)]

mod settings;

use chunkwise::http::{BodyAction, HeadersAction, Reply, RequestHeaders, ResponseHeaders};
use chunkwise::stream::RawJson;
use chunkwise::{Chunk, Config, ConfigError, Filter, Host, Plugin, Result};

use settings::Settings;

/// Other hosts than Higress hold headers where their operator allows it.
const HOST: Host = if cfg!(feature = "higress") { Host::Higress } else { Host::Envoy };

#[cfg(feature = "higress")]
chunkwise::plugin!(ModelRouter, Higress);
#[cfg(not(feature = "higress"))]
chunkwise::plugin!(ModelRouter);

/// Errors are short: a longer response is none, and is not held any more.
const LONGEST_ERROR: u32 = 16 * 1024;

/// The plugin with its configuration.
#[derive(Debug)]
pub struct ModelRouter(Settings);

impl Plugin for ModelRouter {
    type Filter = Router;

    const HOST: Host = HOST;

    fn configure(config: &Config<'_>) -> Result<Self, ConfigError> {
        Settings::read(config).map(Self)
    }

    fn filter(&self) -> Router {
        Router::default()
    }
}

/// One stream.
#[derive(Debug, Default)]
pub struct Router {
    /// The response is no error.
    passes: bool,
}

impl Filter<ModelRouter> for Router {
    fn request_headers(
        &mut self,
        ModelRouter(settings): &ModelRouter,
        headers: &RequestHeaders<'_>,
    ) -> Result<HeadersAction> {
        // Whoever sends it would choose the route.
        headers.remove(settings.header.as_str())?;
        if !headers.has_body() || !headers.is_json()? {
            return Ok(HeadersAction::Detach);
        }
        if headers.content_encoding()?.is_some() {
            return headers.reply(&refusal(415, "the body is encoded"));
        }
        headers.make_room(settings.max_bytes)?;
        Ok(HeadersAction::Hold)
    }

    fn request_body(
        &mut self,
        ModelRouter(settings): &ModelRouter,
        chunk: &mut Chunk<'_>,
    ) -> Result<BodyAction> {
        let too_long = || refusal(413, "the body is too long");
        if let Some(answer) = chunk.hold_up_to(settings.max_bytes, too_long)? {
            return Ok(answer);
        }
        let model = RawJson::find(chunk.bytes()?, &["model"]);
        let Some(model) = model.as_ref().and_then(RawJson::as_str) else {
            return chunk.reply(&refusal(400, "the body names no model"));
        };
        let Some(target) = settings.models.get(&*model).or(settings.default.as_ref()) else {
            return chunk.reply(&refusal(404, "the model does not exist"));
        };
        let headers = chunk.headers()?;
        target.apply(&settings.header, &headers)?;
        if !settings.errors.is_empty() {
            // Errors that are compressed could not be read.
            headers.remove("accept-encoding")?;
        }
        Ok(BodyAction::Pass)
    }

    fn response_headers(
        &mut self,
        ModelRouter(settings): &ModelRouter,
        headers: &ResponseHeaders<'_>,
    ) -> Result<HeadersAction> {
        let may_be_error = headers.has_body()
            && !settings.errors.is_empty()
            && headers.get(":status")? == Some(b"200")
            && headers.is_json()?
            && headers.content_encoding()?.is_none();
        if !may_be_error {
            return Ok(HeadersAction::Detach);
        }
        headers.make_room(LONGEST_ERROR)?;
        Ok(HeadersAction::Hold)
    }

    fn response_body(
        &mut self,
        ModelRouter(settings): &ModelRouter,
        chunk: &mut Chunk<'_>,
    ) -> Result<BodyAction> {
        self.passes = self.passes || chunk.len() > LONGEST_ERROR as usize;
        if self.passes {
            return Ok(BodyAction::Pass);
        }
        if !chunk.is_last() {
            return Ok(BodyAction::Hold);
        }
        let code = RawJson::find(chunk.bytes()?, &["error", "code"]);
        let code = code.as_ref().and_then(RawJson::as_str);
        if let Some(status) = code.and_then(|code| settings.errors.get(&*code)) {
            chunk.headers()?.set(":status", status.to_string())?;
        }
        Ok(BodyAction::Pass)
    }
}

/// An error as clients of such an API expect it.
fn refusal(status: u16, message: &str) -> Reply<'static> {
    let error = serde_json::json!({ "message": message, "type": "invalid_request_error" });
    let body = serde_json::json!({ "error": error }).to_string();
    Reply::new(status)
        .header("content-type", "application/json")
        .body(body.into_bytes())
        .details("model_router")
}
