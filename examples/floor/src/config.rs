//! The configuration, read by hand: a JSON parser would be larger than the rest of the module.

use core::fmt;

use crate::rule::{Rule, Text};

/// The longest key, `response`, fits.
const LONGEST_KEY: usize = 16;

/// Why a configuration was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConfigError {
    /// A string has an escape other than `\"` and `\\`.
    BadEscape,
    /// There is nothing to look for.
    EmptyNeedle,
    /// A key that this plugin does not have.
    UnknownKey,
    /// A key stands twice in one object.
    KeyTwice,
    /// A rule lacks one of its keys, or `rules` is not there.
    MissingKey,
    /// Not JSON, or a value of another type.
    NotJson,
    /// There is no rule, or more than one.
    NotOneRule,
    /// A text is longer than the memory it has here.
    TextTooLong,
}

impl ConfigError {
    /// The reason in words, as a constant: nothing here is formatted.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BadEscape => r#"configuration: use no escapes other than \" and \\"#,
            Self::EmptyNeedle => "configuration: `find` must not be empty",
            Self::UnknownKey => {
                "configuration: use only rules[].find, rules[].replace, request, response"
            }
            Self::KeyTwice => "configuration: a key stands twice in one object",
            Self::MissingKey => "configuration: `rules` and its `find` and `replace` are required",
            Self::NotJson => "configuration: not JSON, or a value has the wrong type",
            Self::NotOneRule => "configuration: this plugin takes exactly one rule",
            Self::TextTooLong => "configuration: `find` takes up to 64 bytes, `replace` up to 1024",
        }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl core::error::Error for ConfigError {}

/// Reads `{"rules": [{"find": "…", "replace": "…"}], "request": true, "response": true}`.
///
/// Keys may stand in any order; `request` and `response` may be left out and are then true.
///
/// # Errors
/// [`ConfigError`] for anything else; all of them are the configuration's fault.
pub fn parse(json: &[u8]) -> Result<Rule, ConfigError> {
    let mut reader = Reader { rest: json };
    let (mut rule, mut request, mut response) = (None, None, None);
    reader.object(|reader, key| match key {
        b"rules" => once(&mut rule, reader.only_rule()?),
        b"request" => once(&mut request, reader.boolean()?),
        b"response" => once(&mut response, reader.boolean()?),
        _ => Err(ConfigError::UnknownKey),
    })?;
    reader.skip_space();
    if !reader.rest.is_empty() {
        return Err(ConfigError::NotJson);
    }
    let (find, replace) = rule.ok_or(ConfigError::MissingKey)?;
    Ok(Rule { find, replace, request: request.unwrap_or(true), response: response.unwrap_or(true) })
}

fn once<T>(place: &mut Option<T>, value: T) -> Result<(), ConfigError> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(ConfigError::KeyTwice),
    }
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl Reader<'_> {
    fn only_rule<const F: usize, const R: usize>(
        &mut self,
    ) -> Result<(Text<F>, Text<R>), ConfigError> {
        self.expect(b'[')?;
        if self.eat(b']') {
            return Err(ConfigError::NotOneRule);
        }
        let (mut find, mut replace) = (None, None);
        self.object(|reader, key| match key {
            b"find" => once(&mut find, reader.string()?),
            b"replace" => once(&mut replace, reader.string()?),
            _ => Err(ConfigError::UnknownKey),
        })?;
        if self.eat(b',') {
            return Err(ConfigError::NotOneRule);
        }
        self.expect(b']')?;
        let (find, replace) = find.zip(replace).ok_or(ConfigError::MissingKey)?;
        if find.as_bytes().is_empty() {
            return Err(ConfigError::EmptyNeedle);
        }
        Ok((find, replace))
    }

    fn object(
        &mut self,
        mut member: impl FnMut(&mut Self, &[u8]) -> Result<(), ConfigError>,
    ) -> Result<(), ConfigError> {
        self.expect(b'{')?;
        if self.eat(b'}') {
            return Ok(());
        }
        loop {
            self.skip_space();
            let key = self.string::<LONGEST_KEY>().map_err(|error| match error {
                ConfigError::TextTooLong => ConfigError::UnknownKey,
                other => other,
            })?;
            self.expect(b':')?;
            member(self, key.as_bytes())?;
            if !self.eat(b',') {
                return self.expect(b'}');
            }
        }
    }

    fn string<const N: usize>(&mut self) -> Result<Text<N>, ConfigError> {
        self.expect(b'"')?;
        let mut text = Text::EMPTY;
        loop {
            let byte = match self.next()? {
                b'"' => return Ok(text),
                b'\\' => match self.next()? {
                    escaped @ (b'"' | b'\\') => escaped,
                    _ => return Err(ConfigError::BadEscape),
                },
                0..b' ' => return Err(ConfigError::NotJson),
                plain => plain,
            };
            if !text.push(byte) {
                return Err(ConfigError::TextTooLong);
            }
        }
    }

    fn boolean(&mut self) -> Result<bool, ConfigError> {
        self.skip_space();
        for (word, value) in [(&b"true"[..], true), (b"false", false)] {
            if let Some(rest) = self.rest.strip_prefix(word) {
                self.rest = rest;
                return Ok(value);
            }
        }
        Err(ConfigError::NotJson)
    }

    fn next(&mut self) -> Result<u8, ConfigError> {
        let (&byte, rest) = self.rest.split_first().ok_or(ConfigError::NotJson)?;
        self.rest = rest;
        Ok(byte)
    }

    fn expect(&mut self, byte: u8) -> Result<(), ConfigError> {
        if self.eat(byte) { Ok(()) } else { Err(ConfigError::NotJson) }
    }

    fn eat(&mut self, byte: u8) -> bool {
        self.skip_space();
        match self.rest.split_first() {
            Some((&first, rest)) if first == byte => {
                self.rest = rest;
                true
            }
            _ => false,
        }
    }

    fn skip_space(&mut self) {
        while let [b' ' | b'\t' | b'\n' | b'\r', rest @ ..] = self.rest {
            self.rest = rest;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_is_read() {
        let rule = parse(include_bytes!("../config.json")).unwrap();
        assert_eq!(rule.find.as_bytes(), b"http://");
        assert_eq!(rule.replace.as_bytes(), b"https://");
        assert!(rule.request && rule.response && rule.changes_length());
    }

    #[test]
    fn order_defaults_and_escapes() {
        let json = br#"{"response":false,"rules":[{"replace":"","find":"a\"\\"}]}"#;
        let rule = parse(json).unwrap();
        assert_eq!(rule.find.as_bytes(), br#"a"\"#);
        assert_eq!(rule.replace.as_bytes(), b"");
        assert!(rule.request && !rule.response);
    }

    #[test]
    fn everything_else_is_refused() {
        let with = |find: &str| format!(r#"{{"rules": [{{"find": "{find}", "replace": "b"}}]}}"#);
        for (json, error) in [
            ("", ConfigError::NotJson),
            ("{", ConfigError::NotJson),
            ("[]", ConfigError::NotJson),
            ("{}", ConfigError::MissingKey),
            (r#"{"rules": "a"}"#, ConfigError::NotJson),
            (r#"{"rules": []}"#, ConfigError::NotOneRule),
            (r#"{"rules": [{}]}"#, ConfigError::MissingKey),
            (r#"{"rules": [{"find": "a"}]}"#, ConfigError::MissingKey),
            (r#"{"rules": [{"find": 1}]}"#, ConfigError::NotJson),
            (r#"{"rules": [{"find": "a", "find": "a"}]}"#, ConfigError::KeyTwice),
            (r#"{"request": true, "request": true}"#, ConfigError::KeyTwice),
            (r#"{"request": 1}"#, ConfigError::NotJson),
            (r#"{"limit": 1}"#, ConfigError::UnknownKey),
            (r#"{"a key of more than sixteen bytes": 1}"#, ConfigError::UnknownKey),
            (
                r#"{"rules": [{"find": "a", "replace": "b"}, {"find": "c", "replace": "d"}]}"#,
                ConfigError::NotOneRule,
            ),
            (&with(""), ConfigError::EmptyNeedle),
            (&with(r"\n"), ConfigError::BadEscape),
            (&with("\n"), ConfigError::NotJson),
            (&with(&"a".repeat(65)), ConfigError::TextTooLong),
            (&format!("{} x", with("a")), ConfigError::NotJson),
        ] {
            assert_eq!(parse(json.as_bytes()), Err(error), "{json}");
        }
        assert!(parse(with(&"a".repeat(64)).as_bytes()).is_ok());
    }

    #[test]
    fn no_prefix_of_a_configuration_is_one() {
        let json = include_bytes!("../config.json").trim_ascii_end();
        for end in 0..json.len() {
            assert!(parse(&json[..end]).is_err(), "{end}");
        }
    }
}
