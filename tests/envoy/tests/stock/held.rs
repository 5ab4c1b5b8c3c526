//! Headers that are changed when the body is there, with `allow_on_headers_stop_iteration` and
//! without it.

use std::time::Duration;

use bench_host::testing::{Answer, Call, Setup};
use envoy_tests::envoy;
use serde_json::json;

use crate::stage::{Calls, Plugin, Stage, lines, same};

const PAUSE: Duration = Duration::from_millis(20);

/// A body in parts that cut words.
fn parts(body: &str) -> Vec<&[u8]> {
    body.as_bytes().chunks(body.len().div_ceil(3)).collect()
}

fn examples() -> [(Plugin, Vec<Call>); 3] {
    let chat = |path| Call::post(path).http1().header("content-type", "application/json");
    let json = |status| Answer::new(status).header("content-type", "application/json");
    let models = [
        (r#"{"messages":[],"model":"local-small"}"#, 200, r#"{"choices":[]}"#),
        (r#"{"messages":[],"model":"else"}"#, 200, r#"{"error":{"code":"rate_limit_exceeded"}}"#),
    ];
    let models = models.map(|(request, status, answer)| {
        chat("/v1/chat").chunks(parts(request)).answer(json(status).chunks(parts(answer)))
    });
    let prompt = r#"{"model":"a","messages":[{"role":"user","content":"hi"}]}"#;
    let prompts = ["/v1/chat/completions", "/other"].map(|path| {
        let call = chat(path).header("content-length", &prompt.len().to_string());
        call.chunks(parts(prompt)).answer(json(200).body("{}"))
    });
    let question = r#"{"question":"why?"}"#;
    let answers =
        [(200, r#"{"choices":[{"message":{"content":"because"}}]}"#), (503, "overloaded")];
    let questions = answers.map(|(status, answer)| {
        chat("/ask").chunks(parts(question)).answer(json(status).chunks(parts(answer)))
    });
    [
        (Plugin::example("model-router"), models.into()),
        (Plugin::example("prompt-guard"), prompts.into()),
        (Plugin::example("fallback"), questions.into()),
    ]
}

#[test]
fn headers_wait_for_the_body_where_the_option_allows_it() {
    if envoy().is_none() {
        return;
    }
    let examples = examples().map(|(plugin, calls)| (plugin.allow(), calls));
    let plugins: Vec<_> = examples.iter().map(|(plugin, _)| plugin.clone()).collect();
    let mut stage = Stage::start(&plugins, &Calls::default());
    let mut seen = Vec::new();
    for (plugin, calls) in examples {
        let mut bench = plugin.bench(&Setup::new());
        for (number, call) in calls.into_iter().enumerate() {
            let real = stage.send(&plugin.name, call.clone(), PAUSE);
            let what = format!("{} {number}", plugin.name);
            same(&real, &bench.send(call).unwrap(), &what);
            seen.push(real);
        }
    }
    // What the examples are for, beside being the same in both.
    let header = |at: usize, name| seen[at].upstream[0].header(name).map(|text| text.into_owned());
    assert_eq!(header(0, "x-model").as_deref(), Some("local"));
    assert_eq!(header(0, ":path").as_deref(), Some("/v1/small/chat"));
    assert_eq!(header(1, "x-model").as_deref(), Some("openai"));
    assert_eq!(seen[1].down().status(), Some(429), "the body says so");
    let length = seen[2].upstream[0].body.len().to_string();
    assert_eq!(header(2, "content-length"), Some(length));
    assert_eq!(header(4, ":path").as_deref(), Some("/v1/chat/completions"));
    assert_eq!(seen[4].down().text(), r#"{"answer":"because"}"#);
    assert_eq!(seen[5].down().status(), Some(200), "it was 503");
}

#[test]
fn without_the_option_headers_that_wait_stall_the_stream() {
    if envoy().is_none() {
        return;
    }
    let idle = json!({"stream_idle_timeout": "0.5s"});
    let examples =
        examples().map(|(plugin, calls)| (plugin.manager(idle.clone()), calls[0].clone()));
    let plugins: Vec<_> = examples.iter().map(|(plugin, _)| plugin.clone()).collect();
    let mut stage = Stage::start(&plugins, &Calls::default());
    for (plugin, call) in examples {
        let mut bench = plugin.bench(&Setup::new());
        let outcome = bench.send(call.clone()).unwrap();
        assert!(outcome.stalled.is_some(), "{outcome:?}");
        let real = stage.send(&plugin.name, call, PAUSE);
        assert_eq!(real.down().status(), Some(504), "{real:?}");
        assert_eq!(real.details(), "stream_idle_timeout");
        assert!(real.upstream.is_empty(), "nothing has gone on");
        assert_eq!(lines(&mut bench).last(), stage.log(&plugin.name).last());
    }
}

#[test]
fn headers_that_have_gone_on_are_an_error_and_nothing_is_lost() {
    if envoy().is_none() {
        return;
    }
    let module = chunkwise_tests::module("tests/envoy/probe");
    let plugin = |name: &str, words| Plugin::new(name, &module, words);
    let plugins = [
        plugin("careful", "careful"),
        plugin("careful-allowed", "careful").allow(),
        plugin("careless", ""),
        plugin("holds", "holds").allow(),
    ];
    let mut stage = Stage::start(&plugins, &Calls::default());
    let call = || {
        let answer = Answer::new(200).header("x-of", "upstream").chunks(["d", "e"]);
        Call::post("/").http1().chunks(["a", "b", "c"]).answer(answer)
    };
    for plugin in &plugins {
        let mut bench = plugin.bench(&Setup::new());
        let real = stage.send(&plugin.name, call(), PAUSE);
        let outcome = bench.send(call()).unwrap();
        same(&real, &outcome, &plugin.name);
        let log: Vec<_> = lines(&mut bench);
        assert_eq!(real.log, log, "{}", plugin.name);
    }
}
