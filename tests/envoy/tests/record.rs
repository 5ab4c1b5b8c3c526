//! What is recorded at a running Envoy replays in the bench host to what Envoy's client got.
#![expect(clippy::unwrap_used, reason = "a test fails where it does not hold")]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::mpsc;
use std::time::Duration;
use std::{fs, thread};

use bench_host::record::{self, Event, Listener, Options};
use bench_host::testing::{Answer, Call, Seen, TestHost};
use bench_host::traffic::{Exchange, HttpVersion, Redaction, TraceWriter, Traffic};
use chunkwise_tests::{module, root};
use envoy_tests::bootstrap::ports;
use envoy_tests::{Bootstrap, Gateway, Upstream, envoy, traffic, upstream};

/// A little longer than a chunk takes through Envoy, so that chunks stay apart on the wire.
const PAUSE: Duration = Duration::from_millis(5);

/// Links to replace in both directions, cut by chunks, streamed, long, and none at all.
fn calls() -> Vec<Call> {
    let html = || Answer::new(200).header("content-type", "text/html");
    let long = "see http://a.example/ and ".repeat(4000);
    vec![
        Call::get("/plain").answer(html().body("at http://a.example/")),
        Call::post("/up").chunks(["from ht", "tp://b.example", "/"]).answer(Answer::new(204)),
        Call::get("/events").answer(html().chunks(["data: ht", "tp:", "//c\n\n", "data: 2\n\n"])),
        Call::get("/long").answer(html().body(&long)),
        Call::get("/none").answer(Answer::new(404)),
    ]
}

/// Sends all of them over both protocols and says what came back.
fn send(gateway: &Gateway, upstream: &Upstream) -> BTreeMap<String, Seen> {
    let mut answers = BTreeMap::new();
    for http in [HttpVersion::Http1, HttpVersion::Http2] {
        for call in calls() {
            let key = answers.len().to_string();
            let exchange = Exchange { http, ..Exchange::from(call) };
            let exchange = traffic::on_the_wire(exchange, &key);
            upstream.answer(&key, exchange.response.clone().unwrap(), PAUSE);
            let answer = gateway.send(&exchange, PAUSE).unwrap();
            assert!(answer.ended);
            answers.insert(key, answer);
        }
    }
    answers
}

/// Replays a trace and compares what the client gets now with what it got then.
#[track_caller]
fn replays(trace: &Traffic, then: &BTreeMap<String, Seen>) {
    let config = fs::read_to_string(root().join("examples/replace/config.json")).unwrap();
    let mut host = TestHost::wasm(&module("replace"), &config).unwrap();
    let mut replayed = 0;
    for exchange in trace.exchanges() {
        let exchange = exchange.unwrap();
        let key = exchange.request.headers.get(upstream::EXCHANGE).unwrap().clone();
        let then = &then[std::str::from_utf8(&key).unwrap()];
        let now = host.send(Call::from(exchange)).unwrap().downstream;
        assert_eq!(now.status(), then.status());
        assert_eq!(now.text(), then.text());
        replayed += 1;
    }
    assert_eq!(replayed, then.len());
    assert!(then.values().any(|answer| answer.text().contains("https://c")));
}

fn gateway(upstream: u16, change: impl FnOnce(Bootstrap) -> Bootstrap) -> Gateway {
    module("replace");
    let bootstrap = Bootstrap::of_example("replace").unwrap();
    let bootstrap = bootstrap.port(ports::UPSTREAM, upstream).unwrap();
    Gateway::start(change(bootstrap), 1).unwrap()
}

/// The tap filter behind the plugin, which sees responses as they come from the upstream.
fn tap(folder: &Path, streaming: bool, format: &str) -> String {
    format!(
        "          - name: envoy.filters.http.tap
            typed_config:
              \"@type\": type.googleapis.com/envoy.extensions.filters.http.tap.v3.Tap
              common_config:
                static_config:
                  match: {{any_match: true}}
                  output_config:
                    streaming: {streaming}
                    max_buffered_rx_bytes: 1048576
                    max_buffered_tx_bytes: 1048576
                    sinks:
                    - format: {format}
                      file_per_tap: {{path_prefix: {}/tap}}
          - name: router
",
        folder.display()
    )
}

#[test]
fn taps_of_a_running_envoy_replay_to_what_its_client_got() {
    if envoy().is_none() {
        return;
    }
    let upstream = Upstream::start().unwrap();
    for (streaming, format) in [
        (false, "JSON_BODY_AS_BYTES"),
        (true, "JSON_BODY_AS_STRING"),
        (true, "PROTO_BINARY_LENGTH_DELIMITED"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let filter = tap(folder.path(), streaming, format);
        let gateway = gateway(upstream.port(), |bootstrap| {
            bootstrap.replace("          - name: router\n", &filter).unwrap()
        });
        let answers = send(&gateway, &upstream);
        // Ended Envoys have written all that they will.
        drop(gateway);
        let trace = Traffic::open(folder.path().to_str().unwrap()).unwrap();
        assert_eq!(trace.requests(), answers.len() as u64, "{format}");
        replays(&trace, &answers);
    }
}

#[test]
fn a_proxy_behind_envoy_records_what_replays_to_what_its_client_got() {
    if envoy().is_none() {
        return;
    }
    let upstream = Upstream::start().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("trace.jsonl");
    let options = Options {
        upstream: format!("http://127.0.0.1:{}", upstream.port()).parse().unwrap(),
        listen: ([127, 0, 0, 1], 0).into(),
        requests: Some(2 * calls().len() as u64),
        time: Some(Duration::from_secs(60)),
        max_body: 1 << 20,
        redaction: Redaction::default(),
    };
    let (listening, listens) = mpsc::channel();
    let listener = Listener::new(move |event| {
        if let Event::Listening(address) = event {
            listening.send(address).unwrap();
        }
    });
    let writer = TraceWriter::create(&path).unwrap();
    let recorder = thread::spawn(move || {
        let (writer, summary) = record::record(options, writer, listener).unwrap();
        assert_eq!(summary.recorded, 2 * calls().len() as u64);
        assert_eq!(writer.finish().unwrap(), summary.recorded);
    });
    let gateway = gateway(listens.recv().unwrap().port(), |bootstrap| bootstrap);
    let answers = send(&gateway, &upstream);
    recorder.join().unwrap();
    replays(&Traffic::open(path.to_str().unwrap()).unwrap(), &answers);
}
