//! Many requests on kept connections: what became of them, and how long each took.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use bench_host::traffic::{Exchange, HttpVersion};
use hdrhistogram::Histogram;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;
use tokio::sync::{Mutex, Semaphore};

use crate::client;
use crate::frames::Frames;
use crate::runtime;

/// The longest latency that is told apart, in nanoseconds.
const HOUR: u64 = 3_600_000_000_000;

/// What to send, and over how many connections.
#[derive(Clone, Debug)]
pub struct Load {
    shots: Arc<[Shot]>,
    http: HttpVersion,
    connections: usize,
    streams: usize,
    timeout: Duration,
}

/// One request, ready to be cloned.
#[derive(Clone, Debug)]
struct Shot {
    request: Request<Frames>,
    status: StatusCode,
}

/// Why nothing can be sent.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// There is no request.
    #[error("the traffic is empty")]
    Empty,
    /// A request cannot be sent by a well-behaved client.
    #[error("the traffic cannot be sent: {0}")]
    Traffic(#[from] hyper::http::Error),
}

/// What can become of a request that was not answered as expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Failure {
    /// No connection could be made for it.
    Connect,
    /// The answer came whole, with this status.
    Status(u16),
    /// The connection or the stream was cut before the end of the answer.
    Reset,
    /// The answer was not whole in time. Its connection is given up.
    Timeout,
}

/// What came of a load.
#[derive(Clone, Debug)]
pub struct Report {
    /// Requests that were sent, or would have been if there had been a connection.
    pub requests: u64,
    /// Those that were not answered as expected.
    pub failures: BTreeMap<Failure, u64>,
    /// Nanoseconds until the whole answer was there, of the requests that were answered as
    /// expected. In an open loop they start when the request was due, so a wait for a free
    /// connection counts.
    pub latency: Histogram<u64>,
    /// Bytes of response bodies.
    pub bytes: u64,
    /// From the first request until the last answer.
    pub elapsed: Duration,
}

impl Load {
    /// These requests in turn, with the status that each answer of the trace has (200 where there
    /// is none) as the expected one: one connection, one stream at a time, ten seconds of patience,
    /// the HTTP version of the first exchange, and a pause between the chunks of request bodies.
    ///
    /// # Errors
    /// [`LoadError`] where there is nothing that can be sent.
    pub fn new(exchanges: &[Exchange], pause: Duration) -> Result<Self, LoadError> {
        let http = exchanges.first().ok_or(LoadError::Empty)?.http;
        let shot = |exchange: &Exchange| {
            let exchange = Exchange { http, ..exchange.clone() };
            // The head alone; the other body goes nowhere.
            let (head, _) = client::request(&exchange, pause)?.into_parts();
            let request = Request::from_parts(head, Frames::of(&exchange.request, pause));
            let answer = exchange.response.as_ref();
            let status = answer.and_then(|answer| answer.headers.get(":status"));
            let status = status.and_then(|status| StatusCode::from_bytes(status).ok());
            Ok(Shot { request, status: status.unwrap_or_default() })
        };
        let shots: Result<Vec<_>, LoadError> = exchanges.iter().map(shot).collect();
        let timeout = Duration::from_secs(10);
        Ok(Self { shots: shots?.into(), http, connections: 1, streams: 1, timeout })
    }

    /// How many connections are kept, at least 1.
    #[must_use]
    pub fn connections(mut self, connections: usize) -> Self {
        self.connections = connections.max(1);
        self
    }

    /// How many requests may be under way on one connection, at least 1. HTTP/1.1 allows one.
    #[must_use]
    pub fn streams(mut self, streams: usize) -> Self {
        self.streams = streams.max(1);
        self
    }

    /// How long one answer may take until it is given up.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// The status that every answer is to have.
    #[must_use]
    pub fn expect(mut self, status: StatusCode) -> Self {
        self.shots = self.shots.iter().map(|shot| Shot { status, ..shot.clone() }).collect();
        self
    }

    /// Sends so many requests, each as soon as the one before it on its stream has been answered:
    /// how much passes. Its latencies leave out who would have come while the server was slow.
    pub fn closed(&self, to: SocketAddr, requests: u64) -> Report {
        self.run(to, requests, None)
    }

    /// Sends so many requests at so many a second, whatever becomes of those before: how long a
    /// user waits. Give it more connections than are busy at a time.
    pub fn open(&self, to: SocketAddr, per_second: NonZeroU32, requests: u64) -> Report {
        self.run(to, requests, Some(Duration::from_secs(1) / per_second.get()))
    }

    fn run(&self, to: SocketAddr, requests: u64, interval: Option<Duration>) -> Report {
        let streams = if self.http == HttpVersion::Http2 { self.streams } else { 1 };
        let due = interval.map(|_| Semaphore::new(0));
        let start = Instant::now();
        let run = Arc::new(Run {
            load: self.clone(),
            to,
            requests,
            next: 0.into(),
            start,
            interval,
            due,
        });
        let connections = (0..self.connections).map(|_| Arc::new(Connection::default()));
        let workers: Vec<_> = connections
            .flat_map(|connection| vec![connection; streams])
            .map(|connection| runtime().spawn(work(Arc::clone(&run), connection)))
            .collect();
        if let Some(interval) = interval {
            // On a thread: the timers of the runtime are as coarse as a millisecond.
            (0..requests).for_each(|request| run.release(request, interval));
        }
        let mut report = Report::new();
        for worker in workers {
            match runtime().block_on(worker) {
                Ok(part) => report.add(&part),
                Err(error) => std::panic::resume_unwind(error.into_panic()),
            }
        }
        report.elapsed = start.elapsed();
        report
    }
}

/// What the workers share.
#[derive(Debug)]
struct Run {
    load: Load,
    to: SocketAddr,
    requests: u64,
    next: AtomicU64,
    start: Instant,
    interval: Option<Duration>,
    /// Requests of an open loop that are due and not yet taken.
    due: Option<Semaphore>,
}

impl Run {
    fn due_at(&self, request: u64, interval: Duration) -> Instant {
        self.start + Duration::from_nanos((interval.as_nanos() as u64).saturating_mul(request))
    }

    fn release(&self, request: u64, interval: Duration) {
        thread::sleep(self.due_at(request, interval).saturating_duration_since(Instant::now()));
        if let Some(due) = &self.due {
            due.add_permits(1);
        }
    }

    /// The next request and when its clock starts; `None` when all have been taken.
    async fn take(&self) -> Option<(u64, Instant)> {
        let request = self.next.fetch_add(1, Ordering::SeqCst);
        if request >= self.requests {
            return None;
        }
        let (Some(due), Some(interval)) = (&self.due, self.interval) else {
            return Some((request, Instant::now()));
        };
        // Who comes first waits for the first permit: the semaphore is fair. Nobody closes it.
        due.acquire().await.ok()?.forget();
        Some((request, self.due_at(request, interval)))
    }
}

async fn work(run: Arc<Run>, connection: Arc<Connection>) -> Report {
    let mut report = Report::new();
    while let Some((request, start)) = run.take().await {
        let shot = &run.load.shots[(request % run.load.shots.len() as u64) as usize];
        let answer = connection.ask(run.to, run.load.http, shot.request.clone());
        let outcome = match tokio::time::timeout(run.load.timeout, answer).await {
            Ok(outcome) => outcome,
            Err(_) => {
                connection.give_up().await;
                Err(Failure::Timeout)
            }
        };
        report.requests += 1;
        match outcome {
            Ok((status, bytes)) => {
                report.bytes += bytes;
                match status == shot.status {
                    true => report.latency.saturating_record(start.elapsed().as_nanos() as u64),
                    false => report.fail(Failure::Status(status.as_u16())),
                }
            }
            Err(failure) => report.fail(failure),
        }
    }
    report
}

/// A connection that is made when it is needed, and again when it is gone.
#[derive(Debug, Default)]
struct Connection(Mutex<Option<Sender>>);

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
    async fn ask(
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
    async fn give_up(&self) {
        let mut kept = self.0.lock().await;
        kept.take_if(|sender| matches!(sender, Sender::Http1(_)));
    }
}

impl Report {
    fn new() -> Self {
        Self {
            requests: 0,
            failures: BTreeMap::new(),
            latency: Histogram::new_with_bounds(1, HOUR, 3).expect("bounds in their order"),
            bytes: 0,
            elapsed: Duration::ZERO,
        }
    }

    fn fail(&mut self, failure: Failure) {
        *self.failures.entry(failure).or_default() += 1;
    }

    fn add(&mut self, other: &Self) {
        self.requests += other.requests;
        for (failure, count) in &other.failures {
            *self.failures.entry(*failure).or_default() += count;
        }
        self.latency.add(&other.latency).expect("histograms of the same bounds");
        self.bytes += other.bytes;
    }

    /// Requests that were not answered as expected.
    pub fn failed(&self) -> u64 {
        self.failures.values().sum()
    }

    /// Answers a second, those that were expected.
    pub fn throughput(&self) -> f64 {
        self.latency.len() as f64 / self.elapsed.as_secs_f64()
    }

    /// The latency that this share of the expected answers does not exceed: 0.99 for the p99. Zero
    /// when there is none. Exact to three digits, up to an hour.
    pub fn quantile(&self, share: f64) -> Duration {
        Duration::from_nanos(self.latency.value_at_quantile(share))
    }
}
