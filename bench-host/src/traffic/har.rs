//! HAR 1.1 and 1.2, as browsers and proxies save it.

use serde_path_to_error::Segment;

use super::{
    Exchange, TrafficError,
    clock::Instant,
    error::reason_at,
    har_headers, har_message,
    har_model::{Entry, Har, text},
    har_notes::Tally,
    message,
    url::Url,
};

/// A whole HAR file, and what its user should know about it.
pub(super) struct Recording {
    pub(super) exchanges: Vec<Exchange>,
    pub(super) notes: Vec<String>,
}

/// Reads a HAR file; `file` is its name for messages.
pub(super) fn read(file: &str, json: &str) -> Result<Recording, TrafficError> {
    let mut parser = serde_json::Deserializer::from_str(json);
    let har: Har<'_> =
        serde_path_to_error::deserialize(&mut parser).map_err(|error| not_har(file, &error))?;
    parser.end().map_err(|error| TrafficError::json(file, 1, &error))?;

    let entries = &har.log.entries;
    let started = |entry: &Entry<'_>| Instant::parse(text(&entry.started_date_time));
    let first = entries.iter().filter_map(started).min();
    let mut exchanges = Vec::with_capacity(entries.len());
    let mut tally = Tally::default();
    for (index, entry) in entries.iter().enumerate() {
        let wrong = |(label, reason)| TrafficError::Entry {
            file: file.to_owned(),
            entry: index,
            label,
            reason,
        };
        let converted = exchange(index, entry, &mut tally).map_err(wrong)?;
        exchanges.extend(converted.map(|exchange| Exchange {
            start: started(entry).zip(first).map(|(at, first)| at.since(first)),
            ..exchange
        }));
    }
    Ok(Recording { exchanges, notes: tally.notes(entries.len()) })
}

/// Tells a file that is cut off or no HAR at all from one with a mistake in an entry.
fn not_har(file: &str, error: &serde_path_to_error::Error<serde_json::Error>) -> TrafficError {
    let cause = error.inner();
    if !cause.is_data() {
        return TrafficError::json(file, 1, cause);
    }
    match error.path().iter().nth(2) {
        Some(&Segment::Seq { index }) => TrafficError::Entry {
            file: file.to_owned(),
            entry: index,
            label: format!("line {}, column {}", cause.line(), cause.column()),
            reason: reason_at(error),
        },
        _ => TrafficError::Foreign {
            file: file.to_owned(),
            found: format!("JSON with another kind of `log` ({})", reason_at(error)),
        },
    }
}

/// Converts one entry; `None` when it never was an HTTP request, the label and the reason when it
/// cannot be converted.
fn exchange(
    index: usize,
    entry: &Entry<'_>,
    tally: &mut Tally,
) -> Result<Option<Exchange>, (String, String)> {
    let nowhere = |reason: &str| (format!("log.entries[{index}]"), reason.to_owned());
    let recorded = entry.request.as_ref().ok_or_else(|| nowhere("the entry has no request"))?;
    let method = Some(text(&recorded.method)).filter(|method| !method.is_empty());
    let method = method.ok_or_else(|| nowhere("the request has no method"))?;
    let url = text(&recorded.url);
    let target = match Url::parse(url) {
        Some(Url::Http(target)) => target,
        Some(Url::Local) => {
            tally.local.count(|| format!("entry {index}"));
            return Ok(None);
        }
        None => {
            return Err(nowhere(&format!("the request's url `{url}` is not absolute")));
        }
    };

    let label = message::label(method, target.scheme, &target.authority, &target.path);
    let name = || format!("entry {index}, {label}");
    let request = har_message::request(method, &target, recorded, || tally.request.count(name))
        .map_err(|reason| (label.clone(), reason))?;
    let response = match &entry.response {
        None => None,
        Some(recorded) => har_message::response(method, recorded, || tally.response.count(name))
            .map_err(|reason| (label.clone(), reason))?,
    };
    Ok(Some(Exchange { start: None, http: har_headers::version(entry), request, response, label }))
}

#[cfg(test)]
mod tests {
    use std::{path::Path, time::Duration};

    use super::*;
    use crate::traffic::{HttpVersion, Message};

    /// Reads a recording that is kept beside the checkout; prints why it cannot.
    fn recorded(name: &str) -> Option<Recording> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/traffic").join(name);
        match std::fs::read_to_string(&path) {
            Ok(json) => Some(read(name, &json).unwrap()),
            Err(error) => {
                println!("skipped: {}: {error}", path.display());
                None
            }
        }
    }

    fn entry(entry: &str) -> Result<Recording, TrafficError> {
        read("t.har", &format!(r#"{{"log": {{"entries": [{entry}]}}}}"#))
    }

    /// Whether the headers describe what is replayed.
    fn is_consistent(message: &Message) -> bool {
        let headers = &message.headers;
        let length = headers.get("content-length").map(|len| len.as_ref().to_vec());
        length.is_none_or(|len| len == message.body.len().to_string().as_bytes())
            && headers.get("content-encoding").is_none()
            && headers.get("transfer-encoding").is_none()
            && headers.iter().all(|(name, _)| !name.iter().any(u8::is_ascii_uppercase))
    }

    #[test]
    fn a_recording_of_chrome() {
        let Some(recording) = recorded("site-chrome.har") else {
            return;
        };
        let exchanges = recording.exchanges;
        assert_eq!(exchanges.len(), 11);
        assert_eq!(recording.notes, [""; 0]);
        assert_eq!(exchanges[0].label, "GET https://www.nghttp2.org/");
        assert!(exchanges[9].response.is_none(), "the browser blocked it");
        let answered = exchanges.iter().filter_map(|e| e.response.as_ref());
        let lengths: Vec<_> = answered.clone().map(|m| m.body.len()).collect();
        assert_eq!(lengths, [6625, 39082, 7020, 92629, 8357, 5664, 5600, 636, 17742, 490]);
        assert!(answered.clone().all(is_consistent));
        assert!(answered.clone().all(|m| m.headers.get("status").is_none()));
        // All but a request that was blocked were HTTP/2, which only the headers tell.
        let http1 = exchanges.iter().filter(|e| e.http == HttpVersion::Http1);
        assert_eq!(http1.count(), 1);
        assert_eq!(exchanges[0].start, Some(Duration::ZERO));
        assert_eq!(exchanges[10].start, Some(Duration::from_millis(715)));
    }

    #[test]
    fn a_recording_of_firefox() {
        let Some(recording) = recorded("site-firefox.har") else {
            return;
        };
        let exchanges = recording.exchanges;
        assert_eq!(exchanges.len(), 15);
        assert_eq!(recording.notes, [""; 0]);
        for exchange in &exchanges {
            assert_eq!(exchange.http, HttpVersion::Http2);
            assert!(exchange.request.ends_with_headers());
            let fields: Vec<_> = exchange.request.headers.iter().map(|(n, _)| n).collect();
            assert_eq!(fields[..4], [":method", ":scheme", ":authority", ":path"]);
            assert!(!fields.iter().any(|name| *name == "host" || *name == "connection"));
            let response = exchange.response.as_ref().unwrap();
            assert!(is_consistent(response));
            assert_eq!(response.headers.get(":status").unwrap(), "200");
        }
        let page = exchanges[0].response.as_ref().unwrap();
        assert_eq!(page.body.len(), 5898, "decoded, not the 2270 bytes of the wire");
        assert_eq!(exchanges[14].start, Some(Duration::from_millis(1800)));
    }

    #[test]
    fn what_is_not_replayed_as_it_happened_is_noted() {
        let request = |url: &str| {
            format!(
                r#"{{"request": {{"method": "POST", "url": "{url}", "bodySize": 7}},
                "response": {{"status": 200, "content": {{"size": 9}}}}}}"#
            )
        };
        let entries = ["data:,x", "https://a/1", "https://a/2"].map(request).join(",");
        let recording = entry(&entries).unwrap();
        assert_eq!(recording.exchanges.len(), 2);
        assert_eq!(
            recording.notes,
            [
                "1 of 3 entries never went over HTTP (data:, blob:…) and are skipped (first: \
                 entry 0)",
                "2 of 3 entries have a request body that was left out by the recorder and is \
                 replayed as empty (first: entry 1, POST https://a/1)",
                "2 of 3 entries have a response body that was left out by the recorder and is \
                 replayed as empty (first: entry 1, POST https://a/1)",
            ]
        );
    }

    #[test]
    fn mistakes_name_the_entry() {
        let good = r#"{"request": {"method": "GET", "url": "https://a/b?c"}}"#;
        for (bad, reason) in [
            ("{}", "entry 1 (log.entries[1]): the entry has no request"),
            (
                r#"{"request": {"url": "https://a/"}}"#,
                "entry 1 (log.entries[1]): the request has no method",
            ),
            (
                r#"{"request": {"method": "GET", "url": "/a"}}"#,
                "entry 1 (log.entries[1]): the request's url `/a` is not absolute",
            ),
            (
                r#"{"request": {"method": "GET", "url": "https://a/b?c"}, "response":
                    {"status": 200, "content": {"text": "aGkx?", "encoding": "base64"}}}"#,
                "entry 1 (GET https://a/b?…): response body: not base64 at byte 4: `?`",
            ),
            (
                r#"{"request": {"method": "PUT", "url": "https://a/",
                    "postData": {"text": "hi", "encoding": "rot13"}}}"#,
                "entry 1 (PUT https://a/): request body: unknown encoding `rot13`",
            ),
            (
                r#"{"request": {"method": "GET", "url": "https://a/"}, "response": {"status": 7}}"#,
                "entry 1 (GET https://a/): response status 7 is no status code",
            ),
            (
                r#"{"request": {"method": 7}}"#,
                "entry 1 (line 1, column 101): log.entries[1].request.method: invalid type: \
                 integer `7`, expected a string",
            ),
        ] {
            let error = entry(&format!("{good}, {bad}")).err().unwrap();
            assert_eq!(error.to_string(), format!("traffic file t.har: {reason}"));
        }
    }
}
