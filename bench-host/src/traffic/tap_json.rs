//! The filter's JSON: protobuf's mapping, with the names of fields as they are in the schema.

use std::borrow::Cow;

use serde::{
    Deserialize, Deserializer,
    de::{self, IgnoredAny},
};

use super::{
    Headers,
    clock::Instant,
    tap_json_values::{Data, Fields, Map, TraceId},
    tap_model::{Chunk, Content, Part, Piece, Recorded, Side, Trace},
};

/// Parses one `TraceWrapper`. The error holds the path of the value.
pub(super) fn parse(json: &[u8]) -> Result<Trace, serde_path_to_error::Error<serde_json::Error>> {
    let mut parser = serde_json::Deserializer::from_slice(json);
    let wrapper: Wrapper = serde_path_to_error::deserialize(&mut parser)?;
    Ok(wrapper.0)
}

struct Wrapper(Trace);

impl<'de> Deserialize<'de> for Wrapper {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let written = Written::deserialize(deserializer)?;
        let trace = match written {
            Written { buffered: Some(trace), segment: None, .. } => Trace::Buffered(Box::new({
                let part = |part: Option<Message<'_>>| part.unwrap_or_default().into();
                Recorded { request: part(trace.request), response: part(trace.response) }
            })),
            Written { buffered: None, segment: Some(segment), .. } => {
                let id = segment.trace_id.0;
                let piece = segment.piece().map_err(de::Error::custom)?;
                Trace::Segment { id, piece }
            }
            Written { buffered: None, segment: None, socket, stream } => {
                if socket.or(stream).is_none() {
                    return Err(de::Error::custom(
                        "neither `http_buffered_trace` nor `http_streamed_trace_segment`",
                    ));
                }
                Trace::Socket
            }
            _ => return Err(de::Error::custom("two traces in one message")),
        };
        Ok(Self(trace))
    }
}

#[derive(Deserialize)]
struct Written<'a> {
    #[serde(borrow, rename = "http_buffered_trace", alias = "httpBufferedTrace")]
    buffered: Option<Buffered<'a>>,
    #[serde(borrow, rename = "http_streamed_trace_segment", alias = "httpStreamedTraceSegment")]
    segment: Option<Segment<'a>>,
    #[serde(rename = "socket_buffered_trace", alias = "socketBufferedTrace")]
    socket: Option<IgnoredAny>,
    #[serde(rename = "socket_streamed_trace_segment", alias = "socketStreamedTraceSegment")]
    stream: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct Buffered<'a> {
    #[serde(borrow)]
    request: Option<Message<'a>>,
    #[serde(borrow)]
    response: Option<Message<'a>>,
}

#[derive(Default, Deserialize)]
struct Message<'a> {
    headers: Option<Fields>,
    #[serde(borrow)]
    body: Option<Data<'a>>,
    trailers: Option<Fields>,
    #[serde(borrow, alias = "headersReceivedTime")]
    headers_received_time: Option<Cow<'a, str>>,
}

impl From<Message<'_>> for Part {
    fn from(message: Message<'_>) -> Self {
        let headers = |fields: Option<Fields>| Headers::from(fields.unwrap_or_default());
        let received = message.headers_received_time.as_deref().and_then(Instant::parse);
        let body = message.body.map(Chunk::from);
        Self::buffered(headers(message.headers), body, headers(message.trailers), received)
    }
}

#[derive(Deserialize)]
struct Segment<'a> {
    #[serde(default, alias = "traceId")]
    trace_id: TraceId,
    #[serde(alias = "requestHeaders")]
    request_headers: Option<Map>,
    #[serde(borrow, alias = "requestBodyChunk")]
    request_body_chunk: Option<Data<'a>>,
    #[serde(alias = "requestTrailers")]
    request_trailers: Option<Map>,
    #[serde(alias = "responseHeaders")]
    response_headers: Option<Map>,
    #[serde(borrow, alias = "responseBodyChunk")]
    response_body_chunk: Option<Data<'a>>,
    #[serde(alias = "responseTrailers")]
    response_trailers: Option<Map>,
}

impl Segment<'_> {
    fn piece(self) -> Result<Piece, &'static str> {
        use Side::{Request, Response};

        let headers = |map: Map| Content::Headers(map.into());
        let chunk = |data: Data<'_>| Content::Chunk(data.into());
        let trailers = |map: Map| Content::Trailers(map.into());
        let pieces = [
            (Request, self.request_headers.map(headers)),
            (Request, self.request_body_chunk.map(chunk)),
            (Request, self.request_trailers.map(trailers)),
            (Response, self.response_headers.map(headers)),
            (Response, self.response_body_chunk.map(chunk)),
            (Response, self.response_trailers.map(trailers)),
        ];
        let mut present =
            pieces.into_iter().filter_map(|(side, piece)| Some(Piece { side, content: piece? }));
        let piece = present.next().ok_or("a segment without headers, body chunk or trailers")?;
        match present.next() {
            Some(_) => Err("a segment with more than one piece"),
            None => Ok(piece),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(json: &str) -> Result<Trace, String> {
        parse(json.as_bytes()).map_err(|error| error.inner().to_string())
    }

    #[test]
    fn both_spellings_of_names_and_numbers_are_read() {
        let snake = r#"{"http_streamed_trace_segment": {"trace_id": "18446744073709551615",
            "request_headers": {"headers": [{"key": "a", "value": "b", "raw_value": "Yw=="}]}}}"#;
        let camel = r#"{"httpStreamedTraceSegment": {"traceId": 18446744073709551615,
            "requestHeaders": {"headers": [{"key": "a", "value": null, "rawValue": "Yw=="}]}}}"#;
        let [snake, camel] = [snake, camel].map(|json| format!("{:?}", parsed(json).unwrap()));
        assert_eq!(snake, camel);
        assert!(snake.contains(r#"[(b"a", b"c")]"#) && snake.contains("18446744073709551615"));
    }

    #[test]
    fn unknown_fields_are_skipped_and_missing_ones_are_empty() {
        let trace = parsed(
            r#"{"http_buffered_trace": {"request": {"headers": null, "later": [{}]},
                "upstream_connection": {}}, "version": 4}"#,
        );
        let Ok(Trace::Buffered(recorded)) = trace else {
            panic!("{trace:?}");
        };
        assert!(recorded.request.headers.is_none() && recorded.response.headers.is_none());
    }

    #[test]
    fn one_message_is_one_piece_of_one_trace() {
        for (json, what) in [
            (
                r#"{"http_buffered_trace": {}, "http_streamed_trace_segment":
                    {"request_headers": {}}}"#,
                "two traces in one message",
            ),
            (
                r#"{"http_streamed_trace_segment": {"request_headers": {},
                    "request_body_chunk": {}}}"#,
                "a segment with more than one piece",
            ),
            (
                r#"{"http_streamed_trace_segment": {"trace_id": "1"}}"#,
                "a segment without headers, body chunk or trailers",
            ),
        ] {
            let error = parsed(json).unwrap_err();
            assert!(error.starts_with(what), "{error}");
        }
        assert!(matches!(parsed(r#"{"socket_buffered_trace": {}}"#), Ok(Trace::Socket)));
    }
}
