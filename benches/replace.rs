//! What does find and replace cost by chunk size, needle count and hits?
//!
//! Native: the search and the edit alone, without a plugin, a host or a copy into a guest. One
//! iteration is one chunk of a stream that stays open.

use std::hint::black_box;
use std::slice::Chunks;

use chunkwise::stream::{Edit, Replacer, Tail};
use chunkwise_benches::{Hits, RULES, TEXT, oracle, settings, text};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};

const SIZES: [usize; 4] = [64, 1024, 16 * 1024, TEXT];
const NEEDLES: [usize; 2] = [1, 8];

fn replace(criterion: &mut Criterion) {
    for hits in Hits::ALL {
        let mut group = criterion.benchmark_group(format!("replace/{}", hits.name()));
        for needles in NEEDLES {
            let rules = &RULES[..needles];
            let replacer = Replacer::new(rules.iter().copied()).expect("the rules are distinct");
            for size in SIZES {
                let text = text(size, hits);
                check(&replacer, rules, text.chunks(size), hits);
                let mut chunks = text.chunks(size).cycle();
                let mut stream = replacer.stream();
                let mut out = Vec::with_capacity(2 * size);
                group.throughput(Throughput::Bytes(size as u64));
                group.bench_function(BenchmarkId::new(format!("needles-{needles}"), size), |b| {
                    b.iter(|| {
                        let chunk = chunks.next().unwrap_or_default();
                        stream.feed(black_box(chunk), Tail::Carry, black_box(&mut out))
                    });
                });
            }
        }
        group.finish();
    }
}

/// What is measured gives the oracle's output, and leaves nothing behind that the next chunk would
/// have to pay for.
fn check(replacer: &Replacer, rules: &[(&str, &str)], chunks: Chunks<'_, u8>, hits: Hits) {
    let mut stream = replacer.stream();
    let mut out = Vec::new();
    for chunk in chunks {
        let step = stream.feed(chunk, Tail::Carry, &mut out);
        let forwarded = match step.edit {
            Edit::Pass => chunk.to_vec(),
            Edit::Prefix { from } => [&out, &chunk[from..]].concat(),
        };
        let fits = forwarded == oracle(rules, chunk);
        assert!(fits, "{} bytes with {} needles", chunk.len(), rules.len());
        assert_eq!(step.edit == Edit::Pass, hits == Hits::None);
        assert_eq!(stream.carried(), 0);
    }
}

criterion_group! {
    name = benches;
    config = settings();
    targets = replace
}
criterion_main!(benches);
