//! One line of our JSON lines format, as it is written.

use bytes::Bytes;
use serde::{Deserialize, Deserializer, de};

use super::{
    Exchange, Headers, HttpVersion, Message,
    lines_body::{Piece, WrittenBody},
    lines_time::Millis,
    message,
};

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Line {
    request: Request,
    response: Option<Response>,
    http: Version,
    start_ms: Option<Millis>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Request {
    method: String,
    scheme: String,
    authority: String,
    path: String,
    headers: Fields,
    body: WrittenBody,
    trailers: Fields,
}

impl Default for Request {
    fn default() -> Self {
        Self {
            method: "GET".to_owned(),
            scheme: "https".to_owned(),
            authority: "example.com".to_owned(),
            path: "/".to_owned(),
            headers: Fields::default(),
            body: WrittenBody::default(),
            trailers: Fields::default(),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Response {
    status: Status,
    headers: Fields,
    body: WrittenBody,
    trailers: Fields,
}

impl Default for Response {
    fn default() -> Self {
        Self {
            status: Status(200),
            headers: Fields::default(),
            body: WrittenBody::default(),
            trailers: Fields::default(),
        }
    }
}

impl From<Line> for Exchange {
    fn from(line: Line) -> Self {
        let Request { method, scheme, authority, path, .. } = line.request;
        let label = message::label(&method, &scheme, &authority, &path);
        let mut request = Headers::new();
        request.push(":method", method);
        request.push(":scheme", scheme);
        request.push(":authority", authority);
        request.push(":path", path);
        request.extend(line.request.headers.0);
        let response = line.response.map(|written| {
            let mut headers = Headers::new();
            headers.push(":status", written.status.0.to_string());
            headers.extend(written.headers.0);
            Message { headers, body: written.body.0, trailers: written.trailers.0 }
        });
        Self {
            label,
            start: line.start_ms.map(|start| start.0),
            http: line.http.0,
            request: Message {
                headers: request,
                body: line.request.body.0,
                trailers: line.request.trailers.0,
            },
            response,
        }
    }
}

/// `"1.1"` or `"2"`.
struct Version(HttpVersion);

impl Default for Version {
    fn default() -> Self {
        Self(HttpVersion::Http1)
    }
}

impl<'de> Deserialize<'de> for Version {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match String::deserialize(deserializer)?.as_str() {
            "1.1" => Ok(Self(HttpVersion::Http1)),
            "2" => Ok(Self(HttpVersion::Http2)),
            other => Err(de::Error::unknown_variant(other, &["1.1", "2"])),
        }
    }
}

struct Status(u16);

impl<'de> Deserialize<'de> for Status {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match u16::deserialize(deserializer)? {
            status @ 100..=999 => Ok(Self(status)),
            other => Err(de::Error::custom(format_args!("{other} is no status code"))),
        }
    }
}

/// `[["name", "value"], …]`; names become lower case, and values that are not text are base64.
#[derive(Default)]
struct Fields(Headers);

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let fields = Vec::<Field>::deserialize(deserializer)?;
        Ok(Self(fields.into_iter().map(|field| field.0).collect()))
    }
}

struct Field((Bytes, Bytes));

impl<'de> Deserialize<'de> for Field {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (name, value) = <(String, Piece)>::deserialize(deserializer)?;
        if name.is_empty() {
            return Err(de::Error::custom("a header without a name"));
        }
        if name.starts_with(':') || name.eq_ignore_ascii_case("host") {
            return Err(de::Error::custom(format_args!(
                "`{name}` is not a header here; use the keys method, scheme, authority, path and \
                 status"
            )));
        }
        if value.at.is_some() {
            return Err(de::Error::custom("a header has no `ms`"));
        }
        Ok(Self((name.to_ascii_lowercase().into(), value.bytes)))
    }
}
