//! What the plugin does, whatever engine it runs on.

#![expect(clippy::unwrap_used, reason = "a test fails where it does not hold")]

use std::collections::BTreeMap;
use std::time::Duration;

use bench_host::engine::StartError;
use bench_host::host::Direction::{Request, Response};
use bench_host::host::{Level, Reading};
use bench_host::measure::Phase;
use bench_host::testing::{Answer, Call, Outcome, Setup, TestHost};

/// Starts the plugin in a proxy with a configuration.
pub type Start = fn(&Setup, &str) -> Result<TestHost, StartError>;

/// Makes a test of every behaviour, for one engine.
macro_rules! tests {
    ($start:path) => {
        behaviour::tests! { $start =>
            streamed_answers_are_counted
            whole_answers_are_counted
            no_byte_is_held_or_changed_however_it_is_cut
            times_are_those_of_the_first_token_and_the_end
            what_others_logged_stays
            tags_are_written_where_they_are_wanted
            models_share_a_bounded_number_of_counters
            trailers_and_empty_answers_end_well
            answers_that_are_cut_off_are_counted
            answers_that_are_too_long_are_not_read
            other_answers_cost_a_look
            a_chunk_costs_one_read
            streams_side_by_side_do_not_mix
            bad_configurations_name_the_field
        }
    };
    ($start:path => $($name:ident)*) => {$(
        #[test]
        fn $name() {
            behaviour::$name($start);
        }
    )*};
}
pub(crate) use tests;

const MODELS: &str = r#"{ "models": ["gpt-4o", "gpt-4o-mini", "claude/3"] }"#;

fn hosts(start: Start, configuration: &str) -> [TestHost; 2] {
    [Setup::new(), Setup::new().higress()].map(|setup| start(&setup, configuration).unwrap())
}

fn openai(model: &str, input: u64, output: u64) -> String {
    let chunk =
        |rest: &str| format!("data: {{\"id\":\"1\",\"model\":\"{model}\",\"choices\":[{rest}\n\n");
    let text = r#"{"delta":{"content":"\"usage\":{}"}}],"usage":null}"#;
    let total = input + output;
    let usage = format!(
        r#"],"usage":{{"prompt_tokens":{input},"completion_tokens":{output},"total_tokens":{total}}}}}"#
    );
    let ends = ["data: [DONE]\n\n".to_owned()];
    [chunk(text), chunk(text), chunk(&usage)].into_iter().chain(ends).collect()
}

const ANTHROPIC: &str = concat!(
    "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"model\":\"claude/3-x\",",
    "\"usage\":{\"input_tokens\":5,\"output_tokens\":1}}}\n\n",
    "event: content_block_delta\ndata: {\"delta\":{\"text\":\"Hi\"}}\n\n",
    "event: message_delta\ndata: {\"delta\":{},\"usage\":{\"output_tokens\":6}}\n\n",
    "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
);

const GEMINI: &str = concat!(
    "data: {\"candidates\":[],\"usageMetadata\":{\"promptTokenCount\":5},\"modelVersion\":\"g\"}\r\n\r\n",
    "data: {\"candidates\":[],\"usageMetadata\":{\"promptTokenCount\":5,\"candidatesTokenCount\":6,",
    "\"totalTokenCount\":11},\"modelVersion\":\"g\"}\r\n\r\n",
);

fn sse<B: AsRef<[u8]>>(chunks: impl IntoIterator<Item = B>) -> Answer {
    Answer::new(200).header("content-type", "text/event-stream").chunks(chunks)
}

fn json(body: &str) -> Answer {
    Answer::new(200).header("content-type", "application/json").body(body)
}

/// What the access log says, without times.
fn logged(outcome: &Outcome) -> String {
    let log = outcome.state("ai_log").unwrap_or_default().replace('\\', "");
    let fields =
        log.trim_matches(['{', '}']).split(',').filter(|field| !field.contains("duration"));
    fields.collect::<Vec<_>>().join(",").replace('"', "")
}

fn ask(host: &mut TestHost, answer: Answer) -> String {
    logged(&host.send(Call::get("/").answer(answer)).unwrap())
}

fn numbers(host: &mut TestHost) -> BTreeMap<String, u64> {
    let metrics = host.proxy().host().metrics.iter();
    let number = |reading| match reading {
        Reading::Histogram(histogram) => histogram.count,
        Reading::Number(number) => number,
    };
    metrics
        .map(|(_, name, reading)| (String::from_utf8_lossy(name).into_owned(), number(reading)))
        .filter(|(_, number)| *number > 0)
        .collect()
}

pub fn streamed_answers_are_counted(start: Start) {
    for mut host in hosts(start, MODELS) {
        let counted = |model| {
            format!(
                "input_token:5,model:{model},output_token:6,response_type:stream,total_token:11"
            )
        };
        assert_eq!(ask(&mut host, sse([openai("gpt-4o-1", 5, 6)])), counted("gpt-4o-1"));
        assert_eq!(ask(&mut host, sse([ANTHROPIC])), counted("claude/3-x"));
        assert_eq!(ask(&mut host, sse([GEMINI])), counted("g"));
        assert_eq!(ask(&mut host, sse([": nothing\n\n"])), "response_type:stream");
        let unnamed = "data: {\"model\":\"\",\"choices\":[]}\n\n";
        let late = unnamed.to_owned() + &openai("gpt-4o-1", 0, 0);
        assert!(ask(&mut host, sse([late])).contains("model:gpt-4o-1"), "the last event tells");
        let counted: Vec<_> = numbers(&mut host).into_iter().collect();
        let of = |name: &str, number| (format!("token_count.{name}"), number);
        let mut expected = vec![
            of("claude_3.input", 5),
            of("claude_3.output", 6),
            of("duration_ms", 5),
            of("first_token_ms", 4),
            of("gpt-4o.input", 5),
            of("gpt-4o.output", 6),
            of("other.input", 5),
            of("other.output", 6),
        ];
        expected.sort();
        assert_eq!(counted, expected);
    }
}

pub fn whole_answers_are_counted(start: Start) {
    let body = r#"{"model":"gpt-4o","choices":[{"message":{"content":"\"usage\""}}],
        "usage":{"prompt_tokens":5,"completion_tokens":6,"total_tokens":11}}"#;
    for mut host in hosts(start, MODELS) {
        let counted =
            "input_token:5,model:gpt-4o,output_token:6,response_type:normal,total_token:11";
        assert_eq!(ask(&mut host, json(body)), counted);
        for length in [body.len(), 3, 1 << 40] {
            let sized = json(body).header("content-length", &length.to_string());
            assert_eq!(ask(&mut host, sized), counted, "{length} is what it says");
        }
        assert_eq!(ask(&mut host, json("no json")), "response_type:normal");
        assert_eq!(ask(&mut host, json(r#"{"usage":[]}"#)), "response_type:normal");
    }
}

pub fn no_byte_is_held_or_changed_however_it_is_cut(start: Start) {
    let stream = openai("gpt-4o", 5, 6);
    let body = r#"{"model":"gpt-4o","usage":{"prompt_tokens":5,"completion_tokens":6}}"#;
    for mut host in hosts(start, MODELS) {
        for (whole, answer) in [(&*stream, sse([""])), (ANTHROPIC, sse([""])), (body, json(""))] {
            let mut cuts: Vec<Vec<&str>> =
                (0..=whole.len()).map(|at| vec![&whole[..at], &whole[at..]]).collect();
            cuts.push(whole.split_inclusive(|_| true).collect());
            let mut said = None;
            for chunks in cuts {
                let call = Call::get("/").answer(answer.clone().chunks(&chunks));
                for call in [call.clone(), call.http1()] {
                    let outcome = host.send(call).unwrap();
                    assert_eq!(outcome.downstream.text(), whole);
                    assert!(outcome.downstream.ended && outcome.stalled.is_none());
                    assert_eq!(said.get_or_insert_with(|| logged(&outcome)), &logged(&outcome));
                }
            }
            assert!(said.unwrap().contains("total_token:11"));
        }
        assert!(host.log().is_empty());
    }
}

const SSE: [(&str, &str); 2] = [(":status", "200"), ("content-type", "text/event-stream")];

pub fn times_are_those_of_the_first_token_and_the_end(start: Start) {
    for mut host in hosts(start, MODELS) {
        let stream = host.open();
        host.headers(stream, Request, &[(":method", "GET"), (":path", "/")], true).unwrap();
        host.run_for(Duration::from_millis(20)).unwrap();
        host.headers(stream, Response, &SSE, false).unwrap();
        host.frame(stream, Response, ": ping\n\n", false).unwrap();
        host.run_for(Duration::from_millis(100)).unwrap();
        host.frame(stream, Response, "data: {}\n\n", false).unwrap();
        assert_eq!(host.seen(stream, Response).unwrap().text(), ": ping\n\ndata: {}\n\n");
        host.run_for(Duration::from_millis(1000)).unwrap();
        host.frame(stream, Response, "data: {}\n\n", true).unwrap();
        let outcome = host.close(stream).unwrap().unwrap();
        let log = outcome.state("ai_log").unwrap().replace('\\', "");
        assert_eq!(
            log,
            r#"{"llm_first_token_duration":120,"llm_service_duration":1120,"response_type":"stream"}"#
        );
    }
}

pub fn what_others_logged_stays(start: Start) {
    for (before, after) in
        [(r#"{\"question\":\"why?\",\"model\":\"old\"}"#, "question:why?,"), ("no object", "")]
    {
        let setup = Setup::new().higress().property("ai_log", before);
        let mut host = start(&setup, MODELS).unwrap();
        let counted = "input_token:5,model:g,output_token:6,";
        let expected = format!("{counted}{after}response_type:stream,total_token:11");
        assert_eq!(ask(&mut host, sse([GEMINI])), expected);
        let warnings = host.log().iter().filter(|line| line.level == Level::Warn).count();
        assert_eq!(warnings, usize::from(after.is_empty()));
    }
}

pub fn tags_are_written_where_they_are_wanted(start: Start) {
    let traced = MODELS.replacen('{', r#"{ "trace": true,"#, 1);
    let setup = Setup::new().higress();
    let answer = || Call::get("/").answer(sse([GEMINI]));
    let outcome = start(&setup, &traced).unwrap().send(answer()).unwrap();
    assert_eq!(outcome.span_tag("total_token").unwrap(), "11");
    assert_eq!(outcome.span_tag("model").unwrap(), "g");
    let outcome = start(&setup, MODELS).unwrap().send(answer()).unwrap();
    assert!(outcome.span_tags.is_empty());

    // Where the host has none, the log says so once.
    let mut host = start(&Setup::new(), &traced).unwrap();
    for _ in 0..2 {
        assert!(host.send(answer()).unwrap().span_tags.is_empty());
    }
    let warnings = host.log().iter().filter(|line| line.level == Level::Warn).count();
    assert_eq!(warnings, 1);
}

pub fn models_share_a_bounded_number_of_counters(start: Start) {
    for mut host in hosts(start, MODELS) {
        for n in 0..50 {
            ask(&mut host, sse([openai(&format!("made-up-{n}"), 1, 2)]));
        }
        ask(&mut host, sse([openai(&"x".repeat(5000), 1, 2)]));
        for model in ["gpt-4o", "gpt-4o-mini", "gpt-4o-mini-2", "gpt-4", ""] {
            ask(&mut host, sse([openai(model, 1, 2)]));
        }
        let numbers = numbers(&mut host);
        let of = |name: &str| numbers[&format!("token_count.{name}")];
        assert_eq!((of("other.input"), of("other.output")), (53, 106));
        assert_eq!((of("gpt-4o.input"), of("gpt-4o-mini.input")), (1, 2));
        assert_eq!(numbers.len(), 2 * 3 + 2, "claude was not asked");
    }
}

pub fn trailers_and_empty_answers_end_well(start: Start) {
    for mut host in hosts(start, MODELS) {
        for answer in [sse([GEMINI]), sse([&GEMINI[..50], &GEMINI[50..]])] {
            let outcome = host.send(Call::get("/").answer(answer.trailer("sum", "1"))).unwrap();
            assert_eq!(outcome.downstream.text(), GEMINI);
            assert!(outcome.downstream.ended && !outcome.downstream.trailers.is_empty());
            assert!(logged(&outcome).contains("total_token:11"));
        }
        assert_eq!(ask(&mut host, sse([""])), "response_type:stream");
        assert_eq!(ask(&mut host, sse(["", ""]).trailer("sum", "1")), "response_type:stream");
    }
}

pub fn answers_that_are_cut_off_are_counted(start: Start) {
    for mut host in hosts(start, MODELS) {
        let stream = host.open();
        host.headers(stream, Request, &[(":method", "GET"), (":path", "/")], true).unwrap();
        host.headers(stream, Response, &SSE, false).unwrap();
        host.frame(stream, Response, &ANTHROPIC[..ANTHROPIC.len() / 2], false).unwrap();
        let outcome = host.close(stream).unwrap().unwrap();
        assert_eq!(
            logged(&outcome),
            "input_token:5,model:claude/3-x,output_token:1,response_type:stream,total_token:6"
        );
        assert_eq!(numbers(&mut host)["token_count.claude_3.input"], 5);
    }
}

pub fn answers_that_are_too_long_are_not_read(start: Start) {
    let short = MODELS.replacen('{', r#"{ "max_bytes": 60,"#, 1);
    for mut host in hosts(start, &short) {
        for answer in [sse([GEMINI]), json(&openai("g", 5, 6))] {
            let outcome = host.send(Call::get("/").answer(answer)).unwrap();
            assert!(outcome.downstream.ended && outcome.downstream.body.len() > 100);
            assert!(!logged(&outcome).contains("total_token"));
            let line = host.log().last().unwrap();
            assert!(line.message.starts_with("an answer is not counted"), "{}", line.message);
        }
    }
}

pub fn other_answers_cost_a_look(start: Start) {
    for mut host in hosts(start, MODELS) {
        let page = Answer::new(200).header("content-type", "text/html").chunks(["a"; 10]);
        assert_eq!(ask(&mut host, page), "");
        let mut calls = |phase| host.ledger().host_calls(phase).into_iter().collect::<Vec<_>>();
        let clock = "proxy_get_current_time_nanoseconds";
        assert_eq!(calls(Phase::RequestHeaders), [(clock.into(), 1)]);
        assert_eq!(calls(Phase::ResponseHeaders), [("proxy_get_header_map_value".into(), 1)]);
        for phase in [Phase::ResponseBody, Phase::Log, Phase::Done] {
            assert_eq!(calls(phase), []);
        }
    }
}

pub fn a_chunk_costs_one_read(start: Start) {
    for mut host in hosts(start, MODELS) {
        let stream = openai("gpt-4o", 5, 6).repeat(100);
        let chunks = stream.as_bytes().chunks(100);
        let count = chunks.len() as u64;
        ask(&mut host, sse(chunks));
        let calls = host.ledger().host_calls(Phase::ResponseBody);
        assert_eq!(calls["proxy_get_buffer_bytes"], count);
        // The first token and the end; two histograms; two counters; the log, read and written.
        assert_eq!(calls.values().sum::<u64>() - count, 2 + 2 + 2 + 2);
        assert!(!calls.contains_key("proxy_set_buffer_bytes"));
    }
}

pub fn streams_side_by_side_do_not_mix(start: Start) {
    for mut host in hosts(start, MODELS) {
        let calls = (1..20).map(|n| {
            let stream = openai("gpt-4o", n, n * 100);
            Call::get("/").answer(sse(stream.as_bytes().chunks(30)))
        });
        for (n, outcome) in (1..).zip(host.interleave(calls).unwrap()) {
            assert!(logged(&outcome).ends_with(&format!("total_token:{}", n * 101)));
        }
    }
}

pub fn bad_configurations_name_the_field(start: Start) {
    let many: Vec<_> = (0..101).map(|n| format!("\"m{n}\"")).collect();
    let cases = [
        (format!(r#"{{ "models": [{}] }}"#, many.join(",")), "models: more than 100"),
        (r#"{ "models": ["a", ""] }"#.to_owned(), "models[1]: is empty"),
        (r#"{ "model": [] }"#.to_owned(), "model: unknown field `model`"),
        (r#"{ "trace": 1 }"#.to_owned(), "trace: invalid type"),
        (r#"{ "max_bytes": 67108865 }"#.to_owned(), "max_bytes: at most 67108864"),
    ];
    for (configuration, expected) in cases {
        let error = start(&Setup::new(), &configuration).unwrap_err().to_string();
        assert!(error.contains(expected), "{configuration}\n{error}");
    }
    for fine in ["", include_str!("../../config.json")] {
        assert!(start(&Setup::new(), fine).is_ok());
    }
}
