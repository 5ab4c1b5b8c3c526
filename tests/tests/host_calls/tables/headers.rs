//! Header maps.

use bench_host::testing::{Answer, Call};

use super::super::scenario::{Effect, Scenario, scenario};

fn rich() -> Call {
    Call::post("/p")
        .header("x-many", "one")
        .header("x-many", "two")
        .header("x-empty", "")
        .body("ab")
        .trailer("x-end", "t")
        .answer(Answer::new(200).header("x-from", "up").body("cd").trailer("x-last", "l"))
}

const HTTP: &str = r#"
    [[cluster.web.http]]
    match = { path = "/full" }
    status = 201
    headers = { x-a = "1" }
    body = "answer"
    trailers = { x-t = "2" }
    [[cluster.web.http]]
"#;

const CALL: &str =
    "http_call('web', pairs(:method=GET,:path=/full,:authority=a), nil, nil, 100) -> Ok 4
     return 3";

pub fn table() -> Vec<Scenario> {
    [reading(), phases(), writing(), pairs(), trailers(), other_maps()].concat()
}

fn reading() -> Vec<Scenario> {
    vec![
        scenario("a value is read, the first of several, whatever the case of its name")
            .send(rich())
            .on(
                "request_headers",
                "get_header_map_value(0, ':path') -> Ok '/p'
                 get_header_map_value(0, 'x-many') -> Ok 'one'
                 get_header_map_value(0, 'X-MANY') -> Ok 'one'
                 get_header_map_value(0, 'x-empty') -> Ok nil
                 get_header_map_value(0, 'x-none') -> NotFound kept
                 get_header_map_value(0, '') -> NotFound kept",
            ),
        scenario("under ABI 0.1.0 a header that is not there is empty").abi("0_1_0").on(
            "request_headers",
            "get_header_map_value(0, 'x-none') -> Ok nil
             get_header_map_value(0, ':path') -> Ok '/path?q=1'",
        ),
        scenario("a map that is not there, or is none").on(
            "request_headers",
            "get_header_map_value(1, 'a') -> BadArgument kept
             get_header_map_value(2, ':status') -> BadArgument kept
             get_header_map_value(3, 'a') -> BadArgument kept
             get_header_map_value(4, 'a') -> BadArgument kept
             get_header_map_value(5, 'a') -> BadArgument kept
             get_header_map_value(6, 'a') -> BadArgument kept
             get_header_map_value(7, 'a') -> BadArgument kept
             get_header_map_value(8, 'a') -> BadArgument kept
             get_header_map_value(-1, 'a') -> BadArgument kept
             get_header_map_pairs(8) -> BadArgument kept
             get_header_map_pairs(-1) -> BadArgument kept
             get_header_map_pairs(2) -> Ok nil
             get_header_map_pairs(6) -> Ok nil
             get_header_map_size(8) -> BadArgument kept
             get_header_map_size(-1) -> BadArgument kept
             add_header_map_value(8, 'a', 'b') -> BadArgument
             add_header_map_value(2, 'a', 'b') -> BadArgument
             add_header_map_value(6, 'a', 'b') -> BadArgument
             replace_header_map_value(8, 'a', 'b') -> BadArgument
             replace_header_map_value(-1, 'a', 'b') -> BadArgument
             replace_header_map_value(3, 'a', 'b') -> BadArgument
             remove_header_map_value(8, 'a') -> BadArgument
             remove_header_map_value(3, 'a') -> BadArgument
             set_header_map_pairs(8, nil) -> BadArgument
             set_header_map_pairs(2, nil) -> BadArgument",
        ),
        scenario("names and values outside of memory").on(
            "request_headers",
            "get_header_map_value(0, raw(0x200000, 1)) -> InvalidMemoryAccess kept
             get_header_map_value(0, raw(1, -1)) -> InvalidMemoryAccess kept
             add_header_map_value(0, raw(-1, 1), 'b') -> InvalidMemoryAccess
             add_header_map_value(0, 'b', raw(-1, 1)) -> InvalidMemoryAccess
             replace_header_map_value(0, raw(-1, 1), 'b') -> InvalidMemoryAccess
             replace_header_map_value(0, 'b', raw(0x1fffff, 2)) -> InvalidMemoryAccess
             remove_header_map_value(0, raw(-1, 1)) -> InvalidMemoryAccess
             set_header_map_pairs(0, raw(-1, 1)) -> InvalidMemoryAccess
             get_header_map_value(0, 'b') -> NotFound kept",
        ),
    ]
}

fn phases() -> Vec<Scenario> {
    vec![
        scenario("after headers have gone on they are read, not written")
            .send(rich())
            .on(
                "request_body",
                "get_header_map_value(0, ':path') -> Ok '/p'
             add_header_map_value(0, 'x-late', 'b') -> BadArgument
             replace_header_map_value(0, 'x-late', 'b') -> BadArgument
             remove_header_map_value(0, ':path') -> BadArgument
             set_header_map_pairs(0, pairs(a=b)) -> BadArgument",
            )
            .then(Effect::Request("x-late", None))
            .then(Effect::Request(":path", Some("/p"))),
        scenario("while headers are held, the body callback writes them")
            .higress()
            .send(rich())
            .on("request_headers", "return 1")
            .on("request_body", "replace_header_map_value(0, 'x-late', 'b') -> Ok")
            .on("response_headers", "return 1")
            .on("response_body", "replace_header_map_value(2, 'x-late', 'c') -> Ok")
            .then(Effect::Request("x-late", Some("b")))
            .then(Effect::Response("x-late", Some("c"))),
        scenario("response headers in their callback and after it")
            .send(rich())
            .on(
                "response_headers",
                "get_header_map_value(2, ':status') -> Ok '200'
                 get_header_map_value(0, ':path') -> Ok '/p'
                 add_header_map_value(2, 'x-add', 'b') -> Ok
                 remove_header_map_value(2, 'x-from') -> Ok
                 add_header_map_value(0, 'x-late', 'b') -> BadArgument",
            )
            .on(
                "response_body",
                "get_header_map_value(2, ':status') -> BadArgument kept
                 add_header_map_value(2, 'x-late', 'b') -> BadArgument
                 get_header_map_pairs(2) -> Ok nil",
            )
            .then(Effect::Response("x-add", Some("b")))
            .then(Effect::Response("x-late", None))
            .then(Effect::Response("x-from", None)),
        scenario("the access log reads headers and response trailers, and writes nothing")
            .send(rich())
            .on(
                "log",
                "get_header_map_value(0, ':path') -> Ok '/p'
                 get_header_map_value(0, 'x-none') -> NotFound kept
                 get_header_map_value(1, 'x-end') -> NotFound kept
                 get_header_map_value(2, ':status') -> Ok '200'
                 get_header_map_value(3, 'x-last') -> Ok 'l'
                 add_header_map_value(0, 'a', 'b') -> BadArgument
                 replace_header_map_value(2, 'a', 'b') -> BadArgument
                 remove_header_map_value(2, 'a') -> BadArgument
                 set_header_map_pairs(2, pairs(a=b)) -> BadArgument",
            ),
        scenario("outside of streams there are no headers")
            .on("vm_start", "get_header_map_value(0, 'a') -> BadArgument kept")
            .on(
                "configure",
                "set_tick_period_milliseconds(10) -> Ok
                 get_header_map_value(0, 'a') -> BadArgument kept
                 get_header_map_size(0) -> BadArgument kept
                 get_header_map_pairs(0) -> Ok nil",
            )
            .on(
                "tick@1",
                "get_header_map_value(0, 'a') -> BadArgument kept
                 add_header_map_value(0, 'a', 'b') -> BadArgument
                 replace_header_map_value(0, 'a', 'b') -> BadArgument
                 remove_header_map_value(0, 'a') -> BadArgument
                 set_header_map_pairs(0, pairs(a=b)) -> BadArgument
                 get_header_map_pairs(0) -> Ok nil
                 get_header_map_size(0) -> BadArgument kept",
            )
            .run_for(15),
    ]
}

fn writing() -> Vec<Scenario> {
    vec![
        scenario("add adds, replace removes all others, remove removes all")
            .send(rich())
            .on(
                "request_headers",
                "add_header_map_value(0, 'x-empty', 'more') -> Ok
                 get_header_map_value(0, 'x-empty') -> Ok nil
                 add_header_map_value(0, 'X-Upper', 'U') -> Ok
                 get_header_map_value(0, 'x-upper') -> Ok 'U'
                 remove_header_map_value(0, 'X-MANY') -> Ok
                 get_header_map_value(0, 'x-many') -> NotFound kept
                 remove_header_map_value(0, 'x-none') -> Ok
                 add_header_map_value(0, 'x-two', 'a') -> Ok
                 add_header_map_value(0, 'x-two', 'b') -> Ok
                 replace_header_map_value(0, 'x-two', 'c') -> Ok
                 replace_header_map_value(0, 'x-new', 'n') -> Ok
                 replace_header_map_value(0, ':path', '/else') -> Ok
                 add_header_map_value(0, 'x-void', '') -> Ok
                 get_header_map_value(0, 'x-void') -> Ok nil",
            )
            .then(Effect::Request("x-many", None))
            .then(Effect::Request("x-two", Some("c")))
            .then(Effect::Request("x-new", Some("n")))
            .then(Effect::Request("x-upper", Some("U")))
            .then(Effect::Request(":path", Some("/else"))),
    ]
}

fn pairs() -> Vec<Scenario> {
    vec![
        scenario("pairs are replaced as a whole, in their order, with doubles")
            .on(
                "request_headers",
                "set_header_map_pairs(0, pairs(:method=GET,:path=/x,:authority=a,b=1,a=2,b=3)) -> Ok
                 get_header_map_pairs(0) -> Ok pairs(:method=GET,:path=/x,:authority=a,b=1,a=2,b=3)
                 get_header_map_size(0) -> Ok 34",
            )
            .then(Effect::Request("b", Some("1"))),
        scenario("no bytes and a count of nothing are an empty map").on(
            "response_headers",
            "set_header_map_pairs(2, nil) -> Ok
             get_header_map_pairs(2) -> Ok nil
             get_header_map_size(2) -> Ok 0
             set_header_map_pairs(2, pairs(:status=201)) -> Ok
             set_header_map_pairs(2, '\\0\\0\\0\\0') -> Ok
             get_header_map_pairs(2) -> Ok nil
             set_header_map_pairs(2, pairs(:status=202)) -> Ok
             get_header_map_pairs(2) -> Ok pairs(:status=202)",
        )
        .then(Effect::Response(":status", Some("202"))),
        scenario("malformed pairs are an empty map").on(
            "response_headers",
            // Too short for a count; a count without lengths; a length too long; no NUL after a
            // name, after a value; one byte more; far too many.
            "set_header_map_pairs(2, '\\x01\\0') -> Ok
             get_header_map_pairs(2) -> Ok nil
             set_header_map_pairs(2, pairs(:status=200)) -> Ok
             set_header_map_pairs(2, '\\x01\\0\\0\\0') -> Ok
             get_header_map_pairs(2) -> Ok nil
             set_header_map_pairs(2, pairs(:status=200)) -> Ok
             set_header_map_pairs(2, '\\x01\\0\\0\\0\\x09\\0\\0\\0\\x01\\0\\0\\0a\\0b\\0') -> Ok
             get_header_map_pairs(2) -> Ok nil
             set_header_map_pairs(2, pairs(:status=200)) -> Ok
             set_header_map_pairs(2, '\\x01\\0\\0\\0\\x01\\0\\0\\0\\x01\\0\\0\\0axb\\0') -> Ok
             get_header_map_pairs(2) -> Ok nil
             set_header_map_pairs(2, pairs(:status=200)) -> Ok
             set_header_map_pairs(2, '\\x01\\0\\0\\0\\x01\\0\\0\\0\\x01\\0\\0\\0a\\0bx') -> Ok
             get_header_map_pairs(2) -> Ok nil
             set_header_map_pairs(2, pairs(:status=200)) -> Ok
             set_header_map_pairs(2, '\\x01\\0\\0\\0\\x01\\0\\0\\0\\x01\\0\\0\\0a\\0b\\0x') -> Ok
             get_header_map_pairs(2) -> Ok nil
             set_header_map_pairs(2, pairs(:status=200)) -> Ok
             set_header_map_pairs(2, '\\xff\\xff\\xff\\xff') -> Ok
             get_header_map_pairs(2) -> Ok nil
             set_header_map_pairs(2, pairs(:status=204)) -> Ok",
        )
        .then(Effect::Response(":status", Some("204"))),
        scenario("at most 1024 pairs, and at most a MiB of them").on(
            "response_headers",
            // 1024 pairs of empty texts are 4 + 1024 x 10 bytes, and 1025 are ten more.
            "(i32.store (i32.const 0x30000) (i32.const 1024))
             set_header_map_pairs(2, raw(0x30000, 10244)) -> Ok
             get_header_map_size(2) -> Ok _
             (memory.fill (i32.const 0x30000) (i32.const 0) (i32.const 0x10000))
             (i32.store (i32.const 0x30000) (i32.const 1025))
             set_header_map_pairs(2, pairs(:status=200)) -> Ok
             set_header_map_pairs(2, raw(0x30000, 10254)) -> Ok
             get_header_map_pairs(2) -> Ok nil
             (i32.store (i32.const 0x30000) (i32.const 1))
             (i32.store (i32.const 0x30004) (i32.const 1))
             (i32.store (i32.const 0x30008) (i32.const 1048562))
             (i32.store8 (i32.const 0x3000c) (i32.const 97))
             set_header_map_pairs(2, pairs(:status=200)) -> Ok
             set_header_map_pairs(2, raw(0x30000, 1048577)) -> Ok
             get_header_map_pairs(2) -> Ok nil
             (i32.store (i32.const 0x30008) (i32.const 1048561))
             set_header_map_pairs(2, raw(0x30000, 1048576)) -> Ok
             get_header_map_size(2) -> Ok 1048562
             set_header_map_pairs(2, pairs(:status=204)) -> Ok",
        )
        .then(Effect::Response(":status", Some("204"))),
    ]
}

fn trailers() -> Vec<Scenario> {
    vec![
        scenario("trailers are read and written in their callbacks")
            .send(rich())
            .on(
                "request_trailers",
                "get_header_map_value(1, 'x-end') -> Ok 't'
                 get_header_map_value(1, 'x-none') -> NotFound kept
                 get_header_map_pairs(1) -> Ok pairs(x-end=t)
                 get_header_map_size(1) -> Ok 6
                 add_header_map_value(1, 'x-add', 'b') -> Ok
                 replace_header_map_value(1, 'x-end', 'u') -> Ok",
            )
            .on(
                "response_trailers",
                "get_header_map_value(3, 'x-last') -> Ok 'l'
                 remove_header_map_value(3, 'x-last') -> Ok
                 get_header_map_pairs(3) -> Ok nil
                 set_header_map_pairs(3, pairs(x-t=5)) -> Ok",
            )
            .then(Effect::RequestTrailer("x-add", Some("b")))
            .then(Effect::RequestTrailer("x-end", Some("u")))
            .then(Effect::ResponseTrailer("x-last", None))
            .then(Effect::ResponseTrailer("x-t", Some("5"))),
        scenario("a write with the last of the body makes trailers")
            .send(Call::post("/").body("ab").answer(Answer::new(200).body("cd")))
            .on(
                "request_body",
                "get_header_map_value(1, 'a') -> BadArgument kept
                 add_header_map_value(1, 'x-made', 'b') -> Ok
                 get_header_map_value(1, 'x-made') -> Ok 'b'",
            )
            .on("response_body", "replace_header_map_value(3, 'x-made', 'c') -> Ok")
            .then(Effect::RequestTrailer("x-made", Some("b")))
            .then(Effect::ResponseTrailer("x-made", Some("c"))),
        scenario("before the last of the body there are no trailers to write")
            .send(Call::post("/").chunks(["ab", "cd"]))
            .on("request_body@1", "add_header_map_value(1, 'x-made', 'b') -> BadArgument")
            .then(Effect::RequestTrailer("x-made", None)),
    ]
}

fn other_maps() -> Vec<Scenario> {
    vec![
        scenario("what a call was answered")
            .upstreams(HTTP)
            .on("request_headers", CALL)
            .on(
                "http_call_response",
                "get_header_map_value(6, ':status') -> Ok '201'
                 get_header_map_value(6, 'x-a') -> Ok '1'
                 get_header_map_value(6, 'x-none') -> NotFound kept
                 get_header_map_value(7, 'x-t') -> Ok '2'
                 get_header_map_pairs(7) -> Ok pairs(x-t=2)
                 get_header_map_value(0, ':path') -> BadArgument kept
                 add_header_map_value(6, 'a', 'b') -> BadArgument
                 replace_header_map_value(7, 'a', 'b') -> BadArgument
                 remove_header_map_value(6, 'x-a') -> BadArgument
                 set_header_map_pairs(6, pairs(a=b)) -> BadArgument
                 set_effective_context(2) -> Ok
                 get_header_map_value(0, ':path') -> Ok '/path?q=1'
                 add_header_map_value(0, 'x-called', 'yes') -> Ok
                 get_header_map_value(6, ':status') -> Ok '201'
                 continue_stream(0) -> Ok",
            )
            .then(Effect::Request("x-called", Some("yes")))
            .then(Effect::Told("http_call_response", &[1, 4, -1, 6, 1])),
        scenario("after the callback the answer is gone")
            .upstreams(HTTP)
            .on("request_headers", CALL)
            .on(
                "http_call_response",
                "set_effective_context(2) -> Ok
                 continue_stream(0) -> Ok",
            )
            .on(
                "response_headers",
                "get_header_map_value(6, ':status') -> BadArgument kept
                 get_header_map_pairs(6) -> Ok nil
                 get_buffer_bytes(4, 0, 9) -> NotFound kept",
            ),
    ]
}
