//! One TCP connection: what is held of it, and what has gone on.

use std::collections::BTreeMap;

use super::Host;
use super::abi::Direction;
use super::buffer::Buffer;

/// State of one connection in the proxy, around the one network filter that is under test.
#[derive(Debug, Default)]
pub struct Connection {
    /// The root context that the connection belongs to.
    pub root: u32,
    /// From the client to the upstream.
    pub downstream: Flow,
    /// From the upstream to the client.
    pub upstream: Flow,
    /// Whether the connection is over.
    pub closed: bool,
    /// Whether the plugin has been told of the end.
    pub(super) ended: bool,
    /// Filter state that the plugin set as properties.
    pub filter_state: BTreeMap<Vec<u8>, Vec<u8>>,
}

/// One direction of a connection.
#[derive(Debug, Default)]
pub struct Flow {
    /// Bytes that have arrived and not gone on; the plugin sees all of them.
    pub held: Buffer,
    /// Bytes that have gone on.
    pub passed: Vec<u8>,
    /// The plugin holds the bytes.
    pub stopped: bool,
    /// The sender has ended.
    pub ended: bool,
    /// Whether the current callback is about this direction.
    pub open: bool,
}

impl Flow {
    /// Sends on what is held.
    pub(super) fn release(&mut self) {
        self.stopped = false;
        while let Some(part) = self.held.pop() {
            self.passed.extend_from_slice(&part);
        }
    }
}

impl Connection {
    /// One direction; a request is what the client sends.
    pub fn flow(&mut self, direction: Direction) -> &mut Flow {
        match direction {
            Direction::Request => &mut self.downstream,
            Direction::Response => &mut self.upstream,
        }
    }
}

impl Host {
    /// The bytes of the connection whose callback runs.
    pub(super) fn connection_buffer(&mut self, direction: Direction) -> Option<&mut Buffer> {
        let context = self.context();
        let flow = self.connections.get_mut(&context)?.flow(direction);
        flow.open.then_some(&mut flow.held)
    }
}
