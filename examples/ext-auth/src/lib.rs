//! Has requests allowed by other services.
//!
//! A request waits while a service is asked about it, or two services at once. Answers that allow
//! are remembered for a while, and a third service can be told what became of every request.

#![deny(unsafe_code)]

mod auth;
mod cache;
mod settings;

use std::cell::Cell;
use std::rc::Rc;

use auth::{Auth, Verdict, judge, refusal};
use chunkwise::call::CallError;
use chunkwise::http::{BodyMode, HeadersAction, Reply, RequestHeaders, ResponseHeaders};
use chunkwise::{Config, ConfigError, Filter, Plugin, Result, warn};
use futures_util::future::{OptionFuture, join};

chunkwise::plugin!(ExtAuth);

/// The plugin with its configuration; tasks outlive callbacks, so they share it.
#[derive(Debug)]
pub struct ExtAuth(Rc<Auth>);

impl Plugin for ExtAuth {
    type Filter = ExtAuthFilter;

    fn configure(config: &Config<'_>) -> Result<Self, ConfigError> {
        settings::read(config).map(|auth| Self(Rc::new(auth)))
    }

    fn filter(&self) -> ExtAuthFilter {
        ExtAuthFilter { decision: Rc::new(Cell::new("none")) }
    }
}

/// One request, and what was decided about it.
#[derive(Debug)]
pub struct ExtAuthFilter {
    decision: Rc<Cell<&'static str>>,
}

impl Filter<ExtAuth> for ExtAuthFilter {
    const REQUEST_BODY: BodyMode = BodyMode::Skip;
    const RESPONSE_BODY: BodyMode = BodyMode::Skip;

    fn request_headers(
        &mut self,
        plugin: &ExtAuth,
        headers: &RequestHeaders<'_>,
    ) -> Result<HeadersAction> {
        let auth = Rc::clone(&plugin.0);
        let decision = Rc::clone(&self.decision);
        let seen = auth.what_services_see(headers)?;
        let key = auth.cache.as_ref().map(|_| cache::key(&seen));
        if let Some(identity) = auth.remembered(key.as_deref())? {
            decision.set("remembered");
            return Ok(headers.wait(async move |request| auth.let_pass(&request, &identity)));
        }

        let first = auth.service.asked(&seen);
        let second = OptionFuture::from(auth.also.as_ref().map(|also| also.asked(&seen)));
        Ok(headers.wait(async move |request| {
            let (first, second) = join(first, second).await;
            let answers = [Some(first), second];
            let answers = || answers.iter().flatten();

            if let Some(Ok(denial)) = answers().find(|a| matches!(judge(a), Verdict::Denied)) {
                decision.set("denied");
                return request.reply(&refusal(denial));
            }
            if let Some(failed) = answers().find(|a| matches!(judge(a), Verdict::Failed)) {
                decision.set("failed");
                match failed {
                    Ok(reply) => warn!("a service answered with status {}", reply.status()),
                    Err(error) => warn!("a service could not be asked: {error}"),
                }
                if !auth.fails_open {
                    return request.reply(&Reply::new(503).details("ext_auth_unavailable"));
                }
                return auth.let_pass(&request, &[]);
            }
            decision.set("allowed");
            let identity = auth.identity(answers().flatten());
            auth.remember(key, &identity)?;
            auth.let_pass(&request, &identity)
        }))
    }

    fn response_headers(
        &mut self,
        plugin: &ExtAuth,
        headers: &ResponseHeaders<'_>,
    ) -> Result<HeadersAction> {
        if let Some(audit) = &plugin.0.audit {
            let status = headers.get(":status")?.unwrap_or_default();
            let record = audit.client.post(&audit.path);
            let record =
                record.header("x-decision", self.decision.get()).header("x-status", status);
            headers.call(record.send(), |reply| {
                match reply {
                    Ok(reply) if !reply.is_success() => warn!("audit: status {}", reply.status()),
                    // The stream ended first; the record is on its way all the same.
                    Ok(_) | Err(CallError::StreamGone) => (),
                    Err(error) => warn!("audit: {error}"),
                }
                Ok(())
            });
        }
        Ok(HeadersAction::Continue)
    }
}
