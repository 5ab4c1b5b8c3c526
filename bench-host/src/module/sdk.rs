//! Which SDK a plugin was built with.

use std::collections::BTreeMap;

use serde::Serialize;

/// The SDK that a plugin was built with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Sdk {
    /// `chunkwise`, or `proxy-wasm` for the Rust crate of that name.
    pub name: String,
    /// Its version, where the module tells it.
    pub version: Option<String>,
    /// What was chosen at build time, where the module tells it.
    pub settings: BTreeMap<String, String>,
}

impl Sdk {
    /// The custom section in which `chunkwise` leaves lines of `key=value`.
    pub(super) const SECTION: &str = "chunkwise";

    /// Reads the content of [`Self::SECTION`]; lines without a `=` do not count.
    pub(super) fn from_section(content: &[u8]) -> Self {
        let mut settings: BTreeMap<_, _> = String::from_utf8_lossy(content)
            .lines()
            .filter_map(|line| line.trim_matches(['\0', ' ']).split_once('='))
            .map(|(key, value)| (key.trim().to_owned(), value.trim().to_owned()))
            .collect();
        let version = settings.remove("version");
        Self { name: "chunkwise".to_owned(), version, settings }
    }

    /// Recognises the `proxy-wasm` crate by the names of its functions, which do not tell the
    /// version.
    pub(super) fn from_names<'a>(mut functions: impl Iterator<Item = &'a str>) -> Option<Self> {
        functions.any(is_of_proxy_wasm).then(|| Self {
            name: "proxy-wasm".to_owned(),
            version: None,
            settings: BTreeMap::new(),
        })
    }
}

fn is_of_proxy_wasm(function: &str) -> bool {
    // Mangled or not, the name holds the crate's; demangling each would be wasteful.
    function.contains("proxy_wasm")
        && format!("{:#}", rustc_demangle::demangle(function))
            .trim_start_matches('<')
            .starts_with("proxy_wasm::")
}

#[cfg(test)]
mod tests {
    use super::super::tests::module;
    use super::*;

    #[test]
    fn our_section_tells_version_and_settings() {
        let module =
            module(r#"(module (@custom "chunkwise" "version=0.1.0\nabi=0.2.1\narena=64KiB\n"))"#);
        let sdk = module.facts.sdk.unwrap();
        assert_eq!(sdk.name, "chunkwise");
        assert_eq!(sdk.version.as_deref(), Some("0.1.0"));
        let settings: Vec<_> = sdk.settings.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        assert_eq!(settings, [("abi", "0.2.1"), ("arena", "64KiB")]);
    }

    #[test]
    fn a_garbled_section_is_still_ours() {
        let sdk = Sdk::from_section(b"\xff\xfe\n===\nversion\n\0\0");
        assert_eq!((sdk.name.as_str(), sdk.version), ("chunkwise", None));
        assert_eq!(Sdk::from_section(b"").settings.len(), 0);
    }

    #[test]
    fn the_proxy_wasm_crate_shows_in_function_names() {
        for name in [
            "_ZN10proxy_wasm10dispatcher10Dispatcher20on_http_request_body17h0123456789abcdefE",
            "_RNvNtCs1234_10proxy_wasm9hostcalls3log",
            "proxy_wasm::hostcalls::log::h0123456789abcdef",
            "<proxy_wasm::dispatcher::Dispatcher>::on_tick",
        ] {
            let text = format!("(module (func ${name}))");
            let sdk = module(&text).facts.sdk.map(|sdk| (sdk.name, sdk.version));
            assert_eq!(sdk, Some(("proxy-wasm".to_owned(), None)), "{name}");
        }
        for name in ["my_proxy_wasm::filter", "proxy_wasm_filter::new", "proxy_on_tick"] {
            assert_eq!(module(&format!("(module (func ${name}))")).facts.sdk, None, "{name}");
        }
    }

    #[test]
    fn our_section_goes_before_names() {
        let text =
            r#"(module (func $proxy_wasm::hostcalls::log) (@custom "chunkwise" "version=1\n"))"#;
        assert_eq!(module(text).facts.sdk.unwrap().name, "chunkwise");
    }

    #[test]
    fn a_language_is_no_sdk() {
        let text = r#"(module (@producers (language "Go" "go1.24") (processed-by "Go cmd/compile" "go1.24")))"#;
        let facts = module(text).facts;
        assert_eq!(facts.sdk, None);
        assert_eq!(facts.language.as_deref(), Some("Go"));
        assert_eq!(facts.producers.len(), 2);
    }
}
