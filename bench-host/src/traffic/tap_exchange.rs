//! From what the filter saw to an exchange.

use bytes::Bytes;

use super::{
    Body, Exchange, Headers, HttpVersion, Message, har_headers, message,
    tap_model::{Part, Recorded},
    tap_notes::Tally,
};

const REQUEST: [&str; 4] = [":method", ":scheme", ":authority", ":path"];

/// Converts what was recorded; `None` when no request came, the reason when it makes no sense.
///
/// `name` says where in the trace it is.
pub(super) fn exchange(
    recorded: Recorded,
    name: impl Fn() -> String,
    tally: &mut Tally,
) -> Result<Option<Exchange>, String> {
    let Recorded { request, response } = recorded;
    let Some(sent) = request.headers.as_ref().filter(|headers| !headers.is_empty()) else {
        tally.no_request.count(name);
        return Ok(None);
    };
    if sent.get(":method").is_none_or(|method| method.is_empty()) {
        return Err("the request has no :method".to_owned());
    }
    let http = version(sent);
    let headers = normal(sent, &REQUEST);
    let label = label(&headers);
    let named = || format!("{}, {label}", name());
    let wrong = |what: String| format!("{label}: {what}");

    let (request_is_cut, response_is_cut) = (request.truncated, response.truncated);
    let response = answer(response).map_err(wrong)?;
    if request_is_cut {
        tally.request.count(named);
    }
    if response_is_cut {
        tally.response.count(named);
    }
    let request = finish(headers, request);
    Ok(Some(Exchange { label, start: None, http, request, response }))
}

fn answer(part: Part) -> Result<Option<Message>, String> {
    let Some(headers) = &part.headers else {
        let is_empty = matches!(part.body, Body::None) && part.trailers.is_none();
        return if is_empty { Ok(None) } else { Err("a response without headers".to_owned()) };
    };
    let status = headers.get(":status").ok_or("the response has no :status")?;
    let number = std::str::from_utf8(status).ok().and_then(|text| text.parse().ok());
    if !number.is_some_and(|number: u16| (100..=999).contains(&number)) {
        return Err(format!("response status `{}` is no status code", status.escape_ascii()));
    }
    let headers = normal(headers, &[":status"]);
    Ok(Some(finish(headers, part)))
}

fn finish(mut headers: Headers, part: Part) -> Message {
    if part.truncated {
        har_headers::describe_length(&mut headers, part.body.len());
    }
    let mut trailers = part.trailers.unwrap_or_default();
    trailers.retain(|name, _| !name.starts_with(b":"));
    Message { headers, body: part.body, trailers }
}

/// Puts the pseudo headers in front, in the order in which they came, each once; those that are
/// missing are empty, as a filter sees them.
fn normal(recorded: &Headers, pseudo: &[&'static str]) -> Headers {
    let mut headers = Headers::new();
    for (name, value) in recorded {
        if pseudo.iter().any(|known| name == known) && headers.get(&lossy(name)).is_none() {
            headers.push(name.clone(), value.clone());
        }
    }
    for name in pseudo {
        if headers.get(name).is_none() {
            headers.push(*name, Bytes::new());
        }
    }
    headers.extend(recorded.iter().filter(|(name, _)| !name.starts_with(b":")).cloned());
    headers
}

/// Which protocol the client spoke, by the order of the pseudo headers.
///
/// The filter does not write it down. Envoy's HTTP/1 codec makes them out of a request line and a
/// `host` header, and always begins with the authority, followed by the path and then the method.
/// HTTP/2 clients send their own, and common ones put the method before the path.
fn version(headers: &Headers) -> HttpVersion {
    let place = |wanted: &str| headers.iter().position(|(name, _)| name == wanted);
    let [method, scheme, authority, path] = REQUEST.map(place);
    match (authority, path, method, scheme) {
        (Some(authority), Some(path), Some(method), Some(scheme)) => {
            let is_first = authority < path.min(scheme);
            if is_first && path < method { HttpVersion::Http1 } else { HttpVersion::Http2 }
        }
        _ => HttpVersion::Http1,
    }
}

/// Names an exchange for messages, which have one line.
fn label(headers: &Headers) -> String {
    let part = |name| headers.get(name).map(lossy).unwrap_or_default();
    let [method, scheme, authority, path] = REQUEST.map(part);
    message::label(&method, &scheme, &authority, &path)
}

fn lossy(bytes: &Bytes) -> String {
    String::from_utf8_lossy(bytes).replace(char::is_control, "\u{fffd}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(fields: &[(&'static str, &'static str)]) -> Headers {
        let bytes = |text: &'static str| Bytes::from_static(text.as_bytes());
        fields.iter().map(|(name, value)| (bytes(name), bytes(value))).collect()
    }

    fn part(fields: &[(&'static str, &'static str)]) -> Part {
        Part { headers: Some(headers(fields)), ..Part::default() }
    }

    fn convert(request: Part, response: Part) -> Result<Option<Exchange>, String> {
        exchange(Recorded { request, response }, || "trace 0".to_owned(), &mut Tally::default())
    }

    fn names(message: &Message) -> Vec<&str> {
        message.headers.iter().map(|(name, _)| std::str::from_utf8(name).unwrap()).collect()
    }

    #[test]
    fn pseudo_headers_come_first_as_they_came() {
        let sent = [
            (":path", "/a?b"),
            ("x-a", "1"),
            (":method", "GET"),
            (":method", "PUT"),
            (":protocol", "bytestream"),
            ("x-a", "2"),
            (":authority", "example.com"),
        ];
        let answer = [("server", "envoy"), (":status", "200")];
        let exchange = convert(part(&sent), part(&answer)).unwrap().unwrap();
        let order = [":path", ":method", ":authority", ":scheme", "x-a", "x-a"];
        assert_eq!(names(&exchange.request), order);
        assert_eq!(exchange.request.headers.get(":method").unwrap(), "GET");
        assert_eq!(names(&exchange.response.unwrap()), [":status", "server"]);
        assert_eq!(exchange.label, "GET ://example.com/a?…");
    }

    #[test]
    fn the_order_of_pseudo_headers_tells_the_protocol() {
        let version = |order: &str| {
            let fields = order.split(' ').map(|name| (name.to_owned().into(), "x".into()));
            version(&fields.collect())
        };
        for order in [
            ":authority :path :method :scheme",
            // A request line with an absolute URL.
            ":authority :scheme :path :method",
            // What is incomplete tells nothing.
            ":method :path",
        ] {
            assert_eq!(version(order), HttpVersion::Http1, "{order}");
        }
        for order in [
            ":method :authority :scheme :path",
            ":method :path :authority :scheme",
            ":method :path :scheme :authority",
            ":method :scheme :authority :path",
            ":authority :method :path :scheme",
        ] {
            assert_eq!(version(order), HttpVersion::Http2, "{order}");
        }
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let get = || part(&[(":method", "GET"), (":path", "/\n?x")]);
        let body = Part { body: Body::Whole(Bytes::new()), ..Part::default() };
        for (request, response, what) in [
            (part(&[(":path", "/")]), Part::default(), "the request has no :method"),
            (part(&[(":method", "")]), Part::default(), "the request has no :method"),
            (get(), part(&[("a", "b")]), "GET :///\u{fffd}?…: the response has no :status"),
            (
                get(),
                part(&[(":status", "20\u{1b}")]),
                "GET :///\u{fffd}?…: response status `20\\x1b` is no status code",
            ),
            (get(), body, "GET :///\u{fffd}?…: a response without headers"),
        ] {
            assert_eq!(convert(request, response).unwrap_err(), what);
        }
        assert!(convert(Part::default(), part(&[(":status", "400")])).unwrap().is_none());
        assert!(convert(get(), Part::default()).unwrap().unwrap().response.is_none());
    }
}
