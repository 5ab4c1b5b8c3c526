//! One file of Envoy's tap filter, read as a stream.

use std::{
    fs::File,
    io::{self, BufRead, BufReader},
    path::PathBuf,
};

use bytes::{Buf as _, Bytes};

use super::{
    Exchange, TrafficError,
    error::reason_at,
    tap_binary,
    tap_coding::Coding,
    tap_exchange,
    tap_frame::{Broken, Frame, Frames},
    tap_join::Join,
    tap_json,
    tap_model::{Origin, Recorded, Trace},
    tap_notes::Tally,
};

/// The longest message, as long as protobuf's JSON needs for a body of 128 MiB and more.
const LONGEST: u64 = 256 << 20;
/// What is held of the streams of one file.
const HELD: u64 = 1 << 30;

/// One file.
#[derive(Clone, Debug)]
pub(super) struct Source {
    /// Its name for messages.
    pub(super) name: String,
    /// What its streams are called: by the name of their file where it holds one of many.
    pub(super) prefix: Option<String>,
    pub(super) coding: Coding,
    pub(super) content: Place,
}

/// Where the content of a file is.
#[derive(Clone, Debug)]
pub(super) enum Place {
    File(PathBuf),
    /// A pipe, which cannot be read twice.
    Memory(Bytes),
}

impl Source {
    /// Converts what was recorded; `None` when no request came.
    pub(super) fn exchange(
        &self,
        origin: Origin,
        recorded: Recorded,
        tally: &mut Tally,
    ) -> Result<Option<Exchange>, TrafficError> {
        let name = || match &self.prefix {
            Some(prefix) => prefix.clone(),
            None => format!("trace {}", origin.trace),
        };
        tap_exchange::exchange(recorded, name, tally).map_err(|reason| self.wrong(origin, reason))
    }

    fn wrong(&self, origin: Origin, reason: String) -> TrafficError {
        TrafficError::Trace {
            file: self.name.clone(),
            trace: origin.trace,
            byte: origin.byte,
            reason,
        }
    }

    /// Decodes a message.
    fn decode(&self, origin: Origin, frame: &Frame) -> Result<Trace, TrafficError> {
        if self.coding != Coding::Json {
            return tap_binary::parse(&frame.bytes)
                .map_err(|wrong| self.wrong(origin, wrong.reason()));
        }
        tap_json::parse(&frame.bytes).map_err(|error| {
            let cause = error.inner();
            if cause.is_data() {
                return self.wrong(origin, reason_at(&error));
            }
            let before = if cause.line() == 1 { frame.column } else { 0 };
            TrafficError::json_at(&self.name, (frame.line, before), cause)
        })
    }
}

/// The streams of one file.
pub(super) struct FileReader {
    /// Why the file could not be opened.
    failure: Option<io::Error>,
    frames: Frames,
    join: Join,
    next: u64,
    is_read: bool,
}

impl FileReader {
    pub(super) fn new(file: &Source) -> Self {
        let (input, failure): (Box<dyn BufRead + Send>, _) = match &file.content {
            Place::Memory(content) => (Box::new(content.clone().reader()), None),
            Place::File(path) => match File::open(path) {
                Ok(file) => (Box::new(BufReader::with_capacity(64 << 10, file)), None),
                Err(cause) => (Box::new(io::empty()), Some(cause)),
            },
        };
        let frames = Frames::new(input, file.coding, LONGEST);
        Self { failure, frames, join: Join::new(HELD), next: 0, is_read: false }
    }

    /// The next stream of `file` that is whole, and where it begins.
    pub(super) fn next(
        &mut self,
        file: &Source,
    ) -> Result<Option<(Origin, Recorded)>, TrafficError> {
        let io = |cause| TrafficError::Io { file: file.name.clone(), cause };
        if let Some(cause) = self.failure.take() {
            return Err(io(cause));
        }
        loop {
            if let Some(whole) = self.join.pop() {
                return Ok(Some(whole));
            }
            if self.is_read {
                return Ok(None);
            }
            let trace = self.next;
            let frame = self.frames.next().map_err(|broken| match broken {
                Broken::Io(cause) => io(cause),
                Broken::At(byte, what) => file.wrong(Origin { trace, byte }, what),
            })?;
            let Some(frame) = frame else {
                self.join.finish();
                self.is_read = true;
                continue;
            };
            let origin = Origin { trace, byte: frame.at };
            let message = file.decode(origin, &frame)?;
            // Protobuf is decoded in place, JSON is not.
            let shared = if file.coding == Coding::Json { 0 } else { frame.bytes.len() as u64 };
            self.join.push(origin, message, shared).map_err(|reason| file.wrong(origin, reason))?;
            self.next += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::traffic::Traffic;

    #[test]
    fn mistakes_are_placed() {
        let said = |content: &[u8]| {
            let error = Traffic::parse("t", content.to_vec()).unwrap_err().to_string();
            error.strip_prefix("traffic file t").unwrap().to_owned()
        };
        let good = r#"{"http_streamed_trace_segment": {"trace_id": "7", "request_headers":
            {"headers": [{"key": ":method", "value": "GET"}, {"key": ":path", "value": "/?k=s"}]}}}"#;
        for (bad, what) in [
            (
                r#"{"http_streamed_trace_segment": {"request_body_chunk": {"as_bytes": "a?=="}}}"#,
                ", trace 1 (at byte 169): http_streamed_trace_segment.request_body_chunk.as_bytes: \
                 not base64 at byte 1: `?`",
            ),
            (
                r#"{"http_streamed_trace_segment": {"trace_id": "x"}}"#,
                ", trace 1 (at byte 169): http_streamed_trace_segment.trace_id: invalid value: \
                 string \"x\", expected a number of 64 bits, as a string or as it is",
            ),
            (
                r#"{"http_streamed_trace_segment": {"response_headers": {"headers": [{}]}}}"#,
                ", trace 1 (at byte 169): \
                 http_streamed_trace_segment.response_headers.headers[0]: a header without a name",
            ),
            (
                r#"{"http_streamed_trace_segment": {"trace_id": 7, "request_trailers": {}}}
                {"http_streamed_trace_segment": {"trace_id": 7, "request_body_chunk": {}}}"#,
                ", trace 2 (at byte 258): the request of stream 7 goes on behind its trailers",
            ),
            (
                r#"{"http_streamed_trace_segment": {"trace_id": 7, "response_body_chunk": {}}}"#,
                ", trace 0 (at byte 0): GET :///?…: a response without headers",
            ),
            (
                r#"{"socket_buffered_trace": {}}"#,
                ", trace 1 (at byte 169): bytes of a connection, as the tap transport socket \
                 records them, hold no requests to replay; use the HTTP filter \
                 envoy.filters.http.tap",
            ),
            (
                "{}",
                ", trace 1 (at byte 169): neither `http_buffered_trace` nor \
                 `http_streamed_trace_segment`",
            ),
            ("[]", ", trace 1 (at byte 169): a JSON object was expected, not `[`"),
            (
                "  {\"http_buffered_trace\": {\n  \"request\": {",
                ", line 4, column 14: truncated: the file ends inside a JSON value; save the trace \
                 again",
            ),
        ] {
            assert_eq!(said(format!("{good}\n{bad}").as_bytes()), what, "{bad}");
        }
        assert_eq!(
            said(b"\x12\x02\x08\x07\x12\x06\x08\x07\x1a\x02\x0a\x09"),
            ", trace 0 (at byte 0): http_streamed_trace_segment: a segment without headers, body \
             chunk or trailers"
        );
        assert_eq!(
            said(b"\x12\x04\x08\x07\x1a\x00\x12\x06\x08\x07\x1a\x02\x0a\x09"),
            ", trace 1 (at byte 6): http_streamed_trace_segment.request_body_chunk: malformed \
             protobuf"
        );
    }
}
