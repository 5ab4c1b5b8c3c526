//! Logs requests that fail, and forgets two records of each request: a plugin to try the leak
//! check on.
//!
//! The records know each other, so that each can be asked about the other one, and neither is ever
//! freed: two `Rc` in a ring. It compiles without a warning, and every test of what it does passes.

#![deny(unsafe_code)]

use std::cell::OnceCell;
use std::rc::Rc;
#[cfg(feature = "fixed")]
use std::rc::Weak;

use chunkwise::http::{EndedStream, HeadersAction, RequestHeaders, ResponseHeaders};
use chunkwise::{Config, ConfigError, Filter, Plugin, Result};
use serde::Deserialize;

chunkwise::plugin!(Audit);

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    /// The least status that is a failure.
    from_status: u16,
}

/// The plugin with its configuration.
#[derive(Debug)]
pub struct Audit {
    from_status: u16,
}

/// What is known of a request.
#[derive(Debug)]
struct Asked {
    line: String,
    answer: OnceCell<Rc<Answered>>,
}

/// What is known of its answer.
#[derive(Debug)]
struct Answered {
    status: u16,
    to: Back,
}

/// From the answer back to its request: the leak, and what it should be.
#[cfg(not(feature = "fixed"))]
type Back = Rc<Asked>;
#[cfg(feature = "fixed")]
type Back = Weak<Asked>;

#[cfg(not(feature = "fixed"))]
fn back(asked: &Rc<Asked>) -> Back {
    Rc::clone(asked)
}

#[cfg(feature = "fixed")]
fn back(asked: &Rc<Asked>) -> Back {
    Rc::downgrade(asked)
}

impl Answered {
    /// A line for the log; none once the request is gone.
    fn line(&self) -> Option<String> {
        #[cfg(not(feature = "fixed"))]
        let asked = Some(&self.to);
        #[cfg(feature = "fixed")]
        let asked = self.to.upgrade();
        Some(format!("{}: {}", asked?.line, self.status))
    }
}

impl Plugin for Audit {
    type Filter = AuditFilter;

    fn configure(config: &Config<'_>) -> Result<Self, ConfigError> {
        let Settings { from_status } = config.parse()?;
        Ok(Self { from_status })
    }

    fn filter(&self) -> AuditFilter {
        AuditFilter::default()
    }
}

/// One stream.
#[derive(Debug, Default)]
pub struct AuditFilter {
    asked: Option<Rc<Asked>>,
}

impl Filter<Audit> for AuditFilter {
    fn request_headers(
        &mut self,
        _: &Audit,
        headers: &RequestHeaders<'_>,
    ) -> Result<HeadersAction> {
        let text = |name| -> Result<String> {
            let value = headers.get(name)?.unwrap_or_default();
            Ok(String::from_utf8_lossy(value).into_owned())
        };
        let line = format!("{} {}", text(":method")?, text(":path")?);
        self.asked = Some(Rc::new(Asked { line, answer: OnceCell::new() }));
        Ok(HeadersAction::Continue)
    }

    fn response_headers(
        &mut self,
        _: &Audit,
        headers: &ResponseHeaders<'_>,
    ) -> Result<HeadersAction> {
        let status =
            headers.get(":status")?.and_then(|text| str::from_utf8(text).ok()?.parse().ok());
        if let (Some(asked), Some(status)) = (&self.asked, status) {
            let _ = asked.answer.set(Rc::new(Answered { status, to: back(asked) }));
        }
        Ok(HeadersAction::Continue)
    }

    fn done(&mut self, plugin: &Audit, _: &EndedStream<'_>) {
        let answer = self.asked.as_ref().and_then(|asked| asked.answer.get());
        if let Some(answer) = answer.filter(|answer| answer.status >= plugin.from_status)
            && let Some(line) = answer.line()
        {
            chunkwise::error!("{line}");
        }
    }
}
