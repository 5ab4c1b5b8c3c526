//! A client of either protocol.

use std::net::SocketAddr;

use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper::http::{HeaderMap, response};
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;

use super::upstream::Body;

/// A connection to a recorder.
pub enum Client {
    Http1(http1::SendRequest<Body>),
    Http2(http2::SendRequest<Body>),
}

/// A whole answer.
#[derive(Debug)]
pub struct Answer {
    pub head: response::Parts,
    pub chunks: Vec<Bytes>,
    pub trailers: Option<HeaderMap>,
}

impl Answer {
    pub fn text(&self) -> String {
        String::from_utf8(self.chunks.concat()).unwrap()
    }
}

impl Client {
    /// Connects, over HTTP/2 or 1.
    pub async fn connect(address: SocketAddr, http2: bool) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let io = TokioIo::new(stream);
        if http2 {
            let (sender, driver) = http2::handshake(TokioExecutor::new(), io).await.unwrap();
            tokio::spawn(driver);
            Self::Http2(sender)
        } else {
            let (sender, driver) = http1::handshake(io).await.unwrap();
            tokio::spawn(driver);
            Self::Http1(sender)
        }
    }

    /// Sends a request for a path of `client.example`.
    pub async fn send(
        &mut self,
        mut request: Request<Body>,
    ) -> Result<Response<Incoming>, hyper::Error> {
        match self {
            Self::Http1(sender) => {
                let host = "client.example".parse().unwrap();
                request.headers_mut().insert("host", host);
                sender.ready().await?;
                sender.send_request(request).await
            }
            Self::Http2(sender) => {
                let url = format!("http://client.example{}", request.uri());
                *request.uri_mut() = url.parse().unwrap();
                sender.ready().await?;
                sender.send_request(request).await
            }
        }
    }

    /// Sends a request, and reads all of its answer.
    pub async fn ask(&mut self, request: Request<Body>) -> Answer {
        let (head, mut body) = self.send(request).await.unwrap().into_parts();
        let mut answer = Answer { head, chunks: Vec::new(), trailers: None };
        while let Some(frame) = body.frame().await {
            match frame.unwrap().into_data() {
                Ok(data) => answer.chunks.push(data),
                Err(frame) => answer.trailers = frame.into_trailers().ok(),
            }
        }
        answer
    }
}

/// A request for a path.
pub fn request(method: &str, path: &str, body: Body) -> Request<Body> {
    Request::builder().method(method).uri(path).body(body).unwrap()
}
