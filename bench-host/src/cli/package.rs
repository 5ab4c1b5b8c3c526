//! `bench-host package`

use std::fs;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use super::Failure;
use super::host::PolicyName;
use crate::package::{Bootstrap, Cluster, Endpoint};

/// Write what gateways want beside a module: an image and manifests.
#[derive(Debug, Args)]
#[command(after_help = "Example: cargo bench-host package plugin.wasm --out package \
                        --config config.json --image registry.example/team/plugin:1.0")]
pub(super) struct Arguments {
    /// The module.
    plugin: PathBuf,
    /// The folder that is written to; files in it that are there already are written anew.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Write only these.
    #[arg(long, value_name = "WHAT", value_delimiter = ',')]
    only: Vec<What>,
    /// The plugin's name [default: the module's].
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// The plugin's configuration.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// What becomes of requests when the plugin has failed.
    #[arg(long, value_name = "POLICY", default_value = "fail-closed")]
    failure_policy: PolicyName,
    /// StopIteration of header callbacks is what it says up to ABI 0.2.1 too, as with
    /// allow_on_headers_stop_iteration in the plugin's configuration (Envoy 1.33 on).
    #[arg(long)]
    allow_stop_iteration: bool,
    #[command(flatten)]
    envoy: EnvoyArguments,
}

/// What is in the bootstrap alone.
#[derive(Debug, Args)]
#[command(next_help_heading = "Envoy's bootstrap")]
struct EnvoyArguments {
    /// Where Envoy listens.
    #[arg(long, value_name = "IP:PORT", default_value = "127.0.0.1:10000", value_parser = address)]
    listen: Endpoint,
    /// Where requests go.
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:8080")]
    upstream: Endpoint,
    /// A cluster that the plugin calls, and where it is; may be given several times.
    #[arg(long, value_name = "NAME=HOST:PORT")]
    cluster: Vec<Cluster>,
    /// An attribute that the plugin writes for access logs; may be given several times.
    #[arg(long, value_name = "NAME", value_parser = attribute)]
    log_attribute: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum What {
    /// A bootstrap for Envoy: envoy.yaml.
    Envoy,
}

pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    write(&arguments.out, "envoy.yaml", arguments.bootstrap()?.yaml().as_bytes())
}

impl Arguments {
    fn name(&self) -> String {
        let of_module = || self.plugin.file_stem().unwrap_or_default().to_string_lossy();
        self.name.clone().unwrap_or_else(|| of_module().into_owned())
    }

    fn configuration(&self) -> Result<String, Failure> {
        let Some(path) = &self.config else { return Ok(String::new()) };
        fs::read_to_string(path).map_err(|error| Failure::file("read", path, &error))
    }

    fn bootstrap(&self) -> Result<Bootstrap, Failure> {
        Ok(Bootstrap {
            name: self.name(),
            module: self.plugin.to_string_lossy().into_owned(),
            file: self.out.join("envoy.yaml").to_string_lossy().into_owned(),
            configuration: self.configuration()?,
            listen: self.envoy.listen.clone(),
            upstream: self.envoy.upstream.clone(),
            clusters: self.envoy.cluster.clone(),
            log_attributes: self.envoy.log_attribute.clone(),
            failure_policy: self.failure_policy.into(),
            allow_stop_iteration: self.allow_stop_iteration,
        })
    }
}

fn address(text: &str) -> Result<Endpoint, String> {
    let endpoint: Endpoint = text.parse().map_err(|error| format!("{error}"))?;
    match endpoint.is_address() {
        true => Ok(endpoint),
        false => Err("Envoy listens at an IP address, not at a name".to_owned()),
    }
}

fn attribute(text: &str) -> Result<String, String> {
    match text.bytes().all(|c| c.is_ascii_alphanumeric() || b"_-.".contains(&c)) {
        true if !text.is_empty() => Ok(text.to_owned()),
        _ => Err("must be letters, digits, `_`, `-` and dots".to_owned()),
    }
}

fn write(folder: &Path, name: &str, content: &[u8]) -> Result<(), Failure> {
    let path = folder.join(name);
    let made = path.parent().map_or(Ok(()), fs::create_dir_all);
    made.and_then(|()| fs::write(&path, content))
        .map_err(|error| Failure::file("write", &path, &error))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Command {
        #[command(flatten)]
        arguments: Arguments,
    }

    /// The examples' folders that hold an `envoy.yaml`, their modules, and what else was said on
    /// the command line. All but `moderate-higress`, which runs on Higress alone.
    const EXAMPLES: [(&str, &str, &[&str]); 18] = [
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
            let written = arguments.bootstrap().unwrap().yaml();
            let path = root.join("examples").join(folder).join("envoy.yaml");
            if std::env::var_os("UPDATE_EXAMPLES").is_some() {
                fs::write(&path, &written).unwrap();
            }
            let committed = fs::read_to_string(&path).unwrap_or_default();
            assert_eq!(committed, written, "{}: run with UPDATE_EXAMPLES=1", path.display());
        }
    }
}
