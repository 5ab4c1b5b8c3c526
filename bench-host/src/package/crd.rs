//! What the published definitions of the two resources say, as far as manifests use it.
//!
//! Higress: `helm/core/crds/customresourcedefinitions.gen.yaml`. Istio:
//! `manifests/charts/base/files/crd-all.gen.yaml`, and `extensions/v1alpha1/wasm.proto` of its API
//! for `FAIL_RELOAD`. Both prune fields that they do not know, and refuse values of other types.

use serde_json::{Value, json};

use super::yaml::tests::parse;
use super::{WasmPlugin, settings};
use crate::host::FailurePolicy;

/// What may stand in a field.
enum Field {
    Text,
    /// A text of at least and at most so many characters.
    Sized(usize, usize),
    /// 64 hexadecimal digits in lower case.
    Sha256,
    OneOf(&'static [&'static str]),
    Integer,
    Truth,
    /// Anything, as long as it is an object.
    Open,
    Texts(Box<Field>),
    List(Box<Field>),
    Object(&'static [&'static str], Vec<(&'static str, Field)>),
}

use Field::{Integer, List, Object, OneOf, Open, Sha256, Sized, Text, Texts, Truth};

fn higress() -> Field {
    let variable = Object(
        &[],
        vec![("name", Text), ("value", Text), ("valueFrom", OneOf(&["INLINE", "HOST"]))],
    );
    let texts = || List(Box::new(Text));
    let rule = Object(
        &[],
        vec![
            ("config", Open),
            ("configDisable", Truth),
            ("domain", texts()),
            ("ingress", texts()),
            ("service", texts()),
        ],
    );
    Object(
        &[],
        vec![
            ("defaultConfig", Open),
            ("defaultConfigDisable", Truth),
            ("failStrategy", OneOf(&["FAIL_CLOSE", "FAIL_OPEN"])),
            ("imagePullPolicy", OneOf(&["UNSPECIFIED_POLICY", "IfNotPresent", "Always"])),
            ("imagePullSecret", Text),
            ("matchRules", List(Box::new(rule))),
            ("phase", OneOf(PHASES)),
            ("pluginConfig", Open),
            ("pluginName", Text),
            ("priority", Integer),
            ("sha256", Text),
            ("url", Text),
            ("verificationKey", Text),
            ("vmConfig", Object(&[], vec![("env", List(Box::new(variable)))])),
        ],
    )
}

fn istio() -> Field {
    let variable = Object(
        &["name"],
        vec![
            ("name", Sized(1, 256)),
            ("value", Sized(0, 2048)),
            ("valueFrom", OneOf(&["INLINE", "HOST"])),
        ],
    );
    let target = Object(
        &["kind", "name"],
        vec![("group", Text), ("kind", Sized(1, 63)), ("name", Sized(1, 253)), ("namespace", Text)],
    );
    Object(
        &["url"],
        vec![
            ("failStrategy", OneOf(&["FAIL_CLOSE", "FAIL_OPEN", "FAIL_RELOAD"])),
            ("imagePullPolicy", OneOf(&["UNSPECIFIED_POLICY", "IfNotPresent", "Always"])),
            ("imagePullSecret", Sized(1, 253)),
            ("phase", OneOf(PHASES)),
            ("pluginConfig", Open),
            ("pluginName", Sized(1, 256)),
            ("priority", Integer),
            ("selector", Object(&[], vec![("matchLabels", Texts(Box::new(Sized(0, 63))))])),
            ("sha256", Sha256),
            ("targetRefs", List(Box::new(target))),
            ("type", OneOf(&["UNSPECIFIED_PLUGIN_TYPE", "HTTP", "NETWORK"])),
            ("url", Sized(1, usize::MAX)),
            ("verificationKey", Text),
            ("vmConfig", Object(&[], vec![("env", List(Box::new(variable)))])),
        ],
    )
}

const PHASES: &[&str] = &["UNSPECIFIED_PHASE", "AUTHN", "AUTHZ", "STATS"];

/// The first place that the definition refuses.
fn check(place: &str, field: &Field, value: &Value) -> Result<(), String> {
    let wrong = || Err(format!("{place}: {value}"));
    let long = |least: usize, most: usize| {
        value.as_str().is_some_and(|text| (least..=most).contains(&text.chars().count()))
    };
    match (field, value) {
        (Text, Value::String(_)) | (Truth, Value::Bool(_)) | (Open, Value::Object(_)) => Ok(()),
        (Sized(least, most), Value::String(_)) if long(*least, *most) => Ok(()),
        (Sha256, Value::String(digits)) if long(64, 64) => {
            let hex = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
            if digits.chars().all(hex) { Ok(()) } else { wrong() }
        }
        (OneOf(names), Value::String(name)) if names.contains(&name.as_str()) => Ok(()),
        (Integer, value) if value.is_i64() => Ok(()),
        (Texts(each), Value::Object(map)) => {
            map.iter().try_for_each(|(key, value)| check(&format!("{place}.{key}"), each, value))
        }
        (List(each), Value::Array(list)) => list
            .iter()
            .enumerate()
            .try_for_each(|(at, value)| check(&format!("{place}[{at}]"), each, value)),
        (Object(required, fields), Value::Object(map)) => {
            if let Some(missing) = required.iter().find(|name| !map.contains_key(**name)) {
                return Err(format!("{place} lacks {missing}"));
            }
            map.iter().try_for_each(|(key, value)| {
                match fields.iter().find(|(name, _)| name == key) {
                    Some((_, field)) => check(&format!("{place}.{key}"), field, value),
                    None => Err(format!("{place}.{key} is unknown")),
                }
            })
        }
        _ => wrong(),
    }
}

fn resource(written: &str, group: &str, spec: &Field) {
    let resource = parse(written);
    let keys: Vec<_> = resource.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["apiVersion", "kind", "metadata", "spec"]);
    assert_eq!(resource["apiVersion"], format!("extensions.{group}.io/v1alpha1"));
    assert_eq!(resource["kind"], "WasmPlugin");
    check("spec", spec, &resource["spec"]).unwrap_or_else(|error| panic!("{error} in {written}"));
    let spec = &resource["spec"];
    for field in ["url", "sha256", "pluginName", "phase", "priority", "failStrategy"] {
        assert!(!spec[field].is_null(), "{field} is left out of {written}");
    }
    assert!(spec["url"].as_str().unwrap().starts_with("oci://"));
    // Istio lets only one of them be there.
    assert!(spec["selector"].is_null() || spec["targetRefs"].is_null());
}

#[test]
fn both_resources_are_what_their_definitions_say() {
    for configuration in [
        "",
        "{}",
        r#"{"a": [1, 2.5, null, {"b": "c"}]}"#,
        r#"{"_rules_": [{"_match_route_": ["a"]}]}"#,
        r#"{"a": 1, "_rules_": [{"_match_domain_": "a", "b": 1}, {"_match_service_": ["a.dns"]}]}"#,
        r#"{"a": 1, "_rules_": [{"_match_route_prefix_": ["a"]}]}"#,
    ] {
        for failure_policy in
            [FailurePolicy::FailClosed, FailurePolicy::FailOpen, FailurePolicy::FailReload]
        {
            for environment in [vec![], vec![("A".to_owned(), "1".to_owned())]] {
                let plugin = WasmPlugin {
                    name: "a".to_owned(),
                    image: "registry.example/a:1".parse().unwrap(),
                    digest: "0123456789abcdef".repeat(4),
                    configuration: settings::read(configuration).unwrap(),
                    failure_policy,
                    environment,
                };
                resource(&plugin.higress(), "higress", &higress());
                resource(&plugin.istio(), "istio", &istio());
            }
        }
    }
}

#[test]
fn what_a_definition_refuses_is_found() {
    for (value, error) in [
        (json!({}), "spec lacks url"),
        (json!({ "url": "" }), "spec.url: \"\""),
        (json!({ "url": "a", "failPolicy": "a" }), "spec.failPolicy is unknown"),
        (
            json!({ "url": "a", "failStrategy": "FAIL_CLOSED" }),
            "spec.failStrategy: \"FAIL_CLOSED\"",
        ),
        (json!({ "url": "a", "priority": "0" }), "spec.priority: \"0\""),
        (json!({ "url": "a", "sha256": "a" }), "spec.sha256: \"a\""),
        (json!({ "url": "a", "pluginConfig": [] }), "spec.pluginConfig: []"),
        (json!({ "url": "a", "vmConfig": { "env": [{}] } }), "spec.vmConfig.env[0] lacks name"),
    ] {
        assert_eq!(check("spec", &istio(), &value), Err(error.to_owned()));
    }
}
