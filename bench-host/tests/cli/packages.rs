//! Packages: what is written, and what is left out or refused and why.

use insta::assert_snapshot;

use super::command::Folder;
use super::plugins::plugin;

const CONFIG: &str = r#"{"a": 1, "_rules_": [{"a": 2, "_match_domain_": ["a.example"]}]}"#;

#[test]
fn everything_is_written() {
    let folder = Folder::new();
    folder.write("config.json", CONFIG);
    let output = folder.run(
        "package edit.wasm --out out/of --config config.json --image registry.example/a/edit:1.0",
    );
    assert_eq!((output.code, output.stderr.as_str()), (0, ""));
    assert_snapshot!(output.stdout, @r"
    out/of/envoy.yaml
    out/of/higress.yaml
    out/of/istio.yaml
    out/of/oci
    ");
    let index: serde_json::Value =
        serde_json::from_str(&folder.read("out/of/oci/index.json")).unwrap();
    let image = &index["manifests"][0];
    assert_eq!(image["annotations"]["org.opencontainers.image.ref.name"], "1.0");
    let digest = image["digest"].as_str().unwrap().strip_prefix("sha256:").unwrap();
    assert!(folder.path(&format!("out/of/oci/blobs/sha256/{digest}")).exists());
    for file in ["out/of/higress.yaml", "out/of/istio.yaml"] {
        let file = folder.read(file);
        assert!(file.contains("  url: \"oci://registry.example/a/edit:1.0\"\n"), "{file}");
        assert!(file.contains(&format!("  sha256: \"{digest}\"\n")), "{file}");
    }
    let envoy = folder.read("out/of/envoy.yaml");
    assert!(envoy.contains("filename: edit.wasm\n"), "{envoy}");
    assert!(envoy.contains("#     envoy -c out/of/envoy.yaml\n"), "{envoy}");
}

#[test]
fn a_second_run_writes_the_same() {
    let folder = Folder::new();
    let files = |out: &str| {
        assert_eq!(folder.run(&format!("package edit.wasm --out {out} --only oci")).code, 0);
        let mut files = Vec::new();
        for name in std::fs::read_dir(folder.path(out).join("oci/blobs/sha256")).unwrap() {
            files.push(name.unwrap().file_name());
        }
        files.sort();
        (files, folder.read(&format!("{out}/oci/index.json")))
    };
    let first = files("first");
    assert_eq!(first.0.len(), 3);
    assert_eq!(files("first"), first);
    assert_eq!(files("second"), first);
}

#[test]
fn only_what_was_chosen_is_written() {
    let folder = Folder::new();
    let output = folder.run("package edit.wasm --out out --only istio,higress");
    assert_eq!((output.code, output.stderr.as_str()), (0, ""));
    assert_snapshot!(output.stdout, @r"
    out/higress.yaml
    out/istio.yaml
    ");
    assert!(!folder.path("out/envoy.yaml").exists() && !folder.path("out/oci").exists());
}

#[test]
fn what_a_gateway_does_not_run_is_left_out() {
    let folder = Folder::new();
    folder.write("own.wasm", plugin("0_2_100", ""));
    let output = folder.run("package own.wasm --out own");
    assert_eq!(output.code, 0);
    assert_snapshot!(output.stdout, @r"
    own/higress.yaml
    own/oci
    ");
    assert_snapshot!(output.stderr, @r"
    note: no envoy.yaml: the module speaks ABI 0.2.100, which Higress alone does
    note: no istio.yaml: the module speaks ABI 0.2.100, which Higress alone does
    ");
    folder.write("list.json", "[1]");
    let output = folder.run("package edit.wasm --out list --config list.json");
    assert_eq!(output.code, 0);
    assert_snapshot!(output.stderr, @r"
    note: no higress.yaml: a WasmPlugin's configuration is an object, and this one is a list
    note: no istio.yaml: a WasmPlugin's configuration is an object, and this one is a list
    ");
    let output = folder.run("package edit.wasm --out stop --allow-stop-iteration");
    assert_eq!(output.code, 0);
    assert_snapshot!(output.stderr, @r"
    note: no higress.yaml: Higress's WasmPlugin has no field for allow_on_headers_stop_iteration, and the plugin's streams would wait for ever: build the module for ABI 0.2.100
    note: no istio.yaml: Istio's WasmPlugin has no field for allow_on_headers_stop_iteration, and the plugin's streams would wait for ever
    ");
    // What an earlier run wrote is not taken for a part of this one.
    assert_eq!(folder.run("package edit.wasm --out older").code, 0);
    let output = folder.run("package edit.wasm --out older --allow-stop-iteration");
    assert_eq!(output.stderr.matches("the one that is there is of an earlier run").count(), 2);
    // Under Higress's own ABI they wait without being asked to.
    let output = folder.run("package own.wasm --out own --allow-stop-iteration --only higress");
    assert_eq!(output.code, 0);
}

#[test]
fn what_was_asked_for_and_cannot_be_is_an_error() {
    let folder = Folder::new();
    folder.write("own.wasm", plugin("0_2_100", ""));
    assert_snapshot!(folder.fails(2, "package own.wasm --out out --only envoy"), @"no envoy.yaml: the module speaks ABI 0.2.100, which Higress alone does");
}

#[test]
fn a_module_that_runs_nowhere_is_refused() {
    let folder = Folder::new();
    folder.write("empty.wasm", wat::parse_str("(module)").unwrap());
    assert_snapshot!(folder.fails(2, "package empty.wasm --out out"), @"empty.wasm: the module exports no ABI marker such as `proxy_abi_version_0_2_1`: link a proxy-wasm SDK, and build a `cdylib` so that the linker keeps its exports");
    let mut future = plugin("0_2_1", "");
    let at = future.windows(9).position(|name| name == b"proxy_log").unwrap();
    future[at..at + 9].copy_from_slice(b"proxy_lag");
    folder.write("future.wasm", future);
    assert_snapshot!(folder.fails(2, "package future.wasm --out out"), @"future.wasm: it imports what no proxy offers: env.proxy_lag");
    let text = folder.fails(2, "package traffic.jsonl --out out");
    assert!(text.starts_with("traffic.jsonl is not a wasm module: it is text"), "{text}");
    assert_snapshot!(folder.fails(2, "package missing.wasm --out out"), @"there is no file missing.wasm");
    assert!(!folder.path("out").exists());
}

#[test]
fn arguments_that_make_no_sense_are_refused() {
    let folder = Folder::new();
    for (arguments, reason) in [
        ("--listen localhost:1", "Envoy listens at an IP address, not at a name"),
        ("--upstream localhost", "not a place; write HOST:PORT"),
        ("--cluster auth", "not a cluster; write NAME=HOST:PORT"),
        ("--log-attribute a:b", "must be letters, digits, `_`, `-` and dots"),
        ("--image a/b@sha256:00", "leave the digest out"),
        ("--env A", "write NAME=VALUE"),
        ("--name=", "must have 1 to 256 characters"),
        ("--cluster upstream=127.0.0.1:1", "is the one that requests go to"),
        ("--cluster a=b:1 --cluster a=b:2", "there are two clusters named \"a\""),
        ("--listen 127.0.0.1:9901", "port 9901 is that of Envoy's admin interface"),
        ("--upstream http://127.0.0.1:8080", "not a place but a URL; write HOST:PORT"),
        ("--only kong", "possible values: envoy, higress, istio, oci"),
    ] {
        let output = folder.run(&format!("package edit.wasm --out out {arguments}"));
        assert_eq!(output.code, 2, "{arguments}");
        assert!(output.stderr.contains(reason), "{arguments}: {}", output.stderr);
    }
    assert_snapshot!(folder.fails(2, "package edit.wasm --out out --config none.json"), @"cannot read none.json: No such file or directory (os error 2)");
    assert_snapshot!(folder.fails(2, "package edit.wasm --out edit.wasm --only envoy"), @"cannot write edit.wasm/envoy.yaml: File exists (os error 17)");
}
