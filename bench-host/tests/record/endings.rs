//! When a recording ends, and what is in the file then.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use super::client::{Client, request};
use super::recorder::{Recorder, command};
use super::upstream::{self, empty};

#[tokio::test]
async fn after_so_many_exchanges() {
    let (address, _) = upstream::start().await;
    let recorder = Recorder::start(address, "--requests 3");
    let mut client = Client::connect(recorder.address, true).await;
    for path in ["/1", "/2", "/3", "/4", "/5"] {
        // The last ones may find nobody.
        if client.send(request("GET", path, empty())).await.is_err() {
            break;
        }
    }
    drop(client);
    assert_eq!(recorder.ended().await.exchanges().len(), 3);
}

#[tokio::test]
async fn after_a_time() {
    let (address, _) = upstream::start().await;
    let began = Instant::now();
    let recorder = Recorder::start(address, "--for 1s");
    let mut client = Client::connect(recorder.address, false).await;
    client.ask(request("GET", "/1", empty())).await;
    let recording = recorder.ended().await;
    assert_eq!(recording.exchanges().len(), 1);
    assert!(began.elapsed() >= Duration::from_secs(1), "{:?}", began.elapsed());
    assert!(began.elapsed() < Duration::from_secs(5), "an idle connection is no reason to wait");
}

#[tokio::test]
async fn with_a_signal_and_at_once_with_a_second_one() {
    for signal in ["-INT", "-TERM"] {
        let (address, _) = upstream::start().await;
        let recorder = Recorder::start(address, "");
        let mut client = Client::connect(recorder.address, true).await;
        client.ask(request("GET", "/1", empty())).await;
        let hanging = client.send(request("GET", "/hang", empty())).await.unwrap();
        let began = Instant::now();
        recorder.signal(signal);
        tokio::time::sleep(Duration::from_millis(300)).await;
        recorder.signal(signal);
        let recording = recorder.ended().await;
        assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
        assert_eq!(recording.exchanges().len(), 1);
        assert!(recording.stderr.contains("/hang: the client went away"), "{recording:?}");
        drop(hanging);
    }
}

#[tokio::test]
async fn requests_under_way_may_end() {
    let (address, upstream) = upstream::start().await;
    let recorder = Recorder::start(address, "");
    let mut client = Client::connect(recorder.address, false).await;
    let body = client.send(request("GET", "/hang", empty())).await.unwrap().into_body();
    recorder.signal("-TERM");
    tokio::time::sleep(Duration::from_millis(200)).await;
    upstream.step.notify_one();
    let body = http_body_util::BodyExt::collect(body).await.unwrap().to_bytes();
    assert_eq!(body, "half");
    assert_eq!(recorder.ended().await.exchanges().len(), 1);
}

#[test]
fn what_cannot_begin_says_why_and_leaves_nothing() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap();
    let folder = tempfile::tempdir().unwrap();
    for (arguments, message) in [
        (
            format!("--upstream http://a --listen {taken} --out t"),
            format!("cannot listen on {taken}: Address already in use"),
        ),
        (
            "--upstream http://a --out no/t".to_owned(),
            "cannot write no/t: No such file or directory (os error 2)".to_owned(),
        ),
    ] {
        let output = command(&folder).arg("record").args(arguments.split(' ')).output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(
            said.starts_with(&format!("error: {message}")) && said.lines().count() == 1,
            "{said}"
        );
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
