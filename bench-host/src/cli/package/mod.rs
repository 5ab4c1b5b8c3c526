//! `bench-host package`

#[cfg(test)]
mod examples;

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

/// The port of the bootstrap's admin interface, at which Envoy could not bind a listener too.
const ADMIN_PORT: u16 = 9901;

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

/// Files and their paths in the folder.
type Files = Vec<(String, Vec<u8>)>;

pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let module = Module::read(&arguments.plugin)?;
    runs_somewhere(&module.facts)
        .map_err(|error| Failure::Input(format!("{}: {error}", arguments.plugin.display())))?;
    let image = Image::new(&module.bytes, arguments.image()?.tag())
        .map_err(|error| Failure::Own(format!("cannot make the image: {error}")))?;
    let configuration = arguments.configuration()?;
    let mut written = String::new();
    for what in What::value_variants() {
        let chosen = arguments.only.contains(what);
        if !chosen && !arguments.only.is_empty() {
            continue;
        }
        if let Some(reason) = arguments.misfit(*what, &module.facts, &configuration) {
            let message = format!("no {}: {reason}", what.path());
            if chosen {
                return Err(Failure::Input(message));
            }
            let older = match arguments.out.join(what.path()).exists() {
                true => {
                    "; the one that is there is of an earlier run and does not belong to this one"
                }
                false => "",
            };
            eprintln!("note: {message}{older}");
            continue;
        }
        for (path, content) in arguments.files(*what, &image, &configuration)? {
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
    /// Why there is no use in a file.
    fn misfit(&self, what: What, facts: &Facts, configuration: &str) -> Option<String> {
        let of_envoy = matches!(what, What::Envoy | What::Istio);
        if let (true, Err(reason)) = (of_envoy, runs_on_envoy(facts)) {
            return Some(reason.to_string());
        }
        let gateway = match what {
            What::Higress => "Higress",
            What::Istio => "Istio",
            What::Envoy | What::Oci => return None,
        };
        if self.allow_stop_iteration && facts.abi != Some(AbiVersion::V0_2_100) {
            let other =
                if what == What::Higress { ": build the module for ABI 0.2.100" } else { "" };
            return Some(format!(
                "{gateway}'s WasmPlugin has no field for allow_on_headers_stop_iteration, and the \
                 plugin's streams would wait for ever{other}"
            ));
        }
        settings::read(configuration).err().map(|reason| reason.to_string())
    }

    fn files(&self, what: What, image: &Image, configuration: &str) -> Result<Files, Failure> {
        let text = match what {
            What::Envoy => self.bootstrap(configuration)?.yaml(),
            What::Higress => self.wasm_plugin(image, configuration)?.higress(),
            What::Istio => self.wasm_plugin(image, configuration)?.istio(),
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

    fn bootstrap(&self, configuration: &str) -> Result<Bootstrap, Failure> {
        let mut names = Vec::new();
        for cluster in &self.envoy.cluster {
            let name = &cluster.name;
            if name == "upstream" {
                return Err(Failure::Input(
                    "the cluster \"upstream\" is the one that requests go to (--upstream); the \
                     plugin may call it, but --cluster needs another name"
                        .to_owned(),
                ));
            }
            if names.contains(&name) {
                return Err(Failure::Input(format!("there are two clusters named {name:?}")));
            }
            names.push(name);
        }
        Ok(Bootstrap {
            name: self.name(),
            module: self.plugin.to_string_lossy().into_owned(),
            file: self.out.join(What::Envoy.path()).to_string_lossy().into_owned(),
            configuration: configuration.to_owned(),
            listen: self.envoy.listen.clone(),
            upstream: self.envoy.upstream.clone(),
            clusters: self.envoy.cluster.clone(),
            log_attributes: self.envoy.log_attribute.clone(),
            failure_policy: self.failure_policy.into(),
            environment: self.env.clone(),
            allow_stop_iteration: self.allow_stop_iteration,
        })
    }

    fn wasm_plugin(&self, image: &Image, configuration: &str) -> Result<WasmPlugin, Failure> {
        let configuration =
            settings::read(configuration).map_err(|error| Failure::Input(error.to_string()))?;
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
        true if endpoint.port() == ADMIN_PORT => {
            Err(format!("port {ADMIN_PORT} is that of Envoy's admin interface; choose another"))
        }
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
