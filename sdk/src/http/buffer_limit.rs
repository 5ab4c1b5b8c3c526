//! How many bytes of a stream's bodies the host may hold.

use super::action::BodyAction;
use super::chunk::Chunk;
use super::headers::{RequestHeaders, ResponseHeaders};
use super::held::{DIGITS, decimal};
use super::reply::Reply;
use crate::abi::host;
use crate::error::{Error, Result};
use crate::memory::Scope;

/// The longest frame that a host shows at once: Envoy reads a connection in up to eight slices of
/// 16 KiB (`envoy/buffer/buffer.h`, `Reservation::MAX_SLICES_`).
const FRAME: u32 = 8 * 16 * 1024;

/// What a stock host does not have.
const BUFFER_LIMITS: &str = "buffer limits for single requests";

/// The two names of the one limit; what is written to either can be read there.
const DECODER: &str = "set_decoder_buffer_limit";
const ENCODER: &str = "set_encoder_buffer_limit";

impl RequestHeaders<'_> {
    /// Makes room in the host for a body of so many bytes that the plugin
    /// [holds](super::BodyAction::Hold), and for one frame on top: by that the plugin sees that a
    /// body is longer, and answers in its own words before the host does in its. The limit is that
    /// of [`set_buffer_limit`](Self::set_buffer_limit). Where the host is not Higress it is the
    /// operator's, and stays.
    ///
    /// Room that a plugin has made in this stream before, this one or another, stays as it was
    /// where it is larger: for the room of the request when a response needs less, too. The
    /// operator's own limit can be read by nobody, so one that is larger does not stay.
    ///
    /// # Cost
    /// Three host calls, and none on other hosts but for the first stream of a VM.
    ///
    /// # Errors
    /// The host's.
    pub fn make_room(&self, bytes: u32) -> Result<()> {
        make_room(self.higress_only(BUFFER_LIMITS), self.scope(), DECODER, bytes)
    }

    /// Sets how many bytes the host may hold of this stream's bodies, in either direction (hosts
    /// have one limit for both); 0 is no limit. A limit that another plugin has set is gone:
    /// [`make_room`](Self::make_room) leaves it where it is larger.
    ///
    /// # Cost
    /// One host call; on [`Host::Envoy`](crate::Host::Envoy) one more for the first stream of a VM.
    ///
    /// # Errors
    /// [`Error::NeedsHost`] where the host is not Higress.
    pub fn set_buffer_limit(&self, bytes: u32) -> Result<()> {
        self.higress_only(BUFFER_LIMITS)?;
        set_limit(DECODER, bytes)
    }
}

impl ResponseHeaders<'_> {
    /// Makes room in the host for what the plugin holds; see [`RequestHeaders::make_room`].
    pub fn make_room(&self, bytes: u32) -> Result<()> {
        make_room(self.higress_only(BUFFER_LIMITS), self.scope(), ENCODER, bytes)
    }

    /// Sets how many bytes the host may hold of this stream's bodies; see
    /// [`RequestHeaders::set_buffer_limit`].
    pub fn set_buffer_limit(&self, bytes: u32) -> Result<()> {
        self.higress_only(BUFFER_LIMITS)?;
        set_limit(ENCODER, bytes)
    }
}

impl Chunk<'_> {
    /// What to answer for a body that is needed whole, until it is: [`BodyAction::Hold`] while more
    /// of it is to come, and this reply as soon as it has more than `limit` bytes. `None` is the
    /// end: all of the body is in this chunk, and is no longer than that. Together with
    /// [`RequestHeaders::make_room`].
    ///
    /// ```
    /// # use chunkwise::Chunk;
    /// use chunkwise::http::{BodyAction, Reply};
    ///
    /// # fn request_body(chunk: &mut Chunk<'_>) -> chunkwise::Result<BodyAction> {
    /// if let Some(answer) = chunk.hold_up_to(64 * 1024, || Reply::new(413))? {
    ///     return Ok(answer);
    /// }
    /// let body = chunk.bytes()?;
    /// # Ok(BodyAction::Pass)
    /// # }
    /// ```
    ///
    /// # Cost
    /// None; one host call for the reply, which is not made before.
    ///
    /// # Errors
    /// The host's, when it refuses the reply.
    pub fn hold_up_to<'r>(
        &self,
        limit: u32,
        too_long: impl FnOnce() -> Reply<'r>,
    ) -> Result<Option<BodyAction>> {
        if self.len() > limit as usize {
            return self.reply(&too_long()).map(Some);
        }
        Ok((!self.is_last()).then_some(BodyAction::Hold))
    }
}

/// Where it can be done, sets the limit to the largest that anybody has asked for: nobody can tell
/// which of the two names was written last.
fn make_room(possible: Result<()>, scope: &Scope<'_>, property: &str, bytes: u32) -> Result<()> {
    match possible {
        Err(Error::NeedsHost { .. }) => return Ok(()),
        possible => possible?,
    }
    let mut limit = bytes.saturating_add(FRAME);
    for name in [DECODER, ENCODER] {
        let before = host::property(scope, name)?.and_then(number);
        limit = match before {
            // That is no limit.
            Some(0) => return set_limit(property, 0),
            Some(before) => limit.max(before),
            None => limit,
        };
    }
    set_limit(property, limit)
}

/// A limit as somebody has written it; the host ignores what is none, too.
fn number(digits: &[u8]) -> Option<u32> {
    str::from_utf8(digits).ok()?.parse().ok()
}

fn set_limit(property: &str, bytes: u32) -> Result<()> {
    host::set_property(property, decimal(bytes as usize, &mut [0; DIGITS]))
}
