//! From the headers that a browser recorded to those that a filter sees.

use super::{
    Headers, HttpVersion,
    har_model::{Entry, Field, text},
    url::Target,
};

/// Which protocol the exchange used.
///
/// Recorders that do not know the version may still have recorded pseudo headers (Chrome, as a bare
/// `status` in responses) or a mark of their own (Firefox).
pub(super) fn version(entry: &Entry<'_>) -> HttpVersion {
    let request = entry.request.as_ref();
    let response = entry.response.as_ref();
    let named = [
        request.map(|request| text(&request.http_version)),
        response.map(|response| text(&response.http_version)),
    ];
    if let Some(version) = named.into_iter().flatten().find_map(named_version) {
        return version;
    }
    let of_request = request.and_then(|request| request.headers.as_deref());
    let of_response = response.and_then(|response| response.headers.as_deref());
    let is_http2 = of_request.unwrap_or_default().iter().any(|field| field.name.0.starts_with(':'))
        || of_response
            .unwrap_or_default()
            .iter()
            .any(|field| is_pseudo_response(field) || is_firefox_mark(field));
    if is_http2 { HttpVersion::Http2 } else { HttpVersion::Http1 }
}

fn named_version(name: &str) -> Option<HttpVersion> {
    let name = name.to_ascii_lowercase();
    let starts = |prefixes: &[&str]| prefixes.iter().any(|prefix| name.starts_with(prefix));
    if starts(&["h2", "h3", "http/2", "http/3"]) {
        Some(HttpVersion::Http2)
    } else if starts(&["http/1", "http/0"]) {
        Some(HttpVersion::Http1)
    } else {
        None
    }
}

/// The request's headers; the authority that was sent wins over the URL's.
pub(super) fn request(method: &str, target: &Target, fields: &[Field<'_>]) -> Headers {
    let sent = |name: &str| {
        let mut values = fields.iter().filter(|field| field.name.0.eq_ignore_ascii_case(name));
        values.next().map(Field::value).filter(|v| !v.is_empty())
    };
    let authority = sent(":authority").or_else(|| sent("host")).unwrap_or(&target.authority);

    let mut headers = Headers::new();
    headers.push(":method", method.to_owned());
    headers.push(":scheme", target.scheme);
    headers.push(":authority", authority.to_owned());
    headers.push(":path", target.path.clone());
    push_all(&mut headers, fields, |field| field.name.0.eq_ignore_ascii_case("host"));
    headers
}

/// The response's headers.
pub(super) fn response(status: u16, fields: &[Field<'_>]) -> Headers {
    let mut headers = Headers::new();
    headers.push(":status", status.to_string());
    push_all(&mut headers, fields, |field| is_pseudo_response(field) || is_firefox_mark(field));
    headers
}

/// Makes the headers agree with a body that is delivered decoded and in one piece.
pub(super) fn describe_body(headers: &mut Headers, len: u64) {
    headers.retain(|name, _| name != "content-encoding");
    describe_length(headers, len);
}

/// Makes a length that was recorded the length of what is replayed.
pub(super) fn describe_length(headers: &mut Headers, len: u64) {
    headers.replace("content-length", len.to_string());
}

/// Adds what goes from end to end, in lower case.
fn push_all(headers: &mut Headers, fields: &[Field<'_>], skip: impl Fn(&Field<'_>) -> bool) {
    let is_websocket = fields.iter().any(|field| {
        field.name.0.eq_ignore_ascii_case("upgrade")
            && field.value().eq_ignore_ascii_case("websocket")
    });
    for field in fields {
        let name = field.name.0.to_ascii_lowercase();
        let is_dropped = match name.as_str() {
            "" => true,
            "connection" | "upgrade" => !is_websocket,
            "http2-settings" | "keep-alive" | "proxy-connection" | "transfer-encoding" => true,
            name => name.starts_with(':') || skip(field),
        };
        if is_dropped {
            continue;
        }
        // Chrome joins repeats of a header with line breaks.
        for value in field.value().split('\n') {
            headers.push(name.clone(), value.trim_end_matches('\r').to_owned());
        }
    }
}

/// Older Chromes record `:status` without its colon. `Status: 200 OK` is a header that some servers
/// really send, and stays.
fn is_pseudo_response(field: &Field<'_>) -> bool {
    let is_number =
        || field.value().len() == 3 && field.value().bytes().all(|b| b.is_ascii_digit());
    field.name.0.starts_with(':') || (field.name.0 == "status" && is_number())
}

/// Firefox adds this header to what it records; it is never on the wire.
fn is_firefox_mark(field: &Field<'_>) -> bool {
    field.name.0.eq_ignore_ascii_case("x-firefox-spdy")
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::*;
    use crate::traffic::har_model::Text;

    fn fields<'a>(pairs: &[(&'a str, &'a str)]) -> Vec<Field<'a>> {
        let field = |&(name, value)| Field {
            name: Text(Cow::Borrowed(name)),
            value: Some(Text(Cow::Borrowed(value))),
        };
        pairs.iter().map(field).collect()
    }

    fn plain(headers: &Headers) -> Vec<(&str, &str)> {
        let text = |bytes| std::str::from_utf8(bytes).unwrap();
        headers.iter().map(|(n, v)| (text(n), text(v))).collect()
    }

    fn target() -> Target {
        Target { scheme: "https", authority: "url.example".to_owned(), path: "/p?q".to_owned() }
    }

    #[test]
    fn the_host_header_becomes_the_authority() {
        let sent = fields(&[
            ("Host", "host.example"),
            ("Connection", "keep-alive"),
            ("Keep-Alive", "300"),
            ("Proxy-Connection", "x"),
            ("Upgrade", "h2c"),
            ("HTTP2-Settings", "x"),
            ("Accept", "*/*"),
            ("", "nameless"),
        ]);
        assert_eq!(
            plain(&request("GET", &target(), &sent)),
            [
                (":method", "GET"),
                (":scheme", "https"),
                (":authority", "host.example"),
                (":path", "/p?q"),
                ("accept", "*/*"),
            ]
        );
        let sent = fields(&[(":authority", "h2.example"), (":path", "/other")]);
        let headers = request("GET", &target(), &sent);
        assert_eq!(headers.get(":authority").unwrap(), "h2.example");
        assert_eq!(headers.len(), 4);
        let headers = request("GET", &target(), &[]);
        assert_eq!(headers.get(":authority").unwrap(), "url.example");
    }

    #[test]
    fn a_websocket_keeps_its_upgrade() {
        let sent = fields(&[("Upgrade", "WebSocket"), ("Connection", "Upgrade")]);
        assert_eq!(
            plain(&request("GET", &target(), &sent))[4..],
            [("upgrade", "WebSocket"), ("connection", "Upgrade")]
        );
    }

    #[test]
    fn recorders_additions_are_dropped_from_responses() {
        let sent = fields(&[
            (":status", "200"),
            ("status", "200"),
            ("Status", "200 OK"),
            ("X-Firefox-Spdy", "h2"),
            ("Set-Cookie", "a=1\nb=2"),
            ("Transfer-Encoding", "chunked"),
        ]);
        assert_eq!(
            plain(&response(200, &sent)),
            [
                (":status", "200"),
                ("status", "200 OK"),
                ("set-cookie", "a=1"),
                ("set-cookie", "b=2"),
            ]
        );
    }

    #[test]
    fn versions_are_recognised_by_name() {
        for (name, version) in [
            ("HTTP/1.1", Some(HttpVersion::Http1)),
            ("http/1.0", Some(HttpVersion::Http1)),
            ("HTTP/2.0", Some(HttpVersion::Http2)),
            ("h2", Some(HttpVersion::Http2)),
            ("HTTP/3", Some(HttpVersion::Http2)),
            ("h3-29", Some(HttpVersion::Http2)),
            ("unknown", None),
            ("", None),
        ] {
            assert_eq!(named_version(name), version, "{name}");
        }
    }
}
