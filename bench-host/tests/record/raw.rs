//! Messages as no library writes them.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use super::recorder::Recorder;
use super::upstream;

/// Sends bytes, and reads until the connection ends.
async fn exchange(address: SocketAddr, sent: &'static str) -> String {
    let ask = move || {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        stream.write_all(sent.as_bytes()).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        String::from_utf8(answer).unwrap()
    };
    tokio::task::spawn_blocking(ask).await.unwrap()
}

/// An upstream that answers one request with these bytes.
fn answers_once(answer: &'static str) -> SocketAddr {
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    thread::spawn(move || {
        let (mut stream, _) = socket.accept().unwrap();
        let mut request = [0; 4096];
        assert!(stream.read(&mut request).unwrap() > 0);
        stream.write_all(answer.as_bytes()).unwrap();
    });
    address
}

#[tokio::test]
async fn a_length_beside_chunks_counts_for_nothing() {
    let upstream = answers_once(
        "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n\
         5\r\nhello\r\n0\r\n\r\n",
    );
    let recorder = Recorder::start(upstream, "");
    let answer = exchange(
        recorder.address,
        "GET /a HTTP/1.1\r\nhost: client.example\r\nconnection: close\r\n\r\n",
    )
    .await;
    assert!(answer.contains("hello"), "{answer}");
    let recording = recorder.stop().await;
    let [exchange] = &recording.exchanges()[..] else { panic!("{recording:?}") };
    let response = exchange.response.as_ref().unwrap();
    assert_eq!(response.headers.get("content-length"), None);
    assert_eq!(response.body.len(), 5);
}

#[tokio::test]
async fn user_and_password_of_a_url_stay_outside() {
    let (address, _) = upstream::start().await;
    let recorder = Recorder::start(address, "");
    let answer = exchange(
        recorder.address,
        "GET http://user:S3CRET@client.example/none HTTP/1.1\r\nhost: client.example\r\n\
         connection: close\r\n\r\n",
    )
    .await;
    assert!(answer.starts_with("HTTP/1.1 204"), "{answer}");
    let recording = recorder.stop().await;
    assert!(!recording.trace.as_ref().unwrap().contains("S3CRET"), "{recording:?}");
    assert_eq!(recording.exchanges()[0].label, "GET http://client.example/none");
}
