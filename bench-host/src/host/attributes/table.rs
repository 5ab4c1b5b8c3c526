//! The table of attributes in `docs/properties.md`, held against what is answered.

use serde_json::json;

use super::*;
use crate::host::{Direction, HeaderMap, Host, Received, World, encode_pairs};

/// What a value looks like to a guest.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Encoding {
    String,
    Int,
    Uint,
    Bool,
    Duration,
    Timestamp,
    Pairs,
    Message,
}

use Encoding::{Bool, Duration, Int, Message, Pairs, String, Timestamp, Uint};

/// From when on there is an answer. Each moment has all that the ones before it have.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
enum Since {
    Always,
    Stream,
    Request,
    Upstream,
    Response,
    Trailers,
    Log,
    Never,
}

use Since::{Always, Log, Never, Request, Response, Stream as Open, Trailers, Upstream};

const MOMENTS: [Since; 7] = [Always, Open, Request, Upstream, Response, Trailers, Log];

const HIGRESS: &[Profile] = &[Profile::Higress];
const BOTH: &[Profile] = &[Profile::Envoy, Profile::Higress];

type Row = (&'static str, Encoding, &'static [Profile], Since, &'static str);

const TABLE: &[Row] = &[
    ("request.path", String, BOTH, Request, "header `:path`"),
    ("request.url_path", String, BOTH, Request, "`:path` in front of the `?`"),
    ("request.query", String, BOTH, Request, "`:path` behind the `?`, without a fragment"),
    ("request.host", String, BOTH, Request, "header `:authority`"),
    ("request.scheme", String, BOTH, Request, "header `:scheme`"),
    ("request.method", String, BOTH, Request, "header `:method`"),
    ("request.headers", Pairs, BOTH, Open, "one pair per name, its values joined by commas"),
    ("request.headers.NAME", String, BOTH, Request, "all values of the name, joined by commas"),
    ("request.headers_bytes", Int, BOTH, Open, "names and values"),
    ("request.referer", String, BOTH, Request, "header `referer`"),
    ("request.useragent", String, BOTH, Request, "header `user-agent`"),
    ("request.id", String, BOTH, Request, "header `x-request-id`"),
    ("request.protocol", String, BOTH, Open, "`HTTP/1.1` or `HTTP/2`"),
    ("request.time", Timestamp, BOTH, Open, "when the stream began, by the run's own clock"),
    ("request.size", Int, BOTH, Open, "`content-length`, or the bytes that have arrived"),
    ("request.total_size", Int, BOTH, Open, "bytes that have arrived, and of the headers"),
    ("request.duration", Duration, BOTH, Log, "by the run's own clock"),
    ("response.code", Int, BOTH, Response, "header `:status`; stays when the headers are gone"),
    ("response.code_details", String, BOTH, Response, "`via_upstream`, or what a local reply says"),
    ("response.flags", Int, BOTH, Open, "0"),
    ("response.grpc_status", Int, BOTH, Response, "trailer, header, or by the HTTP code"),
    ("response.headers", Pairs, BOTH, Open, "as `request.headers`; empty while they are not there"),
    ("response.headers.NAME", String, BOTH, Response, "as `request.headers.NAME`"),
    ("response.headers_bytes", Int, BOTH, Open, "names and values"),
    ("response.trailers", Pairs, BOTH, Open, "as `response.headers`"),
    ("response.trailers.NAME", String, BOTH, Trailers, "as `request.headers.NAME`"),
    ("response.size", Int, BOTH, Open, "body bytes that have gone on"),
    ("response.total_size", Int, BOTH, Open, "the same, with headers and trailers"),
    ("response.backend_latency", Duration, BOTH, Never, "upstreams take no time here"),
    ("source.address", String, BOTH, Open, "setting `source`"),
    ("source.port", Int, BOTH, Open, "setting `source`"),
    ("destination.address", String, BOTH, Open, "setting `destination`"),
    ("destination.port", Int, BOTH, Open, "setting `destination`"),
    ("connection.id", Uint, BOTH, Open, "1"),
    ("connection.mtls", Bool, BOTH, Open, "false"),
    ("connection.requested_server_name", String, BOTH, Open, "empty"),
    ("connection.tls_version", String, BOTH, Never, "there is no TLS"),
    ("connection.subject_local_certificate", String, BOTH, Never, "there is no TLS"),
    ("connection.subject_peer_certificate", String, BOTH, Never, "there is no TLS"),
    ("connection.dns_san_local_certificate", String, BOTH, Never, "there is no TLS"),
    ("connection.dns_san_peer_certificate", String, BOTH, Never, "there is no TLS"),
    ("connection.uri_san_local_certificate", String, BOTH, Never, "there is no TLS"),
    ("connection.uri_san_peer_certificate", String, BOTH, Never, "there is no TLS"),
    ("connection.sha256_peer_certificate_digest", String, BOTH, Never, "there is no TLS"),
    ("connection.peer_certificate", String, BOTH, Never, "there is no TLS"),
    ("connection.transport_failure_reason", String, BOTH, Never, "nothing failed"),
    ("connection.termination_details", String, BOTH, Never, "nothing was terminated"),
    ("upstream.address", String, BOTH, Upstream, "setting `upstream`"),
    ("upstream.port", Int, BOTH, Upstream, "setting `upstream`"),
    ("upstream.local_address", String, BOTH, Upstream, "the host of `destination`, port 40000"),
    ("upstream.num_endpoints", Uint, BOTH, Open, "1"),
    ("upstream.request_attempt_count", Uint, BOTH, Open, "0; 1 when the request has gone on"),
    ("upstream.transport_failure_reason", String, BOTH, Upstream, "empty"),
    ("upstream.locality", Message, BOTH, Upstream, "an empty `Locality`"),
    ("upstream.cx_pool_ready_duration", Duration, BOTH, Never, "upstreams take no time here"),
    ("upstream.tls_version", String, BOTH, Never, "there is no TLS; nor are the certificates'"),
    ("metadata", Message, BOTH, Open, "an empty `Metadata`"),
    ("filter_state.wasm.NAME", String, BOTH, Open, "what a plugin has set as the property NAME"),
    ("filter_state.KEY", String, BOTH, Open, "what `set_envoy_filter_state` has set"),
    ("xds.node", Message, BOTH, Always, "setting `node`"),
    ("xds.node.id", String, BOTH, Always, "setting `node`; also `cluster`"),
    ("xds.node.metadata", Pairs, BOTH, Always, "setting `node`"),
    ("xds.node.metadata.KEY", String, BOTH, Always, "by its type: a text, eight bytes, pairs"),
    ("xds.cluster_name", String, BOTH, Open, "setting `cluster_name`; not there when it is empty"),
    ("xds.cluster_metadata", Message, BOTH, Open, "an empty `Metadata`"),
    ("xds.route_name", String, BOTH, Open, "setting `route_name`"),
    ("xds.route_metadata", Message, BOTH, Open, "an empty `Metadata`"),
    ("xds.virtual_host_name", String, BOTH, Open, "empty"),
    ("xds.virtual_host_metadata", Message, BOTH, Open, "an empty `Metadata`"),
    ("xds.upstream_host_metadata", Message, BOTH, Never, "hosts have none: `SerializationFailure`"),
    (
        "xds.upstream_host_locality_metadata",
        Message,
        BOTH,
        Never,
        "hosts have none: `SerializationFailure`",
    ),
    ("xds.listener_direction", Int, BOTH, Open, "setting `listener_direction`"),
    ("xds.listener_metadata", Message, BOTH, Open, "an empty `Metadata`"),
    ("xds.filter_chain_name", String, BOTH, Open, "empty"),
    ("node", Message, HIGRESS, Always, "as `xds.node`"),
    ("listener_direction", Int, HIGRESS, Always, "setting `listener_direction`"),
    ("listener_metadata", Message, HIGRESS, Always, "an empty `Metadata`"),
    ("cluster_name", String, HIGRESS, Open, "setting `cluster_name`"),
    ("cluster_metadata", Message, HIGRESS, Open, "an empty `Metadata`"),
    ("route_name", String, HIGRESS, Open, "setting `route_name`"),
    ("route_metadata", Message, HIGRESS, Open, "an empty `Metadata`"),
    ("upstream_host_metadata", Message, HIGRESS, Never, "hosts have none: `SerializationFailure`"),
    ("connection_id", Uint, BOTH, Open, "1"),
    ("plugin_name", String, BOTH, Always, "setting `plugin_name`"),
    ("plugin_root_id", String, BOTH, Always, "setting `plugin_root_id`"),
    ("plugin_vm_id", String, BOTH, Always, "setting `vm_id`"),
    ("plugin_vm_memory", Uint, HIGRESS, Always, "bytes of the module's linear memory"),
    ("NAME", String, BOTH, Open, "what a plugin has set as the property NAME"),
];

/// A host at a moment.
fn host(profile: Profile, moment: Since) -> Host {
    let mut settings = Settings::new(profile);
    settings.node.metadata.insert("KEY".to_owned(), json!("v"));
    let mut host = Host::new(settings, &World::default());
    host.current = 2;
    if moment == Always {
        return host;
    }
    let mut stream = Stream::new(1, "HTTP/2", Received::default(), Received::default());
    stream.filter_state.insert(b"NAME".to_vec(), b"v".to_vec());
    stream.envoy_state.insert(b"KEY".to_vec(), b"v".to_vec());
    let headers: &[(&[u8], &[u8])] = match moment {
        Open => &[],
        _ => &[
            (b":method", b"GET"),
            (b":path", b"/a?b"),
            (b":scheme", b"http"),
            (b":authority", b"h"),
            (b"referer", b"r"),
            (b"user-agent", b"u"),
            (b"x-request-id", b"1"),
            (b"name", b"v"),
        ],
    };
    let has = |since| moment >= since;
    stream.request.headers = headers.iter().copied().collect();
    stream.request.begun = has(Request);
    stream.request.headers_open = moment == Request;
    stream.request.headers_sent = has(Upstream);
    if has(Response) {
        let pairs: [(&[u8], &[u8]); 2] = [(b":status", b"200"), (b"name", b"v")];
        stream.details = "via_upstream".to_owned();
        let half = stream.half(Direction::Response);
        half.headers = pairs.into_iter().collect();
        half.begun = true;
        half.headers_open = !has(Log);
        let trailers: HeaderMap = [(&b"name"[..], &b"v"[..])].into_iter().collect();
        half.trailers_open = has(Trailers) && !has(Log);
        half.trailers = Some(trailers.clone());
        half.received.trailers = has(Log).then_some(trailers);
    }
    host.logging = has(Log);
    host.streams.insert(2, stream);
    host
}

#[test]
fn the_host_answers_what_the_table_says() {
    for profile in [Profile::Envoy, Profile::Higress] {
        for moment in MOMENTS {
            let host = host(profile, moment);
            for (path, encoding, profiles, since, _) in TABLE {
                let answer = host.property(path.as_bytes()).map(|value| value.to_vec());
                // A stock Envoy shows the headers of a request no longer once they have gone on.
                let gone = profile == Profile::Envoy
                    && *since == Request
                    && (Upstream..Log).contains(&moment);
                let expected = profiles.contains(&profile) && moment >= *since && !gone;
                assert_eq!(answer.is_ok(), expected, "{path} at {moment:?}: {answer:?}");
                let segments = path.replacen('.', "\0", 1);
                let segments = match segments.rsplit_once('.') {
                    Some(("filter_state\0wasm", _)) | None => segments,
                    Some(_) => segments.replace('.', "\0"),
                };
                assert_eq!(
                    host.property(segments.as_bytes()).map(|value| value.to_vec()),
                    answer,
                    "{path} in segments"
                );
                let Ok(value) = answer else { continue };
                let fits = match encoding {
                    String => str::from_utf8(&value).is_ok(),
                    Int | Uint | Duration | Timestamp => value.len() == 8,
                    Bool => value.len() == 1,
                    Pairs => {
                        let pairs = crate::host::decode_pairs(&value);
                        encode_pairs(pairs.into_iter()) == value
                    }
                    Message => crate::host::protobuf::fields(&value).all(|field| field.is_ok()),
                };
                assert!(fits, "{path} is {value:?} and no {encoding:?}");
            }
        }
    }
}

#[test]
fn a_route_without_a_cluster_has_none_under_any_name() {
    for profile in [Profile::Envoy, Profile::Higress] {
        let mut host = host(profile, Request);
        host.settings.cluster_name.clear();
        host.settings.route_name.clear();
        let is_there = |path: &str| host.property(path.as_bytes()).is_ok();
        for name in ["cluster_name", "xds.cluster_name", "cluster_metadata"] {
            assert!(!is_there(name), "{name}");
        }
        assert!(is_there("xds.route_name"), "a route may have no name");
    }
}

#[test]
fn groups_and_null_cannot_be_sent() {
    let host = host(Profile::Envoy, Log);
    let groups = ["xds", "request", "connection", "source", "filter_state"];
    for path in groups.into_iter().chain(["upstream_filter_state", ""]) {
        let answer = host.property(path.as_bytes()).map(|value| value.to_vec());
        assert_eq!(answer, Err(crate::host::Status::SerializationFailure), "{path}");
    }
}

#[test]
fn a_response_that_has_gone_on_leaves_its_code() {
    let mut host = host(Profile::Envoy, Response);
    host.streams.get_mut(&2).unwrap().response.headers_open = false;
    assert!(host.property(b"response.headers.NAME").map(|value| value.to_vec()).is_err());
    assert_eq!(host.property(b"response.headers").map(|value| value.to_vec()), Ok(vec![0; 4]));
    assert_eq!(
        host.property(b"response.code").map(|value| value.to_vec()),
        Ok(200_u64.to_le_bytes().to_vec())
    );
}

#[test]
fn the_documentation_has_this_table() {
    let since = |since| match since {
        Always => "always",
        Open => "a stream",
        Request => "request headers",
        Upstream => "the request has gone on",
        Response => "response headers",
        Trailers => "response trailers",
        Log => "the access log",
        Never => "never",
    };
    let mut table = "| property | encoding | profile | known from | answer |\n".to_owned();
    table.push_str("|---|---|---|---|---|\n");
    for (path, encoding, profiles, from, answer) in TABLE {
        let encoding = format!("{encoding:?}").to_lowercase();
        let profile = if profiles.len() == 1 { "higress" } else { "both" };
        let from = since(*from);
        table.push_str(&format!("| `{path}` | {encoding} | {profile} | {from} | {answer} |\n"));
    }
    let page = include_str!("../../../../docs/properties.md");
    assert!(page.contains(&table), "docs/properties.md should have:\n\n{table}");
}
