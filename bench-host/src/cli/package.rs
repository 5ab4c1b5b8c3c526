//! `bench-host package`

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use super::Failure;
use super::host::{PolicyName, variable};
use crate::module::{AbiVersion, Facts, Module};
use crate::package::{
    Bootstrap, Cluster, Endpoint, Image, ImageReference, WasmPlugin, resource_name, runs_on_envoy,
    runs_somewhere, settings,
};

/// Write what gateways want beside a module: an image and manifests.
///
/// The module is looked at first, and not run. What it cannot run on is left out, and the reason is
/// told. docs/package.md says how each of the files is used.
#[derive(Debug, Args)]
#[command(after_help = "Example: cargo bench-host package plugin.wasm --out package \
                        --config config.json --image registry.example/team/plugin:1.0")]
pub(super) struct Arguments {
    /// The module.
    plugin: PathBuf,
    /// The folder that is written to; files of these names that are there already are replaced.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Write only these, separated by commas.
    #[arg(long, value_name = "WHAT", value_delimiter = ',')]
    only: Vec<What>,
    /// The plugin's name [default: that of the module's file].
    #[arg(long, value_name = "NAME", value_parser = name)]
    name: Option<String>,
    /// The plugin's configuration. Envoy gets it as it is, the others as an object.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The image's place and tag in a registry [default: registry.example/NAME:latest].
    #[arg(long, value_name = "REGISTRY/NAME:TAG")]
    image: Option<ImageReference>,
    /// What becomes of streams when the plugin has failed.
    #[arg(long, value_name = "POLICY", default_value = "fail-closed")]
    failure_policy: PolicyName,
    /// A variable of the plugin's environment; may be given several times.
    #[arg(long, value_name = "NAME=VALUE", value_parser = variable)]
    env: Vec<(String, String)>,
    /// The plugin's headers wait for bodies: sets allow_on_headers_stop_iteration, which Envoy has
    /// from 1.35 on, and the WasmPlugins of Higress and Istio have not.
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
    /// A bootstrap with which Envoy runs the plugin as it is: envoy.yaml.
    Envoy,
    /// A WasmPlugin for Higress: higress.yaml.
    Higress,
    /// A WasmPlugin for Istio: istio.yaml.
    Istio,
    /// The image, as a layout to copy into a registry: oci/.
    Oci,
}

/// The ABI under which headers wait for bodies without being asked to.
const HIGRESS: Option<AbiVersion> = Some(AbiVersion::V0_2_100);

/// Files and their paths in the folder.
type Files = Vec<(String, Vec<u8>)>;

pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let module = Module::read(&arguments.plugin)?;
    runs_somewhere(&module.facts)
        .map_err(|error| Failure::Input(format!("{}: {error}", arguments.plugin.display())))?;
    let image = Image::new(&module.bytes, arguments.image()?.tag())
        .map_err(|error| Failure::Own(format!("cannot make the image: {error}")))?;
    let mut written = String::new();
    for what in What::value_variants() {
        let chosen = arguments.only.contains(what);
        if !chosen && !arguments.only.is_empty() {
            continue;
        }
        if let Err(reason) = arguments.fits(*what, &module.facts)? {
            let message = format!("no {}: {reason}", what.path());
            if chosen {
                return Err(Failure::Input(message));
            }
            eprintln!("note: {message}");
            continue;
        }
        for (path, content) in arguments.files(*what, &image)? {
            write(&arguments.out, &path, &content)?;
        }
        // Writing to a string cannot fail.
        let _ = writeln!(written, "{}", arguments.out.join(what.path()).display());
    }
    super::print(&written)
}

impl What {
    fn path(self) -> &'static str {
        match self {
            Self::Envoy => "envoy.yaml",
            Self::Higress => "higress.yaml",
            Self::Istio => "istio.yaml",
            Self::Oci => "oci",
        }
    }
}

impl Arguments {
    /// Whether there is any use in a file, or else why not.
    fn fits(&self, what: What, facts: &Facts) -> Result<Result<(), String>, Failure> {
        if matches!(what, What::Envoy | What::Istio)
            && let Err(reason) = runs_on_envoy(facts)
        {
            return Ok(Err(reason.to_string()));
        }
        let waiting = "the plugin's streams would wait for ever";
        if what == What::Istio && self.allow_stop_iteration {
            return Ok(Err(format!(
                "Istio's WasmPlugin has no field for allow_on_headers_stop_iteration, and {waiting}"
            )));
        }
        if what == What::Higress && self.allow_stop_iteration && facts.abi != HIGRESS {
            return Ok(Err(format!(
                "Higress's WasmPlugin has no field for allow_on_headers_stop_iteration, and \
                 {waiting}: build the module for ABI 0.2.100"
            )));
        }
        if matches!(what, What::Higress | What::Istio)
            && let Err(reason) = settings::read(&self.configuration()?)
        {
            return Ok(Err(reason.to_string()));
        }
        Ok(Ok(()))
    }

    fn files(&self, what: What, image: &Image) -> Result<Files, Failure> {
        let text = match what {
            What::Envoy => self.bootstrap()?.yaml(),
            What::Higress => self.wasm_plugin(image)?.higress(),
            What::Istio => self.wasm_plugin(image)?.istio(),
            What::Oci => {
                let files = image.files.iter();
                return Ok(files
                    .map(|(path, bytes)| (format!("{}/{path}", what.path()), bytes.clone()))
                    .collect());
            }
        };
        Ok(vec![(what.path().to_owned(), text.into_bytes())])
    }

    fn name(&self) -> String {
        let of_module = || self.plugin.file_stem().unwrap_or_default().to_string_lossy();
        self.name.clone().unwrap_or_else(|| of_module().into_owned())
    }

    fn image(&self) -> Result<ImageReference, Failure> {
        if let Some(image) = &self.image {
            return Ok(image.clone());
        }
        let repository = format!("registry.example/{}", resource_name(&self.name()));
        ImageReference::new(&repository, "latest")
            .map_err(|error| Failure::Own(format!("{repository}: {error}")))
    }

    fn configuration(&self) -> Result<String, Failure> {
        let Some(path) = &self.config else { return Ok(String::new()) };
        fs::read_to_string(path).map_err(|error| Failure::file("read", path, &error))
    }

    fn bootstrap(&self) -> Result<Bootstrap, Failure> {
        let mut names = vec!["upstream"];
        for cluster in &self.envoy.cluster {
            if names.contains(&cluster.name.as_str()) {
                let name = &cluster.name;
                return Err(Failure::Input(format!("there are two clusters named {name:?}")));
            }
            names.push(&cluster.name);
        }
        Ok(Bootstrap {
            name: self.name(),
            module: self.plugin.to_string_lossy().into_owned(),
            file: self.out.join(What::Envoy.path()).to_string_lossy().into_owned(),
            configuration: self.configuration()?,
            listen: self.envoy.listen.clone(),
            upstream: self.envoy.upstream.clone(),
            clusters: self.envoy.cluster.clone(),
            log_attributes: self.envoy.log_attribute.clone(),
            failure_policy: self.failure_policy.into(),
            environment: self.env.clone(),
            allow_stop_iteration: self.allow_stop_iteration,
        })
    }

    fn wasm_plugin(&self, image: &Image) -> Result<WasmPlugin, Failure> {
        let configuration = settings::read(&self.configuration()?)
            .map_err(|error| Failure::Input(error.to_string()))?;
        Ok(WasmPlugin {
            name: self.name(),
            image: self.image()?,
            digest: image.digest.clone(),
            configuration,
            failure_policy: self.failure_policy.into(),
            environment: self.env.clone(),
        })
    }
}

/// Up to 256 characters, as Istio's resources have it.
fn name(text: &str) -> Result<String, String> {
    match text.chars().count() {
        1..=256 => Ok(text.to_owned()),
        _ => Err("must have 1 to 256 characters".to_owned()),
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
            &["--cluster=outbound|80||tenants.prod.svc.cluster.local=127.0.0.1:8081"],
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
