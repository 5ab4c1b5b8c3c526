//! What a callback answers; the numbers are those of the ABI (Envoy takes all of them under 0.2.1).

/// What becomes of headers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
#[non_exhaustive]
pub enum HeadersAction {
    /// Send them on.
    Continue = 0,
    /// Hold them while this filter still gets the body; they leave with the first chunk that
    /// continues, or with the trailers.
    ///
    /// A stock host reads this as "hold everything" under ABI 0.2.1, and the stream then waits for
    /// ever, unless it is configured with `allow_on_headers_stop_iteration`. Headers that end the
    /// message are not held, for nothing would come that lets them go.
    Stop = 1,
}

/// What becomes of a chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
#[non_exhaustive]
pub enum BodyAction {
    /// Send it on, with what was held before it.
    Continue = 0,
    /// Leave it in the host; the next chunk begins with it (see [`Chunk::held`]).
    ///
    /// Nothing comes after the last chunk, so there a hold is read as
    /// [`Continue`](Self::Continue).
    ///
    /// [`Chunk::held`]: crate::Chunk::held
    Hold = 1,
}

/// What becomes of trailers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
#[non_exhaustive]
pub enum TrailersAction {
    /// Send them on, with everything that was held.
    Continue = 0,
}

/// Proof that a local reply was sent; it is the answer of the callback that sent it.
#[derive(Debug)]
pub struct Replied(pub(crate) ());

impl From<Replied> for HeadersAction {
    fn from(_: Replied) -> Self {
        // The host stops the stream by itself, whatever it is told here and below.
        Self::Continue
    }
}

impl From<Replied> for BodyAction {
    fn from(_: Replied) -> Self {
        Self::Continue
    }
}

impl From<Replied> for TrailersAction {
    fn from(_: Replied) -> Self {
        Self::Continue
    }
}
