//! Our own format: JSON lines, one exchange a line, read as a stream.

use std::{
    fs::File,
    io::{self, BufRead, BufReader},
    path::PathBuf,
};

use bytes::{Buf as _, Bytes};

use super::{
    Exchange, TrafficError,
    error::{reason, reason_at},
    lines_model::Line,
};

/// Where the lines are; opened anew for every pass.
#[derive(Clone, Debug)]
pub(super) enum Lines {
    /// A file, of which one line at a time is in memory.
    File(PathBuf),
    /// Text in memory: the embedded trace, or a pipe that cannot be read twice.
    Text(Bytes),
}

impl Lines {
    /// Starts a pass; `file` is the name for messages.
    pub(super) fn read<'a>(&self, file: &'a str) -> Reader<'a> {
        let (input, failure): (Box<dyn BufRead + Send>, _) = match self {
            Self::Text(text) => (Box::new(text.clone().reader()), None),
            Self::File(path) => match File::open(path) {
                Ok(file) => (Box::new(BufReader::with_capacity(64 << 10, file)), None),
                Err(cause) => (Box::new(io::empty()), Some(cause)),
            },
        };
        Reader { file, input, failure, line: 0, offset: 0, buffer: Vec::new() }
    }
}

/// One pass over the lines; ends after the first error.
pub(super) struct Reader<'a> {
    file: &'a str,
    input: Box<dyn BufRead + Send>,
    /// Why the file could not be opened.
    failure: Option<io::Error>,
    line: u64,
    offset: u64,
    buffer: Vec<u8>,
}

impl Reader<'_> {
    fn advance(&mut self) -> Result<Option<Exchange>, TrafficError> {
        let file = self.file;
        let io = |cause| TrafficError::Io { file: file.to_owned(), cause };
        if let Some(cause) = self.failure.take() {
            return Err(io(cause));
        }
        loop {
            self.offset += self.buffer.len() as u64;
            self.line += 1;
            self.buffer.clear();
            let read = self.input.read_until(b'\n', &mut self.buffer).map_err(io)?;
            if read == 0 {
                return Ok(None);
            }
            let text = std::str::from_utf8(&self.buffer).map_err(|error| {
                TrafficError::utf8(file, &self.buffer, (self.line, self.offset), error)
            })?;
            let text = text.trim_start_matches('\u{feff}').trim();
            if text.is_empty() || text.starts_with('#') {
                continue;
            }
            let exchange = parse(text).map_err(|(column, reason)| TrafficError::Line {
                file: file.to_owned(),
                line: self.line,
                column,
                reason,
            })?;
            return Ok(Some(exchange));
        }
    }
}

impl Iterator for Reader<'_> {
    type Item = Result<Exchange, TrafficError>;

    fn next(&mut self) -> Option<Self::Item> {
        let next = self.advance().transpose();
        if !matches!(next, Some(Ok(_))) {
            self.input = Box::new(io::empty());
        }
        next
    }
}

/// Parses one line; the error is the column and the reason.
fn parse(text: &str) -> Result<Exchange, (usize, String)> {
    let mut json = serde_json::Deserializer::from_str(text);
    let line: Line = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let cause = error.inner();
        let reason = if cause.is_eof() {
            "the line ends inside a JSON value; an exchange is written on one line".to_owned()
        } else {
            reason_at(&error)
        };
        (cause.column(), reason)
    })?;
    json.end().map_err(|error| (error.column(), reason(&error)))?;
    Ok(line.into())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::traffic::{Body, HttpVersion};

    fn read(text: &str) -> Vec<Result<Exchange, TrafficError>> {
        let lines = Lines::Text(Bytes::copy_from_slice(text.as_bytes()));
        lines.read("t.jsonl").collect()
    }

    fn only(text: &str) -> Exchange {
        read(text).pop().unwrap().unwrap()
    }

    fn fields(headers: &crate::traffic::Headers) -> Vec<(&str, &str)> {
        let text = |bytes| std::str::from_utf8(bytes).unwrap();
        headers.iter().map(|(n, v)| (text(n), text(v))).collect()
    }

    #[test]
    fn everything_is_optional() {
        let exchange = only("{}");
        assert_eq!(
            fields(&exchange.request.headers),
            [
                (":method", "GET"),
                (":scheme", "https"),
                (":authority", "example.com"),
                (":path", "/"),
            ]
        );
        assert!(exchange.request.ends_with_headers());
        assert!(exchange.response.is_none());
        assert_eq!(exchange.http, HttpVersion::Http1);
        assert_eq!(exchange.start, None);
    }

    #[test]
    fn every_key_is_understood() {
        let exchange = only(
            r#"{"request": {"method": "POST", "scheme": "http", "authority": "a", "path": "/b?c",
            "headers": [["X-A", "1"], ["x-a", "2"]], "body": "hi", "trailers": [["T", "v"]]},
            "response": {"status": 404, "headers": [["a", "b"]],
            "body": ["x", {"base64": "AP8="}, ""], "trailers": [["grpc-status", "0"]]},
            "http": "2", "start_ms": 12.5}"#
                .replace('\n', " ")
                .as_str(),
        );
        assert_eq!(exchange.label, "POST http://a/b?…");
        let request = &exchange.request;
        assert_eq!(fields(&request.headers)[4..], [("x-a", "1"), ("x-a", "2")]);
        assert!(matches!(&request.body, Body::Whole(body) if body == "hi"));
        assert_eq!(fields(&request.trailers), [("t", "v")]);
        let response = exchange.response.unwrap();
        assert_eq!(fields(&response.headers), [(":status", "404"), ("a", "b")]);
        let Body::Chunks(chunks) = response.body else {
            panic!("chunks are kept as recorded");
        };
        assert_eq!(chunks, [&b"x"[..], b"\0\xff", b""]);
        assert_eq!(fields(&response.trailers), [("grpc-status", "0")]);
        assert_eq!(exchange.http, HttpVersion::Http2);
        assert_eq!(exchange.start, Some(Duration::from_micros(12_500)));
    }

    #[test]
    fn the_documented_line_is_read() {
        let documentation = include_str!("../../../docs/traffic.md");
        let (_, line) = documentation.split_once("```json\n").unwrap();
        let (line, _) = line.split_once("\n```").unwrap();
        let response = only(line).response.unwrap();
        assert!(matches!(response.body, Body::Chunks(chunks) if chunks[2] == "data: !\n\n"));
    }

    #[test]
    fn comments_and_blank_lines_are_skipped() {
        let text = "\u{feff}# a trace\n\n{}\r\n   # more\n{}";
        assert_eq!(read(text).len(), 2);
    }

    #[test]
    fn mistakes_name_the_line_and_the_key() {
        for (text, reason) in [
            (
                r#"{"requets": {}}"#,
                "column 10: requets: unknown field `requets`, expected one of `request`, \
                 `response`, `http`, `start_ms`",
            ),
            (
                r#"{"request": {"header": []}}"#,
                "column 21: request.header: unknown field `header`, expected one of `method`, \
                 `scheme`, `authority`, `path`, `headers`, `body`, `trailers`",
            ),
            (
                r#"{"response": {"body": {"base64": "AA?="}}}"#,
                "column 40: response.body.base64: not base64 at byte 2: `?`",
            ),
            (
                r#"{"response": {"body": ["a", 7]}}"#,
                "column 29: response.body[1]: invalid type: integer `7`, expected a string or \
                 {\"base64\": \"…\"}",
            ),
            (
                r#"{"response": {"headers": [["a", "b"], [":status", "200"]]}}"#,
                "column 57: response.headers[1]: `:status` is not a header here; use the keys \
                 method, scheme, authority, path and status",
            ),
            (r#"{"response": {"status": 20}}"#, "column 27: response.status: 20 is no status code"),
            (r#"{"http": "3"}"#, "column 13: http: unknown variant `3`, expected `1.1` or `2`"),
            (r#"{"start_ms": -1}"#, "column 16: start_ms: -1 is no time after the first"),
            (
                r#"{"request": {"#,
                "column 13: the line ends inside a JSON value; an exchange is written on one line",
            ),
            ("{} {}", "column 4: trailing characters"),
            ("nonsense", "column 2: expected ident"),
        ] {
            let mut results = read(&format!("# a\n{text}\n{{}}"));
            assert_eq!(results.len(), 1, "nothing follows an error");
            assert_eq!(
                results.remove(0).unwrap_err().to_string(),
                format!("traffic file t.jsonl, line 2, {reason}")
            );
        }
    }

    #[test]
    fn bytes_that_are_not_text_are_placed() {
        let lines = Lines::Text(Bytes::from_static(b"{}\n{\"http\": \"\xff\"}"));
        let error = lines.read("t.jsonl").nth(1).unwrap().unwrap_err();
        assert_eq!(
            error.to_string(),
            "traffic file t.jsonl, line 2: not UTF-8 at byte 13 of the file"
        );
    }
}
