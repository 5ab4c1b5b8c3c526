//! One stream: the author's filter, and how far each of its bodies is.

use std::rc::Rc;

use crate::abi::Direction;
use crate::plugin::Plugin;

/// State of a stream between callbacks.
pub(super) struct Stream<P: Plugin> {
    pub plugin: Option<Rc<P>>,
    /// `None` for a stream of a plugin that was never configured, and after an error.
    pub filter: Option<P::Filter>,
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
        Self { plugin, filter, bodies: [Body::default(); 2] }
    }

    pub fn body(&mut self, direction: Direction) -> &mut Body {
        let [request, response] = &mut self.bodies;
        match direction {
            Direction::Request => request,
            Direction::Response => response,
        }
    }
}
