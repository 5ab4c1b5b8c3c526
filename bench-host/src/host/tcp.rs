//! The network filter: how bytes of a TCP connection pass the plugin, as Envoy passes them.
//!
//! A plugin that stops sees the same bytes again with the next ones, until it lets them go.

use bytes::Bytes;

use super::abi::{Direction, PeerKind};
use super::connection::Connection;
use super::proxy::Proxy;
use super::quota::entry_size;
use super::settings::FailurePolicy;
use crate::engine::Callback;

impl Proxy {
    /// Opens a connection.
    pub fn connect(&mut self) -> u32 {
        let context = self.next_context();
        let root = self.current_root();
        let connection = Connection { root, ..Connection::default() };
        self.host().connections.insert(context, connection);
        self.tell(Callback::ContextCreate { context, parent: root });
        let answer = self.tell(Callback::NewConnection { context }).unwrap_or(0);
        let stopped = answer != 0;
        self.fail_connection(context);
        if let Some(connection) = self.connection(context) {
            connection.downstream.stopped = stopped;
        }
        context
    }

    /// Delivers bytes of a connection; a request is what the client sends.
    pub fn bytes(&mut self, context: u32, direction: Direction, data: Bytes, end: bool) {
        let Some(connection) = self.connection(context).filter(|of| !of.closed) else { return };
        let flow = connection.flow(direction);
        flow.held.push(data);
        flow.ended |= end;
        self.deliver_bytes(context, direction);
    }

    /// A connection that is open.
    pub fn connection(&mut self, context: u32) -> Option<&mut Connection> {
        self.host().connections.get_mut(&context)
    }

    /// Ends a connection, if the plugin has not closed it already. Gives what was left of it.
    pub fn disconnect(&mut self, context: u32, by: PeerKind) -> Option<Connection> {
        self.end_connection(context, by);
        self.host().connections.remove(&context)
    }

    /// Tells the plugin of the end of a connection: close event, done, access log, delete.
    pub(super) fn end_connection(&mut self, context: u32, by: PeerKind) {
        let Some(connection) = self.connection(context) else { return };
        if std::mem::replace(&mut connection.ended, true) {
            return;
        }
        connection.closed = true;
        let root = connection.root;
        self.tell(Callback::DownstreamClose { context, peer: by as u32 });
        self.tell(Callback::Done { context });
        self.tell(Callback::Log { context });
        self.tell(Callback::Delete { context });
        let state = self.connection(context).map(|of| std::mem::take(&mut of.filter_state));
        let state = state.unwrap_or_default();
        let size = state.iter().map(|(name, value)| entry_size(name, value)).sum();
        self.host().quota.release(size);
        self.leave_root(root);
    }

    fn deliver_bytes(&mut self, context: u32, direction: Direction) {
        let Some(connection) = self.connection(context) else { return };
        let flow = connection.flow(direction);
        flow.open = true;
        let size = u32::try_from(flow.held.len()).unwrap_or(u32::MAX);
        let end = flow.ended;
        let answer = self.tell(match direction {
            Direction::Request => Callback::DownstreamData { context, size, end },
            Direction::Response => Callback::UpstreamData { context, size, end },
        });
        self.fail_connection(context);
        let Some(connection) = self.connection(context) else { return };
        let closed = connection.closed;
        let flow = connection.flow(direction);
        flow.open = false;
        match answer {
            None | Some(0) if !closed => flow.release(),
            _ => flow.stopped = true,
        }
        if end && !closed && direction == Direction::Response {
            // That is all that a network filter learns of the upstream's connection.
            let peer = PeerKind::Unknown as u32;
            self.tell(Callback::UpstreamClose { context, peer });
        }
    }

    /// Lets bytes go on that the plugin holds: they are not shown to it again.
    pub(super) fn resume_connection(&mut self, context: u32) {
        if let Some(connection) = self.connection(context).filter(|of| !of.closed) {
            connection.downstream.release();
        }
    }

    /// Without its plugin a connection is closed, unless it is to go on without it.
    fn fail_connection(&mut self, context: u32) {
        let open = self.host().settings.failure_policy == FailurePolicy::FailOpen;
        if self.fault().is_some()
            && !open
            && let Some(connection) = self.connection(context)
        {
            connection.closed = true;
        }
    }
}
