//! An answer of a model, looked at as it passes.

use chunkwise::stream::{EventTooLong, Events};

use crate::usage::{Usage, may_have_usage};

/// The parts of an answer that are kept.
#[derive(Debug)]
pub enum Answer {
    /// An event stream: its first event with data, and the last one with a usage.
    Events { events: Events, begun: bool, first: Vec<u8>, last: Vec<u8> },
    /// A JSON document, up to a limit.
    Document { body: Vec<u8>, limit: usize },
    /// It is too long to be read.
    Unread,
}

impl Answer {
    pub fn of_events(limit: usize) -> Self {
        let events = Events::new(limit);
        Self::Events { events, begun: false, first: Vec::new(), last: Vec::new() }
    }

    /// A document of a length that may be known.
    pub fn of_a_document(length: Option<usize>, limit: usize) -> Self {
        let body = Vec::with_capacity(length.unwrap_or_default().min(limit));
        Self::Document { body, limit }
    }

    /// Takes a chunk. Allocates nothing for an event stream once the longest event was there, nor
    /// for a document of a known length.
    pub fn push(&mut self, chunk: &[u8]) {
        let too_long = match self {
            Self::Events { events, begun, first, last } => {
                let result = events.push(chunk, |event| {
                    let Some(data) = event.data else { return Ok(()) };
                    if !*begun {
                        *begun = true;
                        first.extend_from_slice(data);
                    } else if may_have_usage(data) {
                        last.clear();
                        last.extend_from_slice(data);
                    }
                    Ok::<_, EventTooLong>(())
                });
                result.is_err()
            }
            Self::Document { body, limit } => {
                let fits = body.len() + chunk.len() <= *limit;
                if fits {
                    body.extend_from_slice(chunk);
                }
                !fits
            }
            Self::Unread => false,
        };
        if too_long {
            chunkwise::info!("an answer is not counted: it, or an event of it, is too long");
            *self = Self::Unread;
        }
    }

    /// Whether the first token has come.
    pub fn has_begun(&self) -> bool {
        matches!(self, Self::Events { begun: true, .. })
    }

    pub fn is_a_stream(&self) -> bool {
        matches!(self, Self::Events { .. })
    }

    /// What the answer has cost, as far as it was said.
    pub fn usage(&self) -> Usage {
        let mut usage = Usage::default();
        match self {
            Self::Events { first, last, .. } => {
                usage.read(first);
                usage.read(last);
            }
            Self::Document { body, .. } => usage.read(body),
            Self::Unread => (),
        }
        usage
    }
}
