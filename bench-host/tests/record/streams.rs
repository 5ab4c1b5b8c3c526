//! Frames pass when they come, and wait for whoever is slow.

use std::sync::atomic::Ordering;
use std::time::Duration;

use bench_host::traffic::Body;
use http_body_util::BodyExt as _;
use tokio::time::sleep;

use super::client::{Client, request};
use super::recorder::Recorder;
use super::upstream::{self, FLOOD, empty};

#[tokio::test]
async fn events_pass_before_the_next_one_is_there() {
    for http2 in [false, true] {
        let (address, upstream) = upstream::start().await;
        let recorder = Recorder::start(address, "");
        let mut client = Client::connect(recorder.address, http2).await;
        let mut body = client.send(request("GET", "/step", empty())).await.unwrap().into_body();
        let mut events = Vec::new();
        for _ in 0..3 {
            // The upstream sends no other one before it is told to.
            events.push(body.frame().await.unwrap().unwrap().into_data().unwrap());
            sleep(Duration::from_millis(60)).await;
            upstream.step.notify_one();
        }
        let rest = body.collect().await.unwrap().to_bytes();
        assert_eq!(rest, "");
        drop(client);
        let exchanges = recorder.stop().await.exchanges();
        let Body::Timed(chunks) = &exchanges[0].response.as_ref().unwrap().body else { panic!() };
        let recorded: Vec<_> = chunks.iter().map(|(_, chunk)| chunk.clone()).collect();
        assert_eq!(recorded[..3], events);
        // On HTTP/2 the end came in a frame of its own, and is told so.
        assert_eq!(recorded[3..], if http2 { vec![""] } else { vec![] });
        for pair in chunks.windows(2) {
            assert!(pair[1].0 - pair[0].0 >= Duration::from_millis(50), "{chunks:?}");
        }
    }
}

#[tokio::test]
async fn a_slow_client_slows_the_upstream_down() {
    for http2 in [false, true] {
        let (address, upstream) = upstream::start().await;
        let recorder = Recorder::start(address, "--max-body 1MiB");
        let mut client = Client::connect(recorder.address, http2).await;
        client.ask(request("GET", "/none", empty())).await;
        let mut body = client.send(request("GET", "/flood", empty())).await.unwrap().into_body();
        let mut before = usize::MAX;
        loop {
            sleep(Duration::from_millis(300)).await;
            let flooded = upstream.flooded.load(Ordering::Relaxed);
            if flooded == before {
                break;
            }
            before = flooded;
        }
        // What fits into the buffers of two connections.
        assert!(before < FLOOD / 2, "{before} bytes went somewhere");

        let mut len = 0;
        while let Some(frame) = body.frame().await {
            len += frame.unwrap().into_data().unwrap().len();
        }
        assert_eq!(len, FLOOD);
        drop(client);
        let recording = recorder.stop().await;
        assert_eq!(recording.exchanges().len(), 1);
        let said = recording.stderr.lines().next().unwrap();
        assert_eq!(
            said,
            "left out: GET http://client.example/flood: the response's body is longer than the \
             1048576 bytes of --max-body"
        );
    }
}
