//! An upstream for load: it answers by rule and keeps nothing.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bench_host::testing::Answer;
use bench_host::traffic::Message;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::http::request::Parts;
use hyper::service::service_fn;
use hyper::{HeaderMap, Request, Response, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::frames::Frames;
use crate::{message, runtime};

/// A server on loopback, HTTP/1.1 and HTTP/2 without TLS; gone when dropped.
#[derive(Debug)]
pub struct Origin {
    address: SocketAddr,
    requests: Arc<AtomicU64>,
    server: JoinHandle<()>,
}

/// What becomes of one request, once its body has been read.
#[derive(Clone, Debug)]
pub struct Reply {
    after: Duration,
    answer: Option<(StatusCode, HeaderMap, Frames)>,
}

impl Reply {
    /// An answer, with a pause between its chunks. Make it once and clone it: that copies nothing
    /// of the body.
    pub fn new(answer: Answer, pause: Duration) -> Self {
        let exchange = bench_host::testing::Call::get("/").answer(answer);
        let message = bench_host::traffic::Exchange::from(exchange).response.unwrap_or_default();
        Self::of(&message, pause)
    }

    /// As [`new`](Self::new), of the answer of a trace.
    pub fn of(message: &Message, pause: Duration) -> Self {
        let status = message.headers.get(":status").and_then(|it| StatusCode::from_bytes(it).ok());
        let fields = message::fields(&message.headers);
        let answer = (status.unwrap_or_default(), fields, Frames::of(message, pause));
        Self { after: Duration::ZERO, answer: Some(answer) }
    }

    /// No answer: the connection, or the stream in HTTP/2, is cut.
    pub fn reset() -> Self {
        Self { after: Duration::ZERO, answer: None }
    }

    /// The same, so much later.
    #[must_use]
    pub fn after(mut self, after: Duration) -> Self {
        self.after = after;
        self
    }
}

/// Cuts the connection.
#[derive(Debug, thiserror::Error)]
#[error("the rule resets this request")]
struct Reset;

type Rule = dyn Fn(u64, &Parts) -> Reply + Send + Sync;

impl Origin {
    /// Starts to listen on a free port. The rule is told which request it is, from 0 and over all
    /// connections, and its head.
    ///
    /// # Errors
    /// When there is no free port.
    pub fn start(rule: impl Fn(u64, &Parts) -> Reply + Send + Sync + 'static) -> io::Result<Self> {
        let listener = runtime().block_on(TcpListener::bind(("127.0.0.1", 0)))?;
        let address = listener.local_addr()?;
        let requests = Arc::default();
        let server = runtime().spawn(serve(listener, Arc::new(rule), Arc::clone(&requests)));
        Ok(Self { address, requests, server })
    }

    /// One that always gives the same reply.
    ///
    /// # Errors
    /// When there is no free port.
    pub fn always(reply: Reply) -> io::Result<Self> {
        Self::start(move |_, _| reply.clone())
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The port of [`address`](Self::address).
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// How many requests have come, whole.
    pub fn requests(&self) -> u64 {
        self.requests.load(Ordering::SeqCst)
    }
}

impl Drop for Origin {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn serve(listener: TcpListener, rule: Arc<Rule>, requests: Arc<AtomicU64>) {
    loop {
        let Ok((socket, _)) = listener.accept().await else { return };
        let _ = socket.set_nodelay(true);
        let (rule, requests) = (Arc::clone(&rule), Arc::clone(&requests));
        tokio::spawn(async move {
            let reply =
                service_fn(move |request| reply(request, Arc::clone(&rule), Arc::clone(&requests)));
            let mut builder = auto::Builder::new(TokioExecutor::new());
            builder.http1().auto_date_header(false);
            builder.http2().auto_date_header(false);
            // A connection that the gateway drops is its own affair.
            let _ = builder.serve_connection(TokioIo::new(socket), reply).await;
        });
    }
}

async fn reply(
    request: Request<Incoming>,
    rule: Arc<Rule>,
    requests: Arc<AtomicU64>,
) -> Result<Response<Frames>, Reset> {
    let (parts, mut body) = request.into_parts();
    while let Some(frame) = body.frame().await {
        frame.map_err(|_| Reset)?;
    }
    let reply = rule(requests.fetch_add(1, Ordering::SeqCst), &parts);
    if !reply.after.is_zero() {
        tokio::time::sleep(reply.after).await;
    }
    let (status, fields, frames) = reply.answer.ok_or(Reset)?;
    let mut response = Response::new(frames);
    *response.status_mut() = status;
    *response.headers_mut() = fields;
    Ok(response)
}
