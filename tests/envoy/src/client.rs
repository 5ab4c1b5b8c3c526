//! Who asks: one request at a time, over HTTP/1.1 or HTTP/2 without TLS.

use std::net::SocketAddr;
use std::time::Duration;

use bench_host::host::HeaderMap;
use bench_host::testing::Seen;
use bench_host::traffic::{Exchange, Headers, HttpVersion};
use hyper::client::conn::{http1, http2};
use hyper::{Method, Request, Uri, Version};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;

use crate::message::{self, Chunks};
use crate::runtime;

/// How long an answer may take. Nothing here takes a hundredth of it.
const PATIENCE: Duration = Duration::from_secs(30);

/// Why there is no answer to look at.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The request cannot be sent by a well-behaved client.
    #[error("the traffic cannot be sent: {0}")]
    Traffic(#[from] hyper::http::Error),
    /// A connection could not be made.
    #[error("cannot connect: {0}")]
    Connect(#[from] std::io::Error),
    /// The connection or the stream ended before the answer's headers.
    #[error("no answer: {0}")]
    Http(#[from] hyper::Error),
    /// Nothing came in time.
    #[error("no answer within {PATIENCE:?}")]
    Silence,
}

/// Sends the request of an exchange and reads what comes back.
///
/// # Errors
/// [`ClientError`] where not even headers come back; a response that is cut is a [`Seen`] that has
/// not ended.
pub fn send(to: SocketAddr, exchange: &Exchange, pause: Duration) -> Result<Seen, ClientError> {
    let sent = async move { tokio::time::timeout(PATIENCE, ask(to, exchange, pause)).await };
    runtime().block_on(sent).map_err(|_| ClientError::Silence)?
}

/// Gets a path, for what answers in plain text: admin interfaces.
///
/// # Errors
/// [`ClientError`] where nothing comes back.
pub fn get(to: SocketAddr, path: &str) -> Result<Seen, ClientError> {
    method(to, "GET", path)
}

/// As [`get`], with another method.
///
/// # Errors
/// [`ClientError`] where nothing comes back.
pub fn method(to: SocketAddr, method: &'static str, path: &str) -> Result<Seen, ClientError> {
    let mut request = bench_host::traffic::Message::default();
    request.headers.push(":method", method);
    request.headers.push(":authority", "localhost");
    request.headers.push(":path", path.to_owned());
    let exchange = Exchange {
        label: path.to_owned(),
        start: None,
        http: HttpVersion::Http1,
        request,
        response: None,
    };
    send(to, &exchange, Duration::ZERO)
}

async fn ask(to: SocketAddr, exchange: &Exchange, pause: Duration) -> Result<Seen, ClientError> {
    let io = TokioIo::new(TcpStream::connect(to).await?);
    let request = request(exchange, pause)?;
    let response = match exchange.http {
        HttpVersion::Http1 => {
            let (mut sender, connection) = http1::handshake(io).await?;
            tokio::spawn(connection);
            sender.send_request(request).await?
        }
        HttpVersion::Http2 => {
            let (mut sender, connection) = http2::handshake(TokioExecutor::new(), io).await?;
            tokio::spawn(connection);
            sender.send_request(request).await?
        }
    };
    let (parts, body) = response.into_parts();
    let mut headers = HeaderMap::default();
    headers.add(b":status", parts.status.as_str().as_bytes());
    message::add(&mut headers, &parts.headers);
    Ok(message::read(headers, body).await)
}

/// The request as the HTTP library wants it.
pub(crate) fn request(
    exchange: &Exchange,
    pause: Duration,
) -> Result<Request<Chunks>, hyper::http::Error> {
    let headers = &exchange.request.headers;
    let (authority, path) = (pseudo(headers, ":authority"), pseudo(headers, ":path"));
    let builder = Request::builder().method(Method::from_bytes(pseudo(headers, ":method"))?);
    let mut request = match exchange.http {
        HttpVersion::Http1 => {
            builder.version(Version::HTTP_11).uri(Uri::try_from(path)?).header("host", authority)
        }
        HttpVersion::Http2 => {
            let uri = Uri::builder().scheme("http").authority(authority).path_and_query(path);
            builder.version(Version::HTTP_2).uri(uri.build()?)
        }
    }
    .body(Chunks::of(&exchange.request, pause))?;
    request.headers_mut().extend(message::fields(headers));
    Ok(request)
}

fn pseudo<'h>(headers: &'h Headers, name: &str) -> &'h [u8] {
    headers.get(name).map_or(&[], |value| value)
}
