//! Buffers.

use bench_host::testing::{Answer, Call};

use super::super::scenario::{Effect, Scenario, scenario};

fn post() -> Call {
    Call::post("/").body("hello").answer(Answer::new(200).body("world"))
}

pub fn table() -> Vec<Scenario> {
    [reading(), absent(), writing(), buffering(), configurations(), tcp()].concat()
}

fn reading() -> Vec<Scenario> {
    vec![
        scenario("a range of a body is read, clamped to its end")
            .send(post())
            .on(
                "request_body",
                "get_buffer_bytes(0, 0, 5) -> Ok 'hello'
                 get_buffer_bytes(0, 1, 3) -> Ok 'ell'
                 get_buffer_bytes(0, 3, 0x7fffffff) -> Ok 'lo'
                 get_buffer_bytes(0, 0, -1) -> Ok 'hello'
                 get_buffer_bytes(0, 1, -1) -> Ok 'ello'
                 get_buffer_bytes(0, -1, 1) -> Ok nil
                 get_buffer_bytes(0, -1, 0) -> Ok nil
                 get_buffer_bytes(0, 5, 9) -> Ok nil
                 get_buffer_bytes(0, 6, 9) -> Ok nil
                 get_buffer_bytes(0, 2, 0) -> Ok nil
                 get_buffer_status(0) -> Ok 5 0",
            )
            .on(
                "response_body",
                "get_buffer_bytes(1, 0, 5) -> Ok 'world'
                 get_buffer_status(1) -> Ok 5 0",
            ),
        scenario("buffers that are none").send(post()).on(
            "request_body",
            "get_buffer_bytes(10, 0, 1) -> BadArgument kept
             get_buffer_bytes(-1, 0, 1) -> BadArgument kept
             get_buffer_status(10) -> BadArgument kept
             set_buffer_bytes(10, 0, 1, 'x') -> BadArgument
             set_buffer_bytes(-1, 0, 1, 'x') -> BadArgument",
        ),
        scenario("Redis' buffer is Higress's").envoy().send(post()).on(
            "request_body",
            "get_buffer_bytes(9, 0, 1) -> BadArgument kept
             get_buffer_status(9) -> BadArgument kept
             set_buffer_bytes(9, 0, 1, 'x') -> BadArgument",
        ),
        scenario("Redis' buffer is there for its callback only").higress().send(post()).on(
            "request_body",
            "get_buffer_bytes(9, 0, 1) -> NotFound kept
             get_buffer_status(9) -> NotFound kept
             set_buffer_bytes(9, 0, 1, 'x') -> NotFound",
        ),
    ]
}

fn absent() -> Vec<Scenario> {
    vec![
        scenario("a body that has not come is empty, and is not written")
            .send(post())
            .on(
                "request_headers",
                "get_buffer_bytes(0, 0, 9) -> Ok nil
                 get_buffer_bytes(1, 0, 9) -> Ok nil
                 set_buffer_bytes(0, 0, 0, 'x') -> BadArgument
                 set_buffer_bytes(1, 0, 0, 'x') -> BadArgument
                 get_buffer_bytes(4, 0, 9) -> NotFound kept
                 get_buffer_status(4) -> NotFound kept
                 set_buffer_bytes(4, 0, 9, 'x') -> NotFound
                 get_buffer_bytes(7, 0, 9) -> NotFound kept
                 get_buffer_status(7) -> NotFound kept
                 set_buffer_bytes(7, 0, 9, 'x') -> NotFound",
            )
            .then(Effect::RequestBody("hello"))
            .then(Effect::ResponseBody("world")),
        scenario("a body that has gone on is empty, and is not written")
            .send(post())
            .on(
                "response_headers",
                "get_buffer_bytes(0, 0, 9) -> Ok nil
                 set_buffer_bytes(0, 0, 9, 'x') -> BadArgument",
            )
            .on(
                "log",
                "get_buffer_bytes(0, 0, 9) -> Ok nil
                 get_buffer_bytes(1, 0, 9) -> Ok nil
                 set_buffer_bytes(1, 0, 9, 'x') -> BadArgument",
            )
            .then(Effect::RequestBody("hello")),
    ]
}

fn writing() -> Vec<Scenario> {
    vec![
        scenario("no length prepends, all of it replaces, a prefix is replaced")
            .send(post())
            .on(
                "request_body",
                "set_buffer_bytes(0, 0, 0, 'oh ') -> Ok
                 get_buffer_bytes(0, 0, 99) -> Ok 'oh hello'
                 set_buffer_bytes(0, 0, 2, 'ah') -> Ok
                 get_buffer_bytes(0, 0, 99) -> Ok 'ah hello'
                 set_buffer_bytes(0, 8, 0, '!') -> Ok
                 set_buffer_bytes(0, 0x7fffffff, 7, '?') -> Ok
                 get_buffer_bytes(0, 0, 99) -> Ok 'ah hello!?'
                 set_buffer_bytes(0, 1, 1, 'x') -> BadArgument
                 set_buffer_bytes(0, 9, 0, 'x') -> BadArgument
                 set_buffer_bytes(0, 0, 1, raw(-1, 1)) -> InvalidMemoryAccess
                 set_buffer_bytes(0, 0, 1, raw(0x1fffff, 2)) -> InvalidMemoryAccess
                 get_buffer_bytes(0, 0, 99) -> Ok 'ah hello!?'",
            )
            .on(
                "response_body",
                "set_buffer_bytes(1, 0, 0x7fffffff, 'all new') -> Ok
                 get_buffer_status(1) -> Ok 7 0",
            )
            .then(Effect::RequestBody("ah hello!?"))
            .then(Effect::ResponseBody("all new")),
        scenario("nothing in the place of all is nothing")
            .send(post())
            .on("request_body", "set_buffer_bytes(0, 0, -1, '') -> Ok")
            .on("response_body", "set_buffer_bytes(1, 0, 4, nil) -> Ok")
            .then(Effect::RequestBody(""))
            .then(Effect::ResponseBody("d")),
        scenario("the empty frame that ends a body takes bytes")
            .send(post().http1())
            .on(
                "request_body@2",
                "get_buffer_bytes(0, 0, 9) -> Ok nil
                 get_buffer_status(0) -> Ok 0 0
                 set_buffer_bytes(0, 0, 0x7fffffff, ' end') -> Ok",
            )
            .then(Effect::RequestBody("hello end"))
            .then(Effect::Times("request_body", 2)),
        scenario("the response is not written from the request's callback")
            .send(post())
            .on(
                "request_body",
                "set_buffer_bytes(1, 0, 0, 'x') -> BadArgument
                 get_buffer_bytes(1, 0, 9) -> Ok nil",
            )
            .then(Effect::ResponseBody("world")),
    ]
}

fn buffering() -> Vec<Scenario> {
    vec![
        scenario("a body that is held is read and written as a whole")
            .send(
                Call::post("/").chunks(["ab", "cd"]).answer(Answer::new(200).chunks(["ef", "gh"])),
            )
            .on("request_body@1", "get_buffer_bytes(0, 0, 99) -> Ok 'ab'\nreturn 1")
            .on(
                "request_body@2",
                "get_buffer_bytes(0, 0, 99) -> Ok 'abcd'
                 get_buffer_status(0) -> Ok 4 0
                 set_buffer_bytes(0, 0, 1, 'A') -> Ok",
            )
            .on("response_body@1", "return 1")
            .on("response_body@2", "set_buffer_bytes(1, 0, 99, 'new') -> Ok")
            .then(Effect::RequestBody("Abcd"))
            .then(Effect::ResponseBody("new"))
            .then(Effect::Told("request_body", &[2, 4, 1])),
        scenario("trailers find a held body, which they may still change")
            .send(Call::post("/").body("ab").trailer("x-t", "1"))
            .on("request_body", "return 1")
            .on(
                "request_trailers",
                "get_buffer_bytes(0, 0, 99) -> Ok 'ab'
                 set_buffer_bytes(0, 0, 99, 'whole') -> Ok",
            )
            .then(Effect::RequestBody("whole")),
        scenario("trailers find no body that has gone on")
            .send(Call::post("/").body("ab").trailer("x-t", "1"))
            .on(
                "request_trailers",
                "get_buffer_bytes(0, 0, 99) -> Ok nil
                 set_buffer_bytes(0, 0, 99, 'whole') -> BadArgument",
            )
            .then(Effect::RequestBody("ab")),
        scenario("a dropped frame is gone")
            .send(Call::post("/").chunks(["ab", "cd"]))
            .on("request_body@1", "return 3")
            .on("request_body@2", "get_buffer_bytes(0, 0, 99) -> Ok 'cd'")
            .then(Effect::RequestBody("cd")),
    ]
}

fn configurations() -> Vec<Scenario> {
    vec![
        scenario("a plugin's configuration is not there yet when Envoy starts its VM")
            .envoy()
            .on("vm_start", "get_buffer_bytes(7, 0, 99) -> NotFound kept"),
        scenario("a plugin's configuration is there when Higress starts its VM")
            .higress()
            .on("vm_start", "get_buffer_bytes(7, 0, 99) -> Ok 'cfg'"),
        scenario("configurations are read and not written")
            .on(
                "vm_start",
                "get_buffer_bytes(6, 0, 99) -> Ok nil
                 get_buffer_status(6) -> Ok 0 0",
            )
            .on(
                "configure",
                "get_buffer_bytes(7, 0, 99) -> Ok 'cfg'
                 get_buffer_bytes(7, 1, 1) -> Ok 'f'
                 get_buffer_status(7) -> Ok 3 0
                 set_buffer_bytes(7, 0, 99, 'x') -> BadArgument
                 set_buffer_bytes(6, 0, 99, 'x') -> BadArgument
                 set_tick_period_milliseconds(10) -> Ok
                 get_buffer_bytes(0, 0, 9) -> Ok nil",
            )
            .on(
                "tick@1",
                "get_buffer_bytes(7, 0, 99) -> NotFound kept
                 get_buffer_bytes(6, 0, 99) -> Ok nil
                 get_buffer_bytes(0, 0, 99) -> Ok nil
                 set_buffer_bytes(0, 0, 99, 'x') -> BadArgument
                 set_buffer_bytes(7, 0, 99, 'x') -> NotFound",
            )
            .run_for(15),
        scenario("ABI 0.1.0 has a call for the configuration").abi("0_1_0").on(
            "configure",
            "get_configuration() -> Ok 'cfg'
             get_buffer_bytes(7, 0, 99) -> Ok 'cfg'",
        ),
    ]
}

fn tcp() -> Vec<Scenario> {
    vec![
        scenario("bytes of a connection are read and written")
            .tcp()
            .on("new_connection", "get_buffer_bytes(2, 0, 9) -> Ok nil")
            .on(
                "downstream_data@1",
                "get_buffer_bytes(2, 0, 9) -> Ok 'hello'
                 get_buffer_status(2) -> Ok 5 0
                 get_buffer_bytes(3, 0, 9) -> Ok nil
                 set_buffer_bytes(2, 0, 5, 'HELLO') -> Ok
                 set_buffer_bytes(2, 1, 5, 'x') -> BadArgument
                 set_buffer_bytes(3, 0, 5, 'x') -> BadArgument
                 add_header_map_value(0, 'a', 'b') -> BadArgument
                 get_header_map_value(0, 'a') -> BadArgument kept",
            )
            .on("upstream_data", "get_buffer_bytes(3, 0, 9) -> Ok 'world'")
            .then(Effect::Passed("HELLObye")),
    ]
}
