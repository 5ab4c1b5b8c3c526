//! What a plugin, and whoever configured it, is told about its configuration.

#![expect(clippy::unwrap_used, reason = "a test fails where it does not hold")]

use std::cell::RefCell;
use std::collections::BTreeMap;

use bench_host::engine::native::NativePlugin;
use bench_host::engine::{Plugin as _, StartError};
use bench_host::host::{Host, Measure, Profile, Proxy, Settings, World};
use bench_host::measure::Phase;
use bench_host::testing::TestHost;
use bytes::Bytes;
use chunkwise::{Config, ConfigError, Filter, Plugin, Result};
use serde::Deserialize;

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Document {
    rules: Vec<Rule>,
    limits: BTreeMap<String, u32>,
    mode: Mode,
    strict: bool,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rule {
    find: String,
    #[serde(default)]
    codes: Vec<u16>,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Mode {
    #[default]
    Off,
    Sample {
        percent: u8,
    },
}

thread_local! {
    static PARSED: RefCell<Option<Document>> = const { RefCell::new(None) };
    static FIELD: RefCell<String> = const { RefCell::new(String::new()) };
}

struct Configured;
struct ConfiguredFilter;

impl Plugin for Configured {
    type Filter = ConfiguredFilter;

    fn configure(config: &Config<'_>) -> Result<Self, ConfigError> {
        let document: Document =
            config.parse().inspect_err(|error| FIELD.set(error.field().to_owned()))?;
        if let Some(at) = document.rules.iter().position(|rule| rule.find.is_empty()) {
            return Err(ConfigError::invalid(format!("rules[{at}].find"), "must not be empty"));
        }
        PARSED.set(Some(document));
        Ok(Self)
    }

    fn filter(&self) -> ConfiguredFilter {
        ConfiguredFilter
    }
}

impl Filter<Configured> for ConfiguredFilter {}

fn start(configuration: &[u8]) -> Result<Proxy, StartError> {
    FIELD.take();
    let settings = Settings::new(Profile::Envoy);
    let guest = NativePlugin::<Configured>::new().guest(Host::new(settings, &World::default()));
    let measure = Measure { time: false, usage: true };
    Proxy::start(guest?, &Bytes::copy_from_slice(configuration), measure)
}

fn parsed(configuration: &str) -> Document {
    start(configuration.as_bytes()).unwrap();
    PARSED.take().unwrap()
}

/// The field and the one line that is logged for a configuration that is refused.
fn refused(configuration: impl AsRef<[u8]>) -> (String, String) {
    match start(configuration.as_ref()) {
        Err(StartError::Refused { what: "its configuration", log }) => {
            let [line] = &log[..] else { panic!("{log:?}") };
            let line = line.strip_prefix("configuration refused: ").unwrap();
            (FIELD.take(), line.to_owned())
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_document_is_read() {
    let text = r#"{
        "rules": [{"find": "a"}, {"find": "é", "codes": [200, 404]}],
        "limits": {"a.b": 1}, "mode": {"sample": {"percent": 5}}, "strict": true
    }"#;
    let rule = |find: &str, codes: &[u16]| Rule { find: find.to_owned(), codes: codes.to_vec() };
    let document = Document {
        rules: vec![rule("a", &[]), rule("é", &[200, 404])],
        limits: BTreeMap::from([("a.b".to_owned(), 1)]),
        mode: Mode::Sample { percent: 5 },
        strict: true,
    };
    assert_eq!(parsed(text), document);
    assert_eq!(parsed(r#" {"mode": "off"} "#), Document::default());
}

#[test]
fn no_configuration_is_an_empty_object() {
    assert_eq!(parsed(""), Document::default());
    assert_eq!(parsed("{}"), Document::default());
    // White space is not a document, and not nothing either.
    let (field, line) = refused(" \n");
    assert_eq!((&field[..], &line[..]), ("", "EOF while parsing a value at line 2 column 0"));
}

#[test]
fn a_configuration_costs_one_host_call_and_none_when_there_is_none() {
    let text = r#"{"strict": true}"#;
    let mut proxy = start(text.as_bytes()).unwrap();
    let ledger = &proxy.host().ledger;
    let calls = ledger.host_calls(Phase::Configure);
    assert_eq!(calls, BTreeMap::from([("proxy_get_buffer_bytes".to_owned(), 1)]));
    assert_eq!(ledger.phase(Phase::Configure).bytes_in, text.len() as u64);
    let mut proxy = start(b"").unwrap();
    assert!(proxy.host().ledger.host_calls(Phase::Configure).is_empty());
}

#[test]
fn an_error_names_the_path_of_its_field() {
    let cases = [
        (r#"{"rules": 5}"#, "rules", "invalid type: integer `5`, expected a sequence"),
        (r#"{"rules": [{"find": 1}]}"#, "rules[0].find", "invalid type: integer `1`, expected a"),
        (
            r#"{"rules": [{"find": "a"}, {"find": "b", "codes": [1, -1]}]}"#,
            "rules[1].codes[1]",
            "invalid value: integer `-1`, expected u16",
        ),
        (r#"{"rules": [{}]}"#, "rules[0]", "missing field `find`"),
        (r#"{"rules": [{"find": "a", "colour": 1}]}"#, "rules[0].colour", "unknown field `colour`"),
        (r#"{"limits": {"x": "many"}}"#, "limits.x", "invalid type: string \"many\", expected u32"),
        (r#"{"limits": {"x": 4294967296}}"#, "limits.x", "invalid value: integer `4294967296`"),
        (r#"{"mode": "loud"}"#, "mode", "unknown variant `loud`, expected `off` or `sample`"),
        (r#"{"mode": {"sample": {"percent": 300}}}"#, "mode.sample.percent", "invalid value"),
        (r#"{"strict": null}"#, "strict", "invalid type: null, expected a boolean"),
        (r#"{"colour": {"x": 1}}"#, "colour", "unknown field `colour`, expected one of `rules`"),
    ];
    for (text, field, reason) in cases {
        let (named, line) = refused(text);
        assert_eq!(named, field, "{text}: {line}");
        assert!(line.starts_with(&format!("{field}: {reason}")), "{text}: {line}");
        assert!(line.contains(" at line 1 column "), "{text}: {line}");
    }
}

#[test]
fn an_error_of_the_whole_document_names_no_field() {
    let cases = [
        ("5", "invalid type: integer `5`, expected struct Document"),
        ("[] []", "trailing characters at line 1 column 4"),
        ("{} x", "trailing characters at line 1 column 4"),
        ("{}{", "trailing characters at line 1 column 3"),
        ("no json", "expected ident at line 1 column 2"),
    ];
    for (text, reason) in cases {
        let (named, line) = refused(text);
        assert_eq!(named, "", "{text}: {line}");
        assert!(line.starts_with(reason), "{text}: {line}");
    }
}

#[test]
fn a_document_that_breaks_off_says_where() {
    let text = "{\n  \"rules\": [\n    {\"find\": \"a\"},\n    {\"find\": \"b";
    let (named, line) = refused(text);
    assert_eq!(named, "rules[1].find");
    assert_eq!(line, "rules[1].find: EOF while parsing a string at line 4 column 15");
    for cut in 1..text.len() {
        assert!(!refused(&text[..cut]).1.is_empty(), "{cut}");
    }
}

#[test]
fn bytes_that_are_no_text_are_refused_and_not_guessed_at() {
    let (named, line) = refused(b"{\"limits\": {\"x\": 1}, \"rules\": [{\"find\": \"caf\xe9\"}]}");
    assert_eq!(named, "rules[0].find");
    assert!(line.contains("invalid unicode code point at line 1 column"), "{line}");
    for bytes in [&b"\xff"[..], b"{\"\xff\": 1}", b"{}\0", b"\xef\xbb\xbf{}"] {
        assert!(refused(bytes).1.contains("at line 1 column"), "{bytes:?}");
    }
}

#[test]
fn what_has_the_right_type_and_is_still_wrong_is_the_plugins_to_say() {
    let (_, line) = refused(r#"{"rules": [{"find": "a"}, {"find": ""}]}"#);
    assert_eq!(line, "rules[1].find: must not be empty");
    let error = ConfigError::invalid("a[0].b", format_args!("at most {}", 3));
    assert_eq!((error.field(), &error.to_string()[..]), ("a[0].b", "a[0].b: at most 3"));
    assert_eq!(ConfigError::invalid("", "it is empty").to_string(), "it is empty");
}

#[test]
fn nesting_without_end_does_not_exhaust_the_stack() {
    for open in ["[", "{\"a\":"] {
        let (_, line) = refused(open.repeat(100_000));
        assert!(line.contains("at line 1 column"), "{line}");
    }
}

#[test]
fn a_test_host_shows_the_reason() {
    let error = TestHost::native::<Configured>(r#"{"strict": 1}"#).unwrap_err();
    let text = "the plugin refused its configuration; it logged: configuration refused: strict: \
                invalid type: integer `1`, expected a boolean at line 1 column 12";
    assert_eq!(error.to_string(), text);
}
