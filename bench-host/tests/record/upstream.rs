//! An upstream that answers as its paths say.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt as _;
use http_body_util::channel::{Channel, Sender};
use http_body_util::combinators::BoxBody;
use http_body_util::{Empty, Full};
use hyper::body::{Body as _, Incoming};
use hyper::http::{HeaderMap, HeaderName, HeaderValue};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::time::sleep;

pub type Body = BoxBody<Bytes, io::Error>;

/// What the tests and the upstream share.
#[derive(Default)]
pub struct Upstream {
    /// Lets `/step` go on.
    pub step: Notify,
    /// Bytes that `/flood` got rid of.
    pub flooded: AtomicUsize,
}

/// What `/flood` sends.
pub const FLOOD: usize = 64 << 20;

pub fn whole(text: impl Into<Bytes>) -> Body {
    Full::new(text.into()).map_err(|never| match never {}).boxed()
}

pub fn empty() -> Body {
    Empty::new().map_err(|never| match never {}).boxed()
}

/// A body that is sent frame by frame.
pub fn channel() -> (Sender<Bytes, io::Error>, Body) {
    let (sender, body) = Channel::new(1);
    (sender, body.boxed())
}

/// A body that ends without a frame, which nobody knows before.
pub fn no_frames() -> Body {
    let (_, body) = channel();
    body
}

/// One trailer.
pub fn trailer(name: &'static str, value: &'static str) -> HeaderMap {
    [(HeaderName::from_static(name), HeaderValue::from_static(value))].into_iter().collect()
}

/// Starts an upstream in this runtime.
pub async fn start() -> (SocketAddr, Arc<Upstream>) {
    let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    let upstream = Arc::new(Upstream::default());
    let shared = upstream.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = socket.accept().await {
            stream.set_nodelay(true).unwrap();
            let shared = shared.clone();
            let service = service_fn(move |request| answer(shared.clone(), request));
            let builder = auto::Builder::new(TokioExecutor::new());
            let connection = builder.serve_connection(TokioIo::new(stream), service).into_owned();
            tokio::spawn(async move { drop(connection.await) });
        }
    });
    (address, upstream)
}

async fn answer(
    upstream: Arc<Upstream>,
    request: Request<Incoming>,
) -> Result<Response<Body>, Infallible> {
    let (parts, body) = request.into_parts();
    let mut response = Response::new(empty());
    match parts.uri.path() {
        "/echo" => {
            let (sender, body_back) = channel();
            if parts.headers.contains_key("te") {
                response.headers_mut().insert("trailer", HeaderValue::from_static("x-end"));
            }
            tokio::spawn(echo(body, sender));
            *response.body_mut() = body_back;
        }
        "/headers" => {
            let lines: Vec<_> = parts.headers.iter().map(|(n, v)| format!("{n}: {v:?}")).collect();
            let shown = format!("{} {}\n{}", parts.method, parts.uri, lines.join("\n"));
            *response.body_mut() = whole(shown);
            let headers = response.headers_mut();
            for value in ["sid=S3CRET; Path=/", "theme=S3CRET"] {
                headers.append("set-cookie", HeaderValue::from_static(value));
            }
            headers.insert("x-odd", HeaderValue::from_bytes(b"\xff").unwrap());
        }
        "/none" => *response.status_mut() = StatusCode::NO_CONTENT,
        "/early" => *response.status_mut() = StatusCode::PAYLOAD_TOO_LARGE,
        "/chunked" => *response.body_mut() = no_frames(),
        "/step" => {
            let (mut sender, body) = channel();
            tokio::spawn(async move {
                for text in ["data: a\n\n", "data: b\n\n", "data: é\n\n"] {
                    sender.send_data(text.into()).await.unwrap();
                    upstream.step.notified().await;
                }
            });
            *response.body_mut() = body;
        }
        "/die" => {
            let (mut sender, body) = channel();
            tokio::spawn(async move {
                sender.send_data("half".into()).await.unwrap();
                sleep(Duration::from_millis(50)).await;
                sender.abort(io::Error::other("dies"));
            });
            *response.body_mut() = body;
        }
        "/hang" => {
            let (mut sender, body) = channel();
            tokio::spawn(async move {
                sender.send_data("half".into()).await.unwrap();
                upstream.step.notified().await;
            });
            *response.body_mut() = body;
        }
        "/flood" => {
            let (mut sender, body) = channel();
            tokio::spawn(async move {
                let chunk = Bytes::from(vec![b'x'; 64 << 10]);
                while upstream.flooded.load(Ordering::Relaxed) < FLOOD {
                    sender.send_data(chunk.clone()).await.unwrap();
                    upstream.flooded.fetch_add(chunk.len(), Ordering::Relaxed);
                }
            });
            *response.body_mut() = body;
        }
        path => {
            let text = format!("you asked for {path}");
            let body = body.collect().await.unwrap().to_bytes();
            *response.body_mut() = whole([text.as_bytes(), &body].concat());
        }
    }
    if parts.method == Method::HEAD {
        // The library leaves it to us on HTTP/2.
        let length = response.body().size_hint().exact().unwrap();
        response.headers_mut().insert("content-length", length.into());
        *response.body_mut() = empty();
    }
    Ok(response)
}

/// Sends each chunk back as it comes, and a trailer of its own.
async fn echo(mut body: Incoming, mut sender: Sender<Bytes, io::Error>) {
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.unwrap().into_data() else { break };
        if sender.send_data(data).await.is_err() {
            return;
        }
    }
    let _ = sender.send_trailers(trailer("x-end", "of the answer")).await;
}
