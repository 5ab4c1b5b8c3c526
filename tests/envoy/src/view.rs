//! What came of an exchange, as text that two gateways can be compared by.

use std::fmt::Write as _;

use bench_host::host::HeaderMap;
use bench_host::testing::{Outcome, Seen};
use serde_json::Value;

/// Headers that Envoy adds to requests by itself, before or after its filters.
pub const OF_ENVOY_UPSTREAM: [&str; 3] =
    ["x-envoy-expected-rq-timeout-ms", "x-forwarded-proto", "x-request-id"];

/// Headers that Envoy adds to responses by itself, or puts its own value into.
pub const OF_ENVOY_DOWNSTREAM: [&str; 3] = ["date", "server", "x-envoy-upstream-service-time"];

/// Headers that say how a message is framed on its connection, which both ends write themselves.
pub const FRAMING: [&str; 4] = ["connection", "te", "trailer", "transfer-encoding"];

/// What Envoy made of it. `None` is a connection that ended without an answer.
pub fn envoy(downstream: Option<Seen>, upstream: Vec<Seen>, log: &Value) -> String {
    let downstream = downstream.filter(|seen| seen.ended);
    let upstream: Vec<_> = upstream.into_iter().filter(|seen| seen.ended).collect();
    let details = log["response_code_details"].as_str().unwrap_or("-");
    text(downstream.as_ref(), &upstream, details)
}

/// What the bench host made of it.
pub fn bench_host(outcome: Outcome) -> String {
    let downstream = Some(&outcome.downstream).filter(|seen| seen.ended && !outcome.reset);
    let upstream: Vec<_> = Some(outcome.upstream).into_iter().filter(|seen| seen.ended).collect();
    text(downstream, &upstream, &outcome.details)
}

fn text(downstream: Option<&Seen>, upstream: &[Seen], details: &str) -> String {
    let mut text = format!("details: {details}\n");
    match downstream {
        Some(seen) => message(&mut text, "downstream", seen, &OF_ENVOY_DOWNSTREAM),
        None => text.push_str("downstream: cut\n"),
    }
    let _ = writeln!(text, "upstream requests: {}", upstream.len());
    for seen in upstream {
        message(&mut text, "upstream", seen, &OF_ENVOY_UPSTREAM);
    }
    text
}

fn message(text: &mut String, side: &str, seen: &Seen, of_envoy: &[&str]) {
    let is_ours = |name: &[u8]| {
        !of_envoy.iter().chain(&FRAMING).any(|known| known.as_bytes() == name) && name != b":scheme"
    };
    headers(text, side, "", &seen.headers, is_ours);
    body(text, side, &seen.body);
    headers(text, side, " trailer", &seen.trailers, |_| true);
}

/// Sorted by name; fields of one name stay in their order.
fn headers(
    text: &mut String,
    side: &str,
    what: &str,
    map: &HeaderMap,
    is_ours: impl Fn(&[u8]) -> bool,
) {
    let mut fields: Vec<_> = map.iter().filter(|(name, _)| is_ours(name)).collect();
    fields.sort_by_key(|(name, _)| *name);
    for (name, value) in fields {
        let (name, value) = (name.escape_ascii(), value.escape_ascii());
        let _ = writeln!(text, "{side}{what} {name}: {value}");
    }
}

/// Lines of a length that one can read in a diff.
fn body(text: &mut String, side: &str, body: &[u8]) {
    let _ = writeln!(text, "{side} body: {} bytes", body.len());
    for line in body.chunks(100) {
        let _ = writeln!(text, "{side} | {}", line.escape_ascii());
    }
}
