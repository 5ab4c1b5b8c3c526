//! Exchanges that do not end well are left out, and it is said why.

use std::net::TcpListener;

use http_body_util::BodyExt as _;
use hyper::StatusCode;

use super::client::{Client, request};
use super::recorder::{Recorder, Recording};
use super::upstream::{self, channel, empty};

/// Only `/none` is in the trace; the lines about the others, without what the system says.
fn left_out(recording: &Recording) -> Vec<&str> {
    let exchanges = recording.exchanges();
    assert_eq!(exchanges.len(), 1, "{recording:?}");
    assert!(exchanges[0].label.ends_with("/none"), "{recording:?}");
    let told = recording.stderr.lines().filter_map(|line| line.strip_prefix("left out: "));
    let told: Vec<_> = told.collect();
    let last = format!("; {} exchange", told.len());
    assert!(recording.stderr.contains(&last), "{recording:?}");
    told
}

#[tokio::test]
async fn an_upstream_that_dies() {
    for http2 in [false, true] {
        let (address, _) = upstream::start().await;
        let recorder = Recorder::start(address, "");
        let mut client = Client::connect(recorder.address, http2).await;
        client.ask(request("GET", "/none", empty())).await;
        let mut body = client.send(request("GET", "/die", empty())).await.unwrap().into_body();
        assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "half");
        assert!(body.frame().await.unwrap().is_err());
        drop(client);
        let recording = recorder.stop().await;
        let [line] = left_out(&recording)[..] else { panic!("{recording:?}") };
        let start = "GET http://client.example/die: the upstream broke off: ";
        assert!(line.starts_with(start), "{line}");
    }
}

#[tokio::test]
async fn a_client_that_goes_away() {
    for http2 in [false, true] {
        let (address, _) = upstream::start().await;
        let recorder = Recorder::start(address, "");
        let mut client = Client::connect(recorder.address, http2).await;
        client.ask(request("GET", "/none", empty())).await;
        let mut body = client.send(request("GET", "/hang", empty())).await.unwrap().into_body();
        assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "half");
        drop((client, body));
        let mut client = Client::connect(recorder.address, http2).await;
        let (mut sender, body) = channel();
        sender.send_data("half".into()).await.unwrap();
        let broken = client.send(request("POST", "/b", body));
        tokio::select! {
            _ = broken => panic!("the upstream reads all of it before it answers"),
            () = tokio::time::sleep(std::time::Duration::from_millis(200)) => {}
        }
        sender.abort(std::io::Error::other("goes away"));
        drop(client);
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        let recording = recorder.stop().await;
        let [hang, b] = left_out(&recording)[..] else { panic!("{recording:?}") };
        assert_eq!(hang, "GET http://client.example/hang: the client went away before the end");
        assert!(b.starts_with("POST http://client.example/b: "), "{b}");
    }
}

#[tokio::test]
async fn an_upstream_that_answers_before_it_has_the_request() {
    for http2 in [false, true] {
        let (address, _) = upstream::start().await;
        let recorder = Recorder::start(address, "");
        let mut client = Client::connect(recorder.address, http2).await;
        client.ask(request("GET", "/none", empty())).await;
        let (mut sender, body) = channel();
        sender.send_data("half".into()).await.unwrap();
        let answer = client.ask(request("POST", "/early", body)).await;
        assert_eq!(answer.head.status, StatusCode::PAYLOAD_TOO_LARGE);
        drop((client, sender));
        let recording = recorder.stop().await;
        let [line] = left_out(&recording)[..] else { panic!("{recording:?}") };
        assert!(line.starts_with("POST http://client.example/early: the "), "{line}");
    }
}

#[tokio::test]
async fn an_upstream_that_is_not_there() {
    for http2 in [false, true] {
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let recorder = Recorder::start(free, "");
        let mut client = Client::connect(recorder.address, http2).await;
        let answer = client.ask(request("GET", "/?q=1", empty())).await;
        assert_eq!(answer.head.status, StatusCode::BAD_GATEWAY);
        let text = answer.text();
        let reason = text.strip_prefix("bench-host record: ").unwrap().trim_end();
        let start = format!("cannot connect to the upstream http://{free}: Connection refused");
        assert!(reason.starts_with(&start), "{reason}");
        drop(client);
        let recording = recorder.stop().await;
        assert_eq!((recording.code, &recording.trace), (2, &None));
        assert_eq!(
            recording.stderr,
            format!(
                "left out: GET http://client.example/?…: {reason}\nerror: nothing was recorded, \
                 so there is no new trace.jsonl; 1 exchange left out\n"
            )
        );
    }
}

#[tokio::test]
async fn upgrades_are_refused_and_http2_is_not_needed() {
    let (address, _) = upstream::start().await;
    let recorder = Recorder::start(address, "");
    let mut client = Client::connect(recorder.address, false).await;
    let upgrade = |protocol: &str, path| {
        let mut request = request("GET", path, empty());
        request.headers_mut().insert("connection", "upgrade".parse().unwrap());
        request.headers_mut().insert("upgrade", protocol.parse().unwrap());
        request
    };
    let answer = client.ask(upgrade("websocket", "/ws")).await;
    assert_eq!(answer.head.status, StatusCode::NOT_IMPLEMENTED);
    let answer = client.ask(upgrade("h2c", "/none")).await;
    assert_eq!(answer.head.status, StatusCode::NO_CONTENT);
    drop(client);
    let recording = recorder.stop().await;
    assert_eq!(
        left_out(&recording),
        ["GET http://client.example/ws: tunnels and upgrades, such as WebSocket, do not pass"]
    );
}
