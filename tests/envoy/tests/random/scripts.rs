//! Random scripts of a plugin that does anything.

use std::time::Duration;

use bench_host::traffic::HttpVersion;
use envoy_tests::{Scripted, envoy};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use crate::case::{Case, Shape};
use crate::run::cases;

/// Between frames, so that each arrives by itself.
const PAUSE: Duration = Duration::from_millis(4);

/// A machine that is busy may hold frames up until they arrive together. What differs for another
/// reason differs every time.
const TRIES: u32 = 3;

#[test]
fn any_script() {
    if envoy().is_none() {
        return;
    }
    let mut gateways = Scripted::start().unwrap();
    cases(60, case(), |case| compare(&mut gateways, &case));
}

/// What differs between the gateways, if it differs every time.
pub fn compare(gateways: &mut Scripted, case: &Case) -> Result<(), String> {
    let mut found = String::new();
    for turn in 0..TRIES {
        let compared = gateways.compare(case.stops, &case.exchange(), PAUSE * (1 + turn));
        if let Some(status) = gateways.gateway().status() {
            *gateways = Scripted::start().map_err(|error| error.to_string())?;
            return Err(format!("{case:?}\nEnvoy has ended with status {status}"));
        }
        match compared {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(difference)) => found = format!("{case:?}\n{difference}"),
            Err(error) => return Err(format!("{case:?}\n{error}")),
        }
    }
    Err(found)
}

fn case() -> impl Strategy<Value = Case> {
    let http = select(vec![HttpVersion::Http1, HttpVersion::Http2]);
    let method = prop_oneof![2 => Just("GET"), 5 => Just("POST"), 1 => Just("HEAD")];
    let status = prop_oneof![6 => Just(200_u16), 1 => Just(204), 1 => Just(304), 1 => Just(404)];
    let script = script().prop_map(|script| script.join(";"));
    (http, any::<bool>(), method, shape(), status, shape(), script).prop_map(
        |(http, stops, method, request, status, response, script)| Case {
            http,
            stops,
            method: method.to_owned(),
            request,
            status,
            response,
            script,
        },
    )
}

fn shape() -> impl Strategy<Value = Shape> {
    (vec("[a-z]{1,6}", 0..4), prop::bool::weighted(0.3))
        .prop_map(|(chunks, trailers)| Shape { chunks, trailers })
}

/// Some of the callbacks, each with what happens in it.
fn script() -> impl Strategy<Value = Vec<String>> {
    const HEADERS: &[u32] = &[0, 0, 1, 1, 1, 2, 3, 4];
    const BODY: &[u32] = &[0, 0, 1, 1, 2, 3];
    const TRAILERS: &[u32] = &[0, 0, 1];
    let request = (
        some(0.7, "qh", HEADERS, deed()),
        some(0.4, "qb0", BODY, deed()),
        some(0.5, "qb", BODY, deed()),
        some(0.4, "qt", TRAILERS, deed()),
    );
    let response = (
        some(0.5, "sh", HEADERS, deed()),
        some(0.4, "sb0", BODY, deed()),
        some(0.5, "sb", BODY, deed()),
        // A stream that is cut off in its last callback and goes on crashes Envoy.
        some(0.4, "st", TRAILERS, harmless()),
    );
    let later = |name| {
        let ops = vec(deed(), 0..3).prop_map(move |ops| {
            let ops = ops.into_iter().chain(["go".to_owned(), "0".to_owned()]);
            format!("{name}={}", ops.collect::<Vec<_>>().join(","))
        });
        prop::option::weighted(0.7, ops)
    };
    let rest = (later("call"), later("tick"), some(0.3, "log", &[0], harmless()));
    (request, response, rest).prop_map(|((a, b, c, d), (e, f, g, h), (i, j, k))| {
        [a, b, c, d, e, f, g, h, i, j, k].into_iter().flatten().collect()
    })
}

/// A callback with what happens in it, or none.
fn some(
    weight: f64,
    name: &'static str,
    answers: &'static [u32],
    op: impl Strategy<Value = String>,
) -> impl Strategy<Value = Option<String>> {
    let callback = (vec(op, 0..3), select(answers)).prop_map(move |(mut ops, answer)| {
        ops.push(answer.to_string());
        format!("{name}={}", ops.join(","))
    });
    prop::option::weighted(weight, callback)
}

/// What may happen while a stream is there.
fn deed() -> impl Strategy<Value = String> {
    prop_oneof![
        16 => harmless(),
        1 => (select(vec![200, 403, 503]), "[A-Z]{0,4}")
            .prop_map(|(status, body)| format!("reply:{status}:why:{body}")),
        1 => (0..2_u32).prop_map(|kind| format!("close:{kind}")),
        2 => Just("call".to_owned()),
        2 => Just("tick".to_owned()),
    ]
}

/// What may happen at any time.
fn harmless() -> impl Strategy<Value = String> {
    let map = || 0..4_u32;
    let name = || select(vec!["x-ta", "x-tb", "x-to", "x-tt"]);
    let value = || "[a-z]{0,3}";
    let buffer = || 0..2_u32;
    let start = || select(vec!["0", "0", "0", "1", "3", "M"]);
    let length = || select(vec!["0", "0", "1", "2", "M", "M"]);
    prop_oneof![
        3 => (map(), name(), value()).prop_map(|(m, n, v)| format!("add:{m}:{n}:{v}")),
        2 => (map(), name(), value()).prop_map(|(m, n, v)| format!("set:{m}:{n}:{v}")),
        1 => (map(), name()).prop_map(|(m, n)| format!("del:{m}:{n}")),
        2 => (map(), name()).prop_map(|(m, n)| format!("get:{m}:{n}")),
        1 => map().prop_map(|m| format!("pairs:{m}")),
        2 => (buffer(), start(), length()).prop_map(|(b, s, l)| format!("buf:{b}:{s}:{l}")),
        4 => (buffer(), start(), length(), "[A-Z]{0,4}")
            .prop_map(|(b, s, l, text)| format!("put:{b}:{s}:{l}:{text}")),
    ]
}
