//! A plugin that is only a filter.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use serde::de::IgnoredAny;

use crate::config::{Config, ConfigError};
use crate::plugin::{Filter, Host, Plugin};

/// A plugin that is only a filter: it has no settings, and every stream begins with
/// [`F::default()`](Default::default).
///
/// ```
/// use chunkwise::http::{HeadersAction, RequestHeaders};
/// use chunkwise::{Filter, Result, Unconfigured};
///
/// #[derive(Default)]
/// struct Stamp;
///
/// impl Filter<Unconfigured<Self>> for Stamp {
///     fn request_headers(
///         &mut self,
///         _: &Unconfigured<Self>,
///         headers: &RequestHeaders<'_>,
///     ) -> Result<HeadersAction> {
///         headers.set("x-stamped", "1")?;
///         Ok(HeadersAction::Continue)
///     }
/// }
///
/// chunkwise::plugin!(Unconfigured<Stamp>);
/// # fn main() {}
/// ```
///
/// A module for Higress alone says so twice, as with [`Plugin::HOST`]:
/// `Filter<Unconfigured<Self, OnHigress>>` and `plugin!(Unconfigured<Stamp, OnHigress>, Higress)`.
///
/// A plugin with settings, with state that its streams share, or with another
/// [`ON_ERROR`](Plugin::ON_ERROR) than to refuse implements [`Plugin`] itself.
///
/// # Errors
/// A configuration with settings is refused: they would mean nothing. An empty one is fine, and so
/// is the `_plugin_id_` that a control plane adds.
pub struct Unconfigured<F, H = AnyHost>(PhantomData<fn() -> (F, H)>);

/// An [`Unconfigured`] plugin for [any host](Host::Envoy).
#[derive(Clone, Copy, Debug)]
pub struct AnyHost;

/// An [`Unconfigured`] plugin for [Higress alone](Host::Higress).
#[derive(Clone, Copy, Debug)]
pub struct OnHigress;

mod sealed {
    /// Which host a module is for, as a type.
    pub trait ForHost: 'static {
        const HOST: super::Host;
    }
}

impl sealed::ForHost for AnyHost {
    const HOST: Host = Host::Envoy;
}

impl sealed::ForHost for OnHigress {
    const HOST: Host = Host::Higress;
}

impl<F, H> Plugin for Unconfigured<F, H>
where
    F: Filter<Self> + Default + 'static,
    H: sealed::ForHost,
{
    type Filter = F;

    const HOST: Host = H::HOST;

    fn configure(config: &Config<'_>) -> Result<Self, ConfigError> {
        check(&config.parse()?)?;
        Ok(Self(PhantomData))
    }

    fn filter(&self) -> F {
        F::default()
    }
}

impl<F, H> fmt::Debug for Unconfigured<F, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Unconfigured")
    }
}

/// Refuses settings.
fn check(settings: &BTreeMap<String, IgnoredAny>) -> Result<(), ConfigError> {
    match settings.keys().find(|key| *key != "_plugin_id_") {
        Some(setting) => Err(ConfigError::invalid(setting, "this plugin has no settings")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_refused_and_what_a_control_plane_adds_is_not() {
        let check = |json| check(&serde_json::from_str(json).unwrap());
        assert_eq!(check("{}"), Ok(()));
        assert_eq!(check(r#"{ "_plugin_id_": "stamp" }"#), Ok(()));
        let error = check(r#"{ "_plugin_id_": "stamp", "limit": 1 }"#).unwrap_err();
        assert_eq!(error.to_string(), "limit: this plugin has no settings");
        assert!(check(r#"{ "_rules_": [] }"#).is_err());
    }
}
