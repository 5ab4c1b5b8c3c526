//! Generated traffic: `synth:upload,size=32MiB,chunk=16KiB` and its siblings.

use bytes::Bytes;

use super::{
    Body, Exchange, Headers, HttpVersion, Message, TrafficError, message, synth_body, synth_json,
    synth_spec::{SynthKind, SynthSpec},
};

/// Requests that are all alike, made from a `synth:` notation.
#[derive(Clone, Debug)]
pub(super) struct Synth {
    template: Exchange,
    requests: u64,
}

impl Synth {
    /// Reads what follows `synth:`.
    pub(super) fn open(text: &str) -> Result<Self, TrafficError> {
        let wrong = |reason| TrafficError::Synth { spec: format!("synth:{text}"), reason };
        let spec = SynthSpec::parse(text).map_err(wrong)?;
        Ok(Self { template: template(&spec).map_err(wrong)?, requests: spec.requests })
    }

    /// How many requests there are.
    pub(super) fn len(&self) -> u64 {
        self.requests
    }

    /// The request at `index`, while there are any.
    pub(super) fn exchange(&self, index: u64) -> Option<Exchange> {
        (index < self.requests).then(|| self.template.clone())
    }
}

fn template(spec: &SynthSpec) -> Result<Exchange, String> {
    const TEXT: &str = "text/plain; charset=utf-8";
    let no_body = || (None, Body::None);
    let ok = || (Some("application/json"), Body::Whole(Bytes::from_static(b"{\"ok\":true}")));
    let (method, path, (request_type, request_body), (response_type, response_body)) =
        match spec.kind {
            SynthKind::Download => {
                let body = synth_body::text(spec)?;
                ("GET", "/download", no_body(), (Some(TEXT), body))
            }
            SynthKind::Echo => {
                let body = synth_body::text(spec)?;
                ("POST", "/echo", (Some(TEXT), body.clone()), (Some(TEXT), body))
            }
            SynthKind::Json => {
                let body = synth_json::document(spec)?;
                ("POST", "/json", (Some("application/json"), body), ok())
            }
            SynthKind::Sse => {
                let body = synth_body::events(spec)?;
                ("GET", "/events", no_body(), (Some("text/event-stream"), body))
            }
            SynthKind::Upload => {
                let body = synth_body::text(spec)?;
                ("POST", "/upload", (Some(TEXT), body), ok())
            }
        };

    let mut request = Headers::new();
    request.push(":method", method);
    request.push(":scheme", "https");
    request.push(":authority", "synth.example");
    request.push(":path", path);
    request.push("user-agent", "bench-host");
    let mut response = Headers::new();
    response.push(":status", "200");
    Ok(Exchange {
        label: message::label(method, "https", "synth.example", path),
        start: None,
        http: HttpVersion::Http2,
        request: finish(request, request_type, request_body, spec.sized),
        response: Some(finish(response, response_type, response_body, spec.sized)),
    })
}

/// Adds what the headers say about the body.
fn finish(
    mut headers: Headers,
    content_type: Option<&'static str>,
    body: Body,
    sized: bool,
) -> Message {
    if let Some(content_type) = content_type {
        headers.push("content-type", content_type);
        if sized {
            headers.push("content-length", body.len().to_string());
        }
    }
    Message { headers, body, trailers: Headers::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exchange(text: &str) -> Exchange {
        Synth::open(text).unwrap().exchange(0).unwrap()
    }

    #[test]
    fn each_kind_fills_its_direction() {
        for (text, request, response) in [
            ("upload,size=5000", 5000, 11),
            ("download,size=5000", 0, 5000),
            ("echo,size=5000", 5000, 5000),
            ("json,size=5000", 5000, 11),
            ("sse,size=100,events=50", 0, 5000),
        ] {
            let exchange = exchange(text);
            assert_eq!(exchange.request.body.len(), request, "{text}");
            assert_eq!(exchange.response.unwrap().body.len(), response, "{text}");
            assert_eq!(exchange.request.ends_with_headers(), request == 0, "{text}");
        }
    }

    #[test]
    fn only_sized_framing_tells_the_length() {
        let streamed = exchange("upload,size=1GiB");
        assert_eq!(streamed.request.headers.get("content-length"), None);
        let sized = exchange("upload,size=1GiB,framing=sized");
        let length = sized.request.headers.get("content-length").unwrap();
        assert_eq!(length, "1073741824");
        assert_eq!(sized.label, "POST https://synth.example/upload");
    }

    #[test]
    fn requests_are_counted() {
        let synth = Synth::open("json,requests=3").unwrap();
        assert_eq!(synth.len(), 3);
        assert!(synth.exchange(2).is_some());
        assert!(synth.exchange(3).is_none());
    }

    #[test]
    fn errors_repeat_the_notation() {
        assert_eq!(
            Synth::open("sse,size=3").unwrap_err().to_string(),
            "traffic `synth:sse,size=3`: parameter `size`: must be at least 57"
        );
    }
}
