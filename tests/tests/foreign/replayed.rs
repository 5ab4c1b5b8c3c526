//! The plugins under the traffic that they are measured with.

use std::fs;
use std::num::NonZeroUsize;
use std::path::Path;

use bench_host::host::{Measure, Profile, Settings};
use bench_host::replay::{Options, Run, replay};
use bench_host::traffic::{Body, Message, Traffic};
use serde_json::{Value, json};

use crate::build::{Built, built};
use crate::languages::Language;

/// Enough of it that collectors have to collect.
pub const TRAFFIC: &str = "synth:echo,size=1MiB,chunk=16KiB,requests=16,framing=sized";

/// Replays [`TRAFFIC`] through a plugin that no proxy would refuse.
pub fn run(built: &Built, streams: usize, outputs: Option<&Path>) -> Run {
    let run = replayed(built, streams, outputs);
    assert!(run.stubbed.is_empty(), "{:?}", run.stubbed);
    run
}

/// Replays [`TRAFFIC`].
pub fn replayed(built: &Built, streams: usize, outputs: Option<&Path>) -> Run {
    let mut settings = Settings::new(Profile::Envoy);
    settings.adapt_to(&built.module.facts);
    let mut options = Options::new(settings);
    options.streams = NonZeroUsize::new(streams).unwrap();
    options.measure = Measure { time: false, usage: true };
    options.outputs = outputs.map(Path::to_owned);
    let traffic = Traffic::open(TRAFFIC).unwrap();
    let run = replay(&built.plugin, &traffic, &options, &|_| ()).unwrap();
    assert_eq!((run.completed, run.failed, run.vms), (traffic.requests(), 0, 1));
    assert!(run.crashes.is_empty(), "{:?}", run.crashes);
    // Only warnings and errors are kept.
    assert!(run.log.is_empty(), "{:?}", run.log);
    run
}

/// Everything that comes out of a replay is what the plugin promises.
pub fn echo(language: &'static Language) {
    let Some(built) = built(language) else { return };
    let outputs = tempfile::tempdir().unwrap();
    run(&built, 3, Some(outputs.path()));
    let index = fs::read_to_string(outputs.path().join("index.jsonl")).unwrap();
    let traffic = Traffic::open(TRAFFIC).unwrap();
    assert_eq!(index.lines().count() as u64, traffic.requests());
    for (line, exchange) in index.lines().zip(traffic.exchanges()) {
        let (line, exchange) = (serde_json::from_str::<Value>(line).unwrap(), exchange.unwrap());
        let upper = body(&exchange.request).to_ascii_uppercase();
        let mut marked = body(exchange.response.as_ref().unwrap());
        marked.extend(format!("|{}", language.name).into_bytes());
        for (side, expected) in [("upstream", upper), ("downstream", marked)] {
            let came = fs::read(outputs.path().join(line[side]["file"].as_str().unwrap()));
            assert!(came.unwrap() == expected, "{side}");
            assert_eq!(line[side]["ended"], true);
            let headers = line[side]["headers"].as_array().unwrap();
            assert!(headers.contains(&json!(["x-foreign", language.name])), "{headers:?}");
            let sized = headers.iter().any(|header| header[0] == "content-length");
            assert_eq!(sized, side == "upstream", "{side}: {headers:?}");
        }
    }
}

fn body(message: &Message) -> Vec<u8> {
    match &message.body {
        Body::None => Vec::new(),
        body => body.chunks(NonZeroUsize::MAX).flat_map(|chunk| chunk.to_vec()).collect(),
    }
}
