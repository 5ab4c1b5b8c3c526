//! Real recorded traffic through `examples/replace`: what comes out is what a replacement of the
//! whole bodies gives, however they are cut.

#![expect(clippy::unwrap_used, reason = "a test fails where it does not hold")]

use std::fs;
use std::num::NonZeroUsize;
use std::path::PathBuf;

use bench_host::engine::wasm::{Limits, WasmPlugin};
use bench_host::host::{Measure, Profile, Settings};
use bench_host::replay::{Options, replay};
use bench_host::traffic::{Body, Message, Traffic};
use chunkwise_tests::{module, root};

const FIND: &str = "http://";
const REPLACE: &str = "https://";

#[test]
fn recorded_sites_come_out_as_a_plain_replacement_of_their_bodies() {
    let plugin = plugin();
    for site in ["site-chrome.har", "site-firefox.har"] {
        let Some(path) = shared(site) else { continue };
        let traffic = Traffic::open(&path).unwrap();
        for chunk in [1, 7, 1024, 16 * 1024, 1024 * 1024] {
            assert!(check(&plugin, &traffic, chunk, 1) > 0, "{site} has something to replace");
        }
        check(&plugin, &traffic, 7, 16);
    }
}

#[test]
fn so_does_the_embedded_trace_with_its_own_chunks() {
    let plugin = plugin();
    for streams in [1, 3] {
        assert!(check(&plugin, &Traffic::demo(), 16 * 1024, streams) > 0);
    }
}

#[test]
fn so_does_generated_traffic() {
    let plugin = plugin();
    let upload = "size=300000,chunk=5000,requests=3,needle=http://,every=2000";
    for framing in ["streamed", "sized"] {
        let traffic = Traffic::open(&format!("synth:echo,{upload},framing={framing}")).unwrap();
        assert!(check(&plugin, &traffic, 16 * 1024, 2) > 0);
    }
}

/// Replays, and compares every body; returns how many replacements there were.
fn check(plugin: &WasmPlugin, traffic: &Traffic, chunk: usize, streams: usize) -> usize {
    let outputs = tempfile::tempdir().unwrap();
    let mut options = Options::new(Settings::new(Profile::Envoy));
    options.configuration = fs::read(root().join("examples/replace/config.json")).unwrap().into();
    options.chunk = NonZeroUsize::new(chunk).unwrap();
    options.streams = NonZeroUsize::new(streams).unwrap();
    options.measure = Measure { time: false, usage: true };
    options.outputs = Some(outputs.path().to_owned());
    let run = replay(plugin, traffic, &options, &|_| ()).unwrap();
    assert_eq!(run.failed, 0);
    assert_eq!(run.completed, traffic.requests());

    let mut replaced = 0;
    for (number, exchange) in traffic.exchanges().enumerate() {
        let exchange = exchange.unwrap();
        let sides =
            [("upstream", Some(&exchange.request)), ("downstream", exchange.response.as_ref())];
        for (side, message) in sides {
            let Some(message) = message else { continue };
            let recorded = body(message);
            // gRPC messages have lengths of their own, and are left alone.
            let content_type = message.headers.get("content-type");
            let is_grpc = content_type.is_some_and(|ty| ty.starts_with(b"application/grpc"));
            let expected = if is_grpc { recorded.clone() } else { replace_all(&recorded) };
            replaced += usize::from(expected != recorded);
            let path = outputs.path().join(format!("{number:06}.{side}.body"));
            let got = fs::read(&path).unwrap();
            assert!(got == expected, "{} {side}, chunk {chunk}, streams {streams}", exchange.label);
        }
    }
    replaced
}

fn body(message: &Message) -> Vec<u8> {
    match &message.body {
        Body::None => Vec::new(),
        body => body.chunks(NonZeroUsize::MAX).flat_map(|chunk| chunk.to_vec()).collect(),
    }
}

/// The whole body at once, in the most naive way there is.
fn replace_all(body: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut at = 0;
    while at < body.len() {
        if body[at..].starts_with(FIND.as_bytes()) {
            out.extend(REPLACE.as_bytes());
            at += FIND.len();
        } else {
            out.push(body[at]);
            at += 1;
        }
    }
    out
}

fn plugin() -> WasmPlugin {
    let bytes = fs::read(module("replace")).unwrap();
    WasmPlugin::compile(&bytes, Limits::COUNTED).unwrap()
}

/// Recorded traffic that is not part of the project; `None`, with a message, when it is not there.
fn shared(name: &str) -> Option<String> {
    let path: PathBuf = root().join("../shared/traffic").join(name);
    if path.is_file() {
        return Some(path.display().to_string());
    }
    println!("skipped: {name} is not beside the checkout");
    None
}
