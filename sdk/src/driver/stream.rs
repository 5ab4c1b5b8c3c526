//! One stream: the author's filter, and what the SDK keeps beside it.

use std::rc::Rc;

use crate::http::Control;
use crate::plugin::{Filter, Plugin};

/// State of a stream between callbacks.
pub(super) struct Stream<P: Plugin> {
    /// `None` for a stream of a plugin that was never configured, and after an error. It stands
    /// before the plugin, so that it is dropped first.
    pub filter: Option<P::Filter>,
    pub plugin: Option<Rc<P>>,
    pub control: Control,
    /// The author was told that the stream is over.
    pub is_done: bool,
}

impl<P: Plugin> Stream<P> {
    /// A stream of a plugin; `context` and `root` are the ids of both.
    pub fn new(context: u32, root: u32, plugin: Option<Rc<P>>) -> Self {
        let filter = plugin.as_deref().map(P::filter);
        let modes = [P::Filter::REQUEST_BODY, P::Filter::RESPONSE_BODY];
        Self { filter, plugin, control: Control::new(context, root, modes), is_done: false }
    }

    /// What is kept of an ended stream: its memory.
    pub fn empty() -> Self {
        Self { filter: None, plugin: None, control: Control::default(), is_done: false }
    }
}
