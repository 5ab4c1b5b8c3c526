//! Exchanges as lines of our own format: the counterpart of the reader.

use std::{str, time::Duration};

use base64::{display::Base64Display, engine::general_purpose::STANDARD};
use bytes::Bytes;
use serde::{
    Serialize, Serializer,
    ser::{SerializeMap as _, SerializeSeq as _},
};
use thiserror::Error;

use super::{Body, Exchange, Headers, HttpVersion, Message, lines_time::Millis};

/// The pseudo headers of a request, in the order in which the reader makes them.
const REQUEST: [&str; 4] = [":method", ":scheme", ":authority", ":path"];
/// The longest generated body that is written down.
const LONGEST_GENERATED: u64 = 256 << 20;

/// Why an exchange cannot be a line of our format, of which the reader would make the same again.
///
/// The fault is that of whoever made the exchange; no reader of this crate makes such ones.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{part}: {reason}")]
pub struct Unwritable {
    part: &'static str,
    reason: String,
}

/// One exchange as a line, without its line break.
///
/// The pseudo headers come first and in their usual order. A body in chunks is an array, any other
/// one piece; what is not UTF-8 becomes base64, chunk by chunk.
pub(super) struct WrittenLine<'a> {
    request: WrittenMessage<'a>,
    response: Option<WrittenMessage<'a>>,
    http: HttpVersion,
    start: Option<Duration>,
}

struct WrittenMessage<'a> {
    pseudo: Vec<(&'static str, Pseudo<'a>)>,
    message: &'a Message,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Pseudo<'a> {
    Text(&'a str),
    Status(u16),
}

impl<'a> WrittenLine<'a> {
    /// Checks all that could go wrong, so that a line is written whole or not at all.
    pub(super) fn new(exchange: &'a Exchange) -> Result<Self, Unwritable> {
        let part = |part| move |reason| Unwritable { part, reason };
        let request = checked(&exchange.request, &REQUEST).map_err(part("request"))?;
        let response = exchange.response.as_ref();
        let response = response.map(|response| checked(response, &[":status"])).transpose();
        Ok(Self {
            request,
            response: response.map_err(part("response"))?,
            http: exchange.http,
            start: exchange.start,
        })
    }
}

fn checked<'a>(message: &'a Message, names: &[&'static str]) -> Result<WrittenMessage<'a>, String> {
    let mut pseudo = Vec::with_capacity(names.len());
    for name in names.iter().copied() {
        let mut values = message.headers.iter().filter(|(known, _)| known == name);
        let (Some((_, value)), None) = (values.next(), values.next()) else {
            return Err(format!("`{name}` is needed, once"));
        };
        let text = str::from_utf8(value).map_err(|_| format!("`{name}` is not UTF-8"))?;
        pseudo.push((
            &name[1..],
            match name {
                ":status" => Pseudo::Status(status(text)?),
                _ => Pseudo::Text(text),
            },
        ));
    }
    let fields = message.headers.iter().filter(|(name, _)| !names.iter().any(|n| name == n));
    for (name, _) in fields.chain(&message.trailers) {
        let shown = name.escape_ascii();
        if name.is_empty() || name.starts_with(b":") || name.eq_ignore_ascii_case(b"host") {
            return Err(format!("`{shown}` cannot be the name of a header"));
        }
        if name.iter().any(u8::is_ascii_uppercase) || str::from_utf8(name).is_err() {
            return Err(format!("the name `{shown}` is not in lower case, or not UTF-8"));
        }
    }
    match &message.body {
        Body::Timed(chunks) if !chunks.is_sorted_by_key(|(at, _)| *at) => {
            Err("the times of its chunks go back".to_owned())
        }
        Body::Generated(body) if body.len() > LONGEST_GENERATED => Err(format!(
            "a generated body of {} bytes is too long to be written down; replay its `synth:` \
             notation instead",
            body.len()
        )),
        _ => Ok(WrittenMessage { pseudo, message }),
    }
}

fn status(text: &str) -> Result<u16, String> {
    let status = Some(text).filter(|text| text.len() == 3).and_then(|text| text.parse().ok());
    let status = status.filter(|status| (100..=999).contains(status));
    status.ok_or_else(|| format!("`:status` is `{}`, no status code", text.escape_debug()))
}

impl Serialize for WrittenLine<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut line = serializer.serialize_map(None)?;
        line.serialize_entry("request", &self.request)?;
        if let Some(response) = &self.response {
            line.serialize_entry("response", response)?;
        }
        line.serialize_entry(
            "http",
            match self.http {
                HttpVersion::Http1 => "1.1",
                HttpVersion::Http2 => "2",
            },
        )?;
        if let Some(start) = self.start {
            line.serialize_entry("start_ms", &Millis(start))?;
        }
        line.end()
    }
}

impl Serialize for WrittenMessage<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Message { headers, body, trailers } = self.message;
        let mut message = serializer.serialize_map(None)?;
        for (name, value) in &self.pseudo {
            message.serialize_entry(name, value)?;
        }
        if headers.len() > self.pseudo.len() {
            message.serialize_entry("headers", &Fields(headers))?;
        }
        match body {
            Body::None => {}
            Body::Whole(bytes) => message.serialize_entry("body", &Piece(bytes))?,
            Body::Chunks(chunks) => {
                let pieces: Vec<_> = chunks.iter().map(|chunk| Piece(chunk)).collect();
                message.serialize_entry("body", &pieces)?;
            }
            Body::Timed(chunks) => {
                let pieces: Vec<_> = chunks.iter().map(|(at, chunk)| Timed(*at, chunk)).collect();
                message.serialize_entry("body", &pieces)?;
            }
            Body::Generated(generator) => match generator.recorded_chunks() {
                Some(chunks) => {
                    let chunks: Vec<_> = chunks.collect();
                    let pieces: Vec<_> = chunks.iter().map(|chunk| Piece(chunk)).collect();
                    message.serialize_entry("body", &pieces)?;
                }
                None => message.serialize_entry("body", &Piece(&generator.whole()))?,
            },
        }
        if !trailers.is_empty() {
            message.serialize_entry("trailers", &Fields(trailers))?;
        }
        message.end()
    }
}

/// All but pseudo headers.
struct Fields<'a>(&'a Headers);

impl Serialize for Fields<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_seq(None)?;
        for (name, value) in self.0.iter().filter(|(name, _)| !name.starts_with(b":")) {
            fields.serialize_element(&(&*String::from_utf8_lossy(name), Piece(value)))?;
        }
        fields.end()
    }
}

/// Text as text, other bytes as base64.
struct Piece<'a>(&'a [u8]);

impl Serialize for Piece<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match str::from_utf8(self.0) {
            Ok(text) => serializer.serialize_str(text),
            Err(_) => serializer.collect_map([("base64", Base64(self.0))]),
        }
    }
}

/// A chunk and its time.
struct Timed<'a>(Duration, &'a Bytes);

impl Serialize for Timed<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut chunk = serializer.serialize_map(Some(2))?;
        match str::from_utf8(self.1) {
            Ok(text) => chunk.serialize_entry("text", text)?,
            Err(_) => chunk.serialize_entry("base64", &Base64(self.1))?,
        }
        chunk.serialize_entry("ms", &Millis(self.0))?;
        chunk.end()
    }
}

/// Encoded on the way out, never held as a whole.
struct Base64<'a>(&'a [u8]);

impl Serialize for Base64<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&Base64Display::new(self.0, &STANDARD))
    }
}
