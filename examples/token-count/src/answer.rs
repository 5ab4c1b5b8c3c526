//! An answer of a model, looked at as it passes.

use chunkwise::stream::{EventTooLong, Events};

use crate::usage::{Usage, may_have_usage};

/// The parts of an answer that are kept.
#[derive(Debug)]
pub enum Answer {
    /// An event stream: the first event that has a usage, and the last.
    Events { events: Events, first: Vec<u8>, last: Vec<u8>, begun: bool, model: Vec<u8> },
    /// A JSON document, up to a limit.
    Document { body: Vec<u8>, limit: usize },
    /// It is too long to be read.
    Unread,
}

impl Answer {
    pub fn of_events(limit: usize) -> Self {
        let (first, last, model) = (Vec::new(), Vec::new(), Vec::new());
        Self::Events { events: Events::new(limit), first, last, begun: false, model }
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
            Self::Events { events, first, last, begun, model } => {
                let result = events.push(chunk, |event| {
                    let Some(data) = event.data else { return Ok(()) };
                    if !*begun {
                        *begun = true;
                        model.extend_from_slice(data);
                    }
                    if may_have_usage(data) {
                        let kept = if first.is_empty() { &mut *first } else { &mut *last };
                        kept.clear();
                        kept.extend_from_slice(data);
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
            Self::Events { first, last, model, .. } => {
                [model, first, last].into_iter().for_each(|event| usage.read(event));
            }
            Self::Document { body, .. } => usage.read(body),
            Self::Unread => (),
        }
        usage
    }
}
