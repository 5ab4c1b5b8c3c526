//! JSON documents of `synth:` traffic.

use bytes::Bytes;

use super::{
    Body,
    synth_body::{escaped, in_memory},
    synth_spec::{Needle, SynthSpec},
    words::Words,
};

const START: &str = r#"{"model":"text-1","stream":false,"messages":["#;
const END: &str = "]}";
/// The largest document.
const LARGEST: u64 = 256 << 20;
/// Length of one message of a JSON body, unless a needle needs more.
const MESSAGE: usize = 240;

/// One JSON document of exactly `size` bytes: a conversation of many messages.
pub(super) fn document(spec: &SynthSpec) -> Result<Body, String> {
    let needle = spec.needle.as_ref().map(escaped);
    let needle_len = needle.as_ref().map_or(0, String::len);
    let shortest = START.len() + message("assistant", &[]).len() + needle_len + END.len();
    let size = in_memory(spec.size, shortest, LARGEST)?;
    let message_len = MESSAGE.max(2 * needle_len);

    let mut words = Words::new(spec.seed);
    let mut document = Vec::with_capacity(size);
    document.extend_from_slice(START.as_bytes());
    let mut since_needle = 0;
    for role in ["user", "assistant"].into_iter().cycle() {
        let left = size - END.len() - document.len();
        // The last message takes what is left, so that the document comes out at its exact size.
        let is_last = left < 3 * message_len;
        let len = if is_last { left } else { message_len };
        let room = len - message(role, &[]).len() - usize::from(!is_last);

        let mut content = Vec::with_capacity(room);
        since_needle += len as u64;
        if let (Some(text), Some(Needle { every, .. })) = (&needle, &spec.needle)
            && since_needle >= *every
        {
            content.extend_from_slice(text.as_bytes());
            since_needle = 0;
        }
        let rest = room - content.len();
        words.fill(&mut content, rest);
        document.extend_from_slice(&message(role, &content));
        if is_last {
            break;
        }
        document.push(b',');
    }
    document.extend_from_slice(END.as_bytes());

    let document = Bytes::from(document);
    Ok(match spec.chunk {
        None => Body::Whole(document),
        Some(chunk) => Body::Chunks(Body::Whole(document).chunks(chunk).collect()),
    })
}

fn message(role: &str, content: &[u8]) -> Vec<u8> {
    let start = format!(r#"{{"role":"{role}","content":""#);
    [start.as_bytes(), content, br#""}"#].concat()
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;

    use super::*;

    fn json(spec: &str) -> String {
        let body = document(&SynthSpec::parse(spec).unwrap()).unwrap();
        let chunks = body.chunks(NonZeroUsize::MAX);
        String::from_utf8(chunks.flatten().collect()).unwrap()
    }

    #[test]
    fn json_parses_at_any_size() {
        for size in (92..1500).chain([64 << 10]) {
            let text = json(&format!("json,size={size},chunk=100,needle=q\"q,every=300"));
            assert_eq!(text.len(), size);
            let document: serde_json::Value = serde_json::from_str(&text).unwrap();
            assert!(document["messages"][0]["content"].is_string());
        }
    }

    #[test]
    fn needles_come_about_once_in_every_bytes() {
        let found = json("json,size=1MB,needle=NEEDLE,every=10KB");
        let found = found.matches("NEEDLE").count();
        assert!(found.abs_diff(100) <= 5, "{found}");
    }

    #[test]
    fn a_size_that_cannot_be_is_named() {
        let reason = document(&SynthSpec::parse("json,size=10").unwrap()).unwrap_err();
        assert_eq!(reason, "parameter `size`: must be at least 80");
    }
}
