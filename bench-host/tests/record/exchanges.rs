//! What passes comes out as it went in, and so it is in the trace.

use bench_host::traffic::{Body, Exchange, Headers, HttpVersion};

use super::client::{Client, request};
use super::recorder::Recorder;
use super::upstream::{self, channel, empty, no_frames, trailer, whole};

fn fields(headers: &Headers) -> Vec<(&str, &str)> {
    let text = |bytes| std::str::from_utf8(bytes).unwrap_or("(not text)");
    headers.iter().map(|(name, value)| (text(name), text(value))).collect()
}

fn chunks(body: &Body) -> Vec<&[u8]> {
    let Body::Timed(chunks) = body else { panic!("{body:?}") };
    chunks.iter().map(|(_, chunk)| &chunk[..]).collect()
}

fn response(exchange: &Exchange) -> &bench_host::traffic::Message {
    exchange.response.as_ref().unwrap()
}

#[tokio::test]
async fn bodies_and_their_absence_are_told_apart() {
    for http2 in [false, true] {
        let (address, _) = upstream::start().await;
        let recorder = Recorder::start(address, "");
        let mut client = Client::connect(recorder.address, http2).await;
        for (method, path, body) in [
            ("GET", "/none", empty()),
            ("POST", "/a", whole("hello")),
            ("HEAD", "/b", empty()),
            ("GET", "/chunked", empty()),
            ("POST", "/empty", no_frames()),
        ] {
            client.ask(request(method, path, body)).await;
        }
        drop(client);
        let recording = recorder.stop().await;
        let exchanges = recording.exchanges();
        let labels: Vec<_> = exchanges.iter().map(|exchange| exchange.label.as_str()).collect();
        assert_eq!(
            labels,
            [
                "GET http://client.example/chunked",
                "GET http://client.example/none",
                "HEAD http://client.example/b",
                "POST http://client.example/a",
                "POST http://client.example/empty",
            ]
        );
        let version = if http2 { HttpVersion::Http2 } else { HttpVersion::Http1 };
        assert!(exchanges.iter().all(|exchange| exchange.http == version));
        let [chunked, none, head, a, empty] = &exchanges[..] else { panic!() };

        assert_eq!(chunks(&response(chunked).body), [b""]);
        assert!(none.request.ends_with_headers() && response(none).ends_with_headers());
        assert!(head.request.ends_with_headers() && response(head).ends_with_headers());
        assert_eq!(response(head).headers.get("content-length").unwrap(), "16");
        assert_eq!(a.request.body.len(), 5);
        assert_eq!(chunks(&response(a).body).concat(), b"you asked for /ahello");
        assert_eq!(chunks(&empty.request.body), [b""]);
        assert_eq!(
            recording.stderr,
            "recorded 5 exchanges in trace.jsonl; 0 values redacted\nnote: bodies are not \
             redacted; look for secrets in them before you share the trace\n"
        );
    }
}

#[tokio::test]
async fn frames_and_trailers_pass_both_ways_one_by_one() {
    for http2 in [false, true] {
        let (address, _) = upstream::start().await;
        let recorder = Recorder::start(address, "");
        let mut client = Client::connect(recorder.address, http2).await;
        let (mut sender, body) = channel();
        let mut request = request("POST", "/echo", body);
        request.headers_mut().insert("te", "trailers".parse().unwrap());
        request.headers_mut().insert("trailer", "x-end".parse().unwrap());
        let (answer, ()) = tokio::join!(client.ask(request), async {
            for text in ["one", "two", "\u{fffd}"] {
                sender.send_data(text.into()).await.unwrap();
                tokio::time::sleep(std::time::Duration::from_millis(30)).await;
            }
            sender.send_data(b"\xff"[..].into()).await.unwrap();
            sender.send_trailers(trailer("x-end", "of the request")).await.unwrap();
            drop(sender);
        });
        assert_eq!(answer.trailers.unwrap()["x-end"], "of the answer");
        drop(client);
        let exchanges = recorder.stop().await.exchanges();
        let [exchange] = &exchanges[..] else { panic!() };
        let sent: [&[u8]; 4] = [b"one", b"two", "\u{fffd}".as_bytes(), b"\xff"];
        assert_eq!(chunks(&exchange.request.body), sent, "{http2}");
        assert_eq!(chunks(&response(exchange).body), sent, "{http2}");
        assert_eq!(answer.chunks, sent);
        assert_eq!(fields(&exchange.request.trailers), [("x-end", "of the request")]);
        assert_eq!(fields(&response(exchange).trailers), [("x-end", "of the answer")]);
    }
}

#[tokio::test]
async fn headers_are_those_that_a_filter_sees() {
    for http2 in [false, true] {
        let (address, _) = upstream::start().await;
        let recorder = Recorder::start(address, "");
        let mut client = Client::connect(recorder.address, http2).await;
        let mut request = request("GET", "/headers?a=1", empty());
        let headers = request.headers_mut();
        for (name, value) in [("x-a", "1"), ("x-b", "2"), ("x-a", "3")] {
            headers.append(name, value.parse().unwrap());
        }
        if !http2 {
            headers.insert("connection", "keep-alive, x-mine".parse().unwrap());
            headers.insert("x-mine", "1".parse().unwrap());
            headers.insert("expect", "100-continue".parse().unwrap());
        }
        let answer = client.ask(request).await;
        drop(client);
        let exchanges = recorder.stop().await.exchanges();
        let [exchange] = &exchanges[..] else { panic!() };
        assert_eq!(
            fields(&exchange.request.headers),
            [
                (":method", "GET"),
                (":scheme", "http"),
                (":authority", "client.example"),
                (":path", "/headers?a=1"),
                ("x-a", "1"),
                ("x-a", "3"),
                ("x-b", "2"),
            ]
        );
        // The upstream got the same.
        let seen = answer.text();
        let url = if http2 { "http://client.example/headers?a=1" } else { "/headers?a=1" };
        assert!(seen.starts_with(&format!("GET {url}\n")), "{seen}");
        assert_eq!(seen.contains("host: \"client.example\""), !http2, "{seen}");
        for gone in ["x-mine", "connection", "expect", "transfer-encoding"] {
            assert!(!seen.contains(gone), "{seen}");
        }
        let response = response(exchange);
        assert_eq!(response.headers.get("x-odd").unwrap(), &b"\xff"[..]);
        assert_eq!(fields(&response.headers)[0], (":status", "200"));
        assert_eq!(answer.head.headers["x-odd"].as_bytes(), b"\xff");
    }
}

#[tokio::test]
async fn two_hundred_at_once_are_all_there() {
    let (address, _) = upstream::start().await;
    let recorder = Recorder::start(address, "");
    let mut all = tokio::task::JoinSet::new();
    for connection in 0..50 {
        let http2 = connection % 2 == 0;
        let first = Client::connect(recorder.address, http2).await;
        for n in 0..4 {
            // On HTTP/2 they share a connection.
            let mut client = match &first {
                Client::Http2(sender) => Client::Http2(sender.clone()),
                Client::Http1(_) => Client::connect(recorder.address, false).await,
            };
            let body = whole(vec![b'x'; 1000 * n]);
            let request = request("POST", &format!("/{connection}/{n}"), body);
            all.spawn(async move { client.ask(request).await.head.status });
        }
    }
    assert!(all.join_all().await.iter().all(|status| *status == 200));
    let exchanges = recorder.stop().await.exchanges();
    assert_eq!(exchanges.len(), 200);
    for exchange in exchanges {
        let path = exchange.request.headers.get(":path").unwrap();
        let n = usize::from(path[path.len() - 1] - b'0');
        assert_eq!(exchange.request.body.len(), 1000 * n as u64);
        let body = chunks(&response(&exchange).body).concat();
        let expected = [b"you asked for ", &path[..], &vec![b'x'; 1000 * n]].concat();
        assert_eq!(body, expected);
    }
}
