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
    cases(150, case(), |case| compare(&mut gateways, &case));
}

/// What differs between the gateways, if it differs every time.
pub fn compare(gateways: &mut Scripted, case: &Case) -> Result<(), String> {
    let mut found = String::new();
    for try_ in 0..TRIES {
        let pause = PAUSE * (1 + 2 * try_);
        match gateways.compare(case.stops, &case.exchange(), pause) {
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
    let callback = |name: &'static str, answers: &'static [u32]| {
        let ops = (vec(op(), 0..3), select(answers));
        ops.prop_map(move |(mut ops, answer)| {
            ops.push(answer.to_string());
            format!("{name}={}", ops.join(","))
        })
    };
    const HEADERS: &[u32] = &[0, 0, 1, 1, 1, 2, 3, 4];
    const BODY: &[u32] = &[0, 0, 1, 1, 2, 3];
    const TRAILERS: &[u32] = &[0, 0, 1];
    const NONE: &[u32] = &[0];
    let some = |name, answers, weight| prop::option::weighted(weight, callback(name, answers));
    let resume = prop::option::weighted(0.5, select(vec!["call=cont:0,cont:1,0", "call=cont:0,0"]));
    let request = (
        some("qh", HEADERS, 0.7),
        some("qb0", BODY, 0.4),
        some("qb", BODY, 0.5),
        some("qt", TRAILERS, 0.4),
    );
    let response = (
        some("sh", HEADERS, 0.5),
        some("sb0", BODY, 0.4),
        some("sb", BODY, 0.5),
        some("st", TRAILERS, 0.4),
    );
    let rest = (some("call0", NONE, 0.3), some("tick", NONE, 0.4), some("log", NONE, 0.2), resume);
    (request, response, rest).prop_map(|((a, b, c, d), (e, f, g, h), (i, j, k, l))| {
        [a, b, c, d, e, f, g, h, i, j, k]
            .into_iter()
            .chain([l.map(str::to_owned)])
            .flatten()
            .collect()
    })
}

fn op() -> impl Strategy<Value = String> {
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
        1 => (select(vec![200, 403, 503]), "[A-Z]{0,4}")
            .prop_map(|(status, body)| format!("reply:{status}:why:{body}")),
        1 => (0..2_u32).prop_map(|kind| format!("cont:{kind}")),
        1 => Just("call".to_owned()),
        1 => Just("tick".to_owned()),
    ]
}
