//! What kind of trace a file holds, told from its first bytes.

use std::{
    fmt,
    io::{self, BufRead},
};

use serde::{
    Deserializer as _,
    de::{IgnoredAny, MapAccess, SeqAccess, Visitor},
};

use super::tap_coding::Coding;

/// What the first JSON value of a file says about the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// There is nothing but blank space and comments.
    Empty,
    /// HAR: an object with `log`.
    Har,
    /// Our JSON lines: an object with one of our keys, or none at all.
    Lines,
    /// Output of Envoy's tap filter.
    Tap(Coding),
    /// Output of Envoy's tap filter in protobuf's text format.
    TapText,
    /// JSON of some other kind, in words, or text that is no JSON at all.
    Unknown(String),
}

/// How messages of the tap filter begin in protobuf's text format.
const TEXT: [&str; 2] = ["http_buffered_trace", "http_streamed_trace_segment"];

/// Reads only as far as needed to tell the format.
pub(super) fn detect(mut reader: impl BufRead) -> io::Result<Format> {
    if let Some(coding) = Coding::of_binary(reader.fill_buf()?) {
        return Ok(Format::Tap(coding));
    }
    if skip_to_value(&mut reader)?.is_none() {
        return Ok(Format::Empty);
    }
    let head = reader.fill_buf()?;
    if TEXT.iter().any(|name| head.starts_with(name.as_bytes())) {
        return Ok(Format::TapText);
    }
    let mut probe = Probe::default();
    let result = serde_json::Deserializer::from_reader(reader).deserialize_any(&mut probe);
    match (probe.format, result) {
        (Some(format), _) => Ok(format),
        (None, Err(error)) if error.is_io() => Err(error.into()),
        (None, Ok(())) if probe.is_object && probe.keys.is_empty() => Ok(Format::Lines),
        (None, Ok(())) if probe.is_object => {
            let keys: Vec<_> = probe.keys.iter().map(|key| format!("`{key}`")).collect();
            Ok(Format::Unknown(format!("a JSON object with {}", keys.join(", "))))
        }
        (None, _) => Ok(Format::Unknown(probe.other.unwrap_or("JSON of another kind").to_owned())),
    }
}

/// Skips a byte order mark, blank space and comment lines; says how many lines that were.
pub(super) fn skip_to_value(reader: &mut impl BufRead) -> io::Result<Option<usize>> {
    let mut lines = 0;
    let mut in_comment = false;
    let mut is_start = true;
    loop {
        let buffer = reader.fill_buf()?;
        if buffer.is_empty() {
            return Ok(None);
        }
        let mark = usize::from(is_start && buffer.starts_with(b"\xef\xbb\xbf")) * 3;
        is_start = false;
        let found = buffer[mark..].iter().position(|byte| {
            lines += usize::from(*byte == b'\n');
            in_comment = (in_comment || *byte == b'#') && *byte != b'\n';
            !in_comment && !byte.is_ascii_whitespace()
        });
        let used = found.map_or(buffer.len(), |at| at + mark);
        reader.consume(used);
        if found.is_some() {
            return Ok(Some(lines));
        }
    }
}

/// Notes what it visits; its own results do not matter.
#[derive(Default)]
struct Probe {
    format: Option<Format>,
    is_object: bool,
    keys: Vec<String>,
    other: Option<&'static str>,
}

impl<'de> Visitor<'de> for &mut Probe {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a trace")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        self.is_object = true;
        while let Some(key) = map.next_key::<String>()? {
            self.format = match key.as_str() {
                "log" => Some(Format::Har),
                "request" | "response" | "http" | "start_ms" => Some(Format::Lines),
                "http_buffered_trace"
                | "httpBufferedTrace"
                | "http_streamed_trace_segment"
                | "httpStreamedTraceSegment"
                | "socket_buffered_trace"
                | "socket_streamed_trace_segment" => Some(Format::Tap(Coding::Json)),
                _ => None,
            };
            if self.format.is_some() {
                return Ok(());
            }
            // Enough to recognise the file by.
            if self.keys.len() < 5 {
                self.keys.push(key);
            }
            map.next_value::<IgnoredAny>()?;
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, _: A) -> Result<(), A::Error> {
        self.other = Some("a JSON array");
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        self.other = Some("a JSON string");
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        self.other = Some("a JSON boolean");
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        self.other = Some("a JSON null");
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        self.other = Some("a JSON number");
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        self.other = Some("a JSON number");
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        self.other = Some("a JSON number");
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use super::*;

    fn unknown(text: &str) -> Format {
        Format::Unknown(text.to_owned())
    }

    #[test]
    fn content_decides() {
        for (text, format) in [
            ("", Format::Empty),
            (" \n# only a comment\n\n", Format::Empty),
            (r#"{"log": {"#, Format::Har),
            ("\u{feff}{\n\"comment\": [1, {}], \"log\": 1}", Format::Har),
            ("# ours\n\n{\"request\":", Format::Lines),
            (r#"{"start_ms": 1, "log": 2}"#, Format::Lines),
            ("{}", Format::Lines),
            (r#"{"http_buffered_trace": {}}"#, Format::Tap(Coding::Json)),
            (r#"{"http_streamed_trace_segment": {}}"#, Format::Tap(Coding::Json)),
            (
                r#"{"a":1,"b":2,"c":3,"d":4,"e":5,"f":6}"#,
                unknown("a JSON object with `a`, `b`, `c`, `d`, `e`"),
            ),
            ("[1, 2]", unknown("a JSON array")),
            ("\"log\"", unknown("a JSON string")),
            ("-1", unknown("a JSON number")),
            ("true", unknown("a JSON boolean")),
            ("null", unknown("a JSON null")),
            ("hello", unknown("JSON of another kind")),
            ("{'a': 1}", unknown("JSON of another kind")),
        ] {
            for size in [1, 2, 8192] {
                let reader = BufReader::with_capacity(size, text.as_bytes());
                // A byte order mark is only seen in a buffer that holds it.
                if size >= 3 || !text.starts_with('\u{feff}') {
                    assert_eq!(detect(reader).unwrap(), format, "{text}");
                }
            }
        }
    }

    #[test]
    fn skipped_lines_are_counted() {
        let mut text = "# a\n\n  # b\n {".as_bytes();
        assert_eq!(skip_to_value(&mut text).unwrap(), Some(3));
        assert_eq!(text, b"{");
    }
}
