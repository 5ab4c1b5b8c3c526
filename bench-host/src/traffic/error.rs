//! What can be wrong with traffic.

use std::io;

use thiserror::Error;

/// Why traffic cannot be used; the fault is the traffic file's or the user's, never the plugin's.
///
/// Every message names the file, the entry or the line, and the reason. Lines and columns count
/// from 1; entries and bytes count from 0, as indices of `log.entries` and of the data do.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TrafficError {
    /// The file has no content.
    #[error("traffic file {file}: the file is empty; {EXPECTED}")]
    Empty {
        /// The file as the user named it.
        file: String,
    },
    /// An entry of a HAR file cannot become an exchange.
    #[error("traffic file {file}: entry {entry} ({label}): {reason}")]
    Entry {
        /// The file as the user named it.
        file: String,
        /// Index into `log.entries`.
        entry: usize,
        /// Method and URL, or where in the file the entry is when it has none.
        label: String,
        /// What is wrong, with the field.
        reason: String,
    },
    /// The file is JSON, but no trace.
    #[error("traffic file {file}: not a trace but {found}; {EXPECTED}")]
    Foreign {
        /// The file as the user named it.
        file: String,
        /// What the file holds instead.
        found: String,
    },
    /// The file cannot be opened or read.
    #[error("traffic file {file}: cannot be read: {cause}")]
    Io {
        /// The file as the user named it.
        file: String,
        /// What the system said.
        #[source]
        cause: io::Error,
    },
    /// A line of a JSON lines file cannot become an exchange.
    #[error("traffic file {file}, line {line}, column {column}: {reason}")]
    Line {
        /// The file as the user named it.
        file: String,
        /// The line.
        line: u64,
        /// The column, in bytes, where reading stopped.
        column: usize,
        /// What is wrong, with the key.
        reason: String,
    },
    /// The file is a trace without a single request to replay.
    #[error("traffic file {file}: no request to replay: {reason}")]
    NoRequests {
        /// The file as the user named it.
        file: String,
        /// What the file holds.
        reason: String,
    },
    /// The file is not JSON.
    #[error("traffic file {file}, line {line}, column {column}: not JSON: {reason}; {EXPECTED}")]
    NotJson {
        /// The file as the user named it.
        file: String,
        /// The line.
        line: usize,
        /// The column, in bytes.
        column: usize,
        /// What the JSON parser said.
        reason: String,
    },
    /// The file is in a known format that is not supported.
    #[error("traffic file {file}: {format} is not read; {instead}")]
    NotRead {
        /// The file as the user named it.
        file: String,
        /// The format.
        format: &'static str,
        /// What to do.
        instead: &'static str,
    },
    /// The file is not text.
    #[error("traffic file {file}, line {line}: not UTF-8 at byte {byte} of the file{hint}")]
    NotUtf8 {
        /// The file as the user named it.
        file: String,
        /// The line.
        line: u64,
        /// Offset of the first wrong byte in the file.
        byte: u64,
        /// What the file may be instead; empty, or starts with a separator.
        hint: &'static str,
    },
    /// A `synth:` notation cannot be understood.
    #[error("traffic `{spec}`: {reason}")]
    Synth {
        /// The notation as the user wrote it.
        spec: String,
        /// What is wrong, and what is right.
        reason: String,
    },
    /// A message of Envoy's tap filter cannot be read, or the stream that begins with it cannot
    /// become an exchange.
    #[error("traffic file {file}, trace {trace} (at byte {byte}): {reason}")]
    Trace {
        /// The file as the user named it, or the one in the folder that was named.
        file: String,
        /// Index of the message in the file.
        trace: u64,
        /// Where in the file it begins.
        byte: u64,
        /// What is wrong, with the field.
        reason: String,
    },
    /// The file ends before its JSON does.
    #[error(
        "traffic file {file}, line {line}, column {column}: truncated: the file ends inside a \
         JSON value; save the trace again"
    )]
    Truncated {
        /// The file as the user named it.
        file: String,
        /// The last line.
        line: usize,
        /// The column, in bytes.
        column: usize,
    },
}

const EXPECTED: &str = "a trace is a HAR file (an object with `log`), JSON lines (objects with \
                        `request` and `response`) or output of Envoy's tap filter";

impl TrafficError {
    /// Says which formats of the tap filter are read.
    pub(super) fn tap_text(file: &str) -> Self {
        Self::NotRead {
            file: file.to_owned(),
            format: "output of Envoy's tap filter in protobuf's text format (PROTO_TEXT)",
            instead: "choose the format PROTO_BINARY_LENGTH_DELIMITED or JSON_BODY_AS_BYTES for \
                      the sink",
        }
    }

    /// Tells broken JSON from JSON that stops too early.
    pub(super) fn json(file: &str, first_line: usize, error: &serde_json::Error) -> Self {
        Self::json_at(file, (first_line, 0), error)
    }

    /// As [`json`](Self::json), for JSON in front of which there are `before` bytes of its line.
    pub(super) fn json_at(
        file: &str,
        (first_line, before): (usize, usize),
        error: &serde_json::Error,
    ) -> Self {
        let file = file.to_owned();
        let line = first_line + error.line().saturating_sub(1);
        let column = before + error.column();
        if error.is_eof() {
            return Self::Truncated { file, line, column };
        }
        Self::NotJson { file, line, column, reason: reason(error) }
    }

    /// Says where `bytes`, which start at `offset` of the file, stop being UTF-8.
    pub(super) fn utf8(
        file: &str,
        bytes: &[u8],
        (line, offset): (u64, u64),
        error: std::str::Utf8Error,
    ) -> Self {
        let valid = error.valid_up_to();
        let breaks = memchr::memchr_iter(b'\n', &bytes[..valid]).count();
        Self::NotUtf8 {
            file: file.to_owned(),
            line: line + breaks as u64,
            byte: offset + valid as u64,
            hint: match bytes {
                [0x1f, 0x8b, ..] if offset == 0 => "; it looks like gzip: unpack it first",
                [0xff, 0xfe, ..] | [0xfe, 0xff, ..] if offset == 0 => {
                    "; it looks like UTF-16: convert it first"
                }
                _ => "",
            },
        }
    }
}

/// What serde_json says, without the position that the caller gives in terms of the file.
pub(super) fn reason(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let position = format!(" at line {} column {}", error.line(), error.column());
    text.strip_suffix(&position).unwrap_or(&text).to_owned()
}

/// What serde_json says about a value, with the path of the value in front.
pub(super) fn reason_at(error: &serde_path_to_error::Error<serde_json::Error>) -> String {
    let reason = reason(error.inner());
    match error.path().to_string().as_str() {
        "." | "?" => reason,
        path => format!("{path}: {reason}"),
    }
}

/// Decodes base64; the error says at which byte of the text it stops being that.
pub(super) fn decode_base64(text: &str) -> Result<bytes::Bytes, String> {
    use base64::{DecodeError, Engine as _, engine::general_purpose::STANDARD};

    let wrong = |error| match error {
        DecodeError::InvalidByte(at, byte) => {
            format!("not base64 at byte {at}: `{}`", byte.escape_ascii())
        }
        DecodeError::InvalidLastSymbol { offset, .. } => {
            format!("not base64 at byte {offset}: the last character has bits left over")
        }
        DecodeError::InvalidLength(_) | DecodeError::InvalidPadding => {
            format!("not base64 at byte {}: the end is missing", text.len())
        }
    };
    STANDARD.decode(text).map(Into::into).map_err(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_errors_point_at_the_byte() {
        assert_eq!(decode_base64("aGk=").unwrap(), "hi");
        for (text, reason) in [
            ("aG k", "not base64 at byte 2: ` `"),
            ("aGk", "not base64 at byte 3: the end is missing"),
            ("aGkxa", "not base64 at byte 5: the end is missing"),
            ("aGl=", "not base64 at byte 2: the last character has bits left over"),
        ] {
            assert_eq!(decode_base64(text).unwrap_err(), reason, "{text}");
        }
    }

    #[test]
    fn encodings_that_are_not_utf8_are_guessed() {
        let hint = |bytes: &[u8]| {
            let error = std::str::from_utf8(bytes).unwrap_err();
            TrafficError::utf8("a.har", bytes, (1, 0), error).to_string()
        };
        assert_eq!(
            hint(b"\x1f\x8b\x08\0"),
            "traffic file a.har, line 1: not UTF-8 at byte 1 of the file; it looks like gzip: \
             unpack it first"
        );
        assert_eq!(
            hint(b"\xff\xfe{\0"),
            "traffic file a.har, line 1: not UTF-8 at byte 0 of the file; it looks like UTF-16: \
             convert it first"
        );
        assert_eq!(
            hint(b"{\n\"\xc3(\""),
            "traffic file a.har, line 2: not UTF-8 at byte 3 of the file"
        );
    }
}
