//! Events in batches, each of which is checked as one.

use std::collections::VecDeque;
use std::mem;
use std::rc::Rc;

use chunkwise::stream::{EventTooLong, Events};

use crate::form::Form;
use crate::lines::RawLines;
use crate::text::{Names, collect, ends_a_sentence};

/// Longest event or line, and longest document.
const LONGEST: usize = 1024 * 1024;

/// What begins a text in a JSON sequence (RFC 7464).
const RECORD_SEPARATOR: u8 = 0x1e;

/// An event, a line or a document is longer than may wait.
#[derive(Debug)]
pub struct TooLong;

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
    form: Form,
    records: Records,
    cut: Cut,
}

/// What finds the records of an answer, each of which is in one batch.
#[derive(Debug)]
enum Records {
    Events(Events),
    Lines(RawLines),
    /// The document is the only one.
    Document,
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
    /// Batches with up to `limit` bytes of text under `names`; an event or a line with more is one
    /// by itself, and a document always is.
    pub fn new(form: Form, names: &Rc<Names>, limit: usize) -> Self {
        let records = match form {
            Form::Events => Records::Events(Events::new(LONGEST)),
            Form::Lines | Form::Sequence => Records::Lines(RawLines::default()),
            Form::Document => Records::Document,
        };
        Self { form, records, cut: Cut::new(names, limit) }
    }

    /// How the answer is written.
    pub fn form(&self) -> Form {
        self.form
    }

    /// Takes the next bytes of the answer.
    ///
    /// # Errors
    /// [`TooLong`]; the bytes that are in no batch are [`unread`](Self::unread) then: nobody can
    /// tell any more where records begin, and it all goes the same way.
    pub fn push(&mut self, chunk: &[u8]) -> Result<(), TooLong> {
        let Self { records, cut, .. } = self;
        match records {
            Records::Events(events) => {
                let result = events.push(chunk, |event| {
                    cut.record(event.data, event.raw);
                    Ok::<_, EventTooLong>(())
                });
                result.map_err(|error| {
                    cut.open.raw.extend_from_slice(events.rest());
                    cut.open.raw.extend_from_slice(chunk.get(error.from..).unwrap_or_default());
                    TooLong
                })
            }
            Records::Lines(lines) => {
                lines.push(chunk, LONGEST, |line| cut.line(line)).map_err(|too_long| {
                    cut.open.raw.extend_from_slice(&too_long.0);
                    TooLong
                })
            }
            Records::Document => {
                cut.open.raw.extend_from_slice(chunk);
                if cut.open.raw.len() > LONGEST { Err(TooLong) } else { Ok(()) }
            }
        }
    }

    /// The answer has ended.
    ///
    /// # Errors
    /// As [`push`](Self::push).
    pub fn finish(&mut self) -> Result<(), TooLong> {
        let Self { records, cut, .. } = self;
        match records {
            Records::Events(events) => {
                let rest = events.finish(|event| {
                    cut.record(event.data, event.raw);
                    Ok::<_, EventTooLong>(())
                });
                let rest = rest.map_err(|_| TooLong)?;
                // No event for readers that follow the standard; others may read it all the same.
                cut.open.text.push_str(String::from_utf8_lossy(rest).trim());
                cut.open.raw.extend_from_slice(rest);
            }
            Records::Lines(lines) => cut.line(&lines.finish()),
            Records::Document => collect(&cut.open.raw, &cut.names, &mut cut.open.text),
        }
        cut.close();
        Ok(())
    }

    /// The next batch that is complete.
    pub fn next(&mut self) -> Option<Batch> {
        self.cut.closed.pop_front()
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

    /// A line of JSON; one without anything has no text.
    fn line(&mut self, line: &[u8]) {
        let data = line.strip_prefix(&[RECORD_SEPARATOR]).unwrap_or(line).trim_ascii();
        self.record((!data.is_empty()).then_some(data), line);
    }

    fn record(&mut self, data: Option<&[u8]>, raw: &[u8]) {
        let before = self.open.text.len();
        if let Some(data) = data {
            collect(data, &self.names, &mut self.open.text);
        }
        if before > 0 && self.open.text.len() > self.limit {
            let text = self.open.text.split_off(before);
            self.close();
            self.open.text = text;
        }
        self.open.raw.extend_from_slice(raw);
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
        let mut batches = Batches::new(Form::Events, &names(), limit);
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
        let mut batches = Batches::new(Form::Events, &Rc::default(), 99);
        batches.push(b": hi\n\ndata: {\"t\":1}").unwrap();
        batches.finish().unwrap();
        assert_eq!(batches.next().unwrap().text, "");
        let last = batches.next().unwrap();
        assert_eq!((&last.raw[..], &*last.text), (&b"data: {\"t\":1}"[..], "data: {\"t\":1}"));
    }

    #[test]
    fn too_long_an_event_is_not_lost() {
        let mut batches = Batches::new(Form::Events, &names(), 99);
        batches.push(b"data: {\"t\":\"a\"}\n\nda").unwrap();
        let long = vec![b'x'; LONGEST];
        assert!(batches.push(&long).is_err());
        assert!(batches.next().is_none());
        assert_eq!(batches.unread(), [b"data: {\"t\":\"a\"}\n\nda", &long[..]].concat());
    }

    #[test]
    fn lines_are_read_as_they_are_written() {
        let text = "{\"t\":\"One\"}\n\n\u{1e}{\"t\":\" two.\"}\r\nno json\n{\"t\":\"end\"}";
        for size in 1..text.len() {
            let mut batches = Batches::new(Form::Sequence, &names(), 12);
            text.as_bytes().chunks(size).for_each(|chunk| batches.push(chunk).unwrap());
            batches.finish().unwrap();
            let all: Vec<_> = std::iter::from_fn(|| batches.next()).collect();
            let texts: Vec<_> = all.iter().map(|batch| &*batch.text).collect();
            assert_eq!(texts, ["One two.", "no jsonend"]);
            let raw: Vec<_> = all.iter().flat_map(|batch| batch.raw.clone()).collect();
            assert_eq!(raw, text.as_bytes());
        }
        assert!(Batches::new(Form::Lines, &names(), 9).push(&vec![b' '; LONGEST + 1]).is_err());
    }
}
