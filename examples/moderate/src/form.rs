//! How answers are written, by their media types.

use chunkwise::http::ContentType;

/// Media types of JSON lines, none of which is registered.
const LINES: [&str; 5] = [
    "application/x-ndjson",
    "application/ndjson",
    "application/jsonl",
    "application/jsonlines",
    "application/x-jsonlines",
];

/// How an answer is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Server-sent events.
    Events,
    /// JSON lines.
    Lines,
    /// A JSON sequence.
    Sequence,
    /// One JSON document.
    Document,
}

impl Form {
    /// How an answer of this type is written, if it can be read.
    pub fn of(kind: ContentType<'_>) -> Option<Self> {
        if kind.is_sse() {
            Some(Self::Events)
        } else if kind.is_json() {
            Some(Self::Document)
        } else if kind.is("application/json-seq") {
            Some(Self::Sequence)
        } else {
            LINES.iter().any(|lines| kind.is(lines)).then_some(Self::Lines)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_are_known_by_the_whole_media_type() {
        for (media_type, form) in [
            ("text/event-stream; charset=utf-8", Some(Form::Events)),
            ("application/json", Some(Form::Document)),
            ("application/problem+json", Some(Form::Document)),
            ("Application/X-NDJSON", Some(Form::Lines)),
            ("application/jsonl;charset=utf-8", Some(Form::Lines)),
            ("application/json-seq", Some(Form::Sequence)),
            ("application/jsonlike", None),
            ("text/plain", None),
        ] {
            let kind = ContentType::parse(media_type.as_bytes());
            assert_eq!(kind.and_then(Form::of), form, "{media_type}");
        }
    }
}
