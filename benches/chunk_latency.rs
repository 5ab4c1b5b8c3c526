//! What does one chunk cost in the wasm guest, host call included?
//!
//! `examples/replace` beside `examples/floor`, which does the same by hand: their distance is what
//! the SDK costs. One iteration is one request chunk through the emulated proxy: the callback, the
//! guest's read of the chunk, its search, its write where there was a match, and what the host does
//! to forward the chunk.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use bench_host::engine::Plugin;
use bench_host::engine::wasm::{Limits, WasmPlugin};
use bench_host::guest_build;
use bench_host::host::{
    Direction, HeaderMap, Host, Measure, Profile, Proxy, Received, Settings, World,
};
use bytes::Bytes;
use chunkwise_benches::{Hits, RULES, oracle, settings, text};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};

/// Examples that do the same thing; their configurations hold the same rule.
const PLUGINS: [(&str, &str); 2] = [
    ("floor", include_str!("../examples/floor/config.json")),
    ("replace", include_str!("../examples/replace/config.json")),
];
const SIZES: [usize; 4] = [64, 1024, 16 * 1024, 64 * 1024];

fn chunk_latency(criterion: &mut Criterion) {
    let mut proxies = PLUGINS.map(|(example, configuration)| start(example, configuration));
    for hits in Hits::ALL {
        let mut group = criterion.benchmark_group(format!("chunk_latency/{}", hits.name()));
        for size in SIZES {
            let text = Bytes::from(text(size, hits));
            let expected = oracle(&RULES[..1], &text);
            let chunks: Vec<_> =
                (0..text.len()).step_by(size).map(|at| text.slice(at..at + size)).collect();
            let count = chunks.len() as u64;
            group.throughput(Throughput::Bytes(size as u64));
            for ((example, _), proxy) in PLUGINS.iter().zip(&mut proxies) {
                let (_, body) = stream(proxy, &chunks, count, Received::keeping());
                assert!(body.body() == expected, "{example}, {size} bytes");

                group.bench_function(BenchmarkId::new(*example, size), |b| {
                    b.iter_custom(|iterations| {
                        let (took, body) = stream(proxy, &chunks, iterations, Received::default());
                        // All chunks become equally longer.
                        let each = expected.len() as u64 / count;
                        assert_eq!(body.bytes, iterations * each, "{example}");
                        took
                    });
                });
            }
        }
        group.finish();
    }
}

/// Sends one request whose body is so many of the chunks, over and over; gives the time that they
/// took, and what the upstream received.
fn stream(
    proxy: &mut Proxy,
    chunks: &[Bytes],
    count: u64,
    upstream: Received,
) -> (Duration, Received) {
    // HTTP/1 without a length: chunks of any size, and no byte is held in the host.
    let mut headers = HeaderMap::default();
    for (name, value) in [(":method", "POST"), (":path", "/"), (":authority", "example.org")] {
        headers.add(name.as_bytes(), value.as_bytes());
    }
    let request = Direction::Request;
    let context = proxy.open("HTTP/1.1", upstream, Received::default());
    proxy.headers(context, request, headers, false);

    let begin = Instant::now();
    for (chunk, _) in chunks.iter().cycle().zip(0..count) {
        proxy.data(context, request, chunk.clone(), false);
    }
    let took = begin.elapsed();

    proxy.data(context, request, Bytes::new(), true);
    let stream = proxy.close(context).expect("the stream was open");
    assert!(stream.request.received.ended, "the body has ended");
    (took, stream.request.received)
}

/// A proxy that counts and times nothing by itself.
fn start(example: &str, configuration: &'static str) -> Proxy {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let module = sound(guest_build::build_from(here, example, &[]));
    let plugin = sound(WasmPlugin::compile(&sound(fs::read(module)), Limits::UNCOUNTED));
    let host = Host::new(Settings::new(Profile::Envoy), &World::default());
    let measure = Measure { time: false, usage: false };
    let configuration = Bytes::from_static(configuration.as_bytes());
    sound(Proxy::start(sound(plugin.guest(host)), &configuration, measure))
}

/// A number that was measured on something broken must not come out.
fn sound<T, E: std::fmt::Display>(result: Result<T, E>) -> T {
    match result {
        Ok(value) => value,
        Err(error) => panic!("{error}"),
    }
}

criterion_group! {
    name = benches;
    config = settings();
    targets = chunk_latency
}
criterion_main!(benches);
