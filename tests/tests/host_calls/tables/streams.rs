//! Streams and contexts: continuing, closing, answering, injecting.

use bench_host::testing::{Answer, Call};

use super::super::scenario::{Effect, Scenario, scenario};

const UPSTREAMS: &str = r#"
    [cluster.web]
    latency = "2ms"
    [[cluster.web.http]]
"#;

const CALL: &str =
    "http_call('web', pairs(:method=GET,:path=/,:authority=a), nil, nil, 100) -> Ok _
     return 4";

pub fn table() -> Vec<Scenario> {
    [continuing(), closing(), replies(), contexts(), injecting(), hosts()].concat()
}

fn exchange() -> Call {
    Call::post("/").body("ab").answer(Answer::new(200).body("cd"))
}

fn continuing() -> Vec<Scenario> {
    vec![
        scenario("a call's answer lets the request go on")
            .upstreams(UPSTREAMS)
            .send(exchange())
            .on("request_headers", CALL)
            .on("http_call_response", "set_effective_context(2) -> Ok\ncontinue_stream(0) -> Ok")
            .then(Effect::RequestBody("ab"))
            .then(Effect::Ended(true)),
        scenario("a call's answer lets the response go on")
            .upstreams(UPSTREAMS)
            .send(exchange())
            .on("response_headers", CALL)
            .on("http_call_response", "set_effective_context(2) -> Ok\ncontinue_stream(1) -> Ok")
            .then(Effect::ResponseBody("cd"))
            .then(Effect::Ended(true)),
        scenario("what cannot be continued")
            .on(
                "request_headers",
                "continue_stream(2) -> Ok
                 continue_stream(3) -> Unimplemented
                 continue_stream(4) -> BadArgument
                 continue_stream(-1) -> BadArgument",
            )
            .on(
                "configure",
                "continue_stream(0) -> Ok
                 continue_stream(1) -> Ok
                 continue_stream(2) -> Ok
                 continue_stream(3) -> Unimplemented",
            )
            .then(Effect::Ended(true)),
        scenario("ABI 0.1.0 has a call for each direction")
            .abi("0_1_0")
            .upstreams(UPSTREAMS)
            .on("request_headers", CALL)
            .on("response_headers", CALL)
            .on("http_call_response@1", "set_effective_context(2) -> Ok\ncontinue_request() -> Ok")
            .on("http_call_response@2", "set_effective_context(2) -> Ok\ncontinue_response() -> Ok")
            .on("configure", "clear_route_cache() -> Ok\ncontinue_request() -> Ok")
            .on("log", "clear_route_cache() -> Ok")
            .then(Effect::Ended(true)),
        scenario("bytes of a connection that are held go on")
            .tcp()
            .on("downstream_data@1", "return 1")
            .on("upstream_data", "continue_stream(2) -> Ok\ncontinue_stream(3) -> Unimplemented")
            .then(Effect::Passed("hellobye")),
    ]
}

fn closing() -> Vec<Scenario> {
    vec![
        scenario("a stream that is closed is reset")
            .on("request_headers", "close_stream(0) -> Ok")
            .then(Effect::Reset(true))
            .then(Effect::Details("wasm_close_stream")),
        scenario("a stream is closed from the response too")
            .on("response_headers", "close_stream(1) -> Ok")
            .then(Effect::Reset(true)),
        scenario("what is not there is closed without effect")
            .on(
                "request_headers",
                "close_stream(2) -> Ok
                 close_stream(3) -> Ok
                 close_stream(4) -> BadArgument
                 close_stream(-1) -> BadArgument",
            )
            .on("configure", "close_stream(0) -> Ok\nclose_stream(1) -> Ok")
            .then(Effect::Reset(false)),
        scenario("a connection is closed")
            .tcp()
            .on("downstream_data", "close_stream(2) -> Ok")
            .then(Effect::Closed(true)),
        scenario("a connection is closed to its upstream")
            .tcp()
            .on("upstream_data", "close_stream(3) -> Ok")
            .then(Effect::Closed(true)),
    ]
}

fn replies() -> Vec<Scenario> {
    vec![
        scenario("the plugin answers, and is shown its answer")
            .on(
                "request_headers",
                "send_local_response(403, 'no entry', 'nope', pairs(x-why=blocked), -1) -> Ok",
            )
            .on("response_headers", "get_header_map_value(2, ':status') -> Ok '403'")
            .then(Effect::Response(":status", Some("403")))
            .then(Effect::Response("x-why", Some("blocked")))
            .then(Effect::ResponseBody("nope"))
            .then(Effect::Request(":path", None)),
        scenario("Higress names the plugin in the details")
            .higress()
            .on("request_headers", "send_local_response(403, 'no entry', nil, nil, -1) -> Ok")
            .then(Effect::Details("via_wasm::plugin::no_entry")),
        scenario("numbers and headers that are none")
            .on("request_headers", "send_local_response(200, nil, nil, 'malformed', 99) -> Ok")
            .then(Effect::Response(":status", Some("200"))),
        scenario("answers outside of memory are none")
            .on(
                "request_headers",
                "send_local_response(403, raw(-1, 1), nil, nil, -1) -> InvalidMemoryAccess
                 send_local_response(403, nil, raw(-1, 1), nil, -1) -> InvalidMemoryAccess
                 send_local_response(403, nil, nil, raw(-1, 1), -1) -> InvalidMemoryAccess",
            )
            .then(Effect::Response(":status", Some("200")))
            .then(Effect::Details("via_upstream")),
        scenario("where there is no stream there is nobody to answer")
            .on("vm_start", "send_local_response(403, nil, nil, nil, -1) -> Ok")
            .on(
                "configure",
                "send_local_response(403, nil, nil, nil, -1) -> Ok
                 set_tick_period_milliseconds(10) -> Ok",
            )
            .on("tick", "send_local_response(403, nil, nil, nil, -1) -> Ok")
            .run_for(15)
            .then(Effect::Response(":status", Some("200"))),
        scenario("the plugin answers instead of the response")
            .on("response_headers", "send_local_response(500, nil, 'broken', nil, -1) -> Ok")
            .then(Effect::Response(":status", Some("500")))
            .then(Effect::ResponseBody("broken"))
            .then(Effect::Times("response_headers", 1)),
        scenario("after the response has begun an answer is a reset")
            .send(exchange())
            .on("response_body", "send_local_response(500, nil, 'broken', nil, -1) -> Ok")
            .then(Effect::Reset(true)),
        scenario("an answer to a held request, from a call's callback")
            .upstreams(UPSTREAMS)
            .on("request_headers", CALL)
            .on(
                "http_call_response",
                "set_effective_context(2) -> Ok
                 send_local_response(401, nil, 'who?', nil, -1) -> Ok",
            )
            .then(Effect::Response(":status", Some("401")))
            .then(Effect::ResponseBody("who?")),
    ]
}

fn contexts() -> Vec<Scenario> {
    vec![
        scenario("contexts that there are, and that there are not")
            .on(
                "request_headers",
                "set_effective_context(1) -> Ok
                 get_header_map_value(0, ':path') -> BadArgument kept
                 set_property('a', 'b') -> NotFound
                 set_effective_context(2) -> Ok
                 get_header_map_value(0, ':path') -> Ok '/path?q=1'
                 set_effective_context(3) -> BadArgument
                 set_effective_context(-1) -> BadArgument
                 get_header_map_value(0, ':path') -> Ok '/path?q=1'",
            )
            .on("response_headers", "set_effective_context(1) -> Ok")
            .on("log", "get_header_map_value(0, ':path') -> Ok '/path?q=1'")
            .on(
                "configure",
                "set_effective_context(1) -> Ok\nset_effective_context(2) -> BadArgument",
            ),
        scenario("done is for a root context that has put its end off")
            .on("configure", "done() -> NotFound")
            .on("request_headers", "done() -> NotFound")
            .on("log", "done() -> NotFound")
            .on("done@1", "done() -> NotFound")
            .then(Effect::Times("done", 2)),
        scenario("a root context that has put its end off ends when it says so")
            .idle()
            .on("configure", "set_tick_period_milliseconds(10) -> Ok")
            .on("done", "return 0")
            .on("tick@1", "done() -> Ok")
            .run_on(15)
            .then(Effect::Times("done", 1))
            .then(Effect::Told("delete", &[1])),
    ]
}

fn injecting() -> Vec<Scenario> {
    vec![
        scenario("bytes are injected behind the plugin")
            .send(exchange())
            .on("response_body", "inject_encoded_data_to_filter_chain('in', 0) -> Ok\nreturn 0")
            .on(
                "configure",
                "inject_encoded_data_to_filter_chain('in', 0) -> Ok
                 inject_encoded_data_to_filter_chain(raw(-1, 1), 0) -> InvalidMemoryAccess",
            )
            .then(Effect::Ended(true)),
        scenario("what is injected comes first")
            .higress()
            .send(exchange())
            .on("response_body", "inject_encoded_data_to_filter_chain('in', 0) -> Ok")
            .then(Effect::ResponseBody("incd"))
            .then(Effect::Times("response_body", 1)),
        scenario("an injection releases headers, and may end the response")
            .higress()
            .upstreams(UPSTREAMS)
            .send(exchange())
            .on("response_headers", "return 1")
            .on(
                "response_body",
                "http_call('web', pairs(:method=GET,:path=/,:authority=a), nil, nil, 100) -> Ok _
                 return 3",
            )
            .on(
                "http_call_response",
                "set_effective_context(2) -> Ok
                 inject_encoded_data_to_filter_chain('all', 1) -> Ok",
            )
            .then(Effect::Response(":status", Some("200")))
            .then(Effect::ResponseBody("all"))
            .then(Effect::Ended(true)),
    ]
}

fn hosts() -> Vec<Scenario> {
    vec![
        scenario("the host of the upstream is chosen")
            .on(
                "request_headers",
                "get_upstream_hosts() -> Ok _
                 set_upstream_override_host('10.0.0.1:80') -> Ok
                 set_upstream_override_host(raw(-1, 1)) -> InvalidMemoryAccess",
            )
            .on(
                "configure",
                "get_upstream_hosts() -> Ok nil
                 set_upstream_override_host('10.0.0.1:80') -> Ok",
            )
            .then(Effect::Ended(true)),
    ]
}
