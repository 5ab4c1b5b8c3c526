//! What the plugin does, whatever engine it runs on, and whichever host it is made for.

#![expect(clippy::unwrap_used, reason = "a test fails where it does not hold")]

use std::time::Duration;

use bench_host::engine::StartError;
use bench_host::host::Direction::{Request, Response};
use bench_host::measure::Phase;
use bench_host::testing::{Answer, Call, Outcome, Setup, TestHost};
use proptest::prelude::*;

/// Starts the plugin in a proxy with a configuration.
pub type Start = fn(&Setup, &str) -> Result<TestHost, StartError>;

/// Makes a test of every behaviour, for one engine: the module for any host, and that for Higress.
macro_rules! tests {
    ($any:path, $higress:path) => {
        behaviour::tests! { [$any, $higress] =>
            what_is_not_flagged_is_not_changed
            nothing_follows_what_is_flagged
            sentences_are_asked_about_in_their_order
            any_cuts_make_the_same_answer
            failures_end_the_answer_or_let_it_pass
            trailers_and_empty_answers_keep_their_end
            the_client_gets_a_batch_before_the_next_is_there
            a_client_that_goes_leaves_nothing_behind
            streams_side_by_side_do_not_mix
            an_event_that_is_too_long_passes_or_ends_the_answer
            whole_answers_are_checked_too
            lines_are_checked_like_events
            other_answers_are_refused_or_left_alone
            what_cannot_be_read_is_refused_or_passes
            other_answers_cost_nothing_but_a_look
            bad_configurations_name_the_field
        }
    };
    ([$any:path, $higress:path] => $($name:ident)*) => {$(
        #[test]
        fn $name() {
            behaviour::$name([$any, $higress]);
        }
    )*};
}
pub(crate) use tests;

const PLAIN: &str = r#"{
    "cluster": { "type": "target", "cluster": "moderation", "host": "m" }, "path": "/check",
    "timeout_ms": 100, "batch_bytes": 40, "replacement": "Withheld."
}"#;

/// What begins a configuration that lets other answers pass.
const PASS: &str = r#"{ "other": "pass","#;

const UPSTREAMS: &str = r#"
[cluster.moderation]
[[cluster.moderation.http]]
match = { body_contains = "bomb" }
latency = "3ms"
json = { flagged = true, category = "violence" }
[[cluster.moderation.http]]
match = { body_contains = "broken" }
status = 500
[[cluster.moderation.http]]
match = { body_contains = "odd" }
body = "no json"
[[cluster.moderation.http]]
match = { body_contains = "slow" }
fail = "timeout"
[[cluster.moderation.http]]
match = { body_contains = "reset" }
fail = "reset"
[[cluster.moderation.http]]
latencies = ["3ms", "90ms", "1ms"]
json = { flagged = false }
"#;

/// What ends an answer that was flagged.
const ENDED: &str = concat!(
    r#"data: {"choices":[{"delta":{"content":"Withheld."},"#,
    r#""finish_reason":"content_filter","index":0}],"object":"chat.completion.chunk"}"#,
    "\n\ndata: [DONE]\n\n"
);

/// The module for any host on both of them, and that for Higress.
fn hosts(starts: [Start; 2], configuration: &str) -> [TestHost; 3] {
    let setup = Setup::new().upstreams(UPSTREAMS).unwrap();
    let [any, higress] = starts;
    [
        any(&setup, configuration).unwrap(),
        any(&setup.clone().higress(), configuration).unwrap(),
        higress(&setup.higress(), configuration).unwrap(),
    ]
}

/// Which of [`hosts`] has the module for Higress.
const INJECTS: usize = 2;

fn event(text: &str) -> String {
    format!("data: {{\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{text}\"}}}}]}}\n\n")
}

fn events(texts: &[&str]) -> String {
    texts.iter().map(|text| event(text)).chain(["data: [DONE]\n\n".into()]).collect()
}

fn answer<B: AsRef<[u8]>>(chunks: impl IntoIterator<Item = B>) -> Answer {
    Answer::new(200).header("content-type", "text/event-stream").chunks(chunks)
}

fn send(host: &mut TestHost, answer: Answer) -> Outcome {
    let outcome = host.send(Call::post("/chat").body("{}").answer(answer)).unwrap();
    assert_eq!(outcome.stalled, None);
    let complete = outcome.downstream.ended && !outcome.reset;
    assert!(complete, "{} {:?}", outcome.details, host.log());
    outcome
}

pub fn what_is_not_flagged_is_not_changed(starts: [Start; 2]) {
    let stream = ": ping\n\n".to_owned() + &events(&["Hello", " there.", " How are", " you?"]);
    for mut host in hosts(starts, PLAIN) {
        for call in [Call::get("/"), Call::get("/").http1()] {
            let answer = answer([&stream]).header("content-length", &stream.len().to_string());
            let outcome = host.send(call.header("accept-encoding", "gzip").answer(answer)).unwrap();
            assert_eq!(outcome.downstream.text(), stream);
            assert_eq!(outcome.upstream.header("accept-encoding"), None);
            assert_eq!(outcome.downstream.header("content-length"), None);
            assert!(outcome.downstream.ended);
        }
    }
}

pub fn nothing_follows_what_is_flagged(starts: [Start; 2]) {
    let first = event("This is how.");
    let stream = first.clone() + &events(&["Take a b", "omb", " and light it.", " Then run."]);
    for mut host in hosts(starts, PLAIN) {
        for size in [7, 100, 9999] {
            let outcome = send(&mut host, answer(stream.as_bytes().chunks(size)));
            assert_eq!(outcome.downstream.text(), format!("{first}{ENDED}"), "chunks of {size}");
        }
    }
}

pub fn sentences_are_asked_about_in_their_order(starts: [Start; 2]) {
    let stream = events(&["One", ".", " Two! ", "Three, that has no end and", " is too long"]);
    for mut host in hosts(starts, PLAIN) {
        send(&mut host, answer([&stream]));
        let asked: Vec<_> =
            host.take_callouts().iter().map(|call| call.text().into_owned()).collect();
        let expected = ["One.", " Two! ", "Three, that has no end and is too long"];
        assert_eq!(asked, expected.map(|text| format!("{{\"text\":\"{text}\"}}")));

        // More than one call can have is asked about in pieces, and passes as one.
        let long = event(&"x".repeat(100));
        assert_eq!(send(&mut host, answer([&long])).downstream.text(), long);
        let lengths =
            host.take_callouts().iter().map(|call| call.body.len() - 11).collect::<Vec<_>>();
        assert_eq!(lengths, [40, 40, 20]);
        let hidden = event(&format!("{}bomb", "x".repeat(100)));
        assert_eq!(send(&mut host, answer([&hidden])).downstream.text(), ENDED);
    }
}

pub fn any_cuts_make_the_same_answer(starts: [Start; 2]) {
    let word =
        prop_oneof![Just("Hi"), Just(" you."), Just("b\\nomb "), Just(" bomb."), Just("é🦀")];
    let words = prop::collection::vec(word, 0..12);
    let cuts = prop::collection::vec(any::<prop::sample::Index>(), 0..12);
    let hosts = std::cell::RefCell::new(hosts(starts, PLAIN));
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig::with_cases(64));
    let cases = (words, cuts, any::<bool>(), any::<bool>());
    let result = runner.run(&cases, |(words, cuts, crlf, trailer)| {
        let whole: Vec<_> =
            words.iter().take_while(|word| !word.contains(" bomb")).copied().collect();
        let mut stream = events(&words);
        if crlf {
            stream = stream.replace('\n', "\r\n");
        }
        let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).collect();
        cuts.extend([0, stream.len()]);
        cuts.sort_unstable();
        let chunks: Vec<_> =
            cuts.windows(2).map(|cut| &stream.as_bytes()[cut[0]..cut[1]]).collect();
        let expected = if whole.len() == words.len() {
            stream.clone()
        } else {
            // The batch that was flagged began where one that passed has ended.
            let mut host = hosts.borrow_mut();
            let seen = send(&mut host[2], answer([&stream])).downstream.text().into_owned();
            let passed = seen.strip_suffix(ENDED).unwrap();
            prop_assert!(stream.starts_with(passed) && !passed.contains(" bomb"));
            seen
        };
        for (at, host) in hosts.borrow_mut().iter_mut().enumerate() {
            let answer =
                if trailer { answer(&chunks).trailer("sum", "1") } else { answer(&chunks) };
            let outcome = host.send(Call::get("/").answer(answer)).unwrap();
            prop_assert_eq!(&outcome.stalled, &None);
            if trailer && outcome.reset && at != INJECTS {
                may_lose_to_trailers(host, &outcome, &expected);
            } else {
                prop_assert_eq!(outcome.downstream.text(), &expected[..]);
                prop_assert_eq!(outcome.downstream.trailers.is_empty(), !trailer);
                prop_assert!(outcome.downstream.ended);
            }
        }
        Ok(())
    });
    result.unwrap();
}

/// A module for any host cannot inject: where trailers come in the middle of a batch, its bytes can
/// be sent no more, and the stream is reset. The client has nothing that was not checked.
fn may_lose_to_trailers(host: &mut TestHost, outcome: &Outcome, whole: &str) {
    let line = host.log().last().unwrap();
    assert!(line.message.contains("were withheld"), "{}", line.message);
    assert!(whole.starts_with(&*outcome.downstream.text()) && !outcome.downstream.ended);
}

pub fn failures_end_the_answer_or_let_it_pass(starts: [Start; 2]) {
    let open = PLAIN.replacen('{', r#"{ "on_failure": "open","#, 1);
    let nowhere = |configuration: &str| configuration.replace("\"moderation\"", "\"nowhere\"");
    for word in ["broken", "odd", "slow", "reset", "unknown"] {
        let first = event("First.");
        let stream = format!("{}{}", first, events(&[word, ".", " Last."]));
        let (closed, open) = match word {
            "unknown" => (nowhere(PLAIN), nowhere(&open)),
            _ => (PLAIN.to_owned(), open.clone()),
        };
        let passed = if word == "unknown" { "" } else { &first };
        for mut host in hosts(starts, &closed) {
            let outcome = send(&mut host, answer([&stream]));
            assert_eq!(outcome.downstream.text(), format!("{passed}{ENDED}"), "{word}");
            let line = &host.log().last().unwrap().message;
            assert!(line.starts_with("the moderation service has not answered: "), "{line}");
        }
        for mut host in hosts(starts, &open) {
            assert_eq!(send(&mut host, answer([&stream])).downstream.text(), stream, "{word}");
        }
    }
}

pub fn trailers_and_empty_answers_keep_their_end(starts: [Start; 2]) {
    let stream = events(&["Hello", " there", "."]);
    let cut = event("No end");
    let cut = cut.trim_end();
    let flagged = event("A bomb");
    for (at, mut host) in hosts(starts, PLAIN).into_iter().enumerate() {
        for (chunks, expected) in [
            (vec![&stream[..]], &stream[..]),
            (stream.split_inclusive("\n\n").collect(), &stream),
            (vec![cut], cut),
            (vec![&cut[..9], &cut[9..]], cut),
            (vec![""], ""),
            (vec![], ""),
            (vec![flagged.trim_end()], ENDED),
        ] {
            for answer in [answer(&chunks), answer(&chunks).trailer("sum", "1")] {
                let has_trailer = format!("{answer:?}").contains("sum");
                let outcome = host.send(Call::get("/").answer(answer.clone())).unwrap();
                if has_trailer && outcome.reset && at != INJECTS {
                    may_lose_to_trailers(&mut host, &outcome, expected);
                } else {
                    assert_eq!(outcome.downstream.text(), expected, "{chunks:?} {has_trailer}");
                    assert_eq!(!outcome.downstream.trailers.is_empty(), has_trailer);
                    assert!(outcome.downstream.ended);
                }
                if !has_trailer {
                    let outcome = host.send(Call::get("/").http1().answer(answer)).unwrap();
                    assert_eq!(outcome.downstream.text(), expected, "{chunks:?} HTTP/1");
                    assert!(outcome.downstream.ended);
                }
            }
        }
    }
}

const SSE: [(&str, &str); 2] = [(":status", "200"), ("content-type", "text/event-stream")];

pub fn the_client_gets_a_batch_before_the_next_is_there(starts: [Start; 2]) {
    for mut host in hosts(starts, PLAIN) {
        let stream = host.open();
        host.headers(stream, Request, &[(":method", "GET"), (":path", "/")], true).unwrap();
        host.headers(stream, Response, &SSE, false).unwrap();
        let (one, two) = (event("One."), event("Two."));
        host.frame(stream, Response, &one, false).unwrap();
        assert_eq!(host.seen(stream, Response).unwrap().text(), "", "not checked yet");
        host.run_for(Duration::from_millis(10)).unwrap();
        assert_eq!(host.seen(stream, Response).unwrap().text(), one);
        host.frame(stream, Response, &two, true).unwrap();
        host.run_for(Duration::from_millis(200)).unwrap();
        let seen = host.seen(stream, Response).unwrap();
        assert_eq!((seen.text().into_owned(), seen.ended), (one + &two, true));
        host.close(stream).unwrap();
    }
}

pub fn a_client_that_goes_leaves_nothing_behind(starts: [Start; 2]) {
    for mut host in hosts(starts, PLAIN) {
        let stream = host.open();
        host.headers(stream, Request, &[(":method", "GET"), (":path", "/")], true).unwrap();
        host.headers(stream, Response, &SSE, false).unwrap();
        host.frame(stream, Response, events(&["One.", "Two.", "Three."]), false).unwrap();
        let outcome = host.close(stream).unwrap().unwrap();
        assert!(!outcome.downstream.ended);
        host.run_for(Duration::from_secs(1)).unwrap();
        assert_eq!(host.take_callouts().len(), 1, "nobody asks about the rest");
        assert!(host.log().is_empty());
        let next = events(&["Still here."]);
        assert_eq!(send(&mut host, answer([&next])).downstream.text(), next);
    }
}

pub fn streams_side_by_side_do_not_mix(starts: [Start; 2]) {
    for mut host in hosts(starts, PLAIN) {
        let streams: Vec<_> = (0..20)
            .map(|n| {
                let last = if n % 3 == 0 { "bomb" } else { "end" };
                events(&[&format!("{n} one."), &format!("{n} two."), &format!("{n} {last}.")])
            })
            .collect();
        let calls = streams
            .iter()
            .map(|stream| Call::get("/").answer(answer(stream.as_bytes().chunks(50))));
        let outcomes = host.interleave(calls).unwrap();
        for (n, (stream, outcome)) in streams.iter().zip(outcomes).enumerate() {
            let expected = match n % 3 {
                0 => event(&format!("{n} one.")) + &event(&format!("{n} two.")) + ENDED,
                _ => stream.clone(),
            };
            assert_eq!(outcome.downstream.text(), expected);
        }
    }
}

pub fn an_event_that_is_too_long_passes_or_ends_the_answer(starts: [Start; 2]) {
    let open = PLAIN.replacen('{', r#"{ "on_failure": "open","#, 1);
    let stream = event(&"x".repeat(2 * 1024 * 1024)) + &event("Last.");
    for (configuration, expected) in [(&*open, &*stream), (PLAIN, ENDED)] {
        for mut host in hosts(starts, configuration) {
            let outcome = send(&mut host, answer(stream.as_bytes().chunks(16 * 1024)));
            assert!(outcome.downstream.text() == expected, "{}", outcome.downstream.body.len());
        }
    }
}

pub fn whole_answers_are_checked_too(starts: [Start; 2]) {
    let document = |text: &str| format!(r#"{{"choices":[{{"message":{{"content":"{text}"}}}}]}}"#);
    let (good, bad) = (document("All is well."), document("Take a bomb."));
    let arguments = r#"{"do":[{"with":"a bomb"}]}"#;
    let anthropic = format!(r#"{{"content":[{{"type":"tool_use","input":{arguments}}}]}}"#);
    let call = format!(r#"{{"functionCall":{{"args":{arguments}}}}}"#);
    let gemini = format!(r#"{{"candidates":[{{"content":{{"parts":[{call}]}}}}]}}"#);
    let answer = |body: &str| {
        let answer = Answer::new(200).header("content-type", "application/json; charset=utf-8");
        answer.header("content-length", &body.len().to_string()).chunks(body.as_bytes().chunks(9))
    };
    for mut host in hosts(starts, PLAIN) {
        assert_eq!(send(&mut host, answer(&good)).downstream.text(), good);
        for bad in [&bad, &anthropic, &gemini] {
            let outcome = send(&mut host, answer(bad));
            assert!(!outcome.downstream.text().contains("bomb"), "{bad}");
            assert!(outcome.downstream.text().contains(r#""content":"Withheld.""#));
        }
        let long = document(&"x".repeat(2 * 1024 * 1024));
        let outcome = send(&mut host, answer(&long));
        assert!(outcome.downstream.text().contains("Withheld."), "too long to be checked");
    }
}

pub fn lines_are_checked_like_events(starts: [Start; 2]) {
    let line = |text: &str| format!("{{\"message\":{{\"content\":\"{text}\"}}}}\n");
    let good = [line("All"), line(" is"), "\n".to_owned(), line(" well."), line("Bye")].concat();
    let good = good.trim_end();
    let first = line("First.");
    let bad = [&*first, &line("Take a b"), &line("omb."), &line("Last.")].concat();
    let ended = ENDED.lines().next().unwrap().strip_prefix("data: ").unwrap();
    for mut host in hosts(starts, PLAIN) {
        for (kind, begin) in [
            ("application/x-ndjson", ""),
            ("application/jsonl; charset=utf-8", ""),
            ("application/json-seq", "\u{1e}"),
        ] {
            let written = |lines: &str| -> String {
                let lines = lines.split_inclusive('\n');
                lines
                    .map(|line| if line == "\n" { line.into() } else { format!("{begin}{line}") })
                    .collect()
            };
            for size in [7, 100, 9999] {
                let answer = |lines: &str| {
                    let answer = Answer::new(200).header("content-type", kind);
                    answer.chunks(written(lines).as_bytes().chunks(size))
                };
                assert_eq!(send(&mut host, answer(good)).downstream.text(), written(good));
                let expected = format!("{}{begin}{ended}\n", written(&first));
                assert_eq!(send(&mut host, answer(&bad)).downstream.text(), expected, "{kind}");
            }
        }
    }
}

pub fn other_answers_are_refused_or_left_alone(starts: [Start; 2]) {
    let typed = |kind: Option<&str>| {
        let answer = Answer::new(200).body("a bomb");
        kind.map_or(answer.clone(), |kind| answer.header("content-type", kind))
    };
    let kinds = [Some("text/html"), Some("application/octet-stream"), Some(""), None];
    for mut host in hosts(starts, PLAIN) {
        for kind in kinds {
            let outcome = host.send(Call::get("/").answer(typed(kind))).unwrap();
            assert_eq!(outcome.downstream.header(":status").unwrap(), "502", "{kind:?}");
            assert!(outcome.downstream.body.is_empty());
        }
        // What says that there is no answer.
        let page = Answer::new(503).header("content-type", "text/plain").body("no upstream");
        assert_eq!(send(&mut host, page).downstream.text(), "no upstream");
        for nothing in [Answer::new(204), Answer::new(200)] {
            let outcome = send(&mut host, nothing.header("content-type", "text/html"));
            assert_ne!(outcome.downstream.header(":status").unwrap(), "502");
        }
        assert!(host.take_callouts().is_empty());
    }
    for mut host in hosts(starts, &PLAIN.replacen('{', PASS, 1)) {
        for kind in kinds {
            assert_eq!(send(&mut host, typed(kind)).downstream.text(), "a bomb");
        }
    }
}

pub fn what_cannot_be_read_is_refused_or_passes(starts: [Start; 2]) {
    let open = PLAIN.replacen('{', r#"{ "on_failure": "open","#, 1);
    let packed = answer(["\x1f\u{8b}"]).header("content-encoding", "gzip");
    for mut host in hosts(starts, PLAIN) {
        let outcome = host.send(Call::get("/").answer(packed.clone())).unwrap();
        assert_eq!(outcome.downstream.header(":status").unwrap(), "502");
        assert!(outcome.downstream.body.is_empty());
    }
    for mut host in hosts(starts, &open) {
        assert_eq!(send(&mut host, packed.clone()).downstream.text(), "\x1f\u{8b}");
    }
}

pub fn other_answers_cost_nothing_but_a_look(starts: [Start; 2]) {
    for mut host in hosts(starts, &PLAIN.replacen('{', PASS, 1)) {
        let page = Answer::new(200).header("content-type", "text/html");
        send(&mut host, page.chunks(["a"; 10]));
        let mut calls = |phase| host.ledger().host_calls(phase).into_iter().collect::<Vec<_>>();
        assert_eq!(calls(Phase::RequestHeaders), [("proxy_remove_header_map_value".into(), 1)]);
        assert_eq!(calls(Phase::ResponseHeaders), [("proxy_get_header_map_value".into(), 1)]);
        for phase in [Phase::RequestBody, Phase::ResponseBody, Phase::Log, Phase::Done] {
            assert_eq!(calls(phase), []);
        }
    }
}

pub fn bad_configurations_name_the_field(starts: [Start; 2]) {
    let more = |keys: &str| PLAIN.replacen('{', &format!("{{ {keys},"), 1);
    let cases = [
        ("{}".to_owned(), "missing field `cluster`"),
        (PLAIN.replace("/check", "/a b"), "path: the plugin's call has a url"),
        (PLAIN.replace("100", "0"), "path: the plugin's call has a timeout of zero"),
        (PLAIN.replace("40", "0"), "batch_bytes: begins with 1"),
        (more(r#""fields": []"#), "fields: without any"),
        (more(r#""on_failure": "shut""#), "on_failure: unknown variant `shut`"),
        (more(r#""other": "drop""#), "other: unknown variant `drop`"),
        (more(r#""x": 1"#), "x: unknown field `x`"),
    ];
    let setup = Setup::new().higress();
    for start in starts {
        for (configuration, expected) in &cases {
            let error = start(&setup, configuration).unwrap_err().to_string();
            assert!(error.contains(expected), "{configuration}\n{error}");
        }
        assert!(start(&setup, include_str!("../../config.json")).is_ok());
    }
}
