//! The log, time, timers, foreign functions, and what C libraries import.

use super::super::scenario::{Effect, Scenario, scenario};

pub fn table() -> Vec<Scenario> {
    vec![
        scenario("lines of every level")
            .on(
                "request_headers",
                "log(0, 'at trace') -> Ok
                 log(1, 'at debug') -> Ok
                 log(2, 'at info') -> Ok
                 log(3, 'at warn') -> Ok
                 log(4, 'at error') -> Ok
                 log(5, 'at critical') -> Ok
                 log(6, 'at six') -> BadArgument
                 log(-1, 'at minus one') -> BadArgument
                 log(2, '') -> Ok
                 log(2, nil) -> Ok
                 log(2, raw(-1, 1)) -> InvalidMemoryAccess
                 log(2, raw(0x200000, 0)) -> Ok
                 log(2, raw(0x200001, 0)) -> InvalidMemoryAccess
                 log(2, raw(1, -1)) -> InvalidMemoryAccess
                 get_log_level() -> Ok 0",
            )
            .on("configure", "log(2, 'configured') -> Ok\nget_log_level() -> Ok 0")
            .on("vm_start", "log(2, 'started') -> Ok")
            .on("log", "log(2, 'logged') -> Ok")
            .on("done", "log(2, 'done') -> Ok")
            .on("delete", "log(2, 'deleted') -> Ok")
            .on("context_create", "log(2, 'created') -> Ok")
            .then(Effect::Logged("trace", "at trace"))
            .then(Effect::Logged("debug", "at debug"))
            .then(Effect::Logged("info", "at info"))
            .then(Effect::Logged("warn", "at warn"))
            .then(Effect::Logged("error", "at error"))
            .then(Effect::Logged("critical", "at critical"))
            .then(Effect::NotLogged("at six")),
        scenario("a status where no call was answered")
            .on("request_headers", "get_status() -> Ok 0 nil"),
        scenario("the clock")
            .on("request_headers", "get_current_time_nanoseconds() -> Ok _")
            .on("vm_start", "get_current_time_nanoseconds() -> Ok _")
            .on("log", "get_current_time_nanoseconds() -> Ok _"),
        scenario("a timer starts, goes on and stops")
            .idle()
            .on("configure", "set_tick_period_milliseconds(10) -> Ok")
            .on("tick@3", "set_tick_period_milliseconds(0) -> Ok")
            .run_for(100)
            .then(Effect::Times("tick", 3))
            .then(Effect::Told("tick", &[1])),
        scenario("a stream's timer is its root context's")
            .on("request_headers", "set_tick_period_milliseconds(10) -> Ok")
            .run_for(35)
            .then(Effect::Told("tick", &[1])),
        scenario("foreign functions that nobody has").on(
            "request_headers",
            "call_foreign_function('none', 'x') -> NotFound _
             call_foreign_function('', nil) -> NotFound _
             call_foreign_function(raw(-1, 1), nil) -> InvalidMemoryAccess kept
             call_foreign_function('none', raw(-1, 1)) -> InvalidMemoryAccess kept",
        ),
        scenario("foreign functions of Higress are not Envoy's").envoy().on(
            "request_headers",
            "call_foreign_function('get_log_level', nil) -> NotFound _
             call_foreign_function('inject_encoded_data_to_filter_chain', '\\xff') -> NotFound _",
        ),
        scenario("what C libraries import").on(
            "request_headers",
            "pthread_equal(1, 1) -> 1
             pthread_equal(1, 2) -> 0
             pthread_equal(-1, -1) -> 1
             emscripten_notify_memory_growth(0)
             emscripten_notify_memory_growth(-1)",
        ),
        scenario("names are not resolved")
            .on("request_headers", "envoy_resolve_dns('example.com') -> Unimplemented _"),
    ]
}
