//! Has the answers of a language model checked by another service while they stream.
//!
//! The events of an answer are cut into batches, a sentence or so each. A batch goes to the client
//! when the service has seen its text; one that is flagged is replaced, and nothing follows it.

#![deny(unsafe_code)]

mod batch;
mod form;
mod lines;
mod service;
mod settings;
mod text;

use std::rc::Rc;

use batch::Batches;
use chunkwise::http::{HeadersAction, Relay, Reply, RequestHeaders, ResponseHeaders};
use chunkwise::{Config, ConfigError, Filter, Host, Plugin, Result, warn};
use form::Form;
use service::Service;
use text::Names;

#[cfg(feature = "module")]
chunkwise::plugin!(Moderate);

/// The plugin with its configuration, for any host or for Higress alone.
#[derive(Debug)]
pub struct Moderate<const HIGRESS: bool = false>(Rc<Moderator>);

#[derive(Debug)]
struct Moderator {
    service: Service,
    batch_bytes: usize,
    fails_open: bool,
    /// Answers of other types are not refused.
    passes_others: bool,
    /// Where events have text.
    names: Rc<Names>,
    /// What follows the last batch that may pass, when one may not.
    events: Vec<u8>,
    /// The same for lines of JSON.
    line: Vec<u8>,
    /// The same for an answer that is one document.
    document: Vec<u8>,
}

impl<const HIGRESS: bool> Plugin for Moderate<HIGRESS> {
    type Filter = ModerateFilter;

    const HOST: Host = if HIGRESS { Host::Higress } else { Host::Envoy };

    fn configure(config: &Config<'_>) -> Result<Self, ConfigError> {
        settings::read(config).map(|moderator| Self(Rc::new(moderator)))
    }

    fn filter(&self) -> ModerateFilter {
        ModerateFilter
    }
}

/// One stream, of which nothing is kept but what its task has.
#[derive(Debug)]
pub struct ModerateFilter;

impl<const HIGRESS: bool> Filter<Moderate<HIGRESS>> for ModerateFilter {
    fn request_headers(
        &mut self,
        _: &Moderate<HIGRESS>,
        headers: &RequestHeaders<'_>,
    ) -> Result<HeadersAction> {
        // What is compressed could not be read.
        headers.remove("accept-encoding")?;
        Ok(HeadersAction::Continue)
    }

    fn response_headers(
        &mut self,
        plugin: &Moderate<HIGRESS>,
        headers: &ResponseHeaders<'_>,
    ) -> Result<HeadersAction> {
        let moderator = Rc::clone(&plugin.0);
        if !headers.has_body() {
            return Ok(HeadersAction::Continue);
        }
        let Some(form) = headers.content_type()?.and_then(Form::of) else {
            return moderator.other(headers);
        };
        if headers.content_encoding()?.is_some() {
            warn!("an answer cannot be read: it is compressed, though nobody asked for that");
            if moderator.fails_open {
                return Ok(HeadersAction::Continue);
            }
            return refuse(headers);
        }
        let batches = Batches::new(form, &moderator.names, moderator.batch_bytes);
        Ok(headers.relay(async move |body| moderator.relay(body, batches).await))
    }
}

/// In the place of what nobody can read.
fn refuse(headers: &ResponseHeaders<'_>) -> Result<HeadersAction> {
    headers.reply(&Reply::new(502).details("moderate_unreadable"))
}

impl Moderator {
    /// An answer of a type that has no text that is known. What says that there is none, such as
    /// the proxy's own page for an error, keeps its status.
    fn other(&self, headers: &ResponseHeaders<'_>) -> Result<HeadersAction> {
        if self.passes_others || !matches!(headers.get(":status")?, Some([b'1' | b'2', ..])) {
            return Ok(HeadersAction::Continue);
        }
        warn!("an answer cannot be read: it is neither of events nor JSON");
        refuse(headers)
    }

    async fn relay(&self, mut body: Relay, mut batches: Batches) -> Result<()> {
        loop {
            let chunk = body.next().await;
            let read = match &chunk {
                Some(chunk) => batches.push(chunk),
                None => batches.finish(),
            };
            while let Some(batch) = batches.next() {
                if !self.may_pass(&batch.text).await {
                    return self.end(body, &batches).await;
                }
                body.send(&batch.raw)?;
            }
            if read.is_err() {
                warn!("an answer cannot be read: it, an event or a line of it is too long");
                if self.fails_open {
                    return body.send(batches.unread());
                }
                return self.end(body, &batches).await;
            }
            if chunk.is_none() {
                return Ok(());
            }
        }
    }

    /// Whether the service lets all of a text pass, or the configuration does in its stead.
    async fn may_pass(&self, text: &str) -> bool {
        for piece in text::pieces(text, self.batch_bytes) {
            match self.service.is_flagged(piece).await {
                Ok(false) => (),
                Ok(true) => return false,
                Err(error) => {
                    warn!("the moderation service has not answered: {error}");
                    if !self.fails_open {
                        return false;
                    }
                }
            }
        }
        true
    }

    /// The client gets the replacement and nothing more, however much the upstream still sends.
    async fn end(&self, mut body: Relay, batches: &Batches) -> Result<()> {
        match batches.form() {
            Form::Events => body.send(&self.events)?,
            Form::Lines => body.send(&self.line)?,
            Form::Sequence => body.send([b"\x1e", &*self.line].concat())?,
            Form::Document => body.send(&self.document)?,
        }
        body.discard().await;
        Ok(())
    }
}
