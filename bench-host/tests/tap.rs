//! What Envoy wrote, read back: `tests/tap` holds output of its tap filter in every format.

#![expect(clippy::unwrap_used, reason = "a test fails where it does not hold")]

use std::fmt::Write as _;
use std::num::NonZeroUsize;
use std::time::Duration;

use bench_host::traffic::{Body, Exchange, HttpVersion, Message, Traffic};

fn open(name: &str) -> Traffic {
    Traffic::open(&format!("{}/tests/tap/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

fn read(name: &str) -> Vec<Exchange> {
    open(name).exchanges().map(Result::unwrap).collect()
}

/// The exchanges as text, each on its own, but for their times: every tap has a clock reading of
/// its own, microseconds apart.
fn written(name: &str) -> Vec<String> {
    let untimed = |exchange| Exchange { start: None, ..exchange };
    read(name).into_iter().map(|exchange| format!("{:?}", untimed(exchange))).collect()
}

/// The chunks of a body, in words; `-` for none.
fn chunks(message: &Message) -> String {
    let mut text = String::new();
    for chunk in message.body.chunks(NonZeroUsize::MAX) {
        write!(text, "[{}]", chunk.escape_ascii()).unwrap();
    }
    if matches!(message.body, Body::None) { "-".to_owned() } else { text }
}

fn summary(exchange: &Exchange) -> String {
    let Exchange { label, http, request, response, .. } = exchange;
    let response = response.as_ref().unwrap();
    let status = String::from_utf8_lossy(response.headers.get(":status").unwrap());
    let trailers = |message: &Message| message.trailers.len();
    format!(
        "{} {label} {} {}, {status} {} {}",
        http.protocol(),
        chunks(request),
        trailers(request),
        chunks(response),
        trailers(response)
    )
}

#[test]
fn a_buffered_trace_has_what_was_sent() {
    let summaries: Vec<_> = read("buffered_bytes.json").iter().map(summary).collect();
    let cut = "x".repeat(90);
    assert_eq!(
        summaries,
        [
            "HTTP/2 POST http://api.example.com/h2?… [over http/2] 0, 200 [got 11 bytes of POST] 0",
            "HTTP/1.1 GET http://api.example.com/sse - 0, 200 \
             [data: {\"n\": 0}\\n\\ndata: {\"n\": 1}\\n\\ndata: {\"n\": 2}\\n\\n] 0"
                .replace('"', "\\\"")
                .as_str(),
            "HTTP/1.1 GET http://api.example.com/cookies - 0, 200 [\\x00\\xff\\xfe\\x01] 0",
            "HTTP/1.1 DELETE http://api.example.com/none - 0, 204 - 0",
            &format!(
                "HTTP/1.1 POST http://api.example.com/big [{cut}] 0, 200 [got 100 bytes of POST] 0"
            ),
            "HTTP/1.1 POST http://api.example.com/trailers [firstsecond] 1, 200 [hello] 1",
        ]
    );
}

#[test]
fn a_streamed_trace_has_its_chunks() {
    let exchanges = read("streamed_bytes.json");
    let chunks: Vec<_> = exchanges.iter().map(|e| chunks(e.response.as_ref().unwrap())).collect();
    let event = |n| format!("[data: {{\\\"n\\\": {n}}}\\n\\n]");
    assert_eq!(chunks[1], [0, 1, 2].map(event).concat());
    assert_eq!(chunks[5], "[hel][lo]");
    assert_eq!(self::chunks(&exchanges[5].request), "[first][second]");
    assert_eq!(exchanges[5].request.trailers.get("x-sum").unwrap(), "11");
    let trailers = &exchanges[5].response.as_ref().unwrap().trailers;
    assert_eq!(trailers.get("server-timing").unwrap(), "render;dur=3");
}

#[test]
fn headers_keep_their_order_and_repeats() {
    let exchange = read("streamed_binary.pb").remove(2);
    let all = |message: &Message, wanted: &str| -> Vec<_> {
        let named = message.headers.iter().filter(|(name, _)| name == wanted);
        named.map(|(_, value)| String::from_utf8_lossy(value).into_owned()).collect()
    };
    assert_eq!(all(&exchange.request, "x-twice"), ["one", "two"]);
    let response = exchange.response.unwrap();
    assert_eq!(all(&response, "set-cookie"), ["a=1", "b=2"]);
    let names: Vec<_> = exchange.request.headers.iter().map(|(name, _)| name.clone()).collect();
    assert_eq!(names[..5], [":authority", ":path", ":method", ":scheme", "user-agent"]);
}

/// The same traffic went through taps of every format, so that every format must read alike.
#[test]
fn every_format_of_the_same_traffic_reads_alike() {
    for kind in ["streamed", "buffered"] {
        let delimited = written(&format!("{kind}_delimited.pb_length_delimited"));
        assert_eq!(delimited.len(), 6);
        assert_eq!(written(&format!("{kind}_bytes.json")), delimited);
        assert_eq!(written(&format!("{kind}_binary.pb")), delimited);
        // As strings, bytes that are no text are lost in Envoy.
        let mut strings = written(&format!("{kind}_string.json"));
        assert!(strings[2].contains(r#"b"\0  \x01""#), "{}", strings[2]);
        strings[2] = strings[2].replace(r#"b"\0  \x01""#, r#"b"\0\xff\xfe\x01""#);
        assert_eq!(strings, delimited);
    }
}

#[test]
fn a_folder_is_in_the_order_of_its_requests() {
    // The files are named by chance; those in one file are in the order of their requests.
    assert_eq!(written("buffered"), written("buffered_bytes.json"));
    let starts: Vec<_> = read("buffered").iter().map(|e| e.start.unwrap()).collect();
    assert_eq!(starts[0], Duration::ZERO);
    assert!(starts.is_sorted() && starts[5] > Duration::from_millis(500), "{starts:?}");

    // Without times, the order is that of the names.
    let labels = read("streamed").into_iter().map(|exchange| exchange.label);
    let paths: Vec<_> = labels.map(|label| label.rsplit('/').next().unwrap().to_owned()).collect();
    assert_eq!(paths, ["big", "trailers", "none", "cookies", "sse", "h2?…"]);
    let mut exchanges = written("streamed");
    let mut expected = written("streamed_bytes.json");
    exchanges.sort();
    expected.sort();
    assert_eq!(exchanges, expected);
}

#[test]
fn streams_that_are_mixed_come_apart() {
    let exchanges = read("mixed.json");
    let summaries: Vec<_> = exchanges.iter().map(summary).collect();
    let events =
        "[data: {\\\"n\\\": 0}\\n\\n][data: {\\\"n\\\": 1}\\n\\n][data: {\\\"n\\\": 2}\\n\\n]";
    let sse = format!("HTTP/1.1 GET http://api.example.com/sse - 0, 200 {events} 0");
    assert_eq!(
        summaries,
        [
            "HTTP/1.1 POST http://api.example.com/trailers [first][second] 1, 200 [hel][lo] 1",
            &sse,
            &sse,
        ]
    );
    assert!(exchanges.iter().all(|exchange| exchange.start.is_none()));
    assert_eq!(exchanges[0].http, HttpVersion::Http1);
}

#[test]
fn what_the_filter_cut_off_is_named() {
    let cut = "have a request body that was cut off by the tap (max_buffered_rx_bytes) and is \
               replayed as far as it goes";
    let name = "POST http://api.example.com/big";
    assert_eq!(
        open("buffered_binary.pb").notes(),
        [format!("1 of 6 streams {cut}: trace 4, {name}")]
    );
    let big = read("buffered_binary.pb").remove(4).request;
    assert_eq!(big.headers.get("content-length").unwrap(), "90");
    let notes = open("streamed").notes().to_vec();
    assert!(notes[0].starts_with(&format!("1 of 6 streams {cut}: tap_")), "{notes:?}");
    assert!(notes[0].ends_with(&format!(".pb_length_delimited, {name}")), "{notes:?}");
    assert!(notes[1].starts_with("the 6 files are in the order of their names"), "{notes:?}");
}

#[test]
fn the_text_format_is_refused_with_advice() {
    let path = format!("{}/tests/tap/text.pb_text", env!("CARGO_MANIFEST_DIR"));
    let said = Traffic::open(&path).unwrap_err().to_string();
    assert!(
        said.ends_with(
            "choose the format PROTO_BINARY_LENGTH_DELIMITED or \
                            JSON_BODY_AS_BYTES for the sink"
        ),
        "{said}"
    );
}
