//! Calls that plugins make.

use super::super::scenario::{Effect, Scenario, scenario};

const UPSTREAMS: &str = r#"
    [cluster.web]
    latency = "2ms"
    hosts = ["10.0.0.1:80", { address = "10.0.0.2:80", health = "unhealthy" }]
    [[cluster.web.http]]
    match = { path = "/reset" }
    fail = "reset"
    [[cluster.web.http]]
    match = { path = "/slow" }
    latency = "1s"
    [[cluster.web.http]]
    body = "answer"
    [cluster.g]
    [[cluster.g.grpc]]
    method = "Fail"
    status = 7
    message = "not you"
    [[cluster.g.grpc]]
    method = "Talk"
    initial_metadata = { x-first = "1" }
    messages = [{ text = "heard", when = "each" }]
    trailing_metadata = { x-last = "2" }
    close = "end"
    [[cluster.g.grpc]]
    messages = ["message"]
    [cluster.cache]
    [[cluster.cache.redis]]
    command = "GET"
    string = "yes"
    [[cluster.cache.redis]]
    fail = "timeout"
"#;

pub fn table() -> Vec<Scenario> {
    [http(), grpc(), redis()].concat()
}

fn calling(title: &'static str) -> Scenario {
    scenario(title).upstreams(UPSTREAMS)
}

fn http() -> Vec<Scenario> {
    vec![
        calling("calls that are refused").on(
            "request_headers",
            "http_call('none', pairs(:method=GET,:path=/,:authority=a), nil, nil, 9) -> BadArgument 0
             http_call('', pairs(:method=GET,:path=/,:authority=a), nil, nil, 9) -> BadArgument 0
             http_call('web', pairs(:path=/,:authority=a), nil, nil, 9) -> BadArgument 0
             http_call('web', pairs(:method=GET,:authority=a), nil, nil, 9) -> BadArgument 0
             http_call('web', pairs(:method=GET,:path=/), nil, nil, 9) -> BadArgument 0
             http_call('web', nil, nil, nil, 9) -> BadArgument 0
             http_call('web', 'malformed', nil, nil, 9) -> BadArgument 0
             http_call('web', pairs(:method=GET,:path=/,:authority=a), nil, nil, -1) -> BadArgument 0
             http_call(raw(-1, 1), nil, nil, nil, 9) -> InvalidMemoryAccess _
             http_call('web', raw(-1, 1), nil, nil, 9) -> InvalidMemoryAccess _
             http_call('web', nil, raw(-1, 1), nil, 9) -> InvalidMemoryAccess _
             http_call('web', nil, nil, raw(-1, 1), 9) -> InvalidMemoryAccess _",
        )
        .run_for(100)
        .then(Effect::Times("http_call_response", 0)),
        calling("tokens go up by four, and answers come to the root context")
            .on(
                "request_headers",
                "http_call('web', pairs(:method=GET,:path=/,:authority=a), nil, nil, 9) -> Ok 4
                 http_call('web', pairs(:method=PUT,:path=/,:authority=a), 'b', pairs(t=1), 9) -> Ok 8
                 http_call('web', pairs(:method=GET,:path=/,:authority=a), nil, nil, 0) -> Ok 12",
            )
            .on("http_call_response", "get_buffer_bytes(4, 0, 99) -> Ok 'answer'
                 get_buffer_status(4) -> Ok 6 0
                 set_buffer_bytes(4, 0, 99, 'x') -> BadArgument
                 get_status() -> Ok _ _")
            .run_for(100)
            .then(Effect::Times("http_call_response", 3))
            .then(Effect::Told("http_call_response", &[1, 4, -1, 6, 0])),
        calling("a reset is a callback without anything, and a status")
            .on(
                "request_headers",
                "http_call('web', pairs(:method=GET,:path=/reset,:authority=a), nil, nil, 9) -> Ok 4",
            )
            .on(
                "http_call_response",
                "get_status() -> Ok 11 'reset'
                 get_header_map_pairs(6) -> Ok nil
                 get_buffer_bytes(4, 0, 9) -> NotFound kept",
            )
            .run_for(100)
            .then(Effect::Told("http_call_response", &[1, 4, 0, 0, 0])),
        calling("time that is up is an answer")
            .on(
                "request_headers",
                "http_call('web', pairs(:method=GET,:path=/slow,:authority=a), nil, nil, 50) -> Ok 4",
            )
            .on(
                "http_call_response",
                "get_header_map_value(6, ':status') -> Ok '504'
                 get_buffer_bytes(4, 0, 99) -> Ok 'upstream request timeout'",
            )
            .run_for(100)
            .then(Effect::Times("http_call_response", 1)),
        calling("calls from where there is no stream")
            .on("vm_start", "http_call('web', pairs(:method=GET,:path=/,:authority=a), nil, nil, 9) -> Ok 4")
            .on(
                "configure",
                "http_call('web', pairs(:method=GET,:path=/,:authority=a), nil, nil, 9) -> Ok 8
                 set_tick_period_milliseconds(10) -> Ok",
            )
            .on("tick@1", "http_call('web', pairs(:method=GET,:path=/,:authority=a), nil, nil, 9) -> Ok _")
            .on("log", "http_call('web', pairs(:method=GET,:path=/,:authority=a), nil, nil, 9) -> Ok _")
            .on("done@1", "http_call('web', pairs(:method=GET,:path=/,:authority=a), nil, nil, 9) -> Ok _")
            .run_for(25)
            .then(Effect::Told("http_call_response", &[1, 8, -1, 6, 0])),
    ]
}

fn grpc() -> Vec<Scenario> {
    vec![
        calling("gRPC that is refused").on(
            "request_headers",
            "grpc_call('none', 's', 'm', nil, nil, 9) -> ParseFailure 0
             grpc_stream('none', 's', 'm', nil) -> ParseFailure 0
             grpc_call(raw(-1, 1), 's', 'm', nil, nil, 9) -> InvalidMemoryAccess _
             grpc_call('g', raw(-1, 1), 'm', nil, nil, 9) -> InvalidMemoryAccess _
             grpc_call('g', 's', raw(-1, 1), nil, nil, 9) -> InvalidMemoryAccess _
             grpc_call('g', 's', 'm', raw(-1, 1), nil, 9) -> InvalidMemoryAccess _
             grpc_call('g', 's', 'm', nil, raw(-1, 1), 9) -> InvalidMemoryAccess _
             grpc_stream(raw(-1, 1), 's', 'm', nil) -> InvalidMemoryAccess _
             grpc_stream('g', raw(-1, 1), 'm', nil) -> InvalidMemoryAccess _
             grpc_stream('g', 's', raw(-1, 1), nil) -> InvalidMemoryAccess _
             grpc_stream('g', 's', 'm', raw(-1, 1)) -> InvalidMemoryAccess _
             grpc_send(6, raw(-1, 1), 0) -> InvalidMemoryAccess
             grpc_send(4002, 'm', 0) -> NotFound
             grpc_send(4001, 'm', 0) -> BadArgument
             grpc_send(4000, 'm', 0) -> BadArgument
             grpc_close(4001) -> NotFound
             grpc_close(4002) -> NotFound
             grpc_close(4000) -> BadArgument
             grpc_close(4003) -> BadArgument
             grpc_cancel(4001) -> NotFound
             grpc_cancel(4002) -> NotFound
             grpc_cancel(4000) -> BadArgument
             grpc_cancel(4003) -> BadArgument",
        ),
        calling("a gRPC call is answered with a message")
            .on("request_headers", "grpc_call('g', 's', 'm', pairs(x-m=1), 'request', 100) -> Ok 5")
            .on(
                "grpc_receive",
                "get_buffer_bytes(5, 0, 99) -> Ok 'message'
                 get_buffer_status(5) -> Ok 7 0
                 set_buffer_bytes(5, 0, 99, 'x') -> BadArgument",
            )
            .run_for(100)
            .then(Effect::Told("grpc_receive", &[1, 5, 7])),
        calling("a gRPC call that fails has a status and a message")
            .on("request_headers", "grpc_call('g', 's', 'Fail', nil, nil, 100) -> Ok 5")
            .on("grpc_close", "get_status() -> Ok 7 'not you'")
            .run_for(100)
            .then(Effect::Told("grpc_close", &[1, 5, 7])),
        calling("a gRPC call that is cancelled says nothing more")
            .on(
                "request_headers",
                "grpc_call('g', 's', 'm', nil, nil, 100) -> Ok 5
                 grpc_cancel(5) -> Ok
                 grpc_cancel(5) -> NotFound
                 grpc_call('g', 's', 'm', nil, nil, 100) -> Ok 9
                 grpc_close(9) -> Ok
                 grpc_stream('g', 's', 'Talk', nil) -> Ok 6
                 grpc_cancel(6) -> Ok
                 grpc_send(6, 'x', 0) -> NotFound",
            )
            .run_for(100)
            .then(Effect::Times("grpc_receive", 0))
            .then(Effect::Times("grpc_close", 0)),
        calling("a gRPC stream, from its metadata to its close")
            .on("request_headers", "grpc_stream('g', 's', 'Talk', pairs(x-m=1)) -> Ok 6")
            .on(
                "grpc_receive_initial_metadata",
                "get_header_map_value(4, 'x-first') -> Ok '1'
                 get_header_map_value(5, 'x-last') -> BadArgument kept
                 add_header_map_value(4, 'a', 'b') -> BadArgument
                 grpc_send(6, 'one', 0) -> Ok",
            )
            .on(
                "grpc_receive@1",
                "get_buffer_bytes(5, 0, 99) -> Ok 'heard'
                 grpc_send(6, '', 1) -> Ok",
            )
            .on("grpc_receive_trailing_metadata", "get_header_map_value(5, 'x-last') -> Ok '2'")
            .on("grpc_close", "get_status() -> Ok 0 _")
            .run_for(100)
            .then(Effect::Told("grpc_close", &[1, 6, 0])),
        calling("a gRPC stream that the plugin closes")
            .on(
                "request_headers",
                "grpc_stream('g', 's', 'Talk', nil) -> Ok 6
                 grpc_stream('g', 's', 'Talk', nil) -> Ok 10",
            )
            .on("log", "grpc_close(6) -> Ok\ngrpc_close(10) -> Ok")
            .run_for(100),
    ]
}

fn redis() -> Vec<Scenario> {
    vec![
        calling("Redis, which is Higress's")
            .on(
                "configure",
                "redis_call('cache', '*1\\x0d\\n$4\\x0d\\nPING\\x0d\\n') -> InternalFailure _
                 redis_init('none', 'u', 'p', 100) -> BadArgument
                 redis_init('cache?db=1', 'u', 'p', 100) -> Ok
                 redis_init('cache', nil, nil, 100) -> Ok
                 redis_init(raw(-1, 1), nil, nil, 1) -> InvalidMemoryAccess
                 redis_init('cache', raw(-1, 1), nil, 1) -> InvalidMemoryAccess
                 redis_init('cache', nil, raw(-1, 1), 1) -> InvalidMemoryAccess
                 redis_call(raw(-1, 1), 'x') -> InvalidMemoryAccess _
                 redis_call('cache', raw(-1, 1)) -> InvalidMemoryAccess _
                 redis_call('none', 'x') -> BadArgument _",
            )
            .on(
                "request_headers",
                "redis_call('cache', '*2\\x0d\\n$3\\x0d\\nGET\\x0d\\n$1\\x0d\\nk\\x0d\\n') -> Ok 7
                 redis_call('cache?db=1', '*2\\x0d\\n$3\\x0d\\nGET\\x0d\\n$1\\x0d\\nk\\x0d\\n') -> Ok 11",
            )
            .run_for(200),
        calling("a Redis answer")
            .higress()
            .on("configure", "redis_init('cache', nil, nil, 100) -> Ok")
            .on(
                "request_headers",
                "redis_call('cache', '*2\\x0d\\n$3\\x0d\\nGET\\x0d\\n$1\\x0d\\nk\\x0d\\n') -> Ok 7",
            )
            .on(
                "redis_call_response",
                "get_buffer_bytes(9, 0, 99) -> Ok '$3\\x0d\\nyes\\x0d\\n'
                 get_buffer_status(9) -> Ok 9 0
                 set_buffer_bytes(9, 0, 99, 'x') -> BadArgument",
            )
            .run_for(200)
            .then(Effect::Told("redis_call_response", &[1, 7, 0, 9])),
        calling("a Redis command that has no answer is a network error")
            .higress()
            .on("configure", "redis_init('cache', nil, nil, 100) -> Ok")
            .on(
                "request_headers",
                "redis_call('cache', '*1\\x0d\\n$4\\x0d\\nPING\\x0d\\n') -> Ok 7",
            )
            .run_for(200)
            .then(Effect::Told("redis_call_response", &[1, 7, 1, 0])),
    ]
}
