//! What a plugin calls itself: real servers that answer as the bench host's scripts say.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use bench_host::testing::Callout;
use bench_host::upstream::{HttpAnswer, HttpCall, MadeCall, Session, Upstreams};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::header::{HeaderName, HeaderValue};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::runtime;

/// How long a call may take to get here.
const PATIENCE: Duration = Duration::from_secs(5);

/// The services of a script, each on a port of its own; gone when dropped.
#[derive(Debug)]
pub struct Services {
    session: Arc<Mutex<Session>>,
    servers: Vec<JoinHandle<()>>,
}

/// A call that must not be answered.
#[derive(Debug, thiserror::Error)]
#[error("the script resets this call")]
struct Reset;

impl Services {
    /// The services of a script; none listens yet.
    pub fn new(script: &Upstreams) -> Self {
        let mut session = script.session();
        session.keep_calls();
        Self { session: Arc::new(Mutex::new(session)), servers: Vec::new() }
    }

    /// Takes the calls that have come, once there are so many; those that came first if no more
    /// come.
    pub fn take_calls(&self, expected: usize) -> Vec<Callout> {
        let mut calls = Vec::new();
        let start = Instant::now();
        loop {
            let mut session = self.session.lock().unwrap_or_else(PoisonError::into_inner);
            calls.extend(session.take_calls().into_iter().map(callout));
            drop(session);
            if calls.len() >= expected || start.elapsed() > PATIENCE {
                return calls;
            }
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// Starts to listen for one cluster of the script, and says on which port.
    ///
    /// # Errors
    /// When there is no free port.
    pub fn serve(&mut self, cluster: &str) -> io::Result<u16> {
        let listener = runtime().block_on(TcpListener::bind(("127.0.0.1", 0)))?;
        let port = listener.local_addr().map(|address: SocketAddr| address.port())?;
        let (session, cluster) = (Arc::clone(&self.session), Bytes::from(cluster.to_owned()));
        self.servers.push(runtime().spawn(listen(listener, session, cluster)));
        Ok(port)
    }
}

/// A call as tests of the bench host see it.
fn callout(call: MadeCall) -> Callout {
    Callout {
        cluster: String::from_utf8_lossy(&call.cluster).into_owned(),
        headers: call.headers.into(),
        body: call.body,
        trailers: call.trailers.into(),
        timeout: call.timeout,
    }
}

impl Drop for Services {
    fn drop(&mut self) {
        for server in &self.servers {
            server.abort();
        }
    }
}

async fn listen(listener: TcpListener, session: Arc<Mutex<Session>>, cluster: Bytes) {
    loop {
        let Ok((socket, _)) = listener.accept().await else { return };
        let (session, cluster) = (Arc::clone(&session), cluster.clone());
        tokio::spawn(async move {
            let answer =
                service_fn(move |request| answer(request, Arc::clone(&session), cluster.clone()));
            let mut builder = auto::Builder::new(TokioExecutor::new());
            builder.http1().auto_date_header(false);
            builder.http2().auto_date_header(false);
            let _ = builder.serve_connection(TokioIo::new(socket), answer).await;
        });
    }
}

async fn answer(
    request: Request<Incoming>,
    session: Arc<Mutex<Session>>,
    cluster: Bytes,
) -> Result<Response<Full<Bytes>>, Reset> {
    let (parts, body) = request.into_parts();
    let host = parts.headers.get("host").map(|host| Bytes::copy_from_slice(host.as_bytes()));
    let authority = parts.uri.authority().map(|authority| Bytes::from(authority.to_string()));
    let path = parts.uri.path_and_query().map(ToString::to_string).unwrap_or_default();
    let mut headers: Vec<(Bytes, Bytes)> = vec![
        (":method".into(), parts.method.to_string().into()),
        (":authority".into(), authority.or(host).unwrap_or_default()),
        (":path".into(), path.into()),
    ];
    let fields = parts.headers.iter().filter(|(name, _)| *name != "host");
    headers.extend(fields.map(|(name, value)| {
        (name.as_str().to_owned().into(), Bytes::copy_from_slice(value.as_bytes()))
    }));
    let body = body.collect().await.map_err(|_| Reset)?.to_bytes();
    let outcome = {
        let mut session = session.lock().unwrap_or_else(PoisonError::into_inner);
        // The timeout is the gateway's to keep.
        session.http(&cluster, &HttpCall { headers: &headers, body: &body, ..HttpCall::default() })
    };
    let Some(outcome) = outcome else {
        // Silence for longer than any plugin waits.
        tokio::time::sleep(Duration::from_secs(3600)).await;
        return Err(Reset);
    };
    tokio::time::sleep(outcome.after).await;
    match outcome.what {
        HttpAnswer::Response { headers, body, .. } => Ok(response(&headers, body)),
        _ => Err(Reset),
    }
}

fn response(headers: &[(Bytes, Bytes)], body: Bytes) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body));
    for (name, value) in headers {
        if name == ":status" {
            *response.status_mut() = StatusCode::from_bytes(value).unwrap_or_default();
        } else if let (Ok(name), Ok(value)) =
            (HeaderName::from_bytes(name), HeaderValue::from_bytes(value))
        {
            response.headers_mut().append(name, value);
        }
    }
    response
}
