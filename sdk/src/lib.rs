//! Zero-copy streaming plugins for proxy-wasm hosts: Envoy, Istio, Higress.
//!
//! A plugin sees HTTP bodies chunk by chunk. Here a [`Chunk`] is a borrowed slice of memory that is
//! used again for every chunk: nothing crosses the boundary before the author looks, nothing is
//! allocated for it, and nothing that did not change is written back.
//!
//! ```
//! use chunkwise::stream::Replacer;
//! use chunkwise::http::{BodyAction, Chunk, HeadersAction, ReplaceBody, ResponseHeaders};
//! use chunkwise::{Config, ConfigError, Filter, Plugin};
//!
//! struct Rebrand {
//!     names: Replacer,
//! }
//!
//! impl Plugin for Rebrand {
//!     type Filter = RebrandStream;
//!
//!     fn configure(config: &Config<'_>) -> Result<Self, ConfigError> {
//!         let rules: Vec<(String, String)> = config.parse()?;
//!         let names = Replacer::new(rules).map_err(|e| ConfigError::invalid("rules", e))?;
//!         Ok(Self { names })
//!     }
//!
//!     fn filter(&self) -> RebrandStream {
//!         RebrandStream { response: ReplaceBody::new(&self.names) }
//!     }
//! }
//!
//! struct RebrandStream {
//!     response: ReplaceBody,
//! }
//!
//! impl Filter<Rebrand> for RebrandStream {
//!     fn response_headers(
//!         &mut self,
//!         _: &Rebrand,
//!         headers: &ResponseHeaders<'_>,
//!     ) -> chunkwise::Result<HeadersAction> {
//!         self.response.response(headers)?;
//!         Ok(HeadersAction::Continue)
//!     }
//!
//!     fn response_body(
//!         &mut self,
//!         _: &Rebrand,
//!         chunk: &mut Chunk<'_>,
//!     ) -> chunkwise::Result<BodyAction> {
//!         self.response.chunk(chunk)
//!     }
//! }
//!
//! chunkwise::plugin!(Rebrand);
//! # fn main() {}
//! ```
//!
//! Natively the host's functions are symbols that a host defines. To unit-test a plugin with plain
//! `cargo test`, add `chunkwise-bench-host` (without default features) as a dev-dependency: it
//! defines them and drives the plugin as a proxy would.

#![deny(missing_docs, missing_debug_implementations, unsafe_op_in_unsafe_fn)]
#![deny(clippy::undocumented_unsafe_blocks, clippy::multiple_unsafe_ops_per_block)]

// The pages of `docs/` name things by their full paths.
#[cfg(doc)]
extern crate self as chunkwise;

pub mod abi;
pub mod attributes;
pub mod call;
mod config;
mod context;
mod driver;
mod error;
pub mod higress;
pub mod http;
#[cfg(feature = "proxy-wasm")]
pub mod interop;
pub mod lease;
pub mod log;
pub mod memory;
pub mod metrics;
mod plugin;
pub mod property;
pub mod rules;
pub mod shared;
pub mod stream;
mod table;
pub mod time;
mod unconfigured;
mod used;
mod vm;

pub use config::{Config, ConfigError};
pub use context::{PluginContext, Ticked};
pub use driver::Driver;
pub use error::{Error, HostError, Result};
pub use http::Chunk;
pub use plugin::{Filter, Host, OnError, Plugin, Rebuild};
pub use unconfigured::{AnyHost, OnHigress, Unconfigured};

/// The examples of the README are tested like all others.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;

/// Patterns of plugins, side by side with the same ones in Go.
#[cfg(any(doc, doctest))]
#[doc = include_str!("../../docs/patterns.md")]
pub mod patterns {}

/// What the names of Higress's Go SDK are called here.
#[cfg(any(doc, doctest))]
#[doc = include_str!("../../docs/from-go.md")]
pub mod from_go {}
