//! What is written is read back as it was.

use std::{fs, path::Path, time::Duration};

use bytes::Bytes;
use proptest::{collection::vec, option, prelude::*};

use super::{
    Body, Exchange, Headers, HttpVersion, Message, TraceWriter, Traffic, WriteError, message,
};

fn written(exchanges: &[Exchange]) -> Result<String, WriteError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("trace.jsonl");
    let mut writer = TraceWriter::create(&path)?;
    for exchange in exchanges {
        writer.write(exchange)?;
    }
    assert_eq!(writer.finish()?, exchanges.len() as u64);
    Ok(fs::read_to_string(path).unwrap())
}

fn read(text: &str) -> Vec<Exchange> {
    let traffic = Traffic::parse("trace.jsonl", text.into()).unwrap();
    traffic.exchanges().map(Result::unwrap).collect()
}

fn exchange(request: Message, response: Option<Message>) -> Exchange {
    let text = |name| String::from_utf8_lossy(request.headers.get(name).unwrap()).into_owned();
    let label =
        message::label(&text(":method"), &text(":scheme"), &text(":authority"), &text(":path"));
    Exchange { label, start: None, http: HttpVersion::Http2, request, response }
}

fn get() -> Message {
    let mut headers = Headers::new();
    headers.extend(
        [(":method", "GET"), (":scheme", "http"), (":authority", "a"), (":path", "/")]
            .map(|(name, value)| (name.into(), value.into())),
    );
    Message { headers, ..Message::default() }
}

fn bytes() -> impl Strategy<Value = Bytes> {
    prop_oneof![
        any::<String>().prop_map(Bytes::from),
        vec(any::<u8>(), 0..40).prop_map(Bytes::from),
    ]
}

fn headers() -> impl Strategy<Value = Vec<(Bytes, Bytes)>> {
    let names = prop_oneof![Just("x-repeated".to_owned()), "[a-z0-9_!é-]{1,12}"];
    vec((names.prop_map(Bytes::from), bytes()), 0..5).prop_map(|mut headers| {
        headers.retain(|(name, _)| name != "host");
        headers
    })
}

/// Up to ten days, to the nanosecond.
fn time() -> impl Strategy<Value = Duration> {
    prop_oneof![
        (0..10 * 86_400_u64, 0..1_000_000_000_u32).prop_map(|(s, n)| Duration::new(s, n)),
        (0..100_000_u64).prop_map(Duration::from_millis),
    ]
}

fn body() -> impl Strategy<Value = Body> {
    prop_oneof![
        Just(Body::None),
        bytes().prop_map(Body::Whole),
        vec(bytes(), 0..5).prop_map(Body::Chunks),
        vec((time(), bytes()), 1..5).prop_map(|mut chunks| {
            chunks.sort_by_key(|(at, _)| *at);
            Body::Timed(chunks)
        }),
    ]
}

fn any_message(pseudo: Vec<(Bytes, Bytes)>) -> impl Strategy<Value = Message> {
    (headers(), body(), headers()).prop_map(move |(fields, body, trailers)| Message {
        headers: pseudo.iter().cloned().chain(fields).collect(),
        body,
        trailers: trailers.into_iter().collect(),
    })
}

fn any_exchange() -> impl Strategy<Value = Exchange> {
    let request = any::<[String; 4]>().prop_flat_map(|values| {
        let names = [":method", ":scheme", ":authority", ":path"];
        any_message(names.into_iter().map(Bytes::from).zip(values.map(Bytes::from)).collect())
    });
    let response = (100..1000_u16)
        .prop_flat_map(|status| any_message(vec![(":status".into(), status.to_string().into())]));
    (request, option::of(response), any::<bool>(), option::of(time())).prop_map(
        |(request, response, is_http2, start)| Exchange {
            http: if is_http2 { HttpVersion::Http2 } else { HttpVersion::Http1 },
            start,
            ..exchange(request, response)
        },
    )
}

proptest! {
    #[test]
    fn any_exchanges_come_back(exchanges in vec(any_exchange(), 1..4)) {
        let read = read(&written(&exchanges).unwrap());
        prop_assert_eq!(format!("{read:?}"), format!("{exchanges:?}"));
    }
}

#[test]
fn every_trace_of_ours_comes_back() {
    for source in ["synth:sse,events=9", "synth:json,size=3KiB", "synth:upload,size=99KiB"] {
        let exchanges: Vec<_> =
            Traffic::open(source).unwrap().exchanges().map(Result::unwrap).collect();
        let read = read(&written(&exchanges).unwrap());
        for (before, after) in exchanges.iter().zip(&read) {
            let bodies = [before, after].map(|exchange| {
                let response = exchange.response.as_ref().unwrap();
                let cut = 1000.try_into().unwrap();
                [&exchange.request, response].map(|m| m.body.chunks(cut).collect::<Vec<_>>())
            });
            assert_eq!(bodies[0], bodies[1], "{source}");
        }
    }
    let demo: Vec<_> = Traffic::demo().exchanges().map(Result::unwrap).collect();
    assert_eq!(format!("{:?}", read(&written(&demo).unwrap())), format!("{demo:?}"));
}

#[test]
fn a_line_reads_well() {
    let mut request = get();
    request.headers.push("x-odd", &b"\xff"[..]);
    let chunk = |ms, text: &'static str| (Duration::from_micros(ms), Bytes::from(text));
    let response = Message {
        headers: [(":status".into(), "200".into())].into_iter().collect(),
        body: Body::Timed(vec![chunk(1500, "data: a\n\n"), chunk(2000, "é"), chunk(2000, "")]),
        trailers: [("t".into(), "1".into())].into_iter().collect(),
    };
    let line = written(&[exchange(request, Some(response))]).unwrap();
    insta::assert_snapshot!(line, @r#"{"request":{"method":"GET","scheme":"http","authority":"a","path":"/","headers":[["x-odd",{"base64":"/w=="}]]},"response":{"status":200,"body":[{"text":"data: a\n\n","ms":1.5},{"text":"é","ms":2},{"text":"","ms":2}],"trailers":[["t","1"]]},"http":"2"}"#);
}

#[test]
fn what_has_no_place_is_refused_and_leaves_no_trace() {
    let with = |name: &'static str, value: &'static [u8]| {
        let mut request = get();
        request.headers.push(name, value);
        request
    };
    let without = || {
        let mut request = get();
        request.headers.retain(|name, _| name != ":path");
        request
    };
    let mut not_text = get();
    not_text.headers.replace(":path", &b"/\xff"[..]);
    let back = vec![(Duration::from_secs(1), Bytes::new()), (Duration::ZERO, Bytes::new())];
    let huge = Traffic::open("synth:upload,size=1GiB").unwrap().exchanges().next().unwrap();
    let status = |status: &'static str| Message {
        headers: [(":status".into(), status.into())].into_iter().collect(),
        ..Message::default()
    };
    for (request, response, reason) in [
        (with(":path", b"/b"), None, "request: `:path` is needed, once"),
        (
            with(":protocol", b"websocket"),
            None,
            "request: `:protocol` cannot be the name of a header",
        ),
        (with("host", b"a"), None, "request: `host` cannot be the name of a header"),
        (with("X", b""), None, "request: the name `X` is not in lower case, or not UTF-8"),
        (not_text, None, "request: `:path` is not UTF-8"),
        (
            Message { body: Body::Timed(back), ..get() },
            None,
            "request: the times of its chunks go back",
        ),
        (
            huge.unwrap().request,
            None,
            "request: a generated body of 1073741824 bytes is too long to be written down; replay \
             its `synth:` notation instead",
        ),
        (get(), Some(get()), "response: `:status` is needed, once"),
        (get(), Some(status("20")), "response: `:status` is `20`, no status code"),
        (get(), Some(status("+20")), "response: `:status` is `+20`, no status code"),
    ] {
        let error = written(&[exchange(request, response)]).unwrap_err();
        let WriteError::Exchange { cause, .. } = error else { panic!("{error}") };
        assert_eq!(cause.to_string(), reason);
    }
    let incomplete = Exchange { request: without(), ..exchange(get(), None) };
    assert_eq!(
        written(&[incomplete]).unwrap_err().to_string(),
        "cannot write the exchange GET http://a/: request: `:path` is needed, once"
    );
}

#[test]
fn the_target_is_whole_or_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("trace.jsonl");
    let files = || fs::read_dir(folder.path()).unwrap().count();
    fs::write(&path, "before").unwrap();

    let mut writer = TraceWriter::create(&path).unwrap();
    writer.write(&exchange(get(), None)).unwrap();
    assert_eq!((files(), fs::read_to_string(&path).unwrap().as_str()), (2, "before"));
    drop(writer);
    assert_eq!((files(), fs::read_to_string(&path).unwrap().as_str()), (1, "before"));

    TraceWriter::create(&path).unwrap().finish().unwrap();
    assert_eq!((files(), fs::read_to_string(&path).unwrap().as_str()), (1, ""));
}

#[cfg(unix)]
#[test]
fn links_stay_links_and_pipes_pipes() {
    let folder = tempfile::tempdir().unwrap();
    let (link, real) = (folder.path().join("link"), folder.path().join("real"));
    fs::write(&real, "before").unwrap();
    std::os::unix::fs::symlink("real", &link).unwrap();
    let mut writer = TraceWriter::create(&link).unwrap();
    writer.write(&exchange(get(), None)).unwrap();
    writer.finish().unwrap();
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert!(fs::read_to_string(&real).unwrap().starts_with("{\"request\""));

    let null = Path::new("/dev/null");
    TraceWriter::create(null).unwrap().finish().unwrap();
    assert!(!fs::metadata(null).unwrap().is_file());
}

#[test]
fn a_path_that_cannot_be_is_named() {
    let error = TraceWriter::create(Path::new("no/such/trace.jsonl")).unwrap_err();
    assert_eq!(
        error.to_string(),
        "cannot write no/such/trace.jsonl: No such file or directory (os error 2)"
    );
}
