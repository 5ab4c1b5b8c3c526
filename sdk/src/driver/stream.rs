//! One stream: the author's filter, and how far each of its bodies is.

use std::rc::Rc;

use crate::abi::Direction;
use crate::plugin::Plugin;

/// State of a stream between callbacks.
pub(super) struct Stream<P: Plugin> {
    /// `None` for a stream of a plugin that was never configured, and after an error. It stands
    /// before the plugin, so that it is dropped first.
    pub filter: Option<P::Filter>,
    pub plugin: Option<Rc<P>>,
    bodies: [Body; 2],
}

/// How far a body is.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Body {
    /// Bytes at the front of the host's buffer that were given before.
    pub held: usize,
    /// The last chunk was given.
    pub ended: bool,
}

impl<P: Plugin> Stream<P> {
    pub fn new(plugin: Option<Rc<P>>, filter: Option<P::Filter>) -> Self {
        Self { filter, plugin, bodies: [Body::default(); 2] }
    }

    pub fn body(&mut self, direction: Direction) -> &mut Body {
        let [request, response] = &mut self.bodies;
        match direction {
            Direction::Request => request,
            Direction::Response => response,
        }
    }
}
