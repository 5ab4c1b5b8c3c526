//! Traffic to replay: one trace model, and the readers that fill it.
//!
//! A trace is a sequence of [`Exchange`]s: a request and the response that was recorded for it,
//! each with headers, a body that is delivered chunk by chunk, and trailers. [`Traffic::open`]
//! takes
//!
//! - a **HAR** file (1.1, 1.2), as the network panel of every browser saves it;
//! - output of **Envoy's tap filter**, buffered or streamed, in JSON or protobuf: one file, or a
//!   folder of them;
//! - **JSON lines**, our own format, which also records chunk boundaries and trailers;
//! - a **`synth:`** notation, which generates bodies of any size ([`SYNTH_HELP`]).
//!
//! Files are told apart by their content, never by their name. A line of our own format holds one
//! exchange, and everything in it is optional:
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let dir = tempfile::tempdir()?;
//! # let path = dir.path().join("trace.jsonl");
//! # let path = path.to_str().ok_or("a path that is not UTF-8")?;
//! std::fs::write(path, r#"
//! {"request": {"path": "/chat"}, "response": {"body": ["data: Hel", "lo\n\n"]}}
//! "#)?;
//!
//! let traffic = bench_host::traffic::Traffic::open(path)?;
//! for exchange in traffic.exchanges() {
//!     let exchange = exchange?;
//!     assert_eq!(exchange.label, "GET https://example.com/chat");
//!     let response = exchange.response.ok_or("no response")?;
//!     let cut = std::num::NonZeroUsize::new(16 << 10).ok_or("zero")?;
//!     let chunks: Vec<_> = response.body.chunks(cut).collect();
//!     assert_eq!(chunks, ["data: Hel", "lo\n\n"]);
//! }
//! # Ok(())
//! # }
//! ```
//!
//! `docs/traffic.md` describes the formats and every decision of the readers.

mod body;
mod clock;
mod detect;
mod error;
mod generator;
mod har;
mod har_headers;
mod har_message;
mod har_model;
mod har_notes;
mod headers;
mod lines;
pub(crate) mod lines_body;
mod lines_model;
mod lines_time;
mod lines_write;
mod message;
mod open;
mod redact;
mod redact_cookies;
mod redact_names;
mod redact_url;
mod source;
mod synth;
mod synth_body;
mod synth_json;
mod synth_spec;
mod tap;
mod tap_binary;
mod tap_coding;
mod tap_exchange;
mod tap_file;
mod tap_folder;
mod tap_frame;
mod tap_join;
mod tap_json;
mod tap_json_values;
mod tap_model;
mod tap_notes;
#[cfg(test)]
mod tap_samples;
mod tap_scan;
pub(crate) mod url;
mod words;
mod writer;
#[cfg(test)]
mod written;

pub use body::{Body, BodyChunks};
pub use error::TrafficError;
pub use generator::Generator;
pub use headers::Headers;
pub use lines_write::Unwritable;
#[cfg(feature = "record")]
pub(crate) use message::label;
pub use message::{Exchange, HttpVersion, Message};
pub use redact::Redaction;
pub use source::{Exchanges, Traffic};
pub use synth_spec::SYNTH_HELP;
pub use writer::{TraceWriter, WriteError};
