//! Clients that stay, and clients that leave.

use std::net::{Shutdown, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::body::{Body, Frame};
use hyper::client::conn::{http1, http2};
use hyper::{Request, Uri, Version};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

/// How long a client waits that leaves; a tenth of what slow ones take.
pub const LEAVES_AFTER: Duration = Duration::from_millis(40);

/// Nothing here takes a tenth of it.
const PATIENCE: Duration = Duration::from_secs(12);

/// What a client does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Client {
    /// It sends everything and reads everything.
    Stays,
    /// It sends the half, and ends its request when it has the answer.
    SendsHalf,
    /// It sends the half and goes.
    LeavesSending,
    /// It sends everything and goes before an answer comes.
    LeavesWaiting,
    /// It goes when it has a part of the answer.
    LeavesReading,
}

/// How a client goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// It drops the connection.
    Connection,
    /// It resets the stream, over HTTP/2.
    Stream,
}

/// A request to come.
#[derive(Clone, Debug)]
pub struct Asked {
    pub to: SocketAddr,
    pub http2: bool,
    pub path: String,
    pub fields: Vec<(&'static str, String)>,
    pub body: [&'static str; 2],
    pub client: Client,
    pub way: Way,
}

/// What a client has seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Got {
    pub status: Option<u16>,
    pub body: String,
    /// Whether the answer has ended as it should.
    pub ended: bool,
}

/// Chunks as they are handed in; the message ends when nobody hands in more.
struct Feed(mpsc::UnboundedReceiver<Result<Bytes, Gone>>);

/// Resets a stream in the middle of a request.
#[derive(Debug, thiserror::Error)]
#[error("the client has gone")]
struct Gone;

impl Body for Feed {
    type Data = Bytes;
    type Error = Gone;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Gone>>> {
        self.0.poll_recv(context).map(|chunk| chunk.map(|chunk| chunk.map(Frame::data)))
    }
}

enum Sender {
    Http1(http1::SendRequest<Feed>),
    Http2(http2::SendRequest<Feed>),
}

/// Asks, as the client in question does.
pub async fn ask(asked: Asked) -> Got {
    let silence = Got { body: "nothing in time".to_owned(), ..Got::default() };
    timeout(PATIENCE, one(asked)).await.unwrap_or(silence)
}

async fn one(asked: Asked) -> Got {
    let socket = std::net::TcpStream::connect(asked.to).unwrap();
    socket.set_nonblocking(true).unwrap();
    // The HTTP library keeps its own in tasks of its own.
    let end = socket.try_clone().unwrap();
    let io = TokioIo::new(TcpStream::from_std(socket).unwrap());
    // Dropped tasks go on; aborted ones close their connection.
    let (mut sender, connection) = if asked.http2 {
        let (sender, connection) = http2::handshake(TokioExecutor::new(), io).await.unwrap();
        (Sender::Http2(sender), tokio::spawn(async { drop(connection.await) }))
    } else {
        let (sender, connection) = http1::handshake(io).await.unwrap();
        (Sender::Http1(sender), tokio::spawn(async { drop(connection.await) }))
    };
    let (feed, body) = mpsc::unbounded_channel();
    let builder = Request::builder().method("POST");
    let builder = match asked.http2 {
        true => {
            let uri = Uri::builder().scheme("http").authority("a").path_and_query(&*asked.path);
            builder.version(Version::HTTP_2).uri(uri.build().unwrap())
        }
        false => builder.version(Version::HTTP_11).uri(&*asked.path).header("host", "a"),
    };
    let builder = asked.fields.iter().fold(builder, |it, (name, value)| it.header(*name, value));
    let request = builder.body(Feed(body)).unwrap();
    let [first, rest] = asked.body.map(|part| Bytes::from_static(part.as_bytes()));
    let _ = feed.send(Ok(first));
    let mut feed = Some(feed);
    if matches!(asked.client, Client::Stays | Client::LeavesWaiting | Client::LeavesReading) {
        let later = feed.take();
        tokio::spawn(async move {
            sleep(Duration::from_millis(3)).await;
            later.map(|feed| feed.send(Ok(rest)))
        });
    }
    let answer = async {
        match &mut sender {
            Sender::Http1(sender) => sender.send_request(request).await,
            Sender::Http2(sender) => sender.send_request(request).await,
        }
    };
    let mut got = Got::default();
    let leave = || match asked.way {
        // Before the stream is dropped, which would reset it.
        Way::Connection => drop(end.shutdown(Shutdown::Both)),
        // The answer is dropped as well.
        Way::Stream => {
            if let Some(feed) = &feed {
                let _ = feed.send(Err(Gone));
            }
        }
    };
    let read = async {
        let Ok(answer) = answer.await else { return };
        got.status = Some(answer.status().as_u16());
        let mut body = answer.into_body();
        loop {
            match body.frame().await {
                None => {
                    got.ended = true;
                    return;
                }
                Some(Err(_)) => return,
                Some(Ok(frame)) => {
                    let data = frame.into_data().unwrap_or_default();
                    got.body.push_str(&String::from_utf8_lossy(&data));
                    if asked.client == Client::LeavesReading {
                        return leave();
                    }
                }
            }
        }
    };
    match asked.client {
        Client::LeavesSending | Client::LeavesWaiting => {
            let goes = async {
                sleep(LEAVES_AFTER).await;
                leave();
            };
            tokio::select! {
                () = read => {}
                () = goes => {}
            }
        }
        Client::Stays | Client::SendsHalf | Client::LeavesReading => read.await,
    }
    if asked.way == Way::Stream {
        // The connection outlives the stream.
        sleep(LEAVES_AFTER).await;
    }
    connection.abort();
    drop(feed);
    got
}
