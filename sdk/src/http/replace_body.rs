//! Find and replace on the bodies of a stream.
//!
//! A match may be cut by a chunk's end, so bytes that may begin one have to wait for what follows.
//! There are two places where they can wait, and each is wrong somewhere:
//!
//! - *in the host*: the chunk is [held](BodyAction::Hold) as it is. Nothing is copied, and nothing
//!   is lost when trailers end the body, for the host still has the bytes. But a host refuses the
//!   stream when what it holds and the next frame together pass its buffer limit, and an HTTP/1
//!   frame may be as long as that limit.
//! - *in the plugin*: the undecided bytes are cut off and go in front of the next chunk. That is
//!   safe at any frame length, but trailers end a body without a chunk to put them in.
//!
//! So: where the headers say how long the body is, its last byte is known before trailers come, and
//! the bytes wait in the plugin (or in the host when the whole body is small). HTTP/1 without a
//! length has no trailers unless a host was told to take them, and they wait in the plugin. HTTP/2
//! without a length has frames of at most 16 KiB (RFC 9113, 4.2) and may have trailers, so they
//! wait in the host, until that holds as much as any host does.

use super::action::BodyAction;
use super::chunk::{Chunk, Text};
use super::headers::{Headers, RequestHeaders, ResponseHeaders};
use super::kind::{has_token, parse_length};
use crate::error::{Error, Result};
use crate::memory;
use crate::stream::{Edit, Replace, Replacer, Tail};

/// What a host of any default configuration holds without refusing: on HTTP/1 Higress's limit of
/// 32 KiB; on HTTP/2 this and one more frame, for its limit there is the 64 KiB window.
const HELD: usize = 32 * 1024;

/// The longest frame of HTTP/2 as every host sets it up.
const FRAME: usize = 16 * 1024;

/// Bytes set aside for rewritten chunks, so that common sizes allocate nothing in a body callback.
const SCRATCH: usize = 32 * 1024;

/// Replaces text in one body, whatever frames it comes in.
///
/// Call [`request`](Self::request) or [`response`](Self::response) with the headers and
/// [`chunk`](Self::chunk) with every chunk. A body with a `content-encoding`, gRPC messages and
/// upgraded connections (WebSocket) are left as they are, and a log line says so.
///
/// # Cost
/// With the headers: three to six host calls, none without a body. For a chunk: one host call to
/// read what is new in it; where something was replaced one more, which writes up to the last
/// replacement. No allocation in steady state, and at most one needle's length carried.
#[derive(Debug)]
pub struct ReplaceBody {
    replacer: Replacer,
    replace: Replace,
    framing: Framing,
    /// Undecided bytes at the end of what the host holds.
    undecided: usize,
}

/// What the headers say about the body's frames and its end.
#[derive(Clone, Copy, Debug)]
enum Framing {
    /// Not to be touched.
    Opaque,
    /// Bytes that are still to come.
    Sized(u64),
    /// HTTP/1 without a length.
    Chunked,
    /// HTTP/2 without a length.
    Frames,
}

impl ReplaceBody {
    /// For one direction of one stream.
    pub fn new(replacer: &Replacer) -> Self {
        memory::reserve_scratch(SCRATCH);
        Self {
            replacer: replacer.clone(),
            replace: replacer.stream(),
            framing: Framing::Chunked,
            undecided: 0,
        }
    }

    /// Looks at request headers, and removes a `content-length` that may not hold any more.
    pub fn request(&mut self, headers: &RequestHeaders<'_>) -> Result<()> {
        if !headers.has_body() {
            return Ok(());
        }
        self.begin(headers, |headers| {
            if headers.is_upgraded()? {
                return Ok(upgraded());
            }
            // A proxy removes transfer-encoding from requests before plugins see them.
            let protocol = headers.property(&["request", "protocol"])?;
            let is_http1 = protocol.is_some_and(|protocol| protocol.bytes().starts_with(b"HTTP/1"));
            Ok(if is_http1 { Framing::Chunked } else { Framing::Frames })
        })
    }

    /// Looks at response headers, and removes a `content-length` that may not hold any more.
    pub fn response(&mut self, headers: &ResponseHeaders<'_>) -> Result<()> {
        if !headers.has_body() {
            return Ok(());
        }
        self.begin(headers, |headers| {
            if headers.is_upgraded()? {
                return Ok(upgraded());
            }
            let is_http1 = headers.get("transfer-encoding")?.is_some()
                || has_token(headers.get("connection")?, b"close");
            Ok(if is_http1 { Framing::Chunked } else { Framing::Frames })
        })
    }

    fn begin(
        &mut self,
        headers: &Headers<'_>,
        unsized_framing: impl FnOnce(&Headers<'_>) -> Result<Framing>,
    ) -> Result<()> {
        if let Some(coding) = headers.content_encoding()? {
            crate::info!("body left as it is: {}-encoded", coding.escape_ascii());
            self.framing = Framing::Opaque;
            return Ok(());
        }
        // What carries frames of its own would not survive a change of its length.
        if headers.is_grpc()? {
            crate::info!("body left as it is: it carries gRPC messages");
            self.framing = Framing::Opaque;
            return Ok(());
        }
        let length = headers.get("content-length")?;
        self.framing = match length.map(parse_length) {
            Some(Some(length)) => Framing::Sized(length),
            Some(None) => Framing::Chunked,
            None => unsized_framing(headers)?,
        };
        if length.is_some() && !self.replacer.keeps_length() {
            headers.remove("content-length")?;
        }
        Ok(())
    }

    /// Replaces in one chunk; return its answer from the callback.
    ///
    /// # Errors
    /// [`Error::Withheld`] when bytes wait in the plugin and can be sent no more: trailers ended the
    /// body, or the host refused a call. The stream is then refused, whatever
    /// [`ON_ERROR`](crate::Plugin::ON_ERROR) says.
    pub fn chunk(&mut self, chunk: &mut Chunk<'_>) -> Result<BodyAction> {
        let withheld = self.replace.carried();
        self.replace_in(chunk).map_err(|error| match withheld {
            0 => error,
            bytes => Error::Withheld { bytes },
        })
    }

    fn replace_in(&mut self, chunk: &mut Chunk<'_>) -> Result<BodyAction> {
        let new = chunk.len() - chunk.held();
        if let Framing::Sized(left) = self.framing {
            // More than was announced: from now on only the host knows where the body ends.
            let left = left.checked_sub(new as u64);
            self.framing = left.map_or(Framing::Chunked, Framing::Sized);
        }
        let start = chunk.held() - self.undecided.min(chunk.held());
        let tail = match self.framing {
            Framing::Opaque => return Ok(BodyAction::Pass),
            _ if chunk.is_last() => Tail::Last,
            Framing::Sized(0) => Tail::Last,
            Framing::Sized(_) => Tail::Keep,
            Framing::Frames if new <= FRAME => Tail::Keep,
            Framing::Chunked | Framing::Frames => Tail::Carry,
        };
        if chunk.len() == start && self.replace.carried() == 0 {
            self.undecided = 0;
            return Ok(BodyAction::Pass);
        }
        if chunk.is_released() {
            return Err(Error::BodyReleased);
        }
        let mut text = chunk.take(start)?;
        let Some(first) = self.replace.look(text.bytes(), tail) else {
            self.undecided = 0;
            chunk.put_back(start, text);
            return Ok(BodyAction::Pass);
        };
        self.undecided = memory::with_scratch(|out| {
            let (mut step, only) = self.replace.rewrite(text.bytes(), tail, first, out);
            if let Some(only) = only {
                // One match in a chunk is what there mostly is, where there is any.
                if step.undecided == 0
                    && start == 0
                    && let Edit::Prefix { from } = step.edit
                    && let Text::Own(text) = &mut text
                    && let Some(edited) = self.replace.make_there(only, text)
                {
                    return chunk.replace_prefix(from, edited).map(|()| 0);
                }
                self.replace.make(only, text.bytes(), out);
            }
            let input = text.bytes();
            if step.undecided > 0 && !self.fits_in_the_host(chunk.len(), step.edit, out) {
                step = self.replace.carry_instead(input, step, out);
            }
            if let Edit::Prefix { from } = step.edit {
                rewrite(chunk, start, from, out)?;
            }
            Ok::<_, Error>(step.undecided)
        })?;
        Ok(if self.undecided == 0 { BodyAction::Pass } else { BodyAction::Hold })
    }

    /// Whether the host may hold a chunk of `len` bytes once it has been edited.
    fn fits_in_the_host(&self, len: usize, edit: Edit, out: &[u8]) -> bool {
        let held = match edit {
            Edit::Pass => len,
            Edit::Prefix { from } => len - from + out.len(),
        };
        match self.framing {
            Framing::Sized(left) => left.saturating_add(held as u64) <= HELD as u64,
            Framing::Frames => held <= HELD,
            Framing::Opaque | Framing::Chunked => false,
        }
    }
}

/// Puts `out` where `chunk[start..start + from]` was.
///
/// Hosts replace at the front only, so bytes in front of `start` (held ones that did not change)
/// are written again; that happens only where a match began in one chunk and ended in the next.
fn rewrite(chunk: &mut Chunk<'_>, start: usize, from: usize, out: &[u8]) -> Result<()> {
    let before = chunk.range(..start)?;
    chunk.replace_prefix(start + from, out)?;
    if before.is_empty() { Ok(()) } else { chunk.prepend(before) }
}

fn upgraded() -> Framing {
    crate::info!("body left as it is: the connection is upgraded");
    Framing::Opaque
}
