//! An upstream that does what a request says, right or wrong, on the wire.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use envoy_tests::runtime;
use hyper::{Response, StatusCode};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};

use crate::plugins::Answer;

/// How long an upstream takes that is slow.
pub const SLOW: Duration = Duration::from_millis(400);

/// Between the frames of an answer, so that each is one, and something to leave in the middle of.
const PAUSE: Duration = Duration::from_millis(3);

/// What an upstream does wrong; a request says which in `x-fault`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// Nothing.
    None,
    /// It answers 200 when it has the headers, and reads no more of the request.
    Early,
    /// It refuses the request with 413 when it has the headers, and is gone.
    Refuses,
    /// It is gone when it has the headers.
    CutsRequest,
    /// It begins an answer when it has the headers, and is gone.
    CutsBoth,
    /// It begins an answer when it has the request, and is gone.
    CutsResponse,
    /// It says 100, 102 and 103 first.
    Hints,
    /// It is gone when it has the request.
    Silent,
    /// It answers after [`SLOW`].
    Slow,
    /// It begins its answer and goes on after [`SLOW`].
    Drips,
    /// It answers with what is not HTTP.
    Garbage,
}

impl Fault {
    pub const ALL: [Self; 11] = [
        Self::None,
        Self::Early,
        Self::Refuses,
        Self::CutsRequest,
        Self::CutsBoth,
        Self::CutsResponse,
        Self::Hints,
        Self::Silent,
        Self::Slow,
        Self::Drips,
        Self::Garbage,
    ];

    /// Whether it shows before the request has ended.
    pub fn is_early(self) -> bool {
        matches!(self, Self::Early | Self::Refuses | Self::CutsRequest | Self::CutsBoth)
    }

    fn of(name: &[u8]) -> Self {
        let named = |fault: &Self| format!("{fault:?}").as_bytes() == name;
        Self::ALL.into_iter().find(named).unwrap_or(Self::None)
    }
}

/// Starts to listen, for as long as the process lives, and says on which port.
pub fn listen() -> u16 {
    let listener = runtime().block_on(TcpListener::bind(("127.0.0.1", 0))).unwrap();
    let port = listener.local_addr().unwrap().port();
    runtime().spawn(async move {
        loop {
            let (socket, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                let _ = socket.set_nodelay(true);
                // A connection that the gateway drops is its own affair.
                let _ = serve(socket).await;
            });
        }
    });
    port
}

async fn serve(socket: TcpStream) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    // As the preface of HTTP/2 begins, and no request of HTTP/1.
    let mut preface = [0; 3];
    loop {
        match socket.peek(&mut preface).await? {
            0 => return Ok(()),
            3.. => break,
            _ => sleep(Duration::from_millis(1)).await,
        }
    }
    match &preface {
        b"PRI" => Ok(http2(socket).await?),
        _ => Ok(http1(socket).await?),
    }
}

/// Where a text ends.
fn end_of(text: &[u8], in_bytes: &[u8]) -> Option<usize> {
    let at = in_bytes.windows(text.len()).position(|window| window == text)?;
    Some(at + text.len())
}

fn field<'h>(head: &'h str, name: &str) -> Option<&'h str> {
    head.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        key.eq_ignore_ascii_case(name).then(|| value.trim())
    })
}

/// Reads more; an error where nothing comes any more.
async fn more(socket: &mut TcpStream, read: &mut Vec<u8>) -> io::Result<()> {
    match socket.read_buf(read).await? {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        _ => Ok(()),
    }
}

/// Reads a request to its end.
async fn rest(socket: &mut TcpStream, read: &mut Vec<u8>, head: &str) -> io::Result<()> {
    let chunked = field(head, "transfer-encoding").is_some();
    let length = field(head, "content-length").and_then(|length| length.parse().ok());
    loop {
        let end = match chunked {
            true => end_of(b"0\r\n\r\n", read),
            false => length.or(Some(0)).filter(|length| read.len() >= *length),
        };
        match end {
            Some(end) => {
                read.drain(..end);
                return Ok(());
            }
            None => more(socket, read).await?,
        }
    }
}

async fn http1(mut socket: TcpStream) -> io::Result<()> {
    let mut read = Vec::new();
    loop {
        let head = loop {
            match end_of(b"\r\n\r\n", &read) {
                Some(end) => break read.drain(..end).collect::<Vec<_>>(),
                None => more(&mut socket, &mut read).await?,
            }
        };
        let head = String::from_utf8_lossy(&head);
        let fault = Fault::of(field(&head, "x-fault").unwrap_or_default().as_bytes());
        let answer = Answer::of(field(&head, "x-answer").unwrap_or_default().as_bytes());
        if !fault.is_early() {
            rest(&mut socket, &mut read, &head).await?;
        }
        let begin = answer.head();
        let chunk = |chunk: &str| format!("{:x}\r\n{chunk}\r\n", chunk.len());
        match fault {
            Fault::CutsRequest | Fault::Silent => return Ok(()),
            Fault::Garbage => return socket.write_all(b"SSH-2.0-OpenSSH_9.9\r\n").await,
            Fault::Refuses => {
                let refusal = "HTTP/1.1 413 Content Too Large\r\nconnection: close\r\n\
                               content-type: text/plain\r\ncontent-length: 8\r\n\r\ntoo long";
                socket.write_all(refusal.as_bytes()).await?;
                socket.shutdown().await?;
                // Bytes that are in nobody's hands would make the system reset the connection.
                let drained = async { while more(&mut socket, &mut read).await.is_ok() {} };
                let _ = timeout(SLOW, drained).await;
                return Ok(());
            }
            Fault::Hints => {
                let hints = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n\
                             HTTP/1.1 103 Early Hints\r\nlink: </a.css>\r\n\r\n";
                socket.write_all(hints.as_bytes()).await?;
                sleep(Duration::from_millis(2)).await;
            }
            Fault::Slow => sleep(SLOW).await,
            Fault::None | Fault::Early | Fault::CutsBoth | Fault::CutsResponse | Fault::Drips => {}
        }
        socket.write_all(begin.as_bytes()).await?;
        for (number, text) in answer.chunks().iter().enumerate() {
            if number > 0 {
                sleep(if fault == Fault::Drips { SLOW } else { PAUSE }).await;
                if matches!(fault, Fault::CutsBoth | Fault::CutsResponse) {
                    return Ok(());
                }
            }
            socket.write_all(chunk(text).as_bytes()).await?;
        }
        socket.write_all(b"0\r\n\r\n").await?;
        if fault == Fault::Early {
            rest(&mut socket, &mut read, &head).await?;
        }
    }
}

async fn http2(socket: TcpStream) -> Result<(), h2::Error> {
    let mut connection = h2::server::handshake(socket).await?;
    while let Some(request) = connection.accept().await {
        let (request, respond) = request?;
        tokio::spawn(stream(request, respond));
    }
    Ok(())
}

async fn stream(
    request: hyper::Request<h2::RecvStream>,
    mut respond: h2::server::SendResponse<Bytes>,
) -> Result<(), h2::Error> {
    let named = |name| request.headers().get(name).map_or(&b""[..], |value| value.as_bytes());
    let (fault, answer) = (Fault::of(named("x-fault")), Answer::of(named("x-answer")));
    let mut body = request.into_body();
    if !fault.is_early() {
        while let Some(data) = body.data().await {
            body.flow_control().release_capacity(data?.len())?;
        }
    }
    let head = |status: StatusCode| Response::builder().status(status).body(()).unwrap_or_default();
    match fault {
        Fault::CutsRequest | Fault::Silent => {
            respond.send_reset(h2::Reason::INTERNAL_ERROR);
            return Ok(());
        }
        Fault::Garbage => {
            respond.send_reset(h2::Reason::PROTOCOL_ERROR);
            return Ok(());
        }
        Fault::Refuses => {
            let mut send = respond.send_response(head(StatusCode::PAYLOAD_TOO_LARGE), false)?;
            // The body that was not read resets the stream, with NO_ERROR.
            return send.send_data(Bytes::from_static(b"too long"), true);
        }
        Fault::Hints => {
            for status in [StatusCode::CONTINUE, StatusCode::PROCESSING, StatusCode::EARLY_HINTS] {
                respond.send_informational(head(status))?;
            }
            sleep(Duration::from_millis(2)).await;
        }
        Fault::Slow => sleep(SLOW).await,
        Fault::None | Fault::Early | Fault::CutsBoth | Fault::CutsResponse | Fault::Drips => {}
    }
    let mut begin = head(StatusCode::OK);
    begin.headers_mut().insert("content-type", answer.content_type().parse().unwrap());
    let mut send = respond.send_response(begin, false)?;
    for (number, text) in answer.chunks().iter().enumerate() {
        if number > 0 {
            sleep(if fault == Fault::Drips { SLOW } else { PAUSE }).await;
            if matches!(fault, Fault::CutsBoth | Fault::CutsResponse) {
                send.send_reset(h2::Reason::INTERNAL_ERROR);
                return Ok(());
            }
        }
        send.send_data(Bytes::from_static(text.as_bytes()), number + 1 == answer.chunks().len())?;
    }
    Ok(())
}
