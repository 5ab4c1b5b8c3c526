//! What goes into a processor besides bytes, and what comes out of it.

/// What becomes of bytes at the end of a piece that may still turn out to begin a match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tail {
    /// There is no such end: these are the last bytes of the body, everything is decided.
    Last,
    /// The undecided tail moves into the processor and comes out with a later piece.
    ///
    /// For callers that cannot hold bytes back. All of the piece is written again whenever there
    /// is such a tail.
    Carry,
    /// The undecided tail stays where it is: the caller keeps those bytes and gives them again, in
    /// front of what follows.
    ///
    /// For callers that can. Nothing is written that did not change.
    Keep,
}

/// What to do with the piece that was just fed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "the edit has to be applied, or the output is wrong"]
pub struct Step {
    /// What to forward.
    pub edit: Edit,
    /// Bytes at the end of the piece that are to be given again, in front of the next ones.
    ///
    /// They are part of what [`edit`](Self::edit) forwards, and no edit touches them, but they
    /// must not leave before they are decided. Zero unless the piece came with [`Tail::Keep`].
    pub undecided: usize,
}

/// How a piece differs from what is to be forwarded in its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edit {
    /// It does not: forward the piece as it is.
    Pass,
    /// Forward the output buffer, then the piece from byte `from` on.
    Prefix {
        /// Where the untouched rest begins: right behind the last edit.
        from: usize,
    },
}
