//! From a recorded request or response to a message.

use bytes::Bytes;

use super::{
    Body, Headers, Message,
    error::decode_base64,
    har_headers,
    har_model::{Field, PostData, Request, Response, text},
    url::Target,
};

/// Converts a request; `left_out` is called when its body was not recorded.
pub(super) fn request(
    method: &str,
    target: &Target,
    recorded: &Request<'_>,
    left_out: impl FnOnce(),
) -> Result<Message, String> {
    let fields = recorded.headers.as_deref().unwrap_or_default();
    let mut headers = har_headers::request(method, target, fields);
    let body = match recorded.post_data.as_ref().map(posted).transpose()?.flatten() {
        Some(body) => Body::Whole(body),
        None => {
            let promised = length_of(&headers).is_some_and(|len| len > 0);
            if promised || recorded.body_size.is_some_and(|size| size > 0.0) {
                left_out();
            }
            Body::None
        }
    };
    har_headers::describe_length(&mut headers, body.len());
    Ok(Message { headers, body, trailers: Headers::new() })
}

/// The body of a request; `None` when there is none or the recorder left it out.
fn posted(data: &PostData<'_>) -> Result<Option<Bytes>, String> {
    let body = text(&data.text);
    if !body.is_empty() {
        return decode(body, text(&data.encoding), "request body").map(Some);
    }
    let params = data.params.as_deref().unwrap_or_default();
    let is_form = !text(&data.mime_type).starts_with("multipart/");
    Ok((is_form && !params.is_empty()).then(|| urlencoded(params).into()))
}

/// Converts a response; `None` when the entry records that there was none.
pub(super) fn response(
    method: &str,
    recorded: &Response<'_>,
    left_out: impl FnOnce(),
) -> Result<Option<Message>, String> {
    let fields = recorded.headers.as_deref().unwrap_or_default();
    let content = recorded.content.as_ref();
    let body = content.map_or("", |content| text(&content.text));
    let status = match recorded.status.unwrap_or(0) {
        // Firefox records answers from its cache like this; without anything, none came.
        0 if fields.is_empty() && body.is_empty() => return Ok(None),
        0 => 200,
        status => u16::try_from(status)
            .ok()
            .filter(|status| (100..=999).contains(status))
            .ok_or_else(|| format!("response status {status} is no status code"))?,
    };
    let mut headers = har_headers::response(status, fields);
    // These describe a body without having one.
    if method.eq_ignore_ascii_case("HEAD") || matches!(status, 100..=199 | 204 | 304) {
        return Ok(Some(Message { headers, ..Message::default() }));
    }

    let body = if !body.is_empty() {
        let encoding = content.map_or("", |content| text(&content.encoding));
        Body::Whole(decode(body, encoding, "response body")?)
    } else {
        if content.is_some_and(|content| content.size.is_some_and(|size| size > 0.0)) {
            left_out();
        }
        // A length of 0 ends the stream with its headers; otherwise its end arrives by itself.
        match length_of(&headers) {
            Some(0) => Body::None,
            _ => Body::Whole(Bytes::new()),
        }
    };
    har_headers::describe_body(&mut headers, body.len());
    Ok(Some(Message { headers, body, trailers: Headers::new() }))
}

fn decode(body: &str, encoding: &str, what: &str) -> Result<Bytes, String> {
    match encoding {
        "" => Ok(Bytes::copy_from_slice(body.as_bytes())),
        "base64" => decode_base64(body).map_err(|reason| format!("{what}: {reason}")),
        other => Err(format!("{what}: unknown encoding `{other}`")),
    }
}

fn length_of(headers: &Headers) -> Option<u64> {
    let value = headers.get("content-length")?;
    std::str::from_utf8(value).ok()?.trim().parse().ok()
}

/// Writes parameters as a form does.
fn urlencoded(params: &[Field<'_>]) -> String {
    let mut form = String::new();
    for (index, param) in params.iter().enumerate() {
        if index > 0 {
            form.push('&');
        }
        urlencode(&mut form, &param.name.0);
        form.push('=');
        urlencode(&mut form, param.value());
    }
    form
}

fn urlencode(form: &mut String, text: &str) {
    for byte in text.bytes() {
        match byte {
            b' ' => form.push('+'),
            b'*' | b'-' | b'.' | b'_' => form.push(char::from(byte)),
            _ if byte.is_ascii_alphanumeric() => form.push(char::from(byte)),
            _ => form.push_str(&format!("%{byte:02X}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;

    use super::*;
    use crate::traffic::{Exchange, har};

    fn only(json: &str) -> Exchange {
        let har = format!(r#"{{"log": {{"entries": [{json}]}}}}"#);
        har::read("t.har", &har).unwrap().exchanges.remove(0)
    }

    /// The response to a request for `https://a/` by `method`.
    fn answer(method: &str, response: &str) -> Option<Message> {
        let request = format!(r#"{{"method": "{method}", "url": "https://a/"}}"#);
        only(&format!(r#"{{"request": {request}, "response": {response}}}"#)).response
    }

    #[test]
    fn request_bodies() {
        let body = |method: &str, post: &str| {
            let request = format!(
                r#"{{"method": "{method}", "url": "https://a/", "postData": {post},
                    "headers": [{{"name": "Content-Length", "value": "999"}}]}}"#
            );
            only(&format!(r#"{{"request": {request}, "response": null}}"#)).request
        };
        let text = |message: &Message| {
            let chunks = message.body.chunks(NonZeroUsize::MAX);
            String::from_utf8(chunks.flatten().collect()).unwrap()
        };
        let length = |message: &Message| message.headers.get("content-length").unwrap().clone();
        let message = body("POST", r#"{"text": "a=b"}"#);
        assert_eq!(text(&message), "a=b");
        assert_eq!(length(&message), "3");
        let message = body("POST", r#"{"text": "aGk=", "encoding": "base64"}"#);
        assert_eq!(text(&message), "hi");
        let form = r#"{"text": "", "params": [{"name": "a b", "value": "ü&"}, {"name": "c"}]}"#;
        assert_eq!(text(&body("POST", form)), "a+b=%C3%BC%26&c=");
        for empty in ["null", r#"{"text": "", "params": []}"#] {
            let message = body("GET", empty);
            assert!(matches!(message.body, Body::None));
            assert_eq!(length(&message), "0");
        }
    }

    #[test]
    fn response_bodies() {
        let length = r#""headers": [{"name": "content-length", "value": "0"}]"#;
        let empty = answer("GET", r#"{"status": 200}"#).unwrap();
        assert!(matches!(&empty.body, Body::Whole(body) if body.is_empty()));
        let none = answer("GET", &format!(r#"{{"status": 200, {length}}}"#)).unwrap();
        assert!(matches!(none.body, Body::None));

        let content = r#""content": {"size": 2, "text": "hi"}"#;
        for (method, status) in [("HEAD", 200), ("GET", 204), ("GET", 304), ("GET", 101)] {
            let message = answer(method, &format!(r#"{{"status": {status}, {content}}}"#));
            assert!(matches!(message.unwrap().body, Body::None), "{status}");
        }
        let cached = answer("GET", &format!(r#"{{"status": 0, {content}}}"#)).unwrap();
        assert_eq!(cached.headers.get(":status").unwrap(), "200");
        assert_eq!(cached.body.len(), 2);
        assert!(answer("GET", r#"{"status": 0, "headers": []}"#).is_none());
        assert!(answer("GET", "null").is_none());
    }
}
