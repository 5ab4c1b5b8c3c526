//! Counts the tokens of language models' answers, and the time they take, as they pass.
//!
//! What the provider says about usage reaches the access log, the trace and metrics when an answer
//! has ended. No byte of it is held or changed.

#![deny(unsafe_code)]

mod answer;
mod settings;
mod usage;

use std::time::Duration;

use answer::Answer;
use chunkwise::attributes::{AI_LOG, Attributes};
use chunkwise::http::{
    BodyAction, BodyMode, EndedStream, HeadersAction, RequestHeaders, ResponseHeaders, Stream,
};
use chunkwise::{Chunk, Config, ConfigError, Filter, OnError, Plugin, Result, time};
use settings::Counting;

chunkwise::plugin!(TokenCount);

/// The plugin with its metrics.
#[derive(Debug)]
pub struct TokenCount(Counting);

impl Plugin for TokenCount {
    type Filter = TokenCountFilter;

    /// It observes: nobody is to miss an answer for it.
    const ON_ERROR: OnError = OnError::Continue;

    fn configure(config: &Config<'_>) -> Result<Self, ConfigError> {
        Counting::read(config).map(Self)
    }

    fn filter(&self) -> TokenCountFilter {
        TokenCountFilter { began: Duration::ZERO, first_token: None, answer: None }
    }
}

/// One request and its answer.
#[derive(Debug)]
pub struct TokenCountFilter {
    began: Duration,
    first_token: Option<Duration>,
    /// `None` before it comes, when it is no model's, and when it was counted.
    answer: Option<Answer>,
}

impl Filter<TokenCount> for TokenCountFilter {
    const REQUEST_BODY: BodyMode = BodyMode::Skip;

    fn request_headers(&mut self, _: &TokenCount, _: &RequestHeaders<'_>) -> Result<HeadersAction> {
        self.began = time::now()?;
        Ok(HeadersAction::Continue)
    }

    fn response_headers(
        &mut self,
        plugin: &TokenCount,
        headers: &ResponseHeaders<'_>,
    ) -> Result<HeadersAction> {
        let limit = plugin.0.max_bytes;
        let answer = match headers.content_type()? {
            Some(kind) if kind.is_sse() => Answer::of_events(limit),
            Some(kind) if kind.is_json() => {
                let length = headers.get("content-length")?;
                let length = length.and_then(|digits| str::from_utf8(digits).ok()?.parse().ok());
                Answer::of_a_document(length, limit)
            }
            _ => return Ok(HeadersAction::Detach),
        };
        if !headers.has_body() || headers.content_encoding()?.is_some() {
            return Ok(HeadersAction::Detach);
        }
        self.answer = Some(answer);
        Ok(HeadersAction::Continue)
    }

    fn response_body(&mut self, plugin: &TokenCount, chunk: &mut Chunk<'_>) -> Result<BodyAction> {
        let Some(answer) = &mut self.answer else { return Ok(BodyAction::Pass) };
        answer.push(chunk.bytes()?);
        if self.first_token.is_none() && answer.has_begun() {
            self.first_token = Some(time::now()?);
        }
        if chunk.is_last() {
            self.tell(&plugin.0, chunk)?;
        }
        Ok(BodyAction::Pass)
    }

    /// An answer that was cut off has cost something all the same.
    fn done(&mut self, plugin: &TokenCount, stream: &EndedStream<'_>) {
        if let Err(error) = self.tell(&plugin.0, stream) {
            chunkwise::warn!("an answer that was cut off is not counted: {error}");
        }
    }
}

impl TokenCountFilter {
    /// Tells everyone, once.
    fn tell(&mut self, counting: &Counting, stream: &Stream<'_>) -> Result<()> {
        let Some(answer) = self.answer.take() else { return Ok(()) };
        let since = |end: Duration| {
            let time = end.saturating_sub(self.began).as_millis();
            u64::try_from(time).unwrap_or(u64::MAX)
        };
        let duration = since(time::now()?);
        let usage = answer.usage();

        let mut attributes = Attributes::new();
        attributes.set("response_type", if answer.is_a_stream() { "stream" } else { "normal" });
        attributes.set("llm_service_duration", duration);
        counting.duration.record(duration)?;
        if let Some(first) = self.first_token.map(since) {
            attributes.set("llm_first_token_duration", first);
            counting.first_token.record(first)?;
        }
        counting.count(&usage)?;
        let counts = [
            ("input_token", usage.input),
            ("output_token", usage.output),
            ("total_token", usage.total()),
        ];
        for (name, count) in counts {
            if let Some(count) = count {
                attributes.set(name, count);
            }
        }
        if let Some(model) = usage.model {
            attributes.set("model", model);
        }
        stream.log_attributes(AI_LOG, &attributes)?;
        if counting.trace {
            stream.where_possible(stream.trace_attributes(&attributes))?;
        }
        Ok(())
    }
}
