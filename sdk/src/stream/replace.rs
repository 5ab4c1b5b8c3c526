//! Find and replace in one body that comes in pieces.
//!
//! ```text
//!   carry        input
//!   ┌───────────┬──────────────────────────────────────┬──────┐
//!   │ undecided │ edits …            │ untouched       │ tail │
//!   │ so far    │                    │                 │      │
//!   └───────────┴──────────────────────────────────────┴──────┘
//!   ╰─ junction: carry and head ─╯   ▲ from            ▲ open
//! ```
//!
//! The tail begins at the first position from where all bytes so far are the beginning of some
//! needle. What comes next can make a match begin there, but nowhere in front of it; so a match
//! that begins in front of the tail is final, whatever follows, and one that begins in the tail
//! has to wait: an earlier or an overriding match may still come to be.

use std::mem;
use std::rc::Rc;

use super::replacer::Shared;
use super::searcher::Found;
use super::step::{Edit, Step, Tail};

/// Find and replace in one body; from [`Replacer::stream`](super::Replacer::stream).
///
/// The output is the same for every way to cut the body into pieces, and for every mix of
/// [`Tail::Carry`] and [`Tail::Keep`]. After [`Tail::Last`] it is ready for another body.
///
/// ```
/// use chunkwise::stream::{Edit, Replacer, Tail};
///
/// let replacer = Replacer::new([("needle", "thread")])?;
/// let mut body = replacer.stream();
/// let mut forwarded = Vec::new();
/// let mut out = Vec::new();
///
/// let pieces: [(&[u8], Tail); 3] =
///     [(b"hay, a nee", Tail::Carry), (b"dle, ", Tail::Carry), (b"hay", Tail::Last)];
/// for (piece, tail) in pieces {
///     match body.feed(piece, tail, &mut out).edit {
///         Edit::Pass => forwarded.extend_from_slice(piece),
///         Edit::Prefix { from } => {
///             forwarded.extend_from_slice(&out);
///             forwarded.extend_from_slice(&piece[from..]);
///         }
///     }
/// }
/// assert_eq!(forwarded, b"hay, a thread, hay");
/// # Ok::<(), chunkwise::stream::RuleError>(())
/// ```
#[derive(Debug)]
pub struct Replace {
    shared: Rc<Shared>,
    /// The undecided bytes in front of the next piece. Between calls it is shorter than the longest
    /// needle; its capacity also takes the head of a piece.
    carry: Vec<u8>,
}

impl Replace {
    pub(super) fn new(shared: Rc<Shared>) -> Self {
        let carry = shared.carries.lend();
        Self { shared, carry }
    }

    /// Takes the next bytes of the body and says what to forward in their place.
    ///
    /// `out` is cleared first. It then receives what [`Edit::Prefix`] speaks of, which ends right
    /// behind the last edit: what did not change behind it is not copied.
    ///
    /// # Cost
    /// One search through `input`, and a look at its last bytes, fewer than the longest needle.
    /// Copies to `out` only up to the last edit, and all of `input` where [`Tail::Carry`] cuts off
    /// a tail. No allocation, but for `out` where its capacity is too small. Where bytes are
    /// carried, up to twice the longest needle is copied and searched besides.
    ///
    /// A tail that almost begins one of *several* needles at each of its bytes costs the square of
    /// the longest needle's length; with one needle it stays linear.
    pub fn feed(&mut self, input: &[u8], tail: Tail, out: &mut Vec<u8>) -> Step {
        out.clear();
        match self.look(input, tail) {
            Some(first) => {
                let (step, only) = self.rewrite(input, tail, first, out);
                if let Some(only) = only {
                    self.make(only, input, out);
                }
                step
            }
            None => Step { edit: Edit::Pass, undecided: 0 },
        }
    }

    /// Looks whether the next bytes pass as they are, as most do; nothing more is to be done then.
    /// Otherwise gives what it found for [`rewrite`](Self::rewrite).
    #[inline]
    pub(crate) fn look(&self, input: &[u8], tail: Tail) -> Option<First> {
        if !self.carry.is_empty() {
            // Where the search of the input begins depends on what becomes of the carry.
            return Some(First { found: None, open: 0 });
        }
        let first = first(&self.shared, input, 0, tail != Tail::Last);
        (first.found.is_some() || first.open < input.len()).then_some(first)
    }

    /// Takes bytes that [`look`](Self::look) does not let pass; `out` must be empty.
    ///
    /// Where only one match changes anything, `out` stays empty, and the answer is what is still to
    /// be made: into `out` with [`make`](Self::make), or at the place itself with
    /// [`make_there`](Self::make_there), without a copy of what is in front of it.
    pub(crate) fn rewrite(
        &mut self,
        input: &[u8],
        tail: Tail,
        mut start: First,
        out: &mut Vec<u8>,
    ) -> (Step, Option<Only>) {
        let (mut done, mut only) = (Done::default(), None);
        if self.carry.is_empty() {
            done.only = Some(&mut only);
        } else {
            match self.join(input, tail, out) {
                Ok(joined) => done = joined,
                Err(step) => return (step, None),
            }
            start = first(&self.shared, input, done.at, tail != Tail::Last);
        }
        let open = scan(&self.shared, input, input.len(), start, &mut done, out);
        let written = done.written;
        let undecided = input.get(open..).unwrap_or_default();
        if tail == Tail::Carry && !undecided.is_empty() {
            if let Some(only) = only.take() {
                self.make(only, input, out);
            }
            out.extend_from_slice(&input[written..open]);
            self.carry.extend_from_slice(undecided);
            return (step(input.len(), 0, out), None);
        }
        (step(written, undecided.len(), out), only)
    }

    /// Makes the only change, with what is in front of it, in `out`.
    pub(crate) fn make(&self, only: Only, input: &[u8], out: &mut Vec<u8>) {
        out.extend_from_slice(&input[..only.start]);
        out.extend_from_slice(&self.shared.rules[only.rule].replacement);
    }

    /// Makes the only change in the input itself, over whatever is behind the match, which is not
    /// needed any more. Returns the beginning of the input up to the end of the change; `None` if
    /// there is no room for it.
    pub(crate) fn make_there<'a>(&self, only: Only, input: &'a mut [u8]) -> Option<&'a [u8]> {
        let replacement = &self.shared.rules[only.rule].replacement;
        let end = only.start + replacement.len();
        input.get_mut(only.start..end)?.copy_from_slice(replacement);
        input.get(..end)
    }

    /// Moves the tail that a step with [`Tail::Keep`] left undecided into the carry, as
    /// [`Tail::Carry`] would have done at once.
    pub(crate) fn carry_instead(&mut self, input: &[u8], step: Step, out: &mut Vec<u8>) -> Step {
        let from = match step.edit {
            Edit::Pass => 0,
            Edit::Prefix { from } => from,
        };
        let (decided, tail) = input.split_at(input.len() - step.undecided);
        out.extend_from_slice(&decided[from..]);
        self.carry.extend_from_slice(tail);
        Step { edit: Edit::Prefix { from: input.len() }, undecided: 0 }
    }

    /// Bytes that were cut off the pieces so far and wait for the next one; fewer than the longest
    /// needle. None where no piece came with [`Tail::Carry`].
    pub fn carried(&self) -> usize {
        self.carry.len()
    }

    /// Decides the carried bytes with the help of the head of `input`. Says how far `input` is done
    /// thereby, or, where the carry stays undecided, what the whole step is.
    fn join(&mut self, input: &[u8], tail: Tail, out: &mut Vec<u8>) -> Result<Done<'static>, Step> {
        let carried = self.carry.len();
        let reach = self.shared.searcher.longest() - 1;
        let head = input.get(..reach).unwrap_or(input);
        self.carry.extend_from_slice(head);

        // A tail that begins in the carry must reach the end of the input.
        let wait = tail != Tail::Last && head.len() == input.len();
        let mut done = Done::default();
        let start = first(&self.shared, &self.carry, 0, wait);
        let open = scan(&self.shared, &self.carry, carried, start, &mut done, out);
        let flushed = open.min(carried);
        if done.written < flushed {
            out.extend_from_slice(&self.carry[done.written..flushed]);
        }
        if open >= carried {
            self.carry.clear();
            return Ok(Done {
                at: done.at.saturating_sub(carried),
                written: done.written.saturating_sub(carried),
                only: None,
            });
        }
        let (from, undecided) = match tail {
            Tail::Keep => (0, input.len()),
            Tail::Carry | Tail::Last => (input.len(), 0),
        };
        self.carry.truncate(carried + from);
        self.carry.drain(..open);
        Err(step(from, undecided, out))
    }
}

impl Drop for Replace {
    fn drop(&mut self) {
        self.shared.carries.take_back(mem::take(&mut self.carry));
    }
}

/// How far a text is done.
#[derive(Debug, Default)]
struct Done<'a> {
    /// Where the search goes on: behind the last match.
    at: usize,
    /// What is in front of this is in the output: up to the last edit. Never behind `at`.
    written: usize,
    /// Where the first edit waits until there is another one; without it, none waits.
    only: Option<&'a mut Option<Only>>,
}

impl Done<'_> {
    /// Notes an edit, or makes it.
    fn edit(&mut self, shared: &Shared, text: &[u8], edit: Only, out: &mut Vec<u8>) {
        let mut make = |from: usize, Only { rule, start }| {
            out.extend_from_slice(&text[from..start]);
            out.extend_from_slice(&shared.rules[rule].replacement);
        };
        if let Some(only) = &mut self.only {
            if self.written == 0 {
                **only = Some(edit);
                return;
            }
            if let Some(first) = only.take() {
                make(0, first);
            }
        }
        make(self.written, edit);
    }
}

/// The only edit of a text.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Only {
    rule: usize,
    start: usize,
}

/// What a look at a text finds.
#[derive(Clone, Copy)]
pub(crate) struct First {
    /// The first match.
    found: Option<Found>,
    /// Where the undecided tail begins: the end of the text if there is none or it need not wait.
    open: usize,
}

#[inline]
fn first(shared: &Shared, text: &[u8], from: usize, wait: bool) -> First {
    let open = if wait { shared.searcher.tail(text, from) } else { text.len() };
    First { found: shared.searcher.find(text, from), open }
}

/// Applies the matches that are final and begin in front of `stop`. Returns where the undecided
/// tail begins.
fn scan(
    shared: &Shared,
    text: &[u8],
    stop: usize,
    first: First,
    done: &mut Done<'_>,
    out: &mut Vec<u8>,
) -> usize {
    let First { mut found, mut open } = first;
    while let Some(Found { rule: found_rule, start, end }) = found
        && start < open.min(stop)
    {
        done.at = end;
        let rule = &shared.rules[found_rule];
        if rule.changes {
            done.edit(shared, text, Only { rule: found_rule, start }, out);
            done.written = end;
        }
        if open < end {
            open = shared.searcher.tail(text, end);
        }
        found = shared.searcher.find(text, end);
    }
    open
}

fn step(from: usize, undecided: usize, out: &[u8]) -> Step {
    let edit = if from == 0 && out.is_empty() { Edit::Pass } else { Edit::Prefix { from } };
    Step { edit, undecided }
}

#[cfg(test)]
mod tests {
    use super::super::Replacer;
    use super::*;

    fn stream() -> Replace {
        Replacer::new([("needle", "thread"), ("hay", "straw")]).unwrap().stream()
    }

    /// The step, and what is in front of the untouched rest.
    fn feed(stream: &mut Replace, input: &str, tail: Tail) -> (Step, String) {
        let mut out = b"left over".to_vec();
        let step = stream.feed(input.as_bytes(), tail, &mut out);
        (step, String::from_utf8(out).unwrap())
    }

    fn prefix(from: usize, undecided: usize, out: &str) -> (Step, String) {
        (Step { edit: Edit::Prefix { from }, undecided }, out.to_owned())
    }

    fn pass(undecided: usize) -> (Step, String) {
        (Step { edit: Edit::Pass, undecided }, String::new())
    }

    #[test]
    fn only_what_changed_is_written() {
        let mut stream = stream();
        assert_eq!(feed(&mut stream, "nothing to see", Tail::Carry), pass(0));
        assert_eq!(feed(&mut stream, "a needle in it", Tail::Carry), prefix(8, 0, "a thread"));
        assert_eq!(feed(&mut stream, "hay, hay, and", Tail::Last), prefix(8, 0, "straw, straw"));
    }

    #[test]
    fn a_kept_tail_is_not_written() {
        let mut stream = stream();
        assert_eq!(feed(&mut stream, "a nee", Tail::Keep), pass(3));
        assert_eq!(feed(&mut stream, "need", Tail::Keep), pass(4));
        assert_eq!(feed(&mut stream, "hay need", Tail::Keep), prefix(3, 4, "straw"));
        assert_eq!(feed(&mut stream, "needle", Tail::Keep), prefix(6, 0, "thread"));
    }

    #[test]
    fn a_carried_tail_comes_out_in_front() {
        let mut stream = stream();
        assert_eq!(feed(&mut stream, "a nee", Tail::Carry), prefix(5, 0, "a "));
        assert_eq!(stream.carried(), 3);
        assert_eq!(feed(&mut stream, "dle ends", Tail::Carry), prefix(3, 0, "thread"));
        assert_eq!(feed(&mut stream, "nee", Tail::Carry), prefix(3, 0, ""));
        assert_eq!(feed(&mut stream, "ds no more", Tail::Carry), prefix(0, 0, "nee"));
        assert_eq!(stream.carried(), 0);
    }

    #[test]
    fn a_carry_may_stay_while_the_caller_keeps_more() {
        let mut stream = stream();
        assert_eq!(feed(&mut stream, "need", Tail::Carry), prefix(4, 0, ""));
        assert_eq!(feed(&mut stream, "l", Tail::Keep), pass(1));
        assert_eq!(stream.carried(), 4);
        assert_eq!(feed(&mut stream, "l-", Tail::Keep), prefix(0, 0, "need"));
    }

    #[test]
    fn what_is_left_comes_out_with_the_last_bytes_even_if_there_are_none() {
        let mut stream = stream();
        assert_eq!(feed(&mut stream, "need", Tail::Carry), prefix(4, 0, ""));
        assert_eq!(feed(&mut stream, "", Tail::Carry), pass(0));
        assert_eq!(feed(&mut stream, "", Tail::Last), prefix(0, 0, "need"));
        assert_eq!(feed(&mut stream, "", Tail::Last), pass(0));
    }

    #[test]
    fn a_dropped_stream_leaves_nothing_to_the_next() {
        let replacer = Replacer::new([("needle", "thread")]).unwrap();
        let mut first = replacer.stream();
        assert_eq!(feed(&mut first, "need", Tail::Carry), prefix(4, 0, ""));
        drop(first);
        assert_eq!(feed(&mut replacer.stream(), "le", Tail::Last), pass(0));
    }
}
