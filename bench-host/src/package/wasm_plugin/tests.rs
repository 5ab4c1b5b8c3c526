use super::super::yaml::tests::parse;
use super::*;

fn plugin(configuration: Value) -> WasmPlugin {
    let Value::Object(configuration) = configuration else { panic!("an object") };
    WasmPlugin {
        name: "per_domain".to_owned(),
        image: "registry.example/team/per-domain:1.0".parse().unwrap(),
        digest: "0123456789abcdef".repeat(4),
        configuration: Some(configuration),
        failure_policy: FailurePolicy::FailClosed,
        environment: vec![("LEVEL".to_owned(), "1: a".to_owned())],
    }
}

fn with_rules() -> Value {
    json!({
        "request": { "x-team": "platform", "x-debug": null },
        "_rules_": [
            { "request": { "x-team": "checkout" }, "_match_route_": ["default/checkout"] },
            { "_match_domain_": "*.a.example", "_match_service_": ["stock.dns:443"] },
        ],
    })
}

#[test]
fn higress_in_full() {
    insta::assert_snapshot!("higress", plugin(with_rules()).higress());
}

#[test]
fn istio_in_full() {
    insta::assert_snapshot!("istio", plugin(with_rules()).istio());
}

#[test]
fn higress_gets_rules_that_it_has_no_fields_for_as_they_are() {
    let rules = json!({ "a": 1, "_rules_": [{ "_match_route_prefix_": ["ai-"] }] });
    let written = plugin(rules.clone()).higress();
    assert!(written.contains("# `pluginConfig` is handed on as it is"), "{written}");
    let spec = &parse(&written)["spec"];
    assert_eq!(spec["pluginConfig"], rules);
    assert_eq!((&spec["defaultConfig"], &spec["matchRules"]), (&Value::Null, &Value::Null));
}

#[test]
fn nothing_to_configure_is_left_out() {
    let mut plugin = plugin(json!({}));
    plugin.configuration = None;
    plugin.environment.clear();
    for written in [plugin.higress(), plugin.istio()] {
        let spec = &parse(&written)["spec"];
        for field in ["defaultConfig", "matchRules", "pluginConfig", "vmConfig"] {
            assert_eq!(spec[field], Value::Null, "{field} in {written}");
        }
    }
}

#[test]
fn failures_have_the_names_that_each_gateway_knows() {
    for (policy, higress, istio) in [
        (FailurePolicy::FailClosed, "FAIL_CLOSE", "FAIL_CLOSE"),
        (FailurePolicy::FailOpen, "FAIL_OPEN", "FAIL_OPEN"),
        (FailurePolicy::FailReload, "FAIL_CLOSE", "FAIL_RELOAD"),
    ] {
        let mut plugin = plugin(json!({}));
        plugin.failure_policy = policy;
        assert_eq!(parse(&plugin.higress())["spec"]["failStrategy"], higress);
        assert_eq!(parse(&plugin.istio())["spec"]["failStrategy"], istio);
    }
}

#[test]
fn odd_names_stay_what_they_are() {
    for odd in ["a: b #c", "\"\\\n", "null", "日本", "- a"] {
        let mut plugin = plugin(json!({ odd: odd, "_rules_": [{ "_match_domain_": odd }] }));
        plugin.name = odd.to_owned();
        plugin.environment = vec![(odd.to_owned(), odd.to_owned())];
        let spec = &parse(&plugin.higress())["spec"];
        assert_eq!(spec["pluginName"], odd);
        assert_eq!(spec["defaultConfig"][odd], odd);
        assert_eq!(spec["matchRules"][0]["domain"][0], odd);
        assert_eq!(spec["vmConfig"]["env"][0]["name"], odd);
        assert_eq!(parse(&plugin.istio())["spec"]["pluginConfig"][odd], odd);
    }
}

#[test]
fn kubernetes_takes_the_names() {
    for (name, taken) in [
        ("per_domain", "per-domain"),
        ("AI.Proxy", "ai-proxy"),
        ("-a-", "a"),
        ("日本", "plugin"),
        ("", "plugin"),
    ] {
        assert_eq!(resource_name(name), taken);
    }
    assert_eq!(resource_name(&"a".repeat(100)).len(), 63);
}
