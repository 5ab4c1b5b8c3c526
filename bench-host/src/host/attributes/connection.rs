//! `connection.*`, `source.*`, `destination.*`, `upstream.*` and `xds.*`.

use std::net::SocketAddr;

use super::Attributes;
use super::message::Message;
use super::value::{Group, Value};
use crate::host::stream::Stream;

/// The number of the one connection that streams come on.
pub(super) const CONNECTION: Value<'static> = Value::Uint(1);

/// The proxy's own port on the connection to the upstream.
const UPSTREAM_LOCAL_PORT: u16 = 40_000;

/// The connection of the client, which has no TLS.
pub(super) fn connection(name: &[u8]) -> Option<Value<'static>> {
    Some(match name {
        b"id" => CONNECTION,
        b"mtls" => Value::Bool(false),
        b"requested_server_name" => Value::text(""),
        _ => return None,
    })
}

/// One end of the connection.
pub(super) fn peer(address: SocketAddr, name: &[u8]) -> Option<Value<'static>> {
    match name {
        b"address" => Some(Value::text(&address.to_string())),
        b"port" => Some(Value::count(address.port())),
        _ => None,
    }
}

/// The connection to the upstream, which there is once the request's headers have gone on.
pub(super) fn upstream<'a>(
    view: &Attributes<'a>,
    stream: &'a Stream,
    name: &[u8],
) -> Option<Value<'a>> {
    let connected = stream.request.headers_sent;
    match name {
        b"num_endpoints" => Some(Value::Uint(1)),
        b"request_attempt_count" => Some(Value::Uint(u64::from(connected))),
        _ if !connected => None,
        b"local_address" => {
            let address = SocketAddr::new(view.settings.destination.ip(), UPSTREAM_LOCAL_PORT);
            Some(Value::text(&address.to_string()))
        }
        b"transport_failure_reason" => Some(Value::text("")),
        b"locality" => Some(Value::Message(Message::Locality)),
        _ => peer(view.settings.upstream, name),
    }
}

/// What the control plane has configured. Only the node is known without a stream.
pub(super) fn xds<'a>(view: &Attributes<'a>, name: &[u8]) -> Option<Value<'a>> {
    if name == b"node" {
        return Some(Value::Message(Message::Node(&view.settings.node)));
    }
    let stream = view.stream?;
    let connected = stream.request.headers_sent;
    let has_cluster = !view.settings.cluster_name.is_empty();
    Some(match name {
        b"cluster_name" | b"cluster_metadata" if !has_cluster => return None,
        b"cluster_name" => Value::text(&view.settings.cluster_name),
        b"route_name" => Value::text(&view.settings.route_name),
        b"listener_direction" => Value::Int(view.settings.listener_direction.into()),
        b"virtual_host_name" | b"filter_chain_name" => Value::text(""),
        b"cluster_metadata"
        | b"route_metadata"
        | b"listener_metadata"
        | b"virtual_host_metadata" => Value::Message(Message::Metadata),
        // An endpoint without metadata has no message at all.
        b"upstream_host_metadata" | b"upstream_host_locality_metadata" if connected => {
            Value::NoMessage
        }
        _ => return None,
    })
}

/// Names beside the groups. Higress has more of them: its Envoy is older (1.27), and stock ones know
/// a part of them under `xds` alone, from 1.36 on.
pub(super) fn token<'a>(view: &Attributes<'a>, name: &[u8]) -> Option<Value<'a>> {
    let settings = view.settings;
    Some(match name {
        b"plugin_name" => Value::text(&settings.plugin_name),
        b"plugin_root_id" => Value::text(&settings.plugin_root_id),
        b"plugin_vm_id" => Value::text(&settings.vm_id),
        b"connection_id" if view.stream.is_some() => CONNECTION,
        b"metadata" if view.stream.is_some() => Value::Message(Message::Metadata),
        b"upstream_filter_state"
            if view.stream.is_some_and(|stream| stream.request.headers_sent) =>
        {
            Value::Group(Group::UpstreamFilterState)
        }
        _ if !view.is_higress() => return None,
        b"plugin_vm_memory" => Value::Uint(view.memory),
        b"node" => Value::Message(Message::Node(&settings.node)),
        b"listener_direction" => Value::Int(settings.listener_direction.into()),
        b"listener_metadata" => Value::Message(Message::Metadata),
        b"cluster_name"
        | b"cluster_metadata"
        | b"route_name"
        | b"route_metadata"
        | b"upstream_host_metadata" => return xds(view, name),
        _ => return None,
    })
}
