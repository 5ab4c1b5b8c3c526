//! How many bytes of a stream's bodies the host may hold.

use super::headers::{RequestHeaders, ResponseHeaders};
use super::held::{DIGITS, decimal};
use crate::abi::host;
use crate::error::{Error, Result};

/// The longest frame that a host shows at once: Envoy reads a connection in up to eight slices of
/// 16 KiB (`envoy/buffer/buffer.h`, `Reservation::MAX_SLICES_`).
const FRAME: u32 = 8 * 16 * 1024;

/// What a stock host does not have.
const BUFFER_LIMITS: &str = "buffer limits for single requests";

impl RequestHeaders<'_> {
    /// Makes room in the host for a body of so many bytes that the plugin
    /// [holds](super::BodyAction::Hold), and for one frame on top: by that the plugin sees that a
    /// body is longer, and answers in its own words before the host does in its. The limit is that
    /// of [`set_buffer_limit`](Self::set_buffer_limit). Where the host is not Higress it is the
    /// operator's, and stays.
    ///
    /// # Cost
    /// One host call, and none on other hosts but for the first stream of a VM.
    ///
    /// # Errors
    /// The host's.
    pub fn make_room(&self, bytes: u32) -> Result<()> {
        where_possible(self.set_buffer_limit(with_frame(bytes)))
    }

    /// Sets how many bytes the host may hold of this stream's bodies, in either direction (hosts
    /// have one limit for both); 0 is no limit.
    ///
    /// # Cost
    /// One host call; on [`Host::Envoy`](crate::Host::Envoy) one more for the first stream of a VM.
    ///
    /// # Errors
    /// [`Error::NeedsHost`] where the host is not Higress.
    pub fn set_buffer_limit(&self, bytes: u32) -> Result<()> {
        self.higress_only(BUFFER_LIMITS)?;
        set_limit("set_decoder_buffer_limit", bytes)
    }
}

impl ResponseHeaders<'_> {
    /// Makes room in the host for what the plugin holds; see [`RequestHeaders::make_room`].
    pub fn make_room(&self, bytes: u32) -> Result<()> {
        where_possible(self.set_buffer_limit(with_frame(bytes)))
    }

    /// Sets how many bytes the host may hold of this stream's bodies; see
    /// [`RequestHeaders::set_buffer_limit`].
    pub fn set_buffer_limit(&self, bytes: u32) -> Result<()> {
        self.higress_only(BUFFER_LIMITS)?;
        set_limit("set_encoder_buffer_limit", bytes)
    }
}

fn with_frame(bytes: u32) -> u32 {
    bytes.saturating_add(FRAME)
}

fn set_limit(property: &str, bytes: u32) -> Result<()> {
    host::set_property(property, decimal(bytes as usize, &mut [0; DIGITS]))
}

fn where_possible(limit: Result<()>) -> Result<()> {
    match limit {
        Err(Error::NeedsHost { .. }) => Ok(()),
        limit => limit,
    }
}
