//! From a file to the reader that understands it.

use std::{
    fs::{self, File},
    io::{BufReader, Read as _},
    path::Path,
};

use serde::{Deserialize as _, de::IgnoredAny};

use super::{
    TrafficError,
    detect::{Format, detect, skip_to_value},
    har,
    lines::Lines,
    source::Kind,
    tap::Tap,
    tap_coding::Coding,
    tap_file::{Place, Source},
    tap_folder,
};

/// Opens a trace file; with the reader come notes for its user.
pub(super) fn file(file: &str) -> Result<(Kind, Vec<String>), TrafficError> {
    let io = |cause| TrafficError::Io { file: file.to_owned(), cause };
    let mut handle = File::open(file).map_err(io)?;
    let metadata = handle.metadata().map_err(io)?;
    if metadata.is_dir() {
        return tap(tap_folder::files(file)?);
    }
    // A pipe can be read only once, so its content has to be kept.
    let is_regular = metadata.is_file();
    if is_regular {
        let path = Path::new(file).into();
        match detect(BufReader::new(&handle)).map_err(io)? {
            Format::Lines => return Ok((Kind::Lines(Lines::File(path)), Vec::new())),
            Format::Tap(coding) => return one_tap(file, coding, Place::File(path)),
            _ => {}
        }
    }
    let content = if is_regular {
        fs::read(file).map_err(io)?
    } else {
        let mut content = Vec::new();
        handle.read_to_end(&mut content).map_err(io)?;
        content
    };
    read_content(file, content)
}

/// Reads a trace that is in memory.
pub(super) fn read_content(
    file: &str,
    content: Vec<u8>,
) -> Result<(Kind, Vec<String>), TrafficError> {
    if let Some(coding) = Coding::of_binary(&content) {
        return one_tap(file, coding, Place::Memory(content.into()));
    }
    let json = std::str::from_utf8(&content)
        .map_err(|error| TrafficError::utf8(file, &content, (1, 0), error))?;
    let json = json.trim_start_matches('\u{feff}');
    let format = detect(json.as_bytes())
        .map_err(|cause| TrafficError::Io { file: file.to_owned(), cause })?;
    match format {
        Format::Empty => Err(TrafficError::Empty { file: file.to_owned() }),
        Format::Har => {
            let recording = har::read(file, json)?;
            Ok((Kind::Recording(recording.exchanges), recording.notes))
        }
        Format::Lines => Ok((Kind::Lines(Lines::Text(content.into())), Vec::new())),
        Format::Tap(coding) => one_tap(file, coding, Place::Memory(content.into())),
        Format::TapText => Err(TrafficError::tap_text(file)),
        Format::Unknown(found) => Err(unknown(file, json, found)),
    }
}

/// Opens a single file of Envoy's tap filter.
fn one_tap(
    file: &str,
    coding: Coding,
    content: Place,
) -> Result<(Kind, Vec<String>), TrafficError> {
    tap(vec![Source { name: file.to_owned(), prefix: None, coding, content }])
}

fn tap(files: Vec<Source>) -> Result<(Kind, Vec<String>), TrafficError> {
    let (tap, notes) = Tap::open(files)?;
    Ok((Kind::Tap(tap), notes))
}

/// Tells JSON that is no trace from text that is no JSON.
fn unknown(file: &str, json: &str, found: String) -> TrafficError {
    let mut rest = json.as_bytes();
    let skipped = skip_to_value(&mut rest).ok().flatten().unwrap_or(0);
    let mut parser = serde_json::Deserializer::from_slice(rest);
    match IgnoredAny::deserialize(&mut parser) {
        Ok(_) => TrafficError::Foreign { file: file.to_owned(), found },
        Err(error) => TrafficError::json(file, skipped + 1, &error),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::traffic::Traffic;

    /// What `open` says about a file with `content`, under the name `FILE`.
    fn refused(content: &[u8]) -> String {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("trace");
        fs::write(&path, content).unwrap();
        let path = path.to_str().unwrap();
        let error = Traffic::open(path).unwrap_err();
        error.to_string().replace(path, "FILE")
    }

    const HAR: &str = r#"{"log": {"version": "1.2", "entries": [{"startedDateTime": "2026-01-01T",
        "request": {"method": "POST", "url": "https://a/b?c#d", "httpVersion": "h2",
        "headers": [{"name": "Content-Length", "value": "2"}], "postData": {"text": "hi"}},
        "response": {"status": 200, "content": {"text": "aGk=", "encoding": "base64"}}}]}}"#;

    #[test]
    fn every_truncation_is_told() {
        assert!(read_content("t", HAR.into()).is_ok());
        for len in 1..HAR.len() {
            let error = read_content("t", HAR[..len].into()).unwrap_err();
            assert!(matches!(error, TrafficError::Truncated { .. }), "{error}");
        }
    }

    proptest! {
        #[test]
        fn damage_never_panics(
            text in prop_oneof![Just(HAR), Just("{\"request\": {\"body\": [\"a\"]}}\n{}")],
            damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        ) {
            let mut content = text.as_bytes().to_vec();
            for (at, byte) in damage {
                let at = at.index(content.len());
                content[at] = byte;
            }
            if let Ok((Kind::Lines(lines), _)) = read_content("t", content) {
                lines.read("t").count();
            }
        }
    }

    #[test]
    fn a_missing_file_is_named() {
        assert_eq!(
            Traffic::open("no/such.har").unwrap_err().to_string(),
            "traffic file no/such.har: cannot be read: No such file or directory (os error 2)"
        );
    }

    #[test]
    fn messages() {
        let expected = "a trace is a HAR file (an object with `log`), JSON lines (objects with \
                        `request` and `response`) or output of Envoy's tap filter";
        for (content, message) in [
            ("", format!("the file is empty; {expected}")),
            ("# nothing\n\n", format!("the file is empty; {expected}")),
            ("GET / HTTP/1.1\n", format!("line 1, column 1: not JSON: expected value; {expected}")),
            (
                "# c\n\n{'a': 1}",
                format!("line 3, column 2: not JSON: key must be a string; {expected}"),
            ),
            (
                r#"{"log": {"entries": [}"#,
                format!("line 1, column 22: not JSON: expected value; {expected}"),
            ),
            (
                "{\"log\": {\"entries\": [\n{\"request\": {\"meth",
                "line 2, column 18: truncated: the file ends inside a JSON value; save the trace \
                 again"
                    .to_owned(),
            ),
            (
                "{\"lo",
                "line 1, column 4: truncated: the file ends inside a JSON value; save the trace \
                 again"
                    .to_owned(),
            ),
            (
                r#"{"name": "chunkwise", "version": 1}"#,
                format!("not a trace but a JSON object with `name`, `version`; {expected}"),
            ),
            ("[1]", format!("not a trace but a JSON array; {expected}")),
            (
                r#"{"log": "2 lines"}"#,
                format!(
                    "not a trace but JSON with another kind of `log` (log: invalid type: string \
                     \"2 lines\", expected struct Log); {expected}"
                ),
            ),
            (
                r#"{"http_buffered_trace": {}}"#,
                "no request to replay: 1 of 1 streams have no headers of a request and are \
                 skipped: trace 0"
                    .to_owned(),
            ),
            (
                "http_buffered_trace {\n}\n",
                "output of Envoy's tap filter in protobuf's text format (PROTO_TEXT) is not read; \
                 choose the format PROTO_BINARY_LENGTH_DELIMITED or JSON_BODY_AS_BYTES for the sink"
                    .to_owned(),
            ),
            (
                r#"{"log": {"entries": []}}"#,
                "no request to replay: `log.entries` is empty".to_owned(),
            ),
            (
                r#"{"log": {"entries": [{"request": {"method": "GET", "url": "data:,"}}]}}"#,
                "no request to replay: 1 of 1 entries never went over HTTP (data:, blob:…) and \
                 are skipped (first: entry 0)"
                    .to_owned(),
            ),
            (
                "{}\n{\"http\": 2}",
                "line 2, column 10: http: invalid type: integer `2`, expected a string".to_owned(),
            ),
        ] {
            let separator = if message.starts_with("line") { "," } else { ":" };
            assert_eq!(
                refused(content.as_bytes()),
                format!("traffic file FILE{separator} {message}"),
                "{content}"
            );
        }
        assert_eq!(
            refused(b"{\"log\": {\"entries\": \"\xff\"}}"),
            "traffic file FILE, line 1: not UTF-8 at byte 21 of the file"
        );
    }
}
