//! Messages of Envoy's tap filter by chance, and written down as Envoy writes them; for tests.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{
    Body, Headers,
    tap_coding::Coding,
    tap_model::{Chunk, Content, Part, Piece, Recorded, Side, Trace},
};
use crate::host::protobuf::{put_bytes, put_varint};

/// Streams with their numbers, each as the pieces in which it came, in order.
pub(super) fn streams() -> impl Strategy<Value = Vec<(u64, Vec<Piece>)>> {
    let piece = |side| move |content| Piece { side, content };
    let one = (headers(":method"), chunks(), fields(), headers(":status"), chunks(), fields());
    let stream = one.prop_map(move |(sent, up, last, answer, down, end)| {
        let (request, response) = (piece(Side::Request), piece(Side::Response));
        let mut pieces = vec![request(Content::Headers(sent))];
        pieces.extend(up.into_iter().map(Content::Chunk).map(request));
        pieces.extend((!last.is_empty()).then_some(Content::Trailers(last)).map(request));
        pieces.push(response(Content::Headers(answer)));
        pieces.extend(down.into_iter().map(Content::Chunk).map(response));
        pieces.extend((!end.is_empty()).then_some(Content::Trailers(end)).map(response));
        pieces
    });
    proptest::collection::vec(stream, 1..6).prop_map(|streams| {
        let number = |at: usize| (at as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        streams.into_iter().enumerate().map(|(at, pieces)| (number(at), pieces)).collect()
    })
}

/// A whole exchange, with the body in one piece.
pub(super) fn buffered() -> impl Strategy<Value = Recorded> {
    let part = |first| {
        let body = proptest::option::of(chunk());
        (headers(first), body, fields())
            .prop_map(|(headers, body, trailers)| Part::buffered(headers, body, trailers, None))
    };
    (part(":method"), part(":status"))
        .prop_map(|(request, response)| Recorded { request, response })
}

fn headers(first: &'static str) -> impl Strategy<Value = Headers> {
    fields().prop_map(move |fields| {
        let mut headers = Headers::new();
        headers.push(first, if first == ":status" { "200" } else { "GET" });
        headers.extend(fields);
        headers
    })
}

fn fields() -> impl Strategy<Value = Headers> {
    proptest::collection::vec(("[a-z-]{1,5}", "\\PC{0,6}"), 0..4).prop_map(|fields| {
        fields.into_iter().map(|(name, value)| (name.into(), value.into())).collect()
    })
}

fn chunks() -> impl Strategy<Value = Vec<Chunk>> {
    proptest::collection::vec(chunk(), 0..4)
}

fn chunk() -> impl Strategy<Value = Chunk> {
    (proptest::collection::vec(any::<u8>(), 0..8), any::<bool>())
        .prop_map(|(bytes, truncated)| Chunk { bytes: bytes.into(), truncated })
}

/// A file of these messages.
pub(super) fn file(traces: &[Trace], coding: Coding) -> Vec<u8> {
    let mut file = Vec::new();
    for trace in traces {
        let binary = || wrapper(trace);
        match coding {
            Coding::Json => file.extend(format!("{:#}\n", json(trace)).into_bytes()),
            Coding::Binary => file.extend(binary()),
            Coding::Delimited => {
                // Behind its tag, a field of bytes is a length and that many bytes.
                let mut field = Vec::new();
                put_bytes(&mut field, 1, &binary());
                file.extend(&field[1..]);
            }
        }
    }
    file
}

fn json(trace: &Trace) -> Value {
    match trace {
        Trace::Buffered(recorded) => {
            let part = |part: &Part| {
                let mut json = json!({"headers": json_fields(part.headers.as_ref())});
                json["trailers"] = json_fields(part.trailers.as_ref());
                if let Body::Whole(bytes) = &part.body {
                    let (bytes, truncated) = (bytes.clone(), part.truncated);
                    json["body"] = json_chunk(&Chunk { bytes, truncated });
                }
                json
            };
            let (request, response) = (part(&recorded.request), part(&recorded.response));
            json!({"http_buffered_trace": {"request": request, "response": response}})
        }
        Trace::Segment { id, piece } => {
            let (kind, value) = match &piece.content {
                Content::Headers(all) => ("headers", json!({"headers": json_fields(Some(all))})),
                Content::Trailers(all) => ("trailers", json!({"headers": json_fields(Some(all))})),
                Content::Chunk(chunk) => ("body_chunk", json_chunk(chunk)),
            };
            let name = format!("{}_{kind}", piece.side.name());
            json!({"http_streamed_trace_segment": {"trace_id": id.to_string(), name: value}})
        }
        Trace::Socket => json!({"socket_buffered_trace": {}}),
    }
}

fn json_fields(headers: Option<&Headers>) -> Value {
    let text = |bytes: &Bytes| String::from_utf8(bytes.to_vec()).unwrap();
    let field = |(name, value): &(Bytes, Bytes)| json!({"key": text(name), "value": text(value), "raw_value": ""});
    headers.map_or(json!([]), |headers| headers.iter().map(field).collect())
}

fn json_chunk(chunk: &Chunk) -> Value {
    json!({"as_bytes": STANDARD.encode(&chunk.bytes), "truncated": chunk.truncated})
}

fn wrapper(trace: &Trace) -> Vec<u8> {
    let (number, message) = match trace {
        Trace::Buffered(recorded) => {
            let mut message = Vec::new();
            put_bytes(&mut message, 1, &part(&recorded.request));
            put_bytes(&mut message, 2, &part(&recorded.response));
            (1, message)
        }
        Trace::Segment { id, piece } => {
            let mut message = Vec::new();
            put_varint(&mut message, 1, *id);
            let response = if piece.side == Side::Response { 3 } else { 0 };
            match &piece.content {
                Content::Headers(all) => put_bytes(&mut message, 2 + response, &map(all, 1)),
                Content::Chunk(all) => put_bytes(&mut message, 3 + response, &body(all)),
                Content::Trailers(all) => put_bytes(&mut message, 4 + response, &map(all, 1)),
            }
            (2, message)
        }
        Trace::Socket => (3, Vec::new()),
    };
    let mut wrapper = Vec::new();
    put_bytes(&mut wrapper, number, &message);
    wrapper
}

fn part(part: &Part) -> Vec<u8> {
    let mut message = part.headers.as_ref().map_or(Vec::new(), |headers| map(headers, 1));
    if let Body::Whole(bytes) = &part.body {
        let (bytes, truncated) = (bytes.clone(), part.truncated);
        put_bytes(&mut message, 2, &body(&Chunk { bytes, truncated }));
    }
    message.extend(part.trailers.as_ref().map_or(Vec::new(), |trailers| map(trailers, 3)));
    message
}

/// Fields as a repeated field with this number.
fn map(headers: &Headers, number: u64) -> Vec<u8> {
    let mut message = Vec::new();
    for (name, value) in headers {
        let mut field = Vec::new();
        put_bytes(&mut field, 1, name);
        put_bytes(&mut field, 2, value);
        put_bytes(&mut message, number, &field);
    }
    message
}

fn body(chunk: &Chunk) -> Vec<u8> {
    let mut message = Vec::new();
    put_bytes(&mut message, 1, &chunk.bytes);
    if chunk.truncated {
        put_varint(&mut message, 3, 1);
    }
    message
}
