//! What the host would be given.

use super::*;
use crate::abi::pairs::Pairs;
use crate::call::{K8sCluster, RouteCluster, UrlError};

fn client() -> Client {
    Client::new(K8sCluster::new("auth", 80).namespace("prod").version("v1"))
}

/// What the host would be given, without a stream.
fn sent(request: Request) -> Result<Encoded<'static>, CallError> {
    let client = request.client.clone();
    let host = || client.cluster().host_name().ok_or(CallError::NoAuthority);
    request.finish(|| client.cluster().check().map(|()| None).map_err(Into::into), host)
}

fn pairs(encoded: &Encoded<'_>) -> Vec<(String, Vec<u8>)> {
    Pairs::parse(encoded.headers())
        .unwrap()
        .map(|(name, value)| (String::from_utf8(name.to_vec()).unwrap(), value.to_vec()))
        .collect()
}

#[test]
fn everything_that_was_asked_for_is_sent() {
    let request = client()
        .post("check?x=%2F#top")
        .header("X-Token", b"\xff")
        .header("accept", "a")
        .header("accept", String::from("b"))
        .body(vec![1, 2])
        .timeout(Duration::from_micros(1001));
    let encoded = sent(request).unwrap();
    assert_eq!(encoded.cluster(), "outbound|80|v1|auth.prod.svc.cluster.local");
    assert_eq!(encoded.body(), [1, 2]);
    assert_eq!(encoded.timeout, 2, "a timeout is never shortened");
    let expected: [(&str, &[u8]); 6] = [
        (":method", b"POST"),
        (":path", b"/check?x=%2F"),
        ("x-token", b"\xff"),
        ("accept", b"a"),
        ("accept", b"b"),
        (":authority", b"auth.prod.svc.cluster.local"),
    ];
    assert_eq!(pairs(&encoded), expected.map(|(n, v)| (n.to_owned(), v.to_vec())));
}

#[test]
fn a_host_in_the_url_is_named_once() {
    let encoded = sent(client().get("https://a.example:8443/x")).unwrap();
    let hosts: Vec<_> = pairs(&encoded).into_iter().filter(|(n, _)| n == ":authority").collect();
    assert_eq!(hosts, [(":authority".to_owned(), b"a.example:8443".to_vec())]);
}

#[test]
fn a_call_along_the_route_goes_where_the_stream_says() {
    let request = Client::new(RouteCluster::new()).get("/");
    let encoded = request.finish(|| Ok(Some("routed")), || Ok("a.example")).unwrap();
    assert_eq!(encoded.cluster(), "routed");
    assert!(pairs(&encoded).contains(&(":authority".to_owned(), b"a.example".to_vec())));
    let request = Client::new(RouteCluster::new()).get("/");
    let nowhere = request.finish(|| Err(CallError::NoRoute), || Ok("a.example"));
    assert_eq!(nowhere.unwrap_err(), CallError::NoRoute);
}

#[test]
fn what_cannot_be_sent_is_told_the_first_thing_first() {
    let get = || client().get("/");
    for (request, error) in [
        (client().get("/a b"), CallError::InvalidUrl(UrlError::Control)),
        (client().request("", "/"), CallError::InvalidMethod),
        (client().request("GET /x", "/"), CallError::InvalidMethod),
        (get().header("", "v"), CallError::InvalidHeaderName { position: 1 }),
        (get().header("a b", "v"), CallError::InvalidHeaderName { position: 1 }),
        (get().header("a\r\nb", "v"), CallError::InvalidHeaderName { position: 1 }),
        (get().header("a", "v\nb: c"), CallError::InvalidHeaderValue { position: 1 }),
        (get().header("a", "v\0"), CallError::InvalidHeaderValue { position: 1 }),
        (get().header(":path", "/"), CallError::ReservedHeader { position: 1 }),
        (get().header(":scheme", "http"), CallError::ReservedHeader { position: 1 }),
        (get().header("a", "").header("Host", "h"), CallError::ReservedHeader { position: 2 }),
        (get().header("Content-Length", "9"), CallError::ReservedHeader { position: 1 }),
        (get().header("a ", "").header("host", ""), CallError::InvalidHeaderName { position: 1 }),
        (get().timeout(Duration::ZERO), CallError::InvalidTimeout),
        (get().timeout(Duration::MAX), CallError::InvalidTimeout),
    ] {
        assert_eq!(request.check(), Err(error), "{request:?}");
        assert_eq!(sent(request.clone()).unwrap_err(), error, "{request:?}");
    }
    assert_eq!(get().check(), Ok(()));
    let wrong = Client::new(K8sCluster::new("", 80)).get("/");
    assert!(matches!(wrong.check().unwrap_err(), CallError::Cluster(_)));
    assert!(matches!(sent(wrong).unwrap_err(), CallError::Cluster(_)));
}

#[test]
fn timeouts_are_what_a_host_can_read() {
    let most = u64::try_from(i32::MAX).unwrap();
    for (timeout, sent) in [
        (Duration::from_nanos(1), Ok(1)),
        (Duration::from_millis(1), Ok(1)),
        (Duration::from_millis(500), Ok(500)),
        (Duration::new(1, 999_000_001), Ok(2000)),
        (Duration::from_millis(most), Ok(0x7fff_ffff)),
        (Duration::from_millis(most) + Duration::from_nanos(1), Err(CallError::InvalidTimeout)),
    ] {
        assert_eq!(milliseconds(timeout), sent, "{timeout:?}");
    }
    assert_eq!(sent(client().get("/")).unwrap().timeout, 500);
    let client = client().with_timeout(Duration::from_secs(2));
    assert_eq!(sent(client.get("/")).unwrap().timeout, 2000);
}

#[test]
fn a_copy_is_a_request_of_its_own() {
    let first = client().get("/");
    let second = first.clone().header("a", "b");
    assert_eq!(pairs(&sent(first).unwrap()).len(), 3);
    assert_eq!(pairs(&sent(second).unwrap()).len(), 4);
}
