//! Events in batches, each of which is checked as one.

use std::collections::VecDeque;
use std::mem;
use std::rc::Rc;

use chunkwise::stream::{Event, EventTooLong, Events};

use crate::text::{Names, collect, ends_a_sentence};

/// Longest event, and longest answer that is no event stream.
const LONGEST: usize = 1024 * 1024;

/// What is checked and sent as one.
#[derive(Debug, Default)]
pub struct Batch {
    /// The bytes as the upstream sent them.
    pub raw: Vec<u8>,
    /// Their text.
    pub text: String,
}

/// Cuts an answer into batches, the raw bytes of which are the answer.
#[derive(Debug)]
pub struct Batches {
    /// `None` for an answer that is one JSON document, and one batch.
    events: Option<Events>,
    cut: Cut,
}

/// Where batches end.
#[derive(Debug)]
struct Cut {
    names: Rc<Names>,
    limit: usize,
    open: Batch,
    closed: VecDeque<Batch>,
}

impl Batches {
    /// Batches with up to `limit` bytes of text under `names`; an event with more is one by itself.
    pub fn of_events(names: &Rc<Names>, limit: usize) -> Self {
        Self { events: Some(Events::new(LONGEST)), cut: Cut::new(names, limit) }
    }

    /// One batch.
    pub fn of_a_document(names: &Rc<Names>) -> Self {
        Self { events: None, cut: Cut::new(names, LONGEST) }
    }

    /// Whether the answer is an event stream.
    pub fn has_events(&self) -> bool {
        self.events.is_some()
    }

    /// Takes the next bytes of the answer.
    ///
    /// # Errors
    /// [`EventTooLong`]; the bytes that are in no batch are [`unread`](Self::unread) then.
    pub fn push(&mut self, chunk: &[u8]) -> Result<(), EventTooLong> {
        let Self { events, cut } = self;
        let Some(events) = events else {
            cut.open.raw.extend_from_slice(chunk);
            return Ok(());
        };
        let result = events.push(chunk, |event| {
            cut.event(&event);
            Ok::<_, EventTooLong>(())
        });
        result.inspect_err(|error| {
            // Nobody can tell any more where events begin: it all goes the same way.
            cut.open.raw.extend_from_slice(events.rest());
            cut.open.raw.extend_from_slice(chunk.get(error.from..).unwrap_or_default());
        })
    }

    /// The answer has ended.
    ///
    /// # Errors
    /// As [`push`](Self::push).
    pub fn finish(&mut self) -> Result<(), EventTooLong> {
        let Self { events, cut } = self;
        match events {
            None => collect(&cut.open.raw, &cut.names, &mut cut.open.text),
            Some(events) => {
                let rest = events.finish(|event| {
                    cut.event(&event);
                    Ok::<_, EventTooLong>(())
                })?;
                // No event for readers that follow the standard; others may read it all the same.
                cut.open.text.push_str(String::from_utf8_lossy(rest).trim());
                cut.open.raw.extend_from_slice(rest);
            }
        }
        cut.close();
        Ok(())
    }

    /// The next batch that is complete.
    pub fn next(&mut self) -> Option<Batch> {
        self.cut.closed.pop_front()
    }

    /// Whether the document is longer than may wait here.
    pub fn is_too_long(&self) -> bool {
        self.events.is_none() && self.cut.open.raw.len() > LONGEST
    }

    /// All bytes that are in no batch that was given.
    pub fn unread(&mut self) -> Vec<u8> {
        mem::take(&mut self.cut.open.raw)
    }
}

impl Cut {
    fn new(names: &Rc<Names>, limit: usize) -> Self {
        let names = Rc::clone(names);
        Self { names, limit, open: Batch::default(), closed: VecDeque::new() }
    }

    fn event(&mut self, event: &Event<'_>) {
        let before = self.open.text.len();
        if let Some(data) = event.data {
            collect(data, &self.names, &mut self.open.text);
        }
        if before > 0 && self.open.text.len() > self.limit {
            let text = self.open.text.split_off(before);
            self.close();
            self.open.text = text;
        }
        self.open.raw.extend_from_slice(event.raw);
        let text = &self.open.text;
        if text.is_empty() || text.len() >= self.limit || ends_a_sentence(text) {
            self.close();
        }
    }

    fn close(&mut self) {
        if !self.open.raw.is_empty() {
            self.closed.push_back(mem::take(&mut self.open));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> Rc<Names> {
        Rc::new(Names { fields: vec!["t".into()], objects: Vec::new() })
    }

    fn batches(limit: usize, texts: &[&str]) -> Vec<String> {
        let mut batches = Batches::of_events(&names(), limit);
        for text in texts {
            let event = format!("data: {{\"t\":{text:?}}}\n\n");
            batches.push(event.as_bytes()).unwrap();
        }
        batches.finish().unwrap();
        std::iter::from_fn(|| batches.next()).map(|batch| batch.text).collect()
    }

    #[test]
    fn a_batch_is_a_sentence_or_as_much_as_fits() {
        assert_eq!(batches(99, &["One", " two", ".", " Three"]), ["One two.", " Three"]);
        assert_eq!(batches(5, &["abc", "de", "fgh", "ijk"]), ["abcde", "fgh", "ijk"]);
        assert_eq!(batches(5, &["abcdefgh", "i", "abcdefgh"]), ["abcdefgh", "i", "abcdefgh"]);
        assert_eq!(batches(5, &["", "a", "", "b"]), ["", "ab"]);
    }

    #[test]
    fn what_has_no_end_is_text() {
        let mut batches = Batches::of_events(&Rc::default(), 99);
        batches.push(b": hi\n\ndata: {\"t\":1}").unwrap();
        batches.finish().unwrap();
        assert_eq!(batches.next().unwrap().text, "");
        let last = batches.next().unwrap();
        assert_eq!((&last.raw[..], &*last.text), (&b"data: {\"t\":1}"[..], "data: {\"t\":1}"));
    }

    #[test]
    fn too_long_an_event_is_not_lost() {
        let mut batches = Batches::of_events(&names(), 99);
        batches.push(b"data: {\"t\":\"a\"}\n\nda").unwrap();
        let long = vec![b'x'; LONGEST];
        assert!(batches.push(&long).is_err());
        assert!(batches.next().is_none());
        assert_eq!(batches.unread(), [b"data: {\"t\":\"a\"}\n\nda", &long[..]].concat());
    }
}
