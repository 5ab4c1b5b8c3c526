//! Many requests on kept connections: what became of them, and how long each took.

mod connection;
mod report;

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use bench_host::traffic::{Exchange, HttpVersion};
use hyper::{Request, StatusCode};
use tokio::sync::Semaphore;

use crate::frames::Frames;
use crate::{client, runtime};
use connection::Connection;
pub use report::{Failure, Report};

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
