//! What plugins do that the real host does not check, and that ends badly there.

use super::Host;
use super::log::Level;

/// A frame that passes right after a resumed body.
pub(super) const LOST_FRAME: &str = "a frame was let pass right after a body that was held with \
                                     StopIterationAndBuffer was resumed from another callback, and \
                                     is lost: this proxy is without \
                                     filter_manager_forward_added_data_on_continue; hold what is \
                                     resumed in the middle with another answer";

/// Trailers that pass while a body waits that arrived behind stopped headers.
pub(super) const LOST_BODY: &str = "the trailers were let pass while the body was held that had \
                                    waited behind headers that stopped everything, and is lost; \
                                    let the body pass, or stop the headers with StopIteration \
                                    where the host reads it so";

/// A response that is ended by a plugin and goes on all the same.
pub(super) const ENDED_TWICE: &str = "the response was sent on or resumed after the plugin had \
                                      ended it with the bytes that it sent";

impl Host {
    /// Tells of something that the real host does not check, and that ends badly there.
    pub(super) fn misused(&mut self, what: &str) {
        self.log.write(Level::Warn, format!("misuse of the host: {what}").as_bytes());
    }
}
