//! `declare_property`, `set_envoy_filter_state` and `clear_route_cache`.

use std::net::{IpAddr, SocketAddr};

use super::Answer;
use crate::host::properties::Declared;
use crate::host::protobuf::{Field, Malformed, fields};
use crate::host::quota::entry_size;
use crate::host::{Host, Status};

impl From<Malformed> for Status {
    fn from(_: Malformed) -> Self {
        Self::BadArgument
    }
}

/// The text of a protobuf `string`, which must be UTF-8.
pub(super) fn text(bytes: &[u8]) -> Result<&str, Status> {
    str::from_utf8(bytes).map_err(|_| Status::BadArgument)
}

/// `declare_property` (`DeclarePropertyArguments`: name 1, readonly 2, type 3, schema 4, span 5).
///
/// Neither schema nor span makes a difference here: values are shown as their bytes, and a stream
/// has a connection of its own. A name that is declared already is `BadArgument`.
pub(super) fn declare_property(host: &mut Host, arguments: &[u8]) -> Answer {
    /// `WasmType.String`
    const STRING: u64 = 1;
    let mut name = "";
    let mut declared = Declared { readonly: false, is_text: false };
    for field in fields(arguments) {
        match field? {
            (1, Field::Bytes(bytes)) => name = text(bytes)?,
            (2, Field::Varint(truth)) => declared.readonly = truth != 0,
            (3, Field::Varint(kind)) => declared.is_text = kind == STRING,
            _ => {}
        }
    }
    if host.declared.contains_key(name.as_bytes()) {
        return Err(Status::BadArgument);
    }
    host.quota.charge("declared properties", entry_size(name.as_bytes(), &[]))?;
    host.declared.insert(name.as_bytes().to_vec(), declared);
    Ok(None)
}

/// `set_envoy_filter_state` (`SetEnvoyFilterStateArguments`: path 1, value 2, span 3).
///
/// # Errors
/// [`Status::NotFound`] for a path that Envoy knows no object for, and without a stream;
/// [`Status::BadArgument`] for a value that the object cannot be made from.
pub(super) fn set_envoy_filter_state(host: &mut Host, arguments: &[u8]) -> Answer {
    let (mut path, mut value) = ("", "");
    for field in fields(arguments) {
        match field? {
            (1, Field::Bytes(bytes)) => path = text(bytes)?,
            (2, Field::Bytes(bytes)) => value = text(bytes)?,
            _ => {}
        }
    }
    if !is_object(path, value).ok_or(Status::NotFound)? {
        return Err(Status::BadArgument);
    }
    let (quota, stream) = host.quota_and_stream().ok_or(Status::NotFound)?;
    let (path, value) = (path.as_bytes(), value.as_bytes());
    let old = stream.envoy_state.get(path).map_or(0, |old| entry_size(path, old));
    let new = entry_size(path, value);
    quota.exchange("filter state", old, new)?;
    stream.charged = (stream.charged + new).saturating_sub(old);
    stream.envoy_state.insert(path.to_vec(), value.to_vec());
    Ok(None)
}

/// Whether an object can be made from a value; `None` when there is no such object ("Well Known
/// Filter State Objects" in Envoy's documentation).
fn is_object(path: &str, value: &str) -> Option<bool> {
    Some(match path {
        "envoy.network.upstream_server_name"
        | "envoy.network.application_protocols"
        | "envoy.network.upstream_subject_alt_names"
        | "envoy.tcp_proxy.cluster"
        | "envoy.udp_proxy.cluster"
        | "envoy.tcp_proxy.disable_tunneling"
        | "envoy.upstream.dynamic_host"
        | "envoy.string"
        | "envoy.hashable_string" => true,
        "envoy.upstream.dynamic_port" => value.parse::<u32>().is_ok(),
        "envoy.network.ip" => value.parse::<IpAddr>().is_ok(),
        "envoy.network.transport_socket.original_dst_address"
        | "envoy.filters.listener.original_dst.local_ip"
        | "envoy.filters.listener.original_dst.remote_ip" => value.parse::<SocketAddr>().is_ok(),
        _ => return None,
    })
}

/// `clear_route_cache`: the proxy looks for the route anew. Higress does not once the plugin has
/// set the property of the same name to `off`. Always `Ok`.
pub(super) fn clear_route_cache(host: &mut Host) -> Answer {
    host.clear_route();
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::super::tests::host;
    use super::*;
    use crate::host::protobuf::{put_bytes, put_varint};
    use crate::host::{Profile, Quota};

    fn state(path: &str, value: &str) -> Vec<u8> {
        let mut message = Vec::new();
        put_bytes(&mut message, 1, path.as_bytes());
        put_bytes(&mut message, 2, value.as_bytes());
        put_varint(&mut message, 3, 1);
        message
    }

    #[test]
    fn a_declared_property_is_read_only_from_its_first_value_on() {
        let mut host = host(Profile::Envoy);
        let mut message = Vec::new();
        put_bytes(&mut message, 1, b"once");
        put_varint(&mut message, 2, 1);
        put_varint(&mut message, 3, 1);
        assert_eq!(declare_property(&mut host, &message), Ok(None));
        assert_eq!(declare_property(&mut host, &message), Err(Status::BadArgument));
        assert_eq!(host.set_property(b"once", b"1"), Ok(()));
        assert_eq!(host.set_property(b"once", b"2"), Err(Status::BadArgument));
        assert_eq!(host.declared[&b"once"[..]], Declared { readonly: true, is_text: true });
        for wrong in [&b"\x0a\x02\xff\xff"[..], b"\x0a\x05x", b"\x00"] {
            assert_eq!(declare_property(&mut host, wrong), Err(Status::BadArgument));
        }
        host.quota = Quota::new(10);
        assert_eq!(declare_property(&mut host, b""), Err(Status::InternalFailure));
    }

    #[test]
    fn only_objects_that_envoy_knows_are_kept() {
        let mut host = host(Profile::Envoy);
        let mut set = |path, value| set_envoy_filter_state(&mut host, &state(path, value));
        assert_eq!(set("envoy.tcp_proxy.cluster", "a"), Ok(None));
        assert_eq!(set("envoy.upstream.dynamic_port", "http"), Err(Status::BadArgument));
        assert_eq!(set("envoy.network.ip", "1.2.3"), Err(Status::BadArgument));
        assert_eq!(set("mine", "a"), Err(Status::NotFound));
        assert_eq!(
            host.property(b"filter_state\0envoy.tcp_proxy.cluster").map(|value| value.to_vec()),
            Ok(b"a".to_vec())
        );
        assert_eq!(
            host.property(b"envoy.tcp_proxy.cluster").map(|value| value.to_vec()),
            Err(Status::NotFound)
        );
        host.current = 1;
        let answer = set_envoy_filter_state(&mut host, &state("envoy.string", "a"));
        assert_eq!(answer, Err(Status::NotFound));
    }

    #[test]
    fn a_route_that_is_kept_is_not_cleared() {
        let mut host = host(Profile::Higress);
        assert_eq!(clear_route_cache(&mut host), Ok(None));
        host.set_property(b"clear_route_cache", b"off").unwrap();
        assert_eq!(clear_route_cache(&mut host), Ok(None));
        assert_eq!(host.stream().unwrap().route_clears, 1);
        host.current = 1;
        assert_eq!(clear_route_cache(&mut host), Ok(None));
    }
}
