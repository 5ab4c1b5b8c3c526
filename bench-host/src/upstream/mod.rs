//! Scripted upstreams: what answers the calls that a plugin makes itself.
//!
//! A plugin may call other services over HTTP, gRPC and Redis. A script says for each cluster what
//! comes back, how late, and how it fails, so that a run needs no network and is the same each
//! time. There is no clock in here and no thread: a call is answered at once with its *outcome*,
//! which says after which time the plugin hears what; the host moves its virtual clock and
//! delivers.
//!
//! ```
//! use std::time::Duration;
//!
//! use bench_host::upstream::{HttpAnswer, HttpCall, Upstreams};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let script = r#"
//!     [cluster."outbound|80||auth.dns"]
//!     latency = "5ms"
//!
//!     [[cluster."outbound|80||auth.dns".http]]
//!     match = { method = "POST", path = "/check" }
//!     status = 403
//! "#;
//! let mut session = Upstreams::parse(script, "auth.toml")?.session();
//!
//! let headers = [(":method", "POST"), (":path", "/check")].map(|(n, v)| (n.into(), v.into()));
//! let call = HttpCall { headers: &headers, ..HttpCall::default() };
//! let outcome = session.http(b"outbound|80||auth.dns", &call).ok_or("no answer")?;
//! assert_eq!(outcome.after, Duration::from_millis(5));
//! let HttpAnswer::Response { headers, .. } = outcome.what else { return Err("reset".into()) };
//! assert_eq!(headers[0], (":status".into(), "403".into()));
//!
//! assert!(!session.knows(b"outbound|80||other.dns"));
//! # Ok(())
//! # }
//! ```
//!
//! `docs/upstreams.md` describes every key.

mod error;
#[cfg(test)]
mod example;
mod grpc;
mod grpc_rule;
mod grpc_stream;
mod host;
mod http;
mod http_match;
mod local_reply;
mod made;
mod redis;
mod redis_rule;
mod resp;
mod rule;
mod script;
mod session;
mod store;
#[cfg(test)]
mod tests;
mod value;
mod wait;

use std::{fs, path::Path, sync::Arc};

pub use error::UpstreamError;
pub use grpc::{GrpcCall, GrpcEvent, GrpcKind, GrpcOutcome, GrpcStep};
pub use grpc_stream::GrpcStream;
pub use host::{Health, UpstreamHost};
pub use http::{HttpAnswer, HttpCall, HttpOutcome};
pub use made::MadeCall;
pub use redis::{RedisAnswer, RedisCall, RedisOutcome};
use script::{RawScript, Script};
pub use session::Session;

/// The upstreams of a script; cloning shares them.
#[derive(Clone, Debug, Default)]
pub struct Upstreams(Arc<Script>);

impl Upstreams {
    /// No upstreams: no cluster is known.
    pub fn none() -> Self {
        Self::default()
    }

    /// Reads a script from a file; the files that it names are looked for beside it.
    ///
    /// # Errors
    ///
    /// [`UpstreamError::Io`] when the file cannot be read, else as [`parse`](Self::parse).
    pub fn read(path: &Path) -> Result<Self, UpstreamError> {
        let script = path.display().to_string();
        let text = fs::read_to_string(path)
            .map_err(|cause| UpstreamError::Io { script: script.clone(), cause })?;
        Self::from_text(&text, &script, folder(path))
    }

    /// Parses a script; `name` is its path for messages, and `body_file` is looked for beside it.
    ///
    /// # Errors
    ///
    /// [`UpstreamError::Line`] when the text is no TOML, or has keys or values that mean nothing;
    /// [`UpstreamError::BodyFile`] when a body cannot be read.
    pub fn parse(text: &str, name: &str) -> Result<Self, UpstreamError> {
        Self::from_text(text, name, folder(Path::new(name)))
    }

    /// Takes a script that is part of another file: a table with the key `cluster`.
    ///
    /// # Errors
    ///
    /// [`UpstreamError::Table`], which knows the key but not the line, when the table has keys or
    /// values that mean nothing; [`UpstreamError::BodyFile`] when a body, looked for in `base`,
    /// cannot be read.
    pub fn from_table(table: toml::Table, base: &Path) -> Result<Self, UpstreamError> {
        let raw: RawScript = serde_path_to_error::deserialize(toml::Value::Table(table))
            .map_err(|error| UpstreamError::table(&error))?;
        Script::new(raw, "upstreams", base).map(|script| Self(Arc::new(script)))
    }

    /// Starts a run: no rule has answered yet.
    pub fn session(&self) -> Session {
        Session::new(Arc::clone(&self.0))
    }

    fn from_text(text: &str, name: &str, base: &Path) -> Result<Self, UpstreamError> {
        let deserializer = toml::Deserializer::parse(text)
            .map_err(|error| UpstreamError::syntax(name, text, &error))?;
        let raw: RawScript = serde_path_to_error::deserialize(deserializer)
            .map_err(|error| UpstreamError::value(name, text, &error))?;
        Script::new(raw, name, base).map(|script| Self(Arc::new(script)))
    }
}

/// The folder of a file.
fn folder(path: &Path) -> &Path {
    path.parent().unwrap_or_else(|| Path::new(""))
}
