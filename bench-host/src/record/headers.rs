//! Which headers pass, and which are recorded.

use hyper::{
    HeaderMap, Uri,
    header::{
        CONNECTION, CONTENT_LENGTH, EXPECT, HOST, HeaderName, HeaderValue, TE, TRANSFER_ENCODING,
        UPGRADE,
    },
};

use crate::traffic::Headers;

/// Headers that belong to one connection. `te` and `expect` are looked at on their own.
const HOP_BY_HOP: [&str; 6] = [
    "connection",
    "http2-settings",
    "keep-alive",
    "proxy-connection",
    "transfer-encoding",
    "upgrade",
];

/// What goes from end to end, which is what a filter of a gateway sees too.
///
/// `te` stays where it allows trailers. `expect: 100-continue` goes: whoever reads the body answers
/// it, as a gateway does. A length beside `transfer-encoding` is not that of the body, and goes
/// (RFC 9112, 6.3).
pub(super) fn end_to_end(headers: &HeaderMap) -> HeaderMap {
    let is_encoded = headers.contains_key(TRANSFER_ENCODING);
    let mut kept = HeaderMap::with_capacity(headers.len());
    for (name, value) in headers {
        let is_kept = match name {
            &TE => has_token(value, "trailers"),
            &CONTENT_LENGTH if is_encoded => false,
            &EXPECT => !value.as_bytes().eq_ignore_ascii_case(b"100-continue"),
            name => !HOP_BY_HOP.contains(&name.as_str()) && !is_nominated(headers, name),
        };
        if is_kept {
            let value =
                if name == TE { HeaderValue::from_static("trailers") } else { value.clone() };
            kept.append(name.clone(), value);
        }
    }
    kept
}

/// The protocols that a client wants to go over to, but for HTTP/2, which it can do without.
pub(super) fn wants_upgrade(headers: &HeaderMap) -> bool {
    let mut wanted = headers.get_all(UPGRADE).iter();
    is_nominated(headers, &UPGRADE) && wanted.any(|value| !has_token(value, "h2c"))
}

/// Whether `connection` says that a header is for this connection. A host is always for all.
fn is_nominated(headers: &HeaderMap, name: &HeaderName) -> bool {
    let mut connection = headers.get_all(CONNECTION).iter();
    name != HOST && connection.any(|value| has_token(value, name.as_str()))
}

fn has_token(value: &HeaderValue, token: &str) -> bool {
    let mut tokens = value.as_bytes().split(|byte| *byte == b',');
    tokens.any(|found| found.trim_ascii().eq_ignore_ascii_case(token.as_bytes()))
}

/// A request's headers as they are recorded: pseudo headers instead of `host`.
pub(super) fn recorded_request(
    method: &str,
    uri: &Uri,
    authority: &[u8],
    fields: &HeaderMap,
) -> Headers {
    let mut headers = Headers::new();
    headers.push(":method", method.to_owned());
    headers.push(":scheme", uri.scheme_str().unwrap_or("http").to_owned());
    headers.push(":authority", authority.to_vec());
    headers.push(":path", path(uri).to_owned());
    extend(&mut headers, fields);
    headers
}

/// Path and query; an absolute URL without a path has `/`.
pub(super) fn path(uri: &Uri) -> &str {
    uri.path_and_query().map_or("/", |path| path.as_str())
}

/// A response's headers as they are recorded.
pub(super) fn recorded_response(status: u16, fields: &HeaderMap) -> Headers {
    let mut headers = Headers::new();
    headers.push(":status", status.to_string());
    extend(&mut headers, fields);
    headers
}

/// Adds all fields but `host`.
pub(super) fn extend(headers: &mut Headers, fields: &HeaderMap) {
    for (name, value) in fields.iter().filter(|(name, _)| *name != HOST) {
        headers.push(name.as_str().to_owned(), value.as_bytes().to_vec());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(fields: &[(&'static str, &'static str)]) -> HeaderMap {
        let fields = fields.iter();
        fields.map(|(n, v)| (HeaderName::from_static(n), HeaderValue::from_static(v))).fold(
            HeaderMap::new(),
            |mut map, (name, value)| {
                map.append(name, value);
                map
            },
        )
    }

    #[test]
    fn what_belongs_to_a_connection_does_not_pass() {
        let headers = map(&[
            ("host", "a"),
            ("connection", "close, X-Odd, host"),
            ("connection", "te"),
            ("keep-alive", "timeout=5"),
            ("proxy-connection", "close"),
            ("transfer-encoding", "chunked"),
            ("upgrade", "h2c"),
            ("http2-settings", "AA"),
            ("x-odd", "1"),
            ("te", "gzip, Trailers"),
            ("expect", "100-Continue"),
            ("x-a", "1"),
            ("trailer", "t"),
            ("x-a", "2"),
        ]);
        let expected =
            map(&[("host", "a"), ("te", "trailers"), ("x-a", "1"), ("x-a", "2"), ("trailer", "t")]);
        assert_eq!(end_to_end(&headers), expected);
        for (fields, kept) in [
            (&[("te", "gzip"), ("expect", "odd")][..], &[("expect", "odd")][..]),
            (&[("content-length", "5"), ("transfer-encoding", "chunked")], &[]),
            (&[("content-length", "5")], &[("content-length", "5")]),
        ] {
            assert_eq!(end_to_end(&map(fields)), map(kept), "{fields:?}");
        }
    }

    #[test]
    fn only_an_upgrade_that_is_nominated_is_one() {
        for (fields, wants) in [
            (&[("connection", "keep-alive, Upgrade"), ("upgrade", "websocket")][..], true),
            (&[("upgrade", "websocket")], false),
            (&[("connection", "upgrade, http2-settings"), ("upgrade", "h2c")], false),
            (&[("connection", "upgrade")], false),
        ] {
            assert_eq!(wants_upgrade(&map(fields)), wants, "{fields:?}");
        }
    }

    #[test]
    fn a_filter_sees_pseudo_headers_instead_of_a_host() {
        let uri = Uri::from_static("/a?b");
        let headers = recorded_request("GET", &uri, b"h:1", &map(&[("host", "h:1"), ("x", "1")]));
        let fields: Vec<_> = headers.iter().map(|(name, value)| (&name[..], &value[..])).collect();
        let expected: [(&[u8], &[u8]); 5] = [
            (b":method", b"GET"),
            (b":scheme", b"http"),
            (b":authority", b"h:1"),
            (b":path", b"/a?b"),
            (b"x", b"1"),
        ];
        assert_eq!(fields, expected);
        assert_eq!(path(&Uri::from_static("http://a")), "/");
        assert_eq!(path(&Uri::from_static("*")), "*");
    }
}
