//! One request on its way through.

use std::{
    convert::Infallible,
    sync::{Arc, OnceLock},
    time::Instant,
};

use bytes::Bytes;
use hyper::{
    HeaderMap, Method, Request, Response, StatusCode, Uri, Version,
    body::Incoming,
    header::{CONTENT_TYPE, HOST, HeaderValue},
    http::uri::{Authority, Scheme},
};

use super::{
    Event, Listener, Options,
    body::{Answer, Recorded},
    connections::Connections,
    headers,
    passing::{Direction, Passing, whole_micros},
    sink::Sink,
};
use crate::traffic::{HttpVersion, label};

/// What all requests share.
pub(super) struct Proxy {
    pub(super) options: Options,
    /// When the first request came.
    pub(super) began: OnceLock<Instant>,
    pub(super) sink: Sink,
    pub(super) listener: Listener,
}

impl Proxy {
    /// Passes a request to the upstream, and answers with the beginning of what comes back.
    pub(super) async fn pass(
        self: Arc<Self>,
        connections: Arc<Connections>,
        request: Request<Incoming>,
    ) -> Result<Response<Answer>, Infallible> {
        let version = match request.version() {
            Version::HTTP_2 => HttpVersion::Http2,
            _ => HttpVersion::Http1,
        };
        let (parts, body) = request.into_parts();
        let mut fields = headers::end_to_end(&parts.headers);
        let authority = self.authority(&parts.uri, &parts.headers);
        let recorded =
            headers::recorded_request(parts.method.as_str(), &parts.uri, &authority, &fields);
        let label = {
            let text = |name| String::from_utf8_lossy(recorded.get(name).map_or(b"", |v| v));
            label(&text(":method"), &text(":scheme"), &text(":authority"), &text(":path"))
        };
        if parts.method == Method::CONNECT || headers::wants_upgrade(&parts.headers) {
            let reason = "tunnels and upgrades, such as WebSocket, do not pass".to_owned();
            let answer = own(StatusCode::NOT_IMPLEMENTED, &reason);
            self.listener.tell(Event::LeftOut { label, reason });
            return Ok(answer);
        }
        self.sink.has_room().await;
        let passing = Arc::new(Passing::new(
            (label, recorded),
            (version, whole_micros(self.began.get_or_init(Instant::now).elapsed())),
            self.options.max_body,
            (self.sink.clone(), self.listener.clone()),
        ));
        let mut request = Request::new(Recorded::new(body, Direction::Request, &passing));
        *request.method_mut() = parts.method;
        match self.target(version, parts.uri, &authority, &mut fields) {
            Ok(uri) => *request.uri_mut() = uri,
            Err(error) => {
                return Ok(refused(&passing, format!("the URL cannot be passed: {error}")));
            }
        }
        *request.headers_mut() = fields;
        *request.version_mut() = match version {
            HttpVersion::Http1 => Version::HTTP_11,
            HttpVersion::Http2 => Version::HTTP_2,
        };
        let response = match connections.send(request).await {
            Ok(response) => response,
            Err(error) => return Ok(refused(&passing, error.to_string())),
        };
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            let reason = "the upstream went over to another protocol, unasked".to_owned();
            return Ok(refused(&passing, reason));
        }
        let (parts, body) = response.into_parts();
        let fields = headers::end_to_end(&parts.headers);
        passing.answered(headers::recorded_response(parts.status.as_u16(), &fields));
        let body = Recorded::new(body, Direction::Response, &passing);
        let mut response = Response::new(Answer::Passed(body));
        *response.status_mut() = parts.status;
        *response.headers_mut() = fields;
        Ok(response)
    }

    /// Whom a request is for: what its URL says, else its `host`, else the upstream. User and
    /// password of a URL are no part of it (RFC 9110, 4.2.4).
    fn authority(&self, uri: &Uri, fields: &HeaderMap) -> Bytes {
        let host = || fields.get(HOST).map(HeaderValue::as_bytes).filter(|host| !host.is_empty());
        let named = uri.authority().map(|authority| authority.as_str().as_bytes()).or_else(host);
        let named = named.map(|named| {
            named.iter().rposition(|byte| *byte == b'@').map_or(named, |at| &named[at + 1..])
        });
        let upstream = || self.options.upstream.authority().as_str().as_bytes();
        Bytes::copy_from_slice(named.unwrap_or_else(upstream))
    }

    /// What the upstream is asked for: a path and a `host` on HTTP/1, a whole URL on HTTP/2.
    fn target(
        &self,
        version: HttpVersion,
        uri: Uri,
        authority: &[u8],
        fields: &mut HeaderMap,
    ) -> Result<Uri, hyper::http::Error> {
        let mut parts = uri.into_parts();
        match version {
            HttpVersion::Http1 => {
                fields.insert(HOST, HeaderValue::from_bytes(authority)?);
                (parts.scheme, parts.authority) = (None, None);
            }
            HttpVersion::Http2 => {
                fields.remove(HOST);
                parts.scheme.get_or_insert(Scheme::HTTP);
                parts.authority = Some(Authority::try_from(authority)?);
            }
        }
        parts.path_and_query.get_or_insert("/".parse()?);
        Ok(Uri::from_parts(parts)?)
    }
}

/// Leaves an exchange out, and answers for the upstream.
fn refused(passing: &Passing, reason: String) -> Response<Answer> {
    let answer = own(StatusCode::BAD_GATEWAY, &reason);
    passing.lose(reason);
    answer
}

fn own(status: StatusCode, reason: &str) -> Response<Answer> {
    let text = format!("bench-host record: {reason}\n");
    let mut response = Response::new(Answer::Own(Some(text.into())));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    response
}
