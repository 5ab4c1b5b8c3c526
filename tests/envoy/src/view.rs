//! What came of an exchange, as text that two gateways can be compared by.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use bench_host::host::HeaderMap;
use bench_host::testing::{Callout, Outcome, Seen};
use serde_json::Value;

/// Headers that Envoy adds to requests by itself, before or after its filters.
pub const OF_ENVOY_UPSTREAM: [&str; 3] =
    ["x-envoy-expected-rq-timeout-ms", "x-forwarded-proto", "x-request-id"];

/// Headers that Envoy adds to responses by itself, or puts its own value into.
pub const OF_ENVOY_DOWNSTREAM: [&str; 3] = ["date", "server", "x-envoy-upstream-service-time"];

/// Headers that Envoy adds to the plugin's own calls.
pub const OF_ENVOY_CALLS: [&str; 3] =
    ["x-envoy-expected-rq-timeout-ms", "x-envoy-internal", "x-forwarded-for"];

/// What every access log has, and what says nothing of what is compared here.
const OF_ANY_LOG: [&str; 9] = [
    "bytes_received",
    "bytes_sent",
    "duration_ms",
    "method",
    "path",
    "protocol",
    "response_code",
    "response_code_details",
    "response_flags",
];

/// Headers that say how a message is framed on its connection, which both ends write themselves.
pub const FRAMING: [&str; 4] = ["connection", "te", "trailer", "transfer-encoding"];

/// What Envoy made of it. `None` is a connection that ended without an answer.
pub fn envoy(downstream: Option<Seen>, upstream: Vec<Seen>, log: &Value) -> String {
    let downstream = downstream.filter(|seen| seen.ended);
    let upstream: Vec<_> = upstream.into_iter().filter(|seen| seen.ended).collect();
    let said = |name: &str| log[name].as_str().unwrap_or("-");
    let is_state = |name: &str| !OF_ANY_LOG.contains(&name);
    let state = log.as_object().into_iter().flatten().filter(|(name, _)| is_state(name));
    let state = state.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())));
    let logged = Logged {
        details: said("response_code_details").to_owned(),
        flags: said("response_flags").to_owned(),
        state: state.collect(),
    };
    text(downstream.as_ref(), &upstream, &logged)
}

/// What the bench host made of it.
pub fn bench_host(outcome: Outcome) -> String {
    let downstream = Some(&outcome.downstream).filter(|seen| seen.ended && !outcome.reset);
    let upstream: Vec<_> = Some(outcome.upstream).into_iter().filter(|seen| seen.ended).collect();
    let as_text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let state = outcome.filter_state.iter();
    let logged = Logged {
        details: outcome.details,
        // No run of the bench host sets any.
        flags: "-".to_owned(),
        state: state.map(|(name, value)| (as_text(name), as_text(value))).collect(),
    };
    text(downstream, &upstream, &logged)
}

/// The plugin's own calls, in the order in which they came.
pub fn calls(calls: &[Callout]) -> String {
    let mut text = format!("calls: {}\n", calls.len());
    for call in calls {
        let _ = writeln!(text, "call to {}", call.cluster);
        let is_ours = |name: &[u8]| is_ours(name, &OF_ENVOY_CALLS) && name != b"content-length";
        headers(&mut text, "call", "", &call.headers, is_ours);
        // The order in which the plugin has found them.
        let original = call.headers.iter().filter(|(name, _)| name.starts_with(b"x-original-"));
        let original: Vec<_> = original.map(|(name, _)| name.escape_ascii().to_string()).collect();
        let _ = writeln!(text, "call about {}", original.join(", "));
        body(&mut text, "call", &call.body);
    }
    text
}

/// What the access log shows.
struct Logged {
    details: String,
    flags: String,
    /// Filter state that the plugin has written for it.
    state: BTreeMap<String, String>,
}

fn text(downstream: Option<&Seen>, upstream: &[Seen], logged: &Logged) -> String {
    let mut text = format!("details: {}\nflags: {}\n", logged.details, logged.flags);
    for (name, value) in &logged.state {
        let _ = writeln!(text, "state {name}: {}", without_durations(value));
    }
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

/// Numbers whose name says that they are durations differ from run to run.
fn without_durations(value: &str) -> String {
    const NAME: &str = "_duration";
    let mut text = String::new();
    let mut rest = value;
    while let Some(at) = rest.find(NAME) {
        let (name, after) = rest.split_at(at + NAME.len());
        let digits = after.find(|next: char| next.is_ascii_digit()).unwrap_or(after.len());
        let (between, number) = after.split_at(digits);
        text.push_str(name);
        text.push_str(between);
        text.push('N');
        rest = number.trim_start_matches(|digit: char| digit.is_ascii_digit());
    }
    text.push_str(rest);
    text
}

fn message(text: &mut String, side: &str, seen: &Seen, of_envoy: &[&str]) {
    let is_ours = |name: &[u8]| is_ours(name, of_envoy);
    headers(text, side, "", &seen.headers, is_ours);
    body(text, side, &seen.body);
    headers(text, side, " trailer", &seen.trailers, |_| true);
}

/// Whether a header is neither Envoy's own nor the connection's.
fn is_ours(name: &[u8], of_envoy: &[&str]) -> bool {
    let is_known = of_envoy.iter().chain(&FRAMING).any(|known| known.as_bytes() == name);
    !is_known && name != b":scheme"
}

/// Whether a field says that there is no body, which both ends of a connection write themselves.
fn says_nothing(name: &[u8], value: &[u8]) -> bool {
    name == b"content-length" && value == b"0"
}

/// Sorted by name; fields of one name stay in their order.
fn headers(
    text: &mut String,
    side: &str,
    what: &str,
    map: &HeaderMap,
    is_ours: impl Fn(&[u8]) -> bool,
) {
    let fields = map.iter().filter(|(name, value)| is_ours(name) && !says_nothing(name, value));
    let mut fields: Vec<_> = fields.collect();
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_no_difference() {
        let value = r#"{"llm_service_duration":"12","output_token":"7","a_duration":3}"#;
        let expected = r#"{"llm_service_duration":"N","output_token":"7","a_duration":N}"#;
        assert_eq!(without_durations(value), expected);
        assert_eq!(without_durations("_duration"), "_durationN");
    }
}
