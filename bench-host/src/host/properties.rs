//! Properties (attributes) that a plugin can read and set.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::headers::HeaderMap;
use super::stream::Stream;
use super::{Host, Status};

/// Filter state that plugins set is found under this prefix as well as without it.
const STATE_PREFIX: &[u8] = b"wasm.";

/// Properties that a test gives to the streams of a host.
#[derive(Clone, Debug, Default)]
pub struct GivenProperties {
    /// Values by path, with points between the segments.
    pub values: BTreeMap<Vec<u8>, Vec<u8>>,
    /// Whether there are no others, beside what the plugin sets itself.
    pub only: bool,
}

impl Host {
    /// The value of a property; its path's segments are separated by NUL.
    pub(super) fn property(&mut self, path: &[u8]) -> Option<Vec<u8>> {
        let name = self.settings.plugin_name.clone();
        let joined = joined(path);
        if let Some(given) = &self.given_properties {
            let only = given.only;
            let value = given.values.get(joined.as_ref()).cloned();
            if value.is_some() && self.stream().is_some() {
                return value;
            }
            if only {
                return match joined.as_ref() {
                    b"plugin_name" | b"plugin_root_id" | b"plugin_vm_id" => Some(Vec::new()),
                    path => self.stream()?.filter_state.get(path).cloned(),
                };
            }
        }
        match joined.as_ref() {
            b"plugin_name" => return Some(name.into_bytes()),
            b"plugin_root_id" | b"plugin_vm_id" => return Some(Vec::new()),
            // Traffic direction INBOUND.
            b"listener_direction" => return Some(1_i64.to_le_bytes().to_vec()),
            b"cluster_name" => return Some(b"upstream".to_vec()),
            b"route_name" => return Some(b"default".to_vec()),
            _ => {}
        }
        let stream = self.stream()?;
        let state = joined.strip_prefix(STATE_PREFIX).unwrap_or(&joined);
        attribute(stream, &joined).or_else(|| stream.filter_state.get(state).cloned())
    }

    /// Sets filter state of the stream.
    pub(super) fn set_property(&mut self, path: &[u8], value: &[u8]) -> Result<(), Status> {
        let path = joined(path).into_owned();
        let stream = self.stream().ok_or(Status::NotFound)?;
        stream.filter_state.insert(path, value.to_vec());
        Ok(())
    }
}

/// An attribute of the request or the response, as Envoy names them.
fn attribute(stream: &Stream, path: &[u8]) -> Option<Vec<u8>> {
    let text = |map: &HeaderMap, name: &[u8]| map.get(name).map(|value| value.to_vec());
    let integer = |number: u64| Some(number.to_le_bytes().to_vec());
    let request = &stream.request.headers;
    let response = &stream.response.headers;
    match path {
        b"request.path" => text(request, b":path"),
        b"request.url_path" => {
            let path = request.get(b":path")?;
            Some(path.split(|byte| *byte == b'?').next().unwrap_or_default().to_vec())
        }
        b"request.query" => {
            let path = request.get(b":path")?;
            Some(path.splitn(2, |byte| *byte == b'?').nth(1).unwrap_or_default().to_vec())
        }
        b"request.host" => text(request, b":authority"),
        b"request.scheme" => text(request, b":scheme"),
        b"request.method" => text(request, b":method"),
        b"request.protocol" => Some(stream.protocol.as_bytes().to_vec()),
        b"request.id" => text(request, b"x-request-id"),
        b"request.referer" => text(request, b"referer"),
        b"request.useragent" => text(request, b"user-agent"),
        b"response.code" => {
            let status = response.get(b":status")?;
            integer(str::from_utf8(status).ok()?.parse().ok()?)
        }
        b"response.code_details" => {
            (!stream.details.is_empty()).then(|| stream.details.clone().into_bytes())
        }
        _ => {
            if let Some(name) = path.strip_prefix(b"request.headers.") {
                text(request, name)
            } else if let Some(name) = path.strip_prefix(b"response.headers.") {
                text(response, name)
            } else {
                None
            }
        }
    }
}

/// A path with its segments joined by points.
fn joined(path: &[u8]) -> Cow<'_, [u8]> {
    if path.contains(&0) {
        path.iter().map(|byte| if *byte == 0 { b'.' } else { *byte }).collect()
    } else {
        Cow::Borrowed(path)
    }
}
