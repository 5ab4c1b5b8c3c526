//! Which version of the proxy-wasm ABI a module speaks.

use std::fmt;

use serde::Serialize;

/// A version of the proxy-wasm ABI that some current host loads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum AbiVersion {
    /// 0.1.0, from before header callbacks were told of the stream's end.
    #[serde(rename = "0.1.0")]
    V0_1_0,
    /// 0.2.0, with one pair of functions to continue and close streams.
    #[serde(rename = "0.2.0")]
    V0_2_0,
    /// 0.2.1, what Envoy and Istio plugins are written for.
    #[serde(rename = "0.2.1")]
    V0_2_1,
    /// 0.2.100, Higress only: a header callback that stops iteration stops only that.
    #[serde(rename = "0.2.100")]
    V0_2_100,
}

impl AbiVersion {
    /// Every version, oldest first.
    pub const ALL: [Self; 4] = [Self::V0_1_0, Self::V0_2_0, Self::V0_2_1, Self::V0_2_100];

    /// The function whose export says that a module speaks this version.
    #[must_use]
    pub fn marker(self) -> &'static str {
        match self {
            Self::V0_1_0 => "proxy_abi_version_0_1_0",
            Self::V0_2_0 => "proxy_abi_version_0_2_0",
            Self::V0_2_1 => "proxy_abi_version_0_2_1",
            Self::V0_2_100 => "proxy_abi_version_0_2_100",
        }
    }

    /// The version that an exported function of this name stands for.
    #[must_use]
    pub fn from_marker(export: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|version| version.marker() == export)
    }
}

impl fmt::Display for AbiVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::V0_1_0 => "0.1.0",
            Self::V0_2_0 => "0.2.0",
            Self::V0_2_1 => "0.2.1",
            Self::V0_2_100 => "0.2.100",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_marker_names_its_version_and_nothing_else_does() {
        for version in AbiVersion::ALL {
            assert_eq!(AbiVersion::from_marker(version.marker()), Some(version));
        }
        assert_eq!(AbiVersion::from_marker("proxy_abi_version_0_2_2"), None);
        assert_eq!(AbiVersion::from_marker("proxy_abi_version_0_2_1_"), None);
    }

    #[test]
    fn json_and_text_agree() {
        for version in AbiVersion::ALL {
            assert_eq!(serde_json::to_value(version).unwrap(), version.to_string());
        }
    }
}
