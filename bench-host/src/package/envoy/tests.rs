use serde_json::{Value, json};

use super::super::yaml::tests::parse;
use super::*;

fn bootstrap() -> Bootstrap {
    Bootstrap {
        name: "edit".to_owned(),
        module: "target/edit.wasm".to_owned(),
        file: "package/envoy.yaml".to_owned(),
        configuration: String::new(),
        listen: "127.0.0.1:10000".parse().unwrap(),
        upstream: "127.0.0.1:8080".parse().unwrap(),
        clusters: Vec::new(),
        log_attributes: Vec::new(),
        failure_policy: FailurePolicy::FailClosed,
        environment: Vec::new(),
        allow_stop_iteration: false,
    }
}

/// The only HTTP connection manager.
fn manager(bootstrap: &Bootstrap) -> Value {
    let read = parse(&bootstrap.yaml());
    let listeners = read["static_resources"]["listeners"].as_array().unwrap();
    assert_eq!(listeners.len(), 1);
    listeners[0]["filter_chains"][0]["filters"][0]["typed_config"].clone()
}

fn plugin(bootstrap: &Bootstrap) -> Value {
    manager(bootstrap)["http_filters"][0]["typed_config"]["config"].clone()
}

#[test]
fn the_least_bootstrap_in_full() {
    insta::assert_snapshot!("least", bootstrap().yaml());
}

#[test]
fn every_option_in_full() {
    let every = Bootstrap {
        configuration: "{\n  \"a\": 1\n}\n".to_owned(),
        listen: "[::1]:1".parse().unwrap(),
        upstream: "upstream.example:2".parse().unwrap(),
        clusters: vec![
            "outbound|80||auth.dns=127.0.0.1:3".parse().unwrap(),
            "logs=logs.example:4".parse().unwrap(),
        ],
        log_attributes: vec!["ai_log".to_owned()],
        failure_policy: FailurePolicy::FailReload,
        environment: vec![("LEVEL".to_owned(), "1".to_owned())],
        allow_stop_iteration: true,
        ..bootstrap()
    };
    insta::assert_snapshot!("every", every.yaml());
    let log = &manager(&every)["access_log"][0]["typed_config"]["log_format"]["json_format"];
    assert_eq!(log["ai_log"], "%FILTER_STATE(wasm.ai_log:PLAIN)%");
    let vm = &plugin(&every)["vm_config"];
    assert_eq!(vm["environment_variables"]["key_values"], json!({ "LEVEL": "1" }));
}

#[test]
fn odd_texts_stay_what_they_are() {
    for odd in ["", "a: b #c", "\"\\\n", "null", "日本", "- a\n b\n", "{\r\n}\r\n", "\n\n", "%"] {
        let odd_one = Bootstrap {
            name: odd.to_owned(),
            module: odd.to_owned(),
            file: odd.to_owned(),
            configuration: odd.to_owned(),
            clusters: vec![Cluster {
                name: odd.to_owned(),
                endpoint: "127.0.0.1:1".parse().unwrap(),
            }],
            environment: vec![("A".to_owned(), odd.to_owned())],
            ..bootstrap()
        };
        let read = parse(&odd_one.yaml());
        assert_eq!(read["static_resources"]["clusters"][1]["name"], odd);
        let plugin = plugin(&odd_one);
        assert_eq!((&plugin["name"], &plugin["root_id"]), (&json!(odd), &json!(odd)));
        assert_eq!(plugin["vm_config"]["code"]["local"]["filename"], odd);
        assert_eq!(plugin["vm_config"]["environment_variables"]["key_values"]["A"], odd);
        match odd {
            "" => assert_eq!(plugin["configuration"], Value::Null),
            odd => assert_eq!(plugin["configuration"]["value"], odd),
        }
    }
}

#[test]
fn ports_stand_alone_on_their_lines() {
    let yaml = bootstrap().yaml();
    let ports: Vec<_> =
        yaml.lines().filter_map(|line| line.trim().strip_prefix("port_value: ")).collect();
    assert_eq!(ports, ["9901", "10000", "8080"]);
}
