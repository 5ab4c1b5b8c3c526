//! Streams and connections: answering, resuming, closing, sending past the filter.

use bytes::Bytes;

use super::{Answer, Caller, Out, Span, give_bytes, only_higress, take, take_pairs};
use crate::host::abi::{Direction, Status, StreamKind};
use crate::host::actions::Action;
use crate::host::headers::encode_pairs;
use crate::host::phases::Reply;
use crate::host::settings::{Profile, Settings};
use crate::host::stream::LocalReply;

/// `proxy_send_local_response`
pub fn send_local_response<C: Caller>(
    c: &mut C,
    status: u32,
    details: Span,
    body: Span,
    headers: Span,
    grpc_status: u32,
) -> Answer<C> {
    let said = Bytes::from(take(c, details)?);
    let body = Bytes::from(take(c, body)?);
    let headers = take_pairs(c, headers)?;
    let host = c.host();
    let details = response_details(&host.settings, &String::from_utf8_lossy(&said));
    let context = host.context();
    host.stopped = true;
    // On a root context there is nobody to answer, and the real host says nothing of it.
    if host.streams.contains_key(&context) {
        host.last_reply = Some(Reply {
            status,
            grpc_status,
            details: said,
            headers: headers.clone(),
            body: body.clone(),
        });
        // Anything but a status of gRPC, -1 above all, means that there is none.
        let grpc_status = Some(grpc_status).filter(|status| *status <= 16);
        let reply = LocalReply { status, details, headers, body, grpc_status };
        host.put_off(Action::Reply { context, reply })?;
    }
    Ok(())
}

/// The details that the access log shows. Space of any kind becomes `_`; Higress says in front of
/// them whose they are.
fn response_details(settings: &Settings, said: &str) -> String {
    const SPACE: [char; 6] = [' ', '\t', '\n', '\u{b}', '\u{c}', '\r'];
    let said = said.replace(SPACE, "_");
    match settings.profile {
        Profile::Envoy => said,
        Profile::Higress if said.is_empty() => format!("via_wasm::{}", settings.plugin_name),
        Profile::Higress => format!("via_wasm::{}::{said}", settings.plugin_name),
    }
}

/// `proxy_continue_stream` and its forms in older ABIs
pub fn continue_stream<C: Caller>(c: &mut C, stream_type: u32) -> Answer<C> {
    let kind = StreamKind::from_abi(stream_type).ok_or(Status::BadArgument)?;
    let host = c.host();
    let context = host.context();
    let direction = match kind {
        StreamKind::Request => Direction::Request,
        StreamKind::Response => Direction::Response,
        StreamKind::Downstream => {
            if host.connections.contains_key(&context) {
                host.put_off(Action::ResumeConnection { context })?;
            }
            return Ok(());
        }
        StreamKind::Upstream => return Err(Status::Unimplemented.into()),
    };
    if let Some(stream) = host.streams.get_mut(&context) {
        // Either way, the real host forgets the request that the filter had in its hands.
        stream.request.headers_open = false;
        stream.request.frame_open = false;
        stream.request.frame_kept = false;
        stream.request.trailers_open = false;
        host.put_off(Action::Resume { context, direction })?;
    }
    Ok(())
}

/// `proxy_close_stream`
pub fn close_stream<C: Caller>(c: &mut C, stream_type: u32) -> Answer<C> {
    let kind = StreamKind::from_abi(stream_type).ok_or(Status::BadArgument)?;
    let host = c.host();
    let context = host.context();
    if host.has_context(context) {
        host.put_off(Action::Close { context, kind })?;
    }
    Ok(())
}

/// `proxy_inject_encoded_data_to_filter_chain` (Higress): sends bytes on behind the filter, at once.
pub fn inject<C: Caller>(c: &mut C, body: Span, end: u32) -> Answer<C> {
    only_higress(c, "proxy_inject_encoded_data_to_filter_chain")?;
    c.read(body.0, body.1, |host, body| {
        host.ledger.bytes_out(body.len() as u64);
        let context = host.context();
        host.inject(context, body, end != 0)
    })??;
    Ok(())
}

/// `proxy_set_upstream_override_host` (Higress)
pub fn set_upstream_override_host<C: Caller>(c: &mut C, address: Span) -> Answer<C> {
    only_higress(c, "proxy_set_upstream_override_host")?;
    let address = Bytes::from(take(c, address)?);
    if let Some(stream) = c.host().stream() {
        stream.upstream_override = Some(address);
    }
    Ok(())
}

/// `proxy_get_upstream_hosts` (Higress): addresses of the route's cluster, and how they are.
pub fn get_upstream_hosts<C: Caller>(c: &mut C, out: Out) -> Answer<C> {
    only_higress(c, "proxy_get_upstream_hosts")?;
    let hosts = c.host().upstream_hosts();
    let wire = if hosts.is_empty() {
        Vec::new()
    } else {
        encode_pairs(hosts.iter().map(|(name, value)| (&name[..], &value[..])))
    };
    give_bytes(c, out, &wire)
}
