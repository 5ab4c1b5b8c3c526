//! What is behind the gateway: it answers as the trace says, and remembers what came.

use std::collections::HashMap;
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bench_host::host::HeaderMap;
use bench_host::testing::Seen;
use bench_host::traffic::Message;
use bytes::Bytes;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::message::{self, Chunks};
use crate::runtime;

/// The header with which a request says which answer it is for.
pub const EXCHANGE: &str = "x-exchange";

/// A server on loopback; gone when dropped.
#[derive(Debug)]
pub struct Upstream {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    server: JoinHandle<()>,
}

#[derive(Debug, Default)]
struct State {
    /// Answers by the value of [`EXCHANGE`].
    answers: HashMap<Bytes, (Message, Duration)>,
    /// Requests that came, by the same value, in their order.
    came: HashMap<Bytes, Vec<Seen>>,
    requests: u64,
}

impl Upstream {
    /// Starts to listen on a free port.
    ///
    /// # Errors
    /// When there is no free port.
    pub fn start() -> io::Result<Self> {
        let listener = runtime().block_on(TcpListener::bind(("127.0.0.1", 0)))?;
        let address = listener.local_addr()?;
        let state = Arc::default();
        let server = runtime().spawn(serve(listener, Arc::clone(&state)));
        Ok(Self { address, state, server })
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Answers the requests that carry this value of [`EXCHANGE`], with a pause between chunks.
    /// Others are answered with `200` and no body.
    pub fn answer(&self, exchange: &str, answer: Message, pause: Duration) {
        let key = Bytes::copy_from_slice(exchange.as_bytes());
        self.lock().answers.insert(key, (answer, pause));
    }

    /// Takes the requests that came with this value of [`EXCHANGE`].
    pub fn take(&self, exchange: &str) -> Vec<Seen> {
        self.lock().came.remove(exchange.as_bytes()).unwrap_or_default()
    }

    /// How many requests have come.
    pub fn requests(&self) -> u64 {
        self.lock().requests
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn serve(listener: TcpListener, state: Arc<Mutex<State>>) {
    loop {
        let Ok((socket, _)) = listener.accept().await else { return };
        let _ = socket.set_nodelay(true);
        let state = Arc::clone(&state);
        tokio::spawn(async move {
            let answer = service_fn(move |request| answer(request, Arc::clone(&state)));
            let mut builder = auto::Builder::new(TokioExecutor::new());
            // Date is not in the trace.
            builder.http1().auto_date_header(false);
            builder.http2().auto_date_header(false);
            // A connection that the gateway drops is its own affair.
            let _ = builder.serve_connection(TokioIo::new(socket), answer).await;
        });
    }
}

/// Reads the request to its end, as the bench host's upstream does, and answers.
async fn answer(
    request: Request<Incoming>,
    state: Arc<Mutex<State>>,
) -> Result<Response<Chunks>, Infallible> {
    let (parts, body) = request.into_parts();
    let lock = || state.lock().unwrap_or_else(PoisonError::into_inner);
    let key = parts.headers.get(EXCHANGE).map(|value| Bytes::copy_from_slice(value.as_bytes()));
    let mut headers = HeaderMap::default();
    headers.add(b":method", parts.method.as_str().as_bytes());
    let authority = parts.uri.authority().map(|authority| authority.as_str().as_bytes());
    let host = parts.headers.get("host").map(hyper::header::HeaderValue::as_bytes);
    headers.add(b":authority", authority.or(host).unwrap_or_default());
    headers.add(b":path", parts.uri.path_and_query().map_or("", |path| path.as_str()).as_bytes());
    if let Some(scheme) = parts.uri.scheme_str() {
        headers.add(b":scheme", scheme.as_bytes());
    }
    message::add(&mut headers, &parts.headers);
    headers.remove(b"host");
    let seen = message::read(headers, body).await;
    let planned = {
        let mut state = lock();
        state.requests += 1;
        let planned = key.as_ref().and_then(|key| state.answers.get(key).cloned());
        if let Some(key) = key {
            state.came.entry(key).or_default().push(seen);
        }
        planned
    };
    let Some((message, pause)) = planned else { return Ok(Response::new(Chunks::none())) };
    let mut response = Response::new(Chunks::of(&message, pause));
    let status =
        message.headers.get(":status").and_then(|status| StatusCode::from_bytes(status).ok());
    *response.status_mut() = status.unwrap_or_default();
    *response.headers_mut() = message::fields(&message.headers);
    Ok(response)
}
