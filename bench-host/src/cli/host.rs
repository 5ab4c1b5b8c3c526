//! The proxy around the plugin, as options.

use std::fs;
use std::path::PathBuf;

use bytes::Bytes;
use clap::{Args, ValueEnum};

use super::Failure;
use crate::host::FailurePolicy;
use crate::replay::Options;
use crate::traffic::HttpVersion;
use crate::upstream::Upstreams;

/// What the proxy around the plugin is like.
#[derive(Args, Debug)]
#[command(next_help_heading = "The proxy around the plugin")]
pub(super) struct HostArguments {
    /// What answers calls that the plugin makes (docs/upstreams.md); without it no cluster is
    /// known.
    #[arg(long, value_name = "FILE")]
    upstreams: Option<PathBuf>,
    /// What becomes of streams when the plugin has failed; Higress makes a new VM with every
    /// policy, Envoy with the last one.
    #[arg(long, value_name = "POLICY", default_value = "fail-closed")]
    failure_policy: PolicyName,
    /// StopIteration of header callbacks is what it says up to ABI 0.2.1 too, as with
    /// allow_on_headers_stop_iteration in the plugin's configuration (Envoy 1.35 on).
    #[arg(long)]
    allow_stop_iteration: bool,
    /// Time for timers and calls: virtual is the same in every run, wall is the machine's.
    #[arg(long, value_name = "CLOCK", default_value = "virtual")]
    clock: ClockName,
    /// What everything speaks, instead of what was recorded: HTTP/1 ends a body with an empty frame
    /// of its own, HTTP/2 with a flag on the last one.
    #[arg(long, value_name = "VERSION")]
    http: Option<HttpName>,
    /// The plugin's name in properties, logs and details of local replies.
    #[arg(long, value_name = "NAME")]
    plugin_name: Option<String>,
    /// A variable of the plugin's environment; may be given several times.
    #[arg(long, value_name = "NAME=VALUE", value_parser = variable)]
    env: Vec<(String, String)>,
    /// The configuration of the VM, passed as it is.
    #[arg(long, value_name = "FILE")]
    vm_config: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
#[expect(clippy::enum_variant_names, reason = "they are Envoy's names, and the option's values")]
pub(super) enum PolicyName {
    /// Answers 503.
    FailClosed,
    /// Lets them pass without the plugin.
    FailOpen,
    /// Answers 503 until a new VM takes over, a second after the last one began.
    FailReload,
}

impl From<PolicyName> for FailurePolicy {
    fn from(name: PolicyName) -> Self {
        match name {
            PolicyName::FailClosed => Self::FailClosed,
            PolicyName::FailOpen => Self::FailOpen,
            PolicyName::FailReload => Self::FailReload,
        }
    }
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum HttpName {
    #[value(name = "1")]
    Http1,
    #[value(name = "2")]
    Http2,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum ClockName {
    Virtual,
    Wall,
}

impl HostArguments {
    /// Puts what was chosen into the options of a replay.
    ///
    /// # Errors
    /// A file that cannot be read, or upstreams that make no sense.
    pub fn apply(&self, options: &mut Options) -> Result<(), Failure> {
        if let Some(path) = &self.upstreams {
            options.upstreams =
                Upstreams::read(path).map_err(|error| Failure::Input(error.to_string()))?;
        }
        options.http = self.http.map(|http| match http {
            HttpName::Http1 => HttpVersion::Http1,
            HttpName::Http2 => HttpVersion::Http2,
        });
        options.wall_clock = self.clock == ClockName::Wall;
        let settings = &mut options.settings;
        settings.failure_policy = self.failure_policy.into();
        settings.allow_stop_iteration = self.allow_stop_iteration;
        if let Some(name) = &self.plugin_name {
            settings.plugin_name.clone_from(name);
        }
        settings.environment.clone_from(&self.env);
        if let Some(path) = &self.vm_config {
            let read = fs::read(path).map(Bytes::from);
            settings.vm_configuration =
                read.map_err(|error| Failure::file("read", path, &error))?;
        }
        Ok(())
    }
}

pub(super) fn variable(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("write NAME=VALUE".to_owned()),
    }
}
