//! The connections to the upstream that one connection of a client has.

use std::{error::Error as _, io, time::Duration};

use hyper::{
    Request, Response, Version,
    body::Incoming,
    client::conn::{http1, http2},
};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use thiserror::Error;
use tokio::{net::TcpStream, sync::Mutex, time::timeout};

use super::{UpstreamAddress, body::Recorded};

/// How long an upstream may take to accept a connection.
const CONNECT: Duration = Duration::from_secs(10);
/// The most headers that an HTTP/2 upstream may answer with, as many as Envoy takes.
const HEADERS: u32 = 60 << 10;

/// One connection of each protocol, made when it is needed: so an upstream sees as many
/// connections as come in, and requests wait for each other only where they did before.
pub(super) struct Connections {
    address: UpstreamAddress,
    http1: Mutex<Option<http1::SendRequest<Recorded>>>,
    http2: Mutex<Option<http2::SendRequest<Recorded>>>,
}

/// Why an upstream does not answer.
#[derive(Debug, Error)]
pub(super) enum NoAnswer {
    #[error("cannot connect to the upstream {address}: {cause}")]
    Connect { address: UpstreamAddress, cause: io::Error },
    #[error("the upstream does not answer: {}", shown(.0))]
    Http1(hyper::Error),
    #[error(
        "the upstream does not answer over HTTP/2: {}; it has to speak it without TLS",
        shown(.0)
    )]
    Http2(hyper::Error),
}

fn shown(error: &hyper::Error) -> String {
    error.source().map_or_else(|| error.to_string(), |cause| format!("{error}: {cause}"))
}

impl Connections {
    pub(super) fn new(address: UpstreamAddress) -> Self {
        Self { address, http1: Mutex::new(None), http2: Mutex::new(None) }
    }

    /// Sends a request in its own version.
    pub(super) async fn send(
        &self,
        request: Request<Recorded>,
    ) -> Result<Response<Incoming>, NoAnswer> {
        if request.version() == Version::HTTP_2 {
            self.send_http2(request).await
        } else {
            self.send_http1(request).await
        }
    }

    /// On HTTP/1 a client's connection has one request at a time, and so has the upstream's.
    async fn send_http1(
        &self,
        mut request: Request<Recorded>,
    ) -> Result<Response<Incoming>, NoAnswer> {
        let mut connection = self.http1.lock().await;
        if let Some(sender) = &mut *connection
            && sender.ready().await.is_ok()
        {
            match sender.try_send_request(request).await {
                Ok(response) => return Ok(response),
                // The upstream had closed it before a byte went out: as if it never was.
                Err(mut error) => match error.take_message() {
                    Some(unsent) => request = unsent,
                    None => return Err(NoAnswer::Http1(error.into_error())),
                },
            }
        }
        let io = TokioIo::new(self.connect().await?);
        let (mut sender, driver) = http1::handshake(io).await.map_err(NoAnswer::Http1)?;
        // What goes wrong is told to the one whose request it is.
        tokio::spawn(driver);
        let response = sender.send_request(request).await.map_err(NoAnswer::Http1);
        *connection = Some(sender);
        response
    }

    async fn send_http2(&self, request: Request<Recorded>) -> Result<Response<Incoming>, NoAnswer> {
        let mut connection = self.http2.lock().await;
        let open = connection.take().filter(|sender| !sender.is_closed());
        let mut sender = match open {
            Some(sender) => sender,
            None => {
                let io = TokioIo::new(self.connect().await?);
                let (sender, driver) = http2::Builder::new(TokioExecutor::new())
                    .timer(TokioTimer::new())
                    .max_header_list_size(HEADERS)
                    .handshake(io)
                    .await
                    .map_err(NoAnswer::Http2)?;
                tokio::spawn(driver);
                sender
            }
        };
        *connection = Some(sender.clone());
        drop(connection);
        sender.send_request(request).await.map_err(NoAnswer::Http2)
    }

    async fn connect(&self) -> Result<TcpStream, NoAnswer> {
        let connect = TcpStream::connect((self.address.host(), self.address.port()));
        let connected = timeout(CONNECT, connect).await.unwrap_or_else(|_| {
            Err(io::Error::new(io::ErrorKind::TimedOut, "no connection within ten seconds"))
        });
        let stream = connected
            .map_err(|cause| NoAnswer::Connect { address: self.address.clone(), cause })?;
        // A frame that waits for the next one would come at another time.
        let _ = stream.set_nodelay(true);
        Ok(stream)
    }
}
