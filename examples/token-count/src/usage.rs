//! What providers say about tokens, and where.

use chunkwise::stream::RawJson;
use memchr::memmem;

/// What an answer has cost.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Usage {
    pub model: Option<String>,
    pub input: Option<u64>,
    pub output: Option<u64>,
    pub total: Option<u64>,
}

/// Longest name of a model; longer ones are none, and neither are empty ones.
const LONGEST_MODEL: usize = 100;

// OpenAI (chat, and responses with their events), Anthropic (its first event has a message), and
// Gemini.
const MODELS: [&[&str]; 4] =
    [&["model"], &["message", "model"], &["response", "model"], &["modelVersion"]];
const USAGES: [&[&str]; 5] = [
    &["usage"],
    &["message", "usage"],
    &["response", "usage"],
    &["usageMetadata"],
    &["choices", "0", "usage"],
];
const INPUTS: [&[&str]; 3] = [&["prompt_tokens"], &["input_tokens"], &["promptTokenCount"]];
const OUTPUTS: [&[&str]; 3] =
    [&["completion_tokens"], &["output_tokens"], &["candidatesTokenCount"]];
const TOTALS: [&[&str]; 2] = [&["total_tokens"], &["totalTokenCount"]];

impl Usage {
    /// Reads an answer, or one event of it. What it says replaces what was said before; what it
    /// does not say stays.
    pub fn read(&mut self, json: &[u8]) {
        let model = RawJson::find_first(json, &MODELS).and_then(|model| model.as_str());
        if let Some(model) = model.filter(|model| (1..=LONGEST_MODEL).contains(&model.len())) {
            self.model = Some(model.into_owned());
        }
        let mut usages = USAGES.iter().filter_map(|path| RawJson::find(json, path));
        let Some(usage) = usages.find(|usage| !usage.is_null()) else { return };
        let count = |paths| {
            RawJson::find_first(usage.raw().as_bytes(), paths).and_then(|count| count.as_u64())
        };
        self.input = count(&INPUTS).or(self.input);
        self.output = count(&OUTPUTS).or(self.output);
        self.total = count(&TOTALS).or(self.total);
    }

    /// The provider's total, or the sum of what it said.
    pub fn total(&self) -> Option<u64> {
        let sum = || Some(self.input?.saturating_add(self.output?));
        self.total.or_else(sum)
    }
}

/// Whether an event may say something about usage: a search for the name, and for a value that is
/// not null. In a text of the answer the quote would have a backslash in front.
pub fn may_have_usage(json: &[u8]) -> bool {
    memmem::find_iter(json, b"\"usage").any(|at| {
        let escaped = at > 0 && json[at - 1] == b'\\';
        let rest = &json[at + b"\"usage".len()..];
        let name_end = rest.iter().position(|byte| *byte == b'"').map_or(rest.len(), |at| at + 1);
        let value = rest[name_end..].trim_ascii_start();
        let value = value.strip_prefix(b":").unwrap_or_default().trim_ascii_start();
        !escaped && value.starts_with(b"{")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(events: &[&str]) -> (Option<String>, Option<u64>, Option<u64>, Option<u64>) {
        let mut usage = Usage::default();
        events.iter().for_each(|event| usage.read(event.as_bytes()));
        let total = usage.total();
        (usage.model, usage.input, usage.output, total)
    }

    #[test]
    fn providers_say_it_in_their_ways() {
        let expected = (Some("m".to_owned()), Some(3), Some(4), Some(7));
        for events in [
            &[
                r#"{"model":"m","usage":{"prompt_tokens":3,"completion_tokens":4,"total_tokens":7}}"#,
            ][..],
            &[r#"{"response":{"model":"m","usage":{"input_tokens":3,"output_tokens":4}}}"#],
            &[
                r#"{"message":{"model":"m","usage":{"input_tokens":3,"output_tokens":1}}}"#,
                r#"{"type":"message_delta","usage":{"output_tokens":4}}"#,
            ],
            &[
                r#"{"modelVersion":"m","usageMetadata":{"promptTokenCount":3,"candidatesTokenCount":4,"totalTokenCount":7}}"#,
            ],
            &[
                r#"{"model":"m","usage":null,"choices":[{"usage":{"prompt_tokens":3,"completion_tokens":4}}]}"#,
            ],
        ] {
            assert_eq!(read(events), expected, "{events:?}");
        }
        assert_eq!(
            read(&["{", "[1]", r#"{"usage":{"prompt_tokens":"3"}}"#]),
            (None, None, None, None)
        );
    }

    #[test]
    fn only_a_usage_with_a_value_counts() {
        for json in [r#"{"usage":{}}"#, r#"{"a":1,"usage" : {"#, r#"{"usageMetadata":{"#] {
            assert!(may_have_usage(json.as_bytes()), "{json}");
        }
        for json in
            ["", "\"usage", r#"{"usage":null}"#, r#"{"text":"\"usage\":{}"}"#, r#"{"usages"}"#]
        {
            assert!(!may_have_usage(json.as_bytes()), "{json}");
        }
    }
}
