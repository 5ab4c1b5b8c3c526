//! Attributes: what a proxy knows of a request, a response, their connections and itself.
//!
//! Names and types are those of Envoy's documentation ("Attributes", 1.36) and of its
//! `expr/context.cc`; `docs/properties.md` lists what is answered here.

mod connection;
mod http;
mod message;
#[cfg(test)]
mod table;
mod value;

use std::collections::BTreeMap;

use bytes::Bytes;

pub(super) use value::{Group, Value};

use super::properties::Declared;
use super::settings::{Profile, Settings};
use super::stream::Stream;

/// What attributes are about, at one moment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Attributes<'a> {
    pub settings: &'a Settings,
    pub stream: Option<&'a Stream>,
    pub declared: &'a BTreeMap<Vec<u8>, Declared>,
    /// The access log is being written.
    pub logging: bool,
    /// Nanoseconds since the epoch.
    pub now: u64,
    /// Bytes of the guest's memory.
    pub memory: u64,
}

impl<'a> Attributes<'a> {
    /// The value at a path, as the proxy walks it: a name, then fields, keys or places in a list.
    /// A path of no segments is null.
    pub fn at<'p>(&self, path: impl IntoIterator<Item = &'p [u8]>) -> Option<Value<'a>> {
        let mut path = path.into_iter();
        let Some(first) = path.next() else { return Some(Value::Null) };
        let root = self.root(first)?;
        path.try_fold(root, |value, segment| self.field(&value, segment))
    }

    /// The value at a path that is written with points, as documentation writes it. What follows a
    /// point is one segment if there is such a name, so that headers may have points.
    pub fn at_dotted(&self, path: &[u8]) -> Option<Value<'a>> {
        let (first, mut rest) = split(path)?;
        let mut value = self.root(first)?;
        loop {
            if let Some(found) = self.field(&value, rest) {
                return Some(found);
            }
            let (segment, after) = split(rest)?;
            value = self.field(&value, segment)?;
            rest = after;
        }
    }

    /// What a name stands for: the groups first, then single names, then filter state.
    pub fn root(&self, name: &[u8]) -> Option<Value<'a>> {
        let group = match name {
            b"xds" => return Some(Value::Group(Group::Xds)),
            b"request" => Group::Request,
            b"response" => Group::Response,
            b"connection" => Group::Connection,
            b"upstream" => Group::Upstream,
            b"source" => Group::Source,
            b"destination" => Group::Destination,
            b"filter_state" => Group::FilterState,
            _ => return connection::token(self, name).or_else(|| self.state(name)),
        };
        self.stream.map(|_| Value::Group(group))
    }

    /// A field, a key or a place within a value.
    pub fn field(&self, value: &Value<'a>, name: &[u8]) -> Option<Value<'a>> {
        match value {
            Value::Group(group) => self.of_group(*group, name),
            Value::Headers(headers) => http::header(headers, name),
            Value::Object(fields) => fields.get(str::from_utf8(name).ok()?).map(Value::json),
            Value::List(items) => {
                let place: usize = str::from_utf8(name).ok()?.parse().ok()?;
                items.get(place).map(Value::json)
            }
            Value::Message(message) => message.field(name),
            _ => None,
        }
    }

    fn of_group(&self, group: Group, name: &[u8]) -> Option<Value<'a>> {
        match group {
            Group::Request => http::request(self, self.stream?, name),
            Group::Response => http::response(self, self.stream?, name),
            Group::Connection => connection::connection(name),
            Group::Upstream => connection::upstream(self, self.stream?, name),
            Group::Source => {
                let client = self.stream.and_then(|stream| stream.client);
                connection::peer(client.unwrap_or(self.settings.source), name)
            }
            Group::Destination => connection::peer(self.settings.destination, name),
            Group::Xds => connection::xds(self, name),
            Group::FilterState => match name.strip_prefix(STATE_PREFIX) {
                Some(name) => self.state(name),
                None => {
                    let value = self.stream?.envoy_state.get(name)?;
                    Some(Value::Bytes(Bytes::copy_from_slice(value)))
                }
            },
            Group::UpstreamFilterState | Group::Empty => None,
        }
    }

    /// Whether there is such a field or key within a value (CEL's `has`): in a message one that is
    /// set. `None` is an error: the value has no fields, or is a message that knows none such.
    pub fn has(&self, value: &Value<'a>, name: &[u8]) -> Option<bool> {
        match value {
            Value::Group(_) | Value::Headers(_) | Value::Object(_) => {
                Some(self.field(value, name).is_some())
            }
            Value::Message(message) => message.has(name),
            _ => None,
        }
    }

    /// Filter state that a plugin has set as a property.
    pub fn state(&self, name: &[u8]) -> Option<Value<'a>> {
        let value = Bytes::copy_from_slice(self.stream?.filter_state.get(name)?);
        let is_text = self.declared.get(name).is_some_and(|declared| declared.is_text);
        Some(if is_text { Value::String(value) } else { Value::Bytes(value) })
    }

    fn is_higress(&self) -> bool {
        self.settings.profile == Profile::Higress
    }
}

/// What names of filter state that plugins set as properties begin with.
pub(super) const STATE_PREFIX: &[u8] = b"wasm.";

/// A path in front of its first point, and behind it.
fn split(path: &[u8]) -> Option<(&[u8], &[u8])> {
    let point = path.iter().position(|byte| *byte == b'.')?;
    Some((&path[..point], &path[point + 1..]))
}
