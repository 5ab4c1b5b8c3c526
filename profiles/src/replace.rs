//! Find and replace in streams that take turns, as those of one worker do.
//!
//! Half of the streams have one rule, and half several; half hand their undecided ends over to be
//! carried, and half keep them. They cut their bodies differently, so matches lie across all kinds
//! of ends, and whenever a stream's body ends a new stream takes its place.

use chunkwise::stream::{Edit, Replace, Replacer, Tail};

/// Streams that are open at once.
pub const STREAMS: usize = 16;

/// Chunks of the steady state.
pub const CHUNKS: usize = 10_000;

const RULES: [(&str, &str); 3] =
    [("http://", "https://"), ("staging.internal", "www.example"), ("\"secret\"", "\"******\"")];

/// How many of the rules each kind of stream has.
const KINDS: [usize; 2] = [1, RULES.len()];

const PARAGRAPH: &str = "<p>See <a href=\"http://staging.internal/page\">the page</a>, which is \
                         also at https://staging.example/page; it is no \"secret\", nor is httpd.\
                         </p>\n<p>Most of a body is like this: nothing that has to be replaced, \
                         for some hundred bytes, and then one link after another.</p>\n";

/// Bodies and what has to come out of them. Made ahead of a profile, of which they are no part.
#[derive(Debug)]
pub struct Bodies {
    body: Vec<u8>,
    expected: [Vec<u8>; KINDS.len()],
}

/// Streams in the middle of their bodies.
#[derive(Debug)]
pub struct Replacing<'a> {
    bodies: &'a Bodies,
    replacers: [Replacer; KINDS.len()],
    streams: Vec<Stream>,
    out: Vec<u8>,
    turn: usize,
}

/// What was done; a profile of nothing proves nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Work {
    /// Chunks that went in.
    pub chunks: usize,
    /// Chunks that came out differently.
    pub edited: usize,
    /// Chunks whose end had to wait for the next one.
    pub cut: usize,
    /// Bodies that came to their end.
    pub bodies: usize,
}

#[derive(Debug)]
struct Stream {
    replace: Replace,
    /// What of the body was given and need not be given again.
    done: usize,
    /// What of the body has arrived.
    arrived: usize,
    forwarded: usize,
}

impl Bodies {
    /// Builds them.
    pub fn new() -> Self {
        let body = PARAGRAPH.repeat(64);
        // The needles neither overlap nor come up in replacements, so one rule after the other
        // gives what all at once have to give.
        let expected = KINDS.map(|rules| {
            RULES[..rules]
                .iter()
                .fold(body.clone(), |body, (find, replace)| body.replace(find, replace))
                .into_bytes()
        });
        Self { body: body.into_bytes(), expected }
    }
}

impl Default for Bodies {
    fn default() -> Self {
        Self::new()
    }
}

impl<'a> Replacing<'a> {
    /// Compiles the rules and opens the streams.
    pub fn start(bodies: &'a Bodies) -> Self {
        let replacers = KINDS.map(|rules| {
            Replacer::new(RULES[..rules].iter().copied()).expect("the rules are distinct")
        });
        let streams = (0..STREAMS).map(|number| Stream::open(&replacers, number)).collect();
        Self { bodies, replacers, streams, out: Vec::new(), turn: 0 }
    }

    /// Runs until every stream has been replaced by a new one: whatever grows has grown then.
    pub fn warm_up(&mut self) -> Work {
        let most = self.bodies.body.len().div_ceil(chunk_len(0));
        self.run(most * STREAMS)
    }

    /// Gives the streams in turn a chunk each.
    ///
    /// # Panics
    /// When something else comes out than the rules say.
    pub fn run(&mut self, chunks: usize) -> Work {
        let mut work = Work::default();
        for _ in 0..chunks {
            self.chunk(&mut work);
        }
        work
    }

    fn chunk(&mut self, work: &mut Work) {
        let number = self.turn % STREAMS;
        self.turn += 1;
        let Self { bodies: Bodies { body, expected }, replacers, streams, out, .. } = self;
        let stream = &mut streams[number];
        stream.arrived = body.len().min(stream.arrived + chunk_len(number));
        let input = &body[stream.done..stream.arrived];
        let tail = match number % 4 {
            _ if stream.arrived == body.len() => Tail::Last,
            0 | 1 => Tail::Carry,
            _ => Tail::Keep,
        };

        let step = stream.replace.feed(input, tail, out);
        let decided = &input[..input.len() - step.undecided];
        let (edited, rest) = match step.edit {
            Edit::Pass => (&[][..], decided),
            Edit::Prefix { from } => (&out[..], &decided[from..]),
        };
        stream.done += decided.len();
        let expected = &expected[kind(number)];
        for part in [edited, rest] {
            let end = stream.forwarded + part.len();
            assert!(expected.get(stream.forwarded..end) == Some(part), "stream {number}: {step:?}");
            stream.forwarded = end;
        }

        work.chunks += 1;
        work.edited += usize::from(step.edit != Edit::Pass);
        work.cut += usize::from(step.undecided + stream.replace.carried() > 0);
        if tail == Tail::Last {
            assert_eq!(stream.forwarded, expected.len(), "stream {number}");
            work.bodies += 1;
            *stream = Stream::open(replacers, number);
        }
    }
}

impl Stream {
    fn open(replacers: &[Replacer; KINDS.len()], number: usize) -> Self {
        let replace = replacers[kind(number)].stream();
        Self { replace, done: 0, arrived: 0, forwarded: 0 }
    }
}

/// Which of [`KINDS`] a stream is.
fn kind(number: usize) -> usize {
    number % KINDS.len()
}

/// How a stream's body is cut; the first stream's chunks are the shortest.
fn chunk_len(number: usize) -> usize {
    512 + 61 * number
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_edit_wait_and_end() {
        let bodies = Bodies::new();
        let mut replacing = Replacing::start(&bodies);
        let warm = replacing.warm_up();
        assert!(warm.bodies >= STREAMS, "{warm:?}");
        let work = replacing.run(CHUNKS);
        assert_eq!(work.chunks, CHUNKS);
        assert!(work.edited > CHUNKS / 2, "{work:?}");
        assert!(work.cut > CHUNKS / 50, "{work:?}");
        assert!(work.bodies > STREAMS, "{work:?}");
    }
}
