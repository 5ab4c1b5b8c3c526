//! What kind of body follows, told by its headers.
//!
//! A host tells the first line of a header. Envoy joins the lines of `connection` and `upgrade`
//! into one, so that these lists are whole.

use super::headers::Headers;
use crate::abi::Map;
use crate::error::Result;

/// What a body holds, as far as its headers say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BodyKind {
    /// Text, or a type that nothing is known of.
    Plain,
    /// Compressed, or with another `content-encoding`.
    Encoded,
    /// gRPC messages, which have frames of their own.
    Grpc,
    /// No HTTP body at all: a WebSocket or another protocol, or a tunnel.
    Upgraded,
    /// A type that holds no text, such as images and archives.
    Binary,
}

/// A media type without its parameters, such as `text/html`; compared without regard to case
/// (RFC 9110, 8.3.1).
#[derive(Clone, Copy, Debug)]
pub struct ContentType<'a>(&'a [u8]);

impl<'a> Headers<'a> {
    /// Whether a request asks for a WebSocket: on HTTP/1.1 by `upgrade` and `connection`
    /// (RFC 6455, 4.1), on HTTP/2 and 3 by an extended CONNECT (RFC 8441, 4). Two host calls.
    pub fn is_websocket(&self) -> Result<bool> {
        match self.get("upgrade")? {
            Some(protocols) => Ok(has_token(Some(protocols), b"websocket")
                && has_token(self.get("connection")?, b"upgrade")),
            None => Ok(has_token(self.get(":protocol")?, b"websocket")),
        }
    }

    /// The media type; `None` where there is none. One host call, so keep it to ask it several
    /// things.
    pub fn content_type(&self) -> Result<Option<ContentType<'a>>> {
        Ok(self.get("content-type")?.and_then(ContentType::parse))
    }

    /// Whether the body is a JSON document; see [`ContentType::is_json`]. One host call.
    pub fn is_json(&self) -> Result<bool> {
        Ok(self.content_type()?.is_some_and(ContentType::is_json))
    }

    /// Whether the body is a stream of server-sent events. One host call.
    pub fn is_sse(&self) -> Result<bool> {
        Ok(self.content_type()?.is_some_and(ContentType::is_sse))
    }

    /// Whether the body is gRPC; see [`ContentType::is_grpc`]. One host call.
    pub fn is_grpc(&self) -> Result<bool> {
        Ok(self.content_type()?.is_some_and(ContentType::is_grpc))
    }

    /// The codings that the body has, such as `gzip`; `None` where it has none, `identity`
    /// included. Of several lines, the first that names one: whoever sends `identity` in front must
    /// not pass for somebody whose body can be read. One host call, and one more where there is a
    /// line that names none.
    pub fn content_encoding(&self) -> Result<Option<&'a [u8]>> {
        let first = self.get("content-encoding")?;
        if first.is_none_or(names_coding) {
            return Ok(first);
        }
        let mut codings = self.iter()?.filter(|(name, _)| *name == b"content-encoding");
        Ok(codings.find(|(_, codings)| names_coding(codings)).map(|(_, codings)| codings))
    }

    /// How long the body is, where the headers say it; `None` for a value that is no number. One
    /// host call.
    pub fn content_length(&self) -> Result<Option<u64>> {
        Ok(self.get("content-length")?.and_then(parse_length))
    }

    /// What the body holds, the first of these that fits: encoded (one host call), gRPC (two),
    /// upgraded (three; four where a request is a CONNECT), binary or plain (three for a response,
    /// four for a request).
    pub fn body_kind(&self) -> Result<BodyKind> {
        if self.content_encoding()?.is_some() {
            return Ok(BodyKind::Encoded);
        }
        let content_type = self.content_type()?;
        if content_type.is_some_and(ContentType::is_grpc) {
            return Ok(BodyKind::Grpc);
        }
        if self.is_upgraded()? || self.is_tunnel()? {
            return Ok(BodyKind::Upgraded);
        }
        let is_binary = content_type.is_some_and(ContentType::is_binary);
        Ok(if is_binary { BodyKind::Binary } else { BodyKind::Plain })
    }

    /// Whether another protocol follows, or may (the response decides). One host call.
    pub(super) fn is_upgraded(&self) -> Result<bool> {
        if self.map() == Map::ResponseHeaders {
            return Ok(self.get(":status")? == Some(b"101"));
        }
        Ok(has_token(self.get("connection")?, b"upgrade"))
    }

    /// Whether a request is a CONNECT. One host call; none for a response, which does not say.
    fn is_tunnel(&self) -> Result<bool> {
        Ok(self.map() == Map::RequestHeaders && self.get(":method")? == Some(b"CONNECT"))
    }
}

impl<'a> ContentType<'a> {
    /// The part of a `content-type` before its parameters; `None` for an empty one.
    pub fn parse(value: &'a [u8]) -> Option<Self> {
        let end = value.iter().position(|byte| *byte == b';').unwrap_or(value.len());
        let essence = value[..end].trim_ascii();
        (!essence.is_empty()).then_some(Self(essence))
    }

    /// The media type as it was sent, without parameters.
    pub fn essence(self) -> &'a [u8] {
        self.0
    }

    /// Whether it is this media type.
    pub fn is(self, media_type: &str) -> bool {
        self.0.eq_ignore_ascii_case(media_type.as_bytes())
    }

    /// `application/json`, `text/json`, and what has the suffix `+json` (RFC 6839, 3.1). Lines of
    /// JSON are no JSON document.
    pub fn is_json(self) -> bool {
        self.is("application/json") || self.is("text/json") || self.has_suffix(b"+json")
    }

    /// `text/event-stream`: server-sent events.
    pub fn is_sse(self) -> bool {
        self.is("text/event-stream")
    }

    /// `application/grpc` and its kin, such as `application/grpc+proto` and
    /// `application/grpc-web`.
    pub fn is_grpc(self) -> bool {
        self.rest(b"application/grpc")
            .is_some_and(|rest| matches!(rest.first(), None | Some(b'+' | b'-')))
    }

    /// Types that hold no text.
    fn is_binary(self) -> bool {
        const PREFIXES: [&[u8]; 4] = [b"image/", b"audio/", b"video/", b"font/"];
        const APPLICATIONS: [&[u8]; 14] = [
            b"cbor",
            b"gzip",
            b"msgpack",
            b"octet-stream",
            b"ogg",
            b"pdf",
            b"protobuf",
            b"wasm",
            b"x-7z-compressed",
            b"x-gzip",
            b"x-protobuf",
            b"x-tar",
            b"zip",
            b"zstd",
        ];
        if self.has_suffix(b"+xml") || self.has_suffix(b"+json") {
            return false; // Such as `image/svg+xml`.
        }
        PREFIXES.iter().any(|prefix| self.rest(prefix).is_some())
            || self.rest(b"application/").is_some_and(|name| {
                APPLICATIONS.iter().any(|known| name.eq_ignore_ascii_case(known))
            })
    }

    /// What follows `prefix`, if it begins with that.
    fn rest(self, prefix: &[u8]) -> Option<&'a [u8]> {
        let (beginning, rest) = self.0.split_at_checked(prefix.len())?;
        beginning.eq_ignore_ascii_case(prefix).then_some(rest)
    }

    fn has_suffix(self, suffix: &[u8]) -> bool {
        let start = self.0.len().checked_sub(suffix.len());
        start.is_some_and(|start| self.0[start..].eq_ignore_ascii_case(suffix))
    }
}

/// Whether a header's comma-separated list (RFC 9110, 5.6.1) has a word.
pub(super) fn has_token(value: Option<&[u8]>, token: &[u8]) -> bool {
    value.is_some_and(|value| tokens(value).any(|word| word.eq_ignore_ascii_case(token)))
}

/// Whether a `content-encoding` names a coding besides `identity`, which is none.
fn names_coding(codings: &[u8]) -> bool {
    tokens(codings).any(|coding| !coding.eq_ignore_ascii_case(b"identity"))
}

/// The value of a `content-length`: digits and nothing else (RFC 9110, 8.6).
pub(super) fn parse_length(value: &[u8]) -> Option<u64> {
    let digits = str::from_utf8(value.trim_ascii()).ok()?;
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok()).flatten()
}

/// The words of a comma-separated list; empty ones do not count.
fn tokens(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii).filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn media(value: &str) -> ContentType<'_> {
        ContentType::parse(value.as_bytes()).unwrap()
    }

    #[test]
    fn lists_have_words_in_any_case_and_any_place() {
        for list in
            ["upgrade", "Upgrade", "keep-alive, Upgrade", "keep-alive ,\tUPGRADE,", ",upgrade"]
        {
            assert!(has_token(Some(list.as_bytes()), b"upgrade"), "{list}");
        }
        for list in ["", "close", "upgraded", "no-upgrade", "up grade", "upgrade;q=1"] {
            assert!(!has_token(Some(list.as_bytes()), b"upgrade"), "{list}");
        }
        assert!(!has_token(None, b"upgrade"));
    }

    #[test]
    fn a_media_type_is_what_stands_before_its_parameters() {
        assert_eq!(media(" text/HTML ; charset=utf-8").essence(), b"text/HTML");
        assert!(media("text/HTML;charset=utf-8").is("text/html"));
        assert!(!media("text/html2").is("text/html"));
        for empty in ["", " ", ";charset=utf-8"] {
            assert!(ContentType::parse(empty.as_bytes()).is_none(), "{empty:?}");
        }
    }

    #[test]
    fn json_events_and_grpc_are_known_by_their_whole_names() {
        for json in
            ["application/json", "Application/JSON; charset=utf-8", "application/problem+json"]
        {
            assert!(media(json).is_json(), "{json}");
        }
        for other in ["application/jsonp", "application/json-seq", "json", "text/html; a=+json"] {
            assert!(!media(other).is_json(), "{other}");
        }
        assert!(media("text/event-stream;charset=utf-8").is_sse());
        assert!(!media("text/event-streams").is_sse());
        for grpc in ["application/grpc", "application/grpc+proto", "Application/gRPC-web-text"] {
            assert!(media(grpc).is_grpc(), "{grpc}");
        }
        for other in ["application/grpcish", "application/grp", "x/application/grpc"] {
            assert!(!media(other).is_grpc(), "{other}");
        }
    }

    #[test]
    fn types_that_hold_no_text_are_binary() {
        for binary in ["image/png", "VIDEO/mp4", "font/woff2", "application/octet-stream; a=b"] {
            assert!(media(binary).is_binary(), "{binary}");
        }
        for text in
            ["image/svg+xml", "text/plain", "application/json", "application/x-new", "image"]
        {
            assert!(!media(text).is_binary(), "{text}");
        }
    }
}
