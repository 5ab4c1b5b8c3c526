//! Attributes that are protobuf messages.

use serde_json::Value as Json;

use super::value::{Group, Value};
use crate::host::protobuf::{put_bytes, put_double, put_varint};
use crate::host::settings::Node;

/// A message of Envoy's API.
#[derive(Clone, Copy, Debug)]
pub(in crate::host) enum Message<'a> {
    /// `envoy.config.core.v3.Node`.
    Node(&'a Node),
    /// `envoy.config.core.v3.Metadata`, in which nothing is given.
    Metadata,
    /// `envoy.config.core.v3.Locality`, in which nothing is given.
    Locality,
}

/// What Envoy calls itself in its node.
const USER_AGENT: &str = "envoy";

impl<'a> Message<'a> {
    pub(super) fn field(self, name: &[u8]) -> Option<Value<'a>> {
        match (self, name) {
            (Self::Node(node), b"id") => Some(Value::text(&node.id)),
            (Self::Node(node), b"cluster") => Some(Value::text(&node.cluster)),
            (Self::Node(node), b"metadata") => Some(Value::Object(&node.metadata)),
            (Self::Node(_), b"locality") => Some(Value::Message(Message::Locality)),
            (Self::Node(_), b"user_agent_name") => Some(Value::text(USER_AGENT)),
            (Self::Metadata, b"filter_metadata" | b"typed_filter_metadata") => {
                Some(Value::Group(Group::Empty))
            }
            (Self::Locality, b"region" | b"zone" | b"sub_zone") => Some(Value::text("")),
            _ => None,
        }
    }

    /// Whether a field is set; `None` for one that the message does not know.
    pub(super) fn has(self, name: &[u8]) -> Option<bool> {
        Some(match self.field(name)? {
            Value::String(text) => !text.is_empty(),
            Value::Object(fields) => !fields.is_empty(),
            _ => false,
        })
    }

    /// The message on the wire.
    pub(super) fn encode(self) -> Vec<u8> {
        let mut message = Vec::new();
        if let Self::Node(node) = self {
            put_text(&mut message, 1, &node.id);
            put_text(&mut message, 2, &node.cluster);
            if !node.metadata.is_empty() {
                put_bytes(&mut message, 3, &structure(&node.metadata));
            }
            put_text(&mut message, 6, USER_AGENT);
        }
        message
    }
}

/// An empty string is not written.
fn put_text(message: &mut Vec<u8>, number: u64, text: &str) {
    if !text.is_empty() {
        put_bytes(message, number, text.as_bytes());
    }
}

/// `google.protobuf.Struct`
fn structure(fields: &serde_json::Map<String, Json>) -> Vec<u8> {
    let mut message = Vec::new();
    for (name, value) in fields {
        let mut entry = Vec::new();
        put_text(&mut entry, 1, name);
        put_bytes(&mut entry, 2, &dynamic(value));
        put_bytes(&mut message, 1, &entry);
    }
    message
}

/// `google.protobuf.Value`
fn dynamic(value: &Json) -> Vec<u8> {
    let mut message = Vec::new();
    match value {
        Json::Null => put_varint(&mut message, 1, 0),
        Json::Number(number) => put_double(&mut message, 2, number.as_f64().unwrap_or(f64::NAN)),
        Json::String(text) => put_bytes(&mut message, 3, text.as_bytes()),
        Json::Bool(truth) => put_varint(&mut message, 4, u64::from(*truth)),
        Json::Object(fields) => put_bytes(&mut message, 5, &structure(fields)),
        Json::Array(items) => {
            let mut list = Vec::new();
            for item in items {
                put_bytes(&mut list, 1, &dynamic(item));
            }
            put_bytes(&mut message, 6, &list);
        }
    }
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_is_written_as_its_message_says() {
        let Json::Object(metadata) = serde_json::json!({"k": [true, null, 1.0, {"a": "b"}]}) else {
            unreachable!()
        };
        let node = Node { id: "n".to_owned(), cluster: String::new(), metadata };
        let expected = b"\x0a\x01n\x1a\x2a\
            \x0a\x28\x0a\x01k\x12\x23\x32\x21\
            \x0a\x02\x20\x01\x0a\x02\x08\x00\x0a\x09\x11\0\0\0\0\0\0\xf0\x3f\
            \x0a\x0c\x2a\x0a\x0a\x08\x0a\x01a\x12\x03\x1a\x01b\
            \x32\x05envoy";
        assert_eq!(Message::Node(&node).encode(), expected);
        assert_eq!(Message::Metadata.encode(), b"");
    }
}
