//! Modules that a stock Envoy does not load for what their ABI version says, nor does the bench host.

use bench_host::testing::Setup;
use envoy_tests::{Bootstrap, Gateway, envoy};

use crate::stage::Written;

#[test]
fn header_callbacks_have_the_parameters_of_their_abi_version() {
    if envoy().is_none() {
        return;
    }
    let written = Written::new();
    for (version, name, params) in
        [("0_1_0", "response", "i32 i32 i32"), ("0_2_1", "request", "i32 i32")]
    {
        let plugin = written.plugin(
            version,
            &format!(
                r#"(func (export "proxy_abi_version_{version}"))
                (func (export "proxy_on_{name}_headers") (param {params}) (result i32)
                    (i32.const 0))"#
            ),
        );
        let module = "target/wasm32-wasip1/guest/token_count.wasm";
        let bootstrap = Bootstrap::of_example("token-count").unwrap();
        let bootstrap = bootstrap.replace(module, plugin.module.to_str().unwrap()).unwrap();
        let refusal = Gateway::start(bootstrap, 1).unwrap_err().to_string();
        let says = format!("Bad function signature for: proxy_on_{name}_headers");
        assert!(refusal.contains(&says), "{refusal}");
        let bench = bench_host::testing::TestModule::read(&plugin.module).unwrap();
        let refusal = Setup::new().module(&bench, "").unwrap_err().to_string();
        assert!(refusal.contains(&format!("proxy_on_{name}_headers")), "{refusal}");
    }
}
