//! Random traffic through the examples that do something with any traffic.

use std::time::Duration;

use bench_host::testing::{Answer, Call};
use bench_host::traffic::{Exchange, HttpVersion};
use envoy_tests::{Parity, Plan, envoy};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use crate::run::cases;

#[test]
fn replace() {
    // Texts that overlap themselves and each other, and those that shorten, lengthen and empty.
    let rule = r#"{ "find": "http://", "replace": "https://" }"#;
    for rules in [
        rule,
        r#"{ "find": "aa", "replace": "" }, { "find": "http", "replace": "aab" }"#,
        r#"{ "find": "abab", "replace": "[0123456789012345678901234567890123456789]" }"#,
    ] {
        through(&Plan::of("replace").edit(rule, rules), 25, exchange());
    }
}

#[test]
fn prompt_guard() {
    through(&Plan::of("prompt-guard").edit("1048576", "1000"), 20, exchange());
}

#[test]
fn token_count() {
    through(&Plan::of("token-count"), 15, exchange());
}

#[test]
fn upload_scan() {
    through(&Plan::of("upload-scan"), 15, exchange());
}

#[test]
fn per_domain() {
    through(&Plan::of("per-domain"), 15, exchange());
}

fn through(plan: &Plan, most: u32, strategy: impl Strategy<Value = Exchange>) {
    if envoy().is_none() {
        return;
    }
    let mut parity = Parity::of(plan).unwrap();
    cases(most, strategy, |exchange| {
        let compared = parity.compare(exchange, Duration::from_millis(1));
        match compared {
            Ok(Ok(())) => Ok(()),
            Ok(Err(difference)) => Err(difference.to_string()),
            Err(error) => Err(error.to_string()),
        }
    });
}

fn exchange() -> impl Strategy<Value = Exchange> {
    let http = select(vec![HttpVersion::Http1, HttpVersion::Http2]);
    let method = select(vec!["GET", "POST", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"]);
    let status =
        select(vec![200_u16, 200, 201, 204, 206, 302, 304, 400, 403, 404, 429, 500, 503, 599]);
    let path =
        "/([a-zA-Z0-9~;=:@!$'()*+,._-]|%[2-7][0-9A-F]){0,12}(\\?([a-z&=]|%[2-7][0-9A-F]){0,9})?";
    let authority = select(vec!["example.com", "api.example.com", "example.org:8080"]);
    let start = (http, method, path, authority, status);
    let request = (headers(), body(), prop::bool::ANY, trailers());
    let response = (headers(), body(), prop::bool::ANY, trailers());
    (start, request, response).prop_map(|(start, request, response)| {
        let (http, method, path, authority, status) = start;
        let mut call = Call::new(method, &path).authority(authority);
        let (fields, body, has_length, trailers) = request;
        let length: usize = body.iter().flatten().map(String::len).sum();
        // Of a length or trailers, HTTP/1 can have one.
        if has_length && trailers.is_empty() {
            call = call.header("content-length", &length.to_string());
        }
        for (name, value) in &fields {
            call = call.header(name, value);
        }
        if let Some(body) = body {
            call = call.chunks(body);
        }
        for (name, value) in &trailers {
            call = call.trailer(name, value);
        }
        let mut answer = Answer::new(status);
        let (fields, body, has_length, trailers) = response;
        let length: usize = body.iter().flatten().map(String::len).sum();
        // Servers leave the length of what is not sent out, or do not.
        if has_length && trailers.is_empty() && status != 304 && method != "HEAD" {
            answer = answer.header("content-length", &length.to_string());
        }
        for (name, value) in &fields {
            answer = answer.header(name, value);
        }
        if let Some(body) = body {
            answer = answer.chunks(body);
        }
        for (name, value) in &trailers {
            answer = answer.trailer(name, value);
        }
        Exchange { http, ..Exchange::from(call.answer(answer)) }
    })
}

/// Fields with every sign that a value may have, and several of one name.
fn headers() -> impl Strategy<Value = Vec<(String, String)>> {
    let own = select(vec!["x-a", "x-b", "x_c", "x-d!#$%&'*+.^`|~1"]);
    let known = select(vec!["accept", "accept-language", "user-agent", "cache-control", "via"]);
    let value = "([!-~]([ -~\t]{0,20}[!-~])?)?";
    let kind = (
        "content-type",
        select(vec![
            "text/plain",
            "text/html; charset=utf-8",
            "application/json",
            "application/octet-stream",
            "text/event-stream",
        ]),
    );
    let field = prop_oneof![
        4 => (own, value).prop_map(|(name, value)| (name.to_owned(), value)),
        1 => (known, "[a-z]{1,9}").prop_map(|(name, value)| (name.to_owned(), value)),
    ];
    let kind = (Just(kind.0), kind.1).prop_map(|(name, kind)| (name.to_owned(), kind.to_owned()));
    (vec(field, 0..6), prop::option::weighted(0.8, kind)).prop_map(|(mut fields, kind)| {
        fields.extend(kind);
        fields
    })
}

/// Chunks of any length, with texts in them that may be cut anywhere.
fn body() -> impl Strategy<Value = Option<Vec<String>>> {
    let words =
        ["http://", "htt", "p://", "a", "ab", "abab", "{\"model\": \"", "\"}", "data: ", "\n"];
    let word = select(words.to_vec());
    let small = vec(word, 0..30).prop_map(|words| words.concat());
    let large = (0..65_536_usize).prop_map(|length| {
        "the lamp, abab, was lit at http://old/ ".chars().cycle().take(length).collect()
    });
    let chunk =
        prop_oneof![6 => small, 1 => large].prop_filter("it is not empty", |chunk: &String| {
            // Not every library can send an empty chunk.
            !chunk.is_empty()
        });
    prop::option::weighted(0.8, vec(chunk, 0..5))
}

fn trailers() -> impl Strategy<Value = Vec<(String, String)>> {
    let field = (select(vec!["x-t", "x-u"]), "[a-z]{0,5}");
    let field = field.prop_map(|(name, value)| (name.to_owned(), value));
    prop_oneof![3 => Just(Vec::new()), 1 => vec(field, 1..3)]
}
