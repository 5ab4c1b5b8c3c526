//! The resources with which Higress and Istio load a plugin into their proxies.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use super::ImageReference;
use super::rules;
use super::yaml::{quoted, scalar, value};
use crate::host::FailurePolicy;

/// What a `WasmPlugin` says, for Higress and for Istio: two resources of the same name, in other
/// API groups and with other fields.
#[derive(Debug, Clone)]
pub struct WasmPlugin {
    /// The plugin's name.
    pub name: String,
    /// Where the image is.
    pub image: ImageReference,
    /// SHA-256 of the image's manifest, in hexadecimal.
    pub digest: String,
    /// The plugin's configuration.
    pub configuration: Option<Map<String, Value>>,
    /// What becomes of streams when the plugin has failed.
    pub failure_policy: FailurePolicy,
    /// The plugin's environment.
    pub environment: Vec<(String, String)>,
}

impl WasmPlugin {
    /// The `WasmPlugin` of `extensions.higress.io/v1alpha1`.
    ///
    /// Rules of the configuration (`_rules_`) are written as `matchRules`. Where Higress has no
    /// fields for one of them, the configuration is written as `pluginConfig`, which Higress hands
    /// on as it is.
    #[must_use]
    pub fn higress(&self) -> String {
        let parts = self.configuration.as_ref().map(rules::split);
        let mut notes = String::new();
        if parts == Some(None) {
            notes.push_str(
                "# `pluginConfig` is handed on as it is; `matchRules` have no fields for these rules.\n",
            );
        }
        if self.failure_policy == FailurePolicy::FailReload {
            notes.push_str(
                "# Higress makes a new VM for a plugin that has failed, with every failStrategy.\n",
            );
        }
        let mut out = self.head("higress", "higress-system", &notes);
        out.push_str("spec:\n");
        out.push_str(&self.spec(match self.failure_policy {
            FailurePolicy::FailOpen => "FAIL_OPEN",
            FailurePolicy::FailClosed | FailurePolicy::FailReload => "FAIL_CLOSE",
        }));
        match parts {
            None => {}
            Some(None) => out.push_str(&self.plugin_config()),
            Some(Some(parts)) => {
                if !parts.default.is_empty() {
                    let default = Value::Object(parts.default);
                    out.push_str(&format!("  defaultConfig:{}\n", value(&default, 4)));
                }
                if !parts.rules.is_empty() {
                    out.push_str("  matchRules:\n");
                }
                for rule in parts.rules {
                    out.push_str(&match_rule(rule));
                }
            }
        }
        out.push_str(&self.vm_config());
        out
    }

    /// The `WasmPlugin` of `extensions.istio.io/v1alpha1`, for the ingress gateway that Istio
    /// installs.
    #[must_use]
    pub fn istio(&self) -> String {
        let notes = match self.failure_policy {
            FailurePolicy::FailReload => {
                "# FAIL_RELOAD is newer than the others: older resources of Istio refuse it. It \
                 is for\n# crashes alone: a plugin that wants a fresh VM is not told of it here.\n"
            }
            _ => "",
        };
        let mut out = self.head("istio", "istio-system", notes);
        out.push_str(
            "spec:
  # For a Gateway of the Gateway API, or a waypoint, instead of the selector:
  # targetRefs:
  # - group: gateway.networking.k8s.io
  #   kind: Gateway
  #   name: gateway
  selector:
    matchLabels:
      istio: ingressgateway
",
        );
        out.push_str(&self.spec(match self.failure_policy {
            FailurePolicy::FailClosed => "FAIL_CLOSE",
            FailurePolicy::FailOpen => "FAIL_OPEN",
            FailurePolicy::FailReload => "FAIL_RELOAD",
        }));
        out.push_str(&self.plugin_config());
        out.push_str(&self.vm_config());
        out
    }

    fn head(&self, gateway: &str, namespace: &str, notes: &str) -> String {
        format!(
            "# For kubectl, when the image is where `url` says. `sha256` is that of its manifest.
# Of the plugins in a phase, those of higher priority come first.
{notes}apiVersion: extensions.{gateway}.io/v1alpha1
kind: WasmPlugin
metadata:
  name: {}
  namespace: {namespace}
",
            scalar(&resource_name(&self.name))
        )
    }

    /// The fields that both have.
    fn spec(&self, strategy: &str) -> String {
        format!(
            "  url: {}
  sha256: {}
  pluginName: {}
  phase: UNSPECIFIED_PHASE
  priority: 0
  failStrategy: {strategy}
",
            quoted(&format!("oci://{}", self.image)),
            quoted(&self.digest),
            scalar(&self.name)
        )
    }

    fn plugin_config(&self) -> String {
        self.configuration.as_ref().map_or_else(String::new, |configuration| {
            let configuration = Value::Object(configuration.clone());
            format!("  pluginConfig:{}\n", value(&configuration, 4))
        })
    }

    fn vm_config(&self) -> String {
        if self.environment.is_empty() {
            return String::new();
        }
        let variables: Vec<_> = self.environment.iter().map(variable).collect();
        format!("  vmConfig:\n    env:{}\n", value(&Value::Array(variables), 4))
    }
}

fn variable((name, content): &(String, String)) -> Value {
    json!({ "name": name, "valueFrom": "INLINE", "value": content })
}

/// What a rule matches, and behind it what it says.
fn match_rule(rule: rules::Rule) -> String {
    let matches = rule.matches.into_iter().map(|(field, names)| (field, json!(names)));
    // Older control planes refuse a rule without a configuration.
    let fields = matches.chain([("config", Value::Object(rule.config))]);
    let mut mark = '-';
    fields.fold(String::new(), |mut out, (field, content)| {
        // Writing to a string cannot fail.
        let _ = writeln!(out, "  {mark} {field}:{}", value(&content, 6));
        mark = ' ';
        out
    })
}

/// A name that Kubernetes takes: lower case, digits and dashes, up to 63 of them.
#[must_use]
pub fn resource_name(name: &str) -> String {
    let plain = |c: char| match c.to_ascii_lowercase() {
        c if c.is_ascii_lowercase() || c.is_ascii_digit() => c,
        _ => '-',
    };
    let name: String = name.chars().map(plain).take(63).collect();
    match name.trim_matches('-') {
        "" => "plugin".to_owned(),
        name => name.to_owned(),
    }
}

#[cfg(test)]
mod tests;
