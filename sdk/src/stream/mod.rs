//! Processing of bodies that come in pieces, usable with or without a plugin.
//!
//! A processor takes a body piece by piece and gives the same output however the body was cut:
//! what a piece's end leaves undecided waits, and never more of it than the processor's own bound.
//!
//! - [`Replacer`] compiles find-and-replace rules, once for each configuration;
//!   [`Replace`] applies them to one body.
//! - [`Finder`] compiles texts to look for; [`Find`] looks for them in one body.
//! - [`Lines`] splits text into lines.
//! - [`Events`] finds the events of an event stream (server-sent events).
//!
//! Besides, [`RawJson`] finds a value in a JSON body that is there as a whole.

mod byte_set;
mod carry;
mod finder;
mod json_field;
mod lines;
mod many;
mod one;
mod pool;
mod replace;
mod replacer;
mod rule;
mod searcher;
mod sse;
mod step;

#[cfg(test)]
mod tests;

pub use finder::{Find, Finder};
pub use json_field::RawJson;
pub use lines::{Lines, TooLong};
pub use replace::Replace;
pub use replacer::Replacer;
pub use rule::RuleError;
pub use sse::{Event, EventTooLong, Events};
pub use step::{Edit, Step, Tail};
