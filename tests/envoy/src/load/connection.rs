//! A connection that is kept.

use std::net::SocketAddr;
use std::pin::Pin;

use bench_host::traffic::HttpVersion;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;
use tokio::sync::Mutex;

use super::Failure;
use crate::frames::Frames;

/// A connection that is made when it is needed, and again when it is gone.
#[derive(Debug, Default)]
pub(super) struct Connection(Mutex<Option<Sender>>);

#[derive(Debug)]
enum Sender {
    Http1(http1::SendRequest<Frames>),
    Http2(http2::SendRequest<Frames>),
}

type Answer = Pin<Box<dyn Future<Output = hyper::Result<Response<Incoming>>> + Send>>;

impl Sender {
    async fn connect(to: SocketAddr, http: HttpVersion) -> Option<Self> {
        let socket = TcpStream::connect(to).await.ok()?;
        let _ = socket.set_nodelay(true);
        let io = TokioIo::new(socket);
        match http {
            HttpVersion::Http1 => {
                let (sender, connection) = http1::handshake(io).await.ok()?;
                tokio::spawn(connection);
                Some(Self::Http1(sender))
            }
            HttpVersion::Http2 => {
                let (sender, connection) = http2::handshake(TokioExecutor::new(), io).await.ok()?;
                tokio::spawn(connection);
                Some(Self::Http2(sender))
            }
        }
    }

    /// Itself, once it can take a request, if it ever can.
    async fn while_usable(mut self) -> Option<Self> {
        let ready = match &mut self {
            Self::Http1(sender) => sender.ready().await,
            Self::Http2(sender) => sender.ready().await,
        };
        ready.is_ok().then_some(self)
    }

    fn send(&mut self, request: Request<Frames>) -> Answer {
        match self {
            Self::Http1(sender) => Box::pin(sender.send_request(request)),
            Self::Http2(sender) => Box::pin(sender.send_request(request)),
        }
    }
}

impl Connection {
    /// Sends a request and reads the answer to its end: its status, and how long its body was.
    pub(super) async fn ask(
        &self,
        to: SocketAddr,
        http: HttpVersion,
        request: Request<Frames>,
    ) -> Result<(StatusCode, u64), Failure> {
        let answer = {
            let mut kept = self.0.lock().await;
            let mut sender = match kept.take() {
                Some(sender) => sender.while_usable().await,
                None => None,
            };
            if sender.is_none() {
                sender = Sender::connect(to, http).await;
            }
            let mut sender = sender.ok_or(Failure::Connect)?;
            let answer = sender.send(request);
            *kept = Some(sender);
            answer
        };
        let response = answer.await.map_err(|_| Failure::Reset)?;
        let (status, mut body) = (response.status(), response.into_body());
        let mut bytes = 0;
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|_| Failure::Reset)?;
            bytes += frame.data_ref().map_or(0, |data| data.len() as u64);
        }
        Ok((status, bytes))
    }

    /// Forgets a connection on which an answer is still due. Of HTTP/2 that is one stream.
    pub(super) async fn give_up(&self) {
        let mut kept = self.0.lock().await;
        kept.take_if(|sender| matches!(sender, Sender::Http1(_)));
    }
}
