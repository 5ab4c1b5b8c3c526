//! The bootstraps of the examples, which are what the command writes.

use clap::Parser;

use std::fs;
use std::path::Path;

use super::Arguments;

#[derive(Debug, Parser)]
struct Command {
    #[command(flatten)]
    arguments: Arguments,
}

/// The examples' folders that hold an `envoy.yaml`, their modules, and what else was said on
/// the command line. All but `moderate-higress`, which runs on Higress alone.
const EXAMPLES: [(&str, &str, &[&str]); 19] = [
    ("adopt/after", "adopt_after", &["--config=examples/adopt/config.json"]),
    ("adopt/before", "adopt_before", &["--config=examples/adopt/config.json"]),
    ("baseline", "baseline", &[]),
    (
        "ext-auth",
        "ext_auth",
        &[
            "--cluster=outbound|80||auth.prod.svc.cluster.local=127.0.0.1:8081",
            "--cluster=outbound|80||audit.prod.svc.cluster.local=127.0.0.1:8082",
        ],
    ),
    ("fallback", "fallback", &["--allow-stop-iteration"]),
    ("floor", "floor", &[]),
    ("leader", "leader", &["--cluster=outbound|80||quotas.dns=127.0.0.1:8081"]),
    ("leaky", "leaky", &[]),
    ("model-router", "model_router", &["--allow-stop-iteration"]),
    (
        "moderate",
        "moderate",
        &["--cluster=outbound|80||moderation.prod.svc.cluster.local=127.0.0.1:8081"],
    ),
    ("per-domain", "per_domain", &[]),
    ("prompt-guard", "prompt_guard", &["--allow-stop-iteration"]),
    ("quota", "quota", &[]),
    (
        "rebuild",
        "rebuild",
        &[
            "--failure-policy=fail-reload",
            "--cluster=outbound|80||tenants.prod.svc.cluster.local=127.0.0.1:8081",
        ],
    ),
    ("replace", "replace", &[]),
    ("rewrite", "rewrite", &[]),
    ("ticks", "ticks", &["--cluster=outbound|80||lists.dns=127.0.0.1:8081"]),
    ("token-count", "token_count", &["--log-attribute=ai_log"]),
    ("upload-scan", "upload_scan", &[]),
];

#[test]
fn every_example_that_runs_in_envoy_has_a_file() {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples");
    let mut folders: Vec<_> = fs::read_dir(examples)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name != "moderate-higress")
        .collect();
    folders.sort();
    let mut known: Vec<_> =
        EXAMPLES.iter().filter_map(|(folder, ..)| folder.split('/').next()).collect();
    known.dedup();
    assert_eq!(folders, known);
}

fn parse(arguments: &[&str]) -> Arguments {
    Command::try_parse_from([&["package"], arguments].concat()).unwrap().arguments
}

/// The arguments with which an example's file was written, run from the root.
fn example(folder: &str, module: &str, more: &[&str]) -> Arguments {
    let plugin = format!("target/wasm32-wasip1/guest/{module}.wasm");
    let out = format!("--out=examples/{folder}");
    let config = format!("--config=examples/{folder}/config.json");
    let mut arguments = vec![plugin.as_str(), &out, "--only=envoy"];
    if !more.iter().any(|argument| argument.starts_with("--config")) {
        arguments.push(&config);
    }
    parse(&[&arguments, more].concat())
}

#[test]
fn the_files_of_the_examples_are_what_is_written() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    for (folder, module, more) in EXAMPLES {
        let mut arguments = example(folder, module, more);
        arguments.config = arguments.config.map(|path| root.join(path));
        let written = arguments.bootstrap(&arguments.configuration().unwrap()).unwrap().yaml();
        let path = root.join("examples").join(folder).join("envoy.yaml");
        if std::env::var_os("UPDATE_EXAMPLES").is_some() {
            fs::write(&path, &written).unwrap();
        }
        let committed = fs::read_to_string(&path).unwrap_or_default();
        assert_eq!(committed, written, "{}: run with UPDATE_EXAMPLES=1", path.display());
    }
}
