//! What was recorded can be replayed, and gives the same bodies.

use std::fs;
use std::path::Path;

use bench_host::traffic::{Exchange, Traffic};

use super::client::{Client, request};
use super::recorder::{Recorder, command};
use super::upstream::{self, empty, whole};

/// A plugin that does nothing.
const IDENTITY: &str = r#"(module
    (memory (export "memory") 1)
    (func (export "proxy_abi_version_0_2_1"))
    (func (export "proxy_on_memory_allocate") (param i32) (result i32) (i32.const 1024))
    (func (export "proxy_on_request_body") (param i32 i32 i32) (result i32) (i32.const 0))
    (func (export "proxy_on_response_body") (param i32 i32 i32) (result i32) (i32.const 0)))"#;

fn bodies(exchange: &Exchange) -> [Vec<u8>; 2] {
    let messages = [&exchange.request, exchange.response.as_ref().unwrap()];
    messages.map(|message| {
        let chunks: Vec<_> = message.body.chunks(std::num::NonZeroUsize::MAX).collect();
        chunks.concat()
    })
}

#[tokio::test]
async fn a_recording_replays_to_the_same_bodies() {
    let (address, _) = upstream::start().await;
    let recorder = Recorder::start(address, "");
    for http2 in [false, true] {
        let mut client = Client::connect(recorder.address, http2).await;
        for (method, path, body) in [
            ("GET", "/none", empty()),
            ("GET", "/chunked", empty()),
            ("POST", "/echo", whole(b"\xff\0binary".to_vec())),
            ("POST", "/a", whole(vec![b'x'; 100_000])),
        ] {
            client.ask(request(method, path, body)).await;
        }
    }
    let recording = recorder.stop().await;
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("trace.jsonl"), recording.trace.as_ref().unwrap()).unwrap();
    fs::write(folder.path().join("identity.wasm"), wat::parse_str(IDENTITY).unwrap()).unwrap();
    let output = command(&folder)
        .args(["replay", "identity.wasm", "--traffic", "trace.jsonl", "--outputs", "outputs"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");

    let traffic = folder.path().join("trace.jsonl");
    let traffic = Traffic::open(traffic.to_str().unwrap()).unwrap();
    assert_eq!(traffic.requests(), 8);
    for (number, exchange) in traffic.exchanges().enumerate() {
        let exchange = exchange.unwrap();
        assert_eq!(received(&folder.path().join("outputs"), number), bodies(&exchange));
    }
}

/// What the upstream and the client would have received.
fn received(outputs: &Path, number: usize) -> [Vec<u8>; 2] {
    let index = fs::read_to_string(outputs.join("index.jsonl")).unwrap();
    let line = index.lines().nth(number).unwrap();
    let line: serde_json::Value = serde_json::from_str(line).unwrap();
    ["upstream", "downstream"].map(|side| {
        assert_eq!(line[side]["ended"], true, "{line}");
        let file = outputs.join(line[side]["file"].as_str().unwrap());
        fs::read(file).unwrap_or_default()
    })
}
