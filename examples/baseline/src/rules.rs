//! What is replaced by what, as configured.

use memchr::memmem::Finder;
use serde::Deserialize;

/// The configuration.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Applied to each chunk one after another.
    pub rules: Vec<Rule>,
    /// Whether request bodies are looked at.
    #[serde(default = "enabled")]
    pub request: bool,
    /// Whether response bodies are looked at.
    #[serde(default = "enabled")]
    pub response: bool,
}

/// One text and what it becomes.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// What is looked for.
    pub find: String,
    /// What is put in its place.
    pub replace: String,
}

fn enabled() -> bool {
    true
}

/// The rules, prepared once for all chunks.
#[derive(Debug)]
pub struct Rules {
    rules: Vec<(Finder<'static>, Vec<u8>)>,
}

impl Rules {
    /// Prepares the searches; `None` when there is a rule with nothing to look for.
    pub fn new(rules: Vec<Rule>) -> Option<Self> {
        let rules = rules
            .into_iter()
            .map(|Rule { find, replace }| {
                let finder = Finder::new(&find).into_owned();
                (!find.is_empty()).then(|| (finder, replace.into_bytes()))
            })
            .collect::<Option<_>>()?;
        Some(Self { rules })
    }

    /// Whether a body with a match can get another length.
    pub fn change_length(&self) -> bool {
        self.rules.iter().any(|(finder, replacement)| finder.needle().len() != replacement.len())
    }

    /// The chunk with everything replaced; `None` when nothing was found.
    ///
    /// # Cost
    /// One new vector for each rule that found something, which grows while it is filled.
    pub fn apply(&self, chunk: &[u8]) -> Option<Vec<u8>> {
        let mut changed = None;
        for (finder, replacement) in &self.rules {
            let text = changed.as_deref().unwrap_or(chunk);
            if let Some(output) = replace(text, finder, replacement) {
                changed = Some(output);
            }
        }
        changed
    }
}

fn replace(text: &[u8], finder: &Finder<'_>, replacement: &[u8]) -> Option<Vec<u8>> {
    let mut matches = finder.find_iter(text).peekable();
    matches.peek()?;
    let mut output = Vec::with_capacity(text.len());
    let mut from = 0;
    for at in matches {
        output.extend_from_slice(&text[from..at]);
        output.extend_from_slice(replacement);
        from = at + finder.needle().len();
    }
    output.extend_from_slice(&text[from..]);
    Some(output)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(pairs: &[(&str, &str)]) -> Rules {
        let rule = |&(find, replace): &(&str, &str)| Rule {
            find: find.to_owned(),
            replace: replace.to_owned(),
        };
        Rules::new(pairs.iter().map(rule).collect()).unwrap()
    }

    #[test]
    fn the_example_is_read() {
        let settings: Settings = serde_json::from_str(include_str!("../config.json")).unwrap();
        assert!(settings.request && settings.response);
        let rules = Rules::new(settings.rules).unwrap();
        assert!(rules.change_length());
        assert_eq!(
            rules.apply(b"<http://old.example.com/a>").unwrap(),
            b"<https://old.example.com/a>"
        );
    }

    #[test]
    fn both_directions_are_the_default() {
        let settings: Settings = serde_json::from_str(r#"{"rules": []}"#).unwrap();
        assert!(settings.request && settings.response);
        assert!(serde_json::from_str::<Settings>("{}").is_err());
        assert!(serde_json::from_str::<Settings>(r#"{"rules": [], "limit": 1}"#).is_err());
    }

    #[test]
    fn a_rule_with_nothing_to_look_for_is_refused() {
        let rule = Rule { find: String::new(), replace: "x".to_owned() };
        assert!(Rules::new(vec![rule]).is_none());
    }

    #[test]
    fn without_a_match_there_is_nothing_new() {
        assert_eq!(rules(&[("old", "new")]).apply(b"an o"), None);
        assert_eq!(rules(&[("old", "new")]).apply(b""), None);
        assert_eq!(rules(&[]).apply(b"old"), None);
    }

    #[test]
    fn each_rule_works_on_what_the_one_before_left() {
        let rules = rules(&[("a", "bb"), ("b", "c"), ("x", "")]);
        assert_eq!(rules.apply(b"-a-b-x").unwrap(), b"-cc-c-");
        assert_eq!(rules.apply(b"x").unwrap(), b"");
    }

    #[test]
    fn the_length_changes_only_with_a_rule_that_changes_it() {
        assert!(!rules(&[("old", "new"), ("a", "b")]).change_length());
        assert!(rules(&[("old", "new"), ("a", "")]).change_length());
    }
}
