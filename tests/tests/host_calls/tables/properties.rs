//! Properties.

use bench_host::testing::Call;

use super::super::scenario::{Effect, Scenario, scenario};

pub fn table() -> Vec<Scenario> {
    vec![
        scenario("properties of the request and of the plugin")
            .send(Call::post("/a/b?q=1").header("x-a", "v").body("12345"))
            .on(
                "request_headers",
                "get_property('request\\0path') -> Ok '/a/b?q=1'
                 get_property('request\\0method') -> Ok 'POST'
                 get_property('request\\0headers\\0x-a') -> Ok 'v'
                 get_property('request\\0headers\\0x-none') -> NotFound kept
                 get_property('plugin_name') -> Ok 'plugin'
                 get_property('response\\0code') -> NotFound kept
                 get_property('no') -> NotFound kept
                 get_property('no\\0such\\0thing') -> NotFound kept
                 get_property('') -> SerializationFailure kept
                 get_property('\\0') -> NotFound kept
                 get_property(raw(-1, 1)) -> InvalidMemoryAccess kept
                 set_property(raw(-1, 1), 'x') -> InvalidMemoryAccess
                 set_property('x', raw(-1, 1)) -> InvalidMemoryAccess
                 get_property('x') -> NotFound kept",
            )
            .on(
                "response_headers",
                "get_property('response\\0code') -> Ok '\\xc8\\0\\0\\0\\0\\0\\0\\0'",
            ),
        scenario("what one callback sets, later ones read")
            .on(
                "request_headers",
                "set_property('mine', 'one') -> Ok
                 get_property('mine') -> Ok 'one'
                 set_property('mine', 'two') -> Ok
                 set_property('empty', '') -> Ok
                 get_property('empty') -> Ok nil
                 set_property('a\\0b', 'deep') -> Ok",
            )
            .on("response_headers", "get_property('mine') -> Ok 'two'")
            .on("log", "get_property('mine') -> Ok 'two'\nset_property('late', 'x') -> Ok"),
        scenario("outside of streams nothing is set")
            .on("vm_start", "set_property('a', 'b') -> NotFound")
            .on(
                "configure",
                "set_property('a', 'b') -> NotFound
                 get_property('a') -> NotFound kept
                 get_property('plugin_name') -> Ok 'plugin'
                 get_property('request\\0path') -> NotFound kept
                 set_tick_period_milliseconds(10) -> Ok",
            )
            .on("tick@1", "set_property('a', 'b') -> NotFound\nget_property('a') -> NotFound kept")
            .run_for(15),
        scenario("what Higress does with a property besides keeping it")
            .higress()
            .on(
                "request_headers",
                "set_property('trace_span_tag.k', 'v') -> Ok
                 get_property('trace_span_tag.k') -> NotFound kept
                 set_property('clear_route_cache', 'off') -> Ok
                 get_property('clear_route_cache') -> Ok 'off'
                 set_property('set_decoder_buffer_limit', '100') -> Ok
                 get_property('set_decoder_buffer_limit') -> Ok '100'
                 set_property('set_encoder_buffer_limit', 'no number') -> Ok
                 set_property('wasm_need_rebuild', 'false') -> Ok
                 get_property('wasm_need_rebuild') -> Ok nil
                 get_property('plugin_vm_memory') -> Ok '\\0\\0\\x20\\0\\0\\0\\0\\0'",
            )
            .then(Effect::Request(":path", Some("/path?q=1"))),
        scenario("Higress's properties are not Envoy's").envoy().on(
            "request_headers",
            "get_property('plugin_vm_memory') -> NotFound kept
             set_property('wasm_need_rebuild', 'true') -> Ok
             get_property('wasm_need_rebuild') -> Ok 'true'
             set_property('trace_span_tag.k', 'v') -> Ok
             get_property('trace_span_tag.k') -> Ok 'v'",
        ),
    ]
}
