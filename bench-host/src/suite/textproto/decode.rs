//! From fields to the schema. Everything that is wrong is found, not just the first of it.

use super::super::place::{Place, Problem};
use super::super::text_format::Field;
use super::message::Message;
use super::model::{
    Chunking, Env, Expectation, Header, Immediate, Input, Invocation, Pattern, StringMatcher, Test,
    TestSuite,
};

/// Reads a suite.
pub(super) fn suite(fields: Vec<Field>) -> Result<TestSuite, Vec<Problem>> {
    let mut problems = Vec::new();
    let mut suite = TestSuite::default();
    Message::new("TestSuite", fields, &mut problems).each(|message, field| {
        match field.name.as_str() {
            "env" => suite.env = env(message.once(field)),
            "test" => suite.tests.push(test(message.message(field))),
            _ => message.unknown(&field),
        }
    });
    if problems.is_empty() { Ok(suite) } else { Err(problems) }
}

fn env(message: Message<'_>) -> Env {
    let mut env = Env::default();
    message.named("Env").each(|message, field| match field.name.as_str() {
        "wasm_path" => env.wasm_path = message.string(field),
        "config_path" => env.config_path = message.string(field),
        "test_path" | "log_path" => drop(message.string(field)),
        "log_level" => env.log_level = message.choice(&field, &LOG_LEVELS),
        "time_secs" => env.time_secs = message.number(&field, 0, i128::from(u64::MAX)),
        "num_additional_streams" => {
            env.num_additional_streams = message.number(&field, 0, i128::from(u64::MAX));
        }
        "additional_stream_advance_rate" => {
            env.additional_stream_advance_rate = message.number(&field, 0, i128::from(u64::MAX));
        }
        _ => message.unknown(&field),
    });
    env
}

const LOG_LEVELS: [&str; 7] = ["UNDEFINED", "TRACE", "DEBUG", "INFO", "WARN", "ERROR", "CRITICAL"];

fn test(message: Message<'_>) -> Test {
    let mut test = Test { at: message.at(), ..Test::default() };
    let mut plan: Option<(String, Place)> = None;
    message.named("Test").each(|message, field| match field.name.as_str() {
        "name" => test.name = message.string(field),
        "benchmark" => test.benchmark = message.boolean(&field),
        "request_headers" => test.request_headers = Some(invocation(message.once(field))),
        "request_body" => test.request_body.push(invocation(message.message(field))),
        "response_headers" => test.response_headers = Some(invocation(message.once(field))),
        "response_body" => test.response_body.push(invocation(message.message(field))),
        "plugin_init" => test.plugin_init = expectation(message.once(field)),
        "stream_init" => test.stream_init = expectation(message.once(field)),
        "stream_destroy" => test.stream_destroy = expectation(message.once(field)),
        "properties" => test.properties.push(property(message.message(field))),
        "num_chunks" => {
            message.one_of("body_chunking_plan", &mut plan, &field);
            test.chunking = Some(Chunking::Number(message.number(&field, 1, i128::from(i32::MAX))));
        }
        "chunk_size" => {
            message.one_of("body_chunking_plan", &mut plan, &field);
            test.chunking = Some(Chunking::Size(message.number(&field, 1, i128::from(i64::MAX))));
        }
        _ => message.unknown(&field),
    });
    test
}

fn property(message: Message<'_>) -> (Vec<u8>, Vec<u8>) {
    let (mut path, mut value) = (Vec::new(), Vec::new());
    message.named("Property").each(|message, field| match field.name.as_str() {
        "path" => path = message.string(field).into_bytes(),
        "value" => value = message.bytes(field),
        _ => message.unknown(&field),
    });
    (path, value)
}

fn invocation(message: Message<'_>) -> Invocation {
    let mut invocation = Invocation { at: message.at(), ..Invocation::default() };
    invocation.result.at = invocation.at;
    message.named("Invocation").each(|message, field| match field.name.as_str() {
        "input" => invocation.input = input(message.once(field)),
        "result" => invocation.result = expectation(message.once(field)),
        _ => message.unknown(&field),
    });
    invocation
}

fn input(message: Message<'_>) -> Input {
    let mut input = Input::default();
    message.named("Input").each(|message, field| match field.name.as_str() {
        "header" => input.headers.push(header(message.message(field))),
        "content" => input.content = message.bytes(field),
        "file" => input.file = message.string(field),
        _ => message.unknown(&field),
    });
    input
}

fn header(message: Message<'_>) -> Header {
    let mut header = Header { at: message.at(), ..Header::default() };
    message.named("Header").each(|message, field| match field.name.as_str() {
        "key" => header.key = message.string(field),
        "value" => header.value = message.bytes(field),
        _ => message.unknown(&field),
    });
    header
}

fn expectation(message: Message<'_>) -> Expectation {
    let mut expected = Expectation { at: message.at(), ..Expectation::default() };
    message.named("Expectation").each(|message, field| match field.name.as_str() {
        "has_header" => expected.has_header.push(header(message.message(field))),
        "no_header" => expected.no_header.push(header(message.message(field))),
        "headers" => expected.headers.push(matcher(message.message(field))),
        "body" => expected.body.push(matcher(message.message(field))),
        "immediate" => expected.immediate = Some(immediate(message.once(field))),
        "log" => expected.log.push(matcher(message.message(field))),
        _ => message.unknown(&field),
    });
    expected
}

fn immediate(message: Message<'_>) -> Immediate {
    let mut immediate = Immediate { at: message.at(), ..Immediate::default() };
    let most = i128::from(u32::MAX);
    message.named("Immediate").each(|message, field| match field.name.as_str() {
        "http_status" => immediate.http_status = Some(message.number(&field, 0, most)),
        "grpc_status" => immediate.grpc_status = Some(message.number(&field, 0, most)),
        "details" => immediate.details = Some(message.string(field)),
        _ => message.unknown(&field),
    });
    immediate
}

fn matcher(message: Message<'_>) -> StringMatcher {
    let mut matcher = StringMatcher { at: message.at(), ..StringMatcher::default() };
    let mut given: Option<(String, Place)> = None;
    message.named("StringMatcher").each(|message, field| match field.name.as_str() {
        "invert" => matcher.invert = message.boolean(&field),
        "exact" => {
            message.one_of("matcher", &mut given, &field);
            matcher.pattern = Some(Pattern::Exact(message.bytes(field)));
        }
        "regex" => {
            message.one_of("matcher", &mut given, &field);
            matcher.pattern = Some(Pattern::Regex(message.string(field)));
        }
        "file" => {
            message.one_of("matcher", &mut given, &field);
            matcher.pattern = Some(Pattern::File(message.string(field)));
        }
        _ => message.unknown(&field),
    });
    matcher
}

#[cfg(test)]
mod tests {
    use super::super::super::text_format::parse;
    use super::*;

    fn problems(text: &str) -> String {
        let problems = suite(parse(text).unwrap()).unwrap_err();
        let lines = problems.iter().map(|problem| format!("{}: {}", problem.at, problem.what));
        lines.collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn a_suite_is_read() {
        let text = r#"
            env { log_level: TRACE time_secs: 0x10 test_path: "x" num_additional_streams: 2 }
            test {
              name: "one" benchmark: true num_chunks: 3
              properties { path: "a.b" value: "\001" }
              request_headers {
                input { header [{ key: "a" value: "1" }, { key: "b" }] }
                result < has_header { key: "a" value: "\xff" } immediate { http_status: 403 }
                         log: [{ regex: ".*" }, { exact: "x" invert: true }] >
              }
              response_body { input: { file: "f" } }
              response_body { }
            }"#;
        let suite = suite(parse(text).unwrap()).unwrap();
        assert_eq!((suite.env.log_level, suite.env.time_secs), (1, 16));
        let test = &suite.tests[0];
        assert_eq!((test.chunking, test.response_body.len()), (Some(Chunking::Number(3)), 2));
        assert_eq!(test.properties, [(b"a.b".to_vec(), vec![1])]);
        let headers = test.request_headers.as_ref().unwrap();
        assert_eq!(headers.input.headers.len(), 2);
        assert_eq!(headers.result.has_header[0].value, [0xff]);
        assert_eq!(headers.result.immediate.as_ref().unwrap().http_status, Some(403));
        assert!(headers.result.log[1].invert);
    }

    #[test]
    fn all_problems_are_found_at_once() {
        insta::assert_snapshot!(problems(
            "tests { }\ntest { nam: 'x' request_headers { foo: 1 foo { bar: [1] } } }\n\
             test { name: 1 name: 'a' name: 'b' benchmark: maybe num_chunks: 1 chunk_size: 2 }\n\
             test: 5\nenv { log_level: LOUD time_secs: -1 } env [{ }]\n\
             test { num_chunks: 0 response_headers { result { immediate { http_status: 4294967296 } \
             body { exact: 'a' regex: 'b' } } } }"
        ), @r#"
        1:1: unknown field "tests" in message "TestSuite"
        2:8: unknown field "nam" in message "Test"
        2:35: unknown field "foo" in message "Invocation"
        2:42: unknown field "foo" in message "Invocation"
        3:8: "name" takes a string in quotes
        3:16: "name" is set twice
        3:26: "name" is set twice
        3:36: "benchmark" takes true or false
        3:67: "chunk_size" besides "num_chunks" at 3:53: body_chunking_plan takes one
        4:1: "test" takes a message, { … }
        5:7: "log_level" takes one of UNDEFINED, TRACE, DEBUG, INFO, WARN, ERROR, CRITICAL
        5:23: "time_secs" takes a whole number from 0 to 18446744073709551615
        5:44: "env" takes one value, not a list
        5:44: "env" is set twice
        6:8: "num_chunks" takes a whole number from 1 to 2147483647
        6:62: "http_status" takes a whole number from 0 to 4294967295
        6:106: "regex" besides "exact" at 6:95: matcher takes one
        "#);
    }
}
