//! No secret of a header or a URL is in the file.

use super::client::{Client, request};
use super::recorder::Recorder;
use super::upstream::{self, empty};

const SECRET_HEADERS: [&str; 9] = [
    "authorization",
    "proxy-authorization",
    "x-api-key",
    "api-key",
    "x-goog-api-key",
    "x-amz-security-token",
    "x-csrf-token",
    "x-vault-token",
    "x-tenant",
];

const PATH: &str = "/headers?q=1&key=S3CRET&token=S3CRET&access_token=S3CRET&api_key=S3CRET&\
                    X-Amz-Signature=S3CRET&tenant=S3CRET&to=http%3A%2F%2Fa%2F%3Ftoken%3DS3CRET";

#[tokio::test]
async fn no_secret_is_in_the_file() {
    for http2 in [false, true] {
        let (address, _) = upstream::start().await;
        let recorder =
            Recorder::start(address, "--redact-header X-Tenant --redact-query Tenant --for 1m");
        let mut client = Client::connect(recorder.address, http2).await;
        let mut request = request("HEAD", PATH, empty());
        let headers = request.headers_mut();
        for name in SECRET_HEADERS {
            headers.insert(name, "S3CRET".parse().unwrap());
        }
        headers.insert("cookie", "sid=S3CRET; theme=S3CRET".parse().unwrap());
        headers.insert("x-callback", "http://a/?key=S3CRET".parse().unwrap());
        headers.insert("referer", "http://S3CRET@a/?key=S3CRET#token=S3CRET".parse().unwrap());
        let answer = client.ask(request).await;
        // The upstream and the client get everything.
        assert_eq!(answer.head.headers["set-cookie"], "sid=S3CRET; Path=/");
        drop(client);
        let recording = recorder.stop().await;
        let trace = recording.trace.as_ref().unwrap();
        assert!(!trace.contains("S3CRET"), "{trace}");
        assert!(trace.contains("sid=[redacted]; Path=/"), "{trace}");
        let count = SECRET_HEADERS.len() + 7 + 2 + 4 + 2;
        let said = format!("recorded 1 exchange in trace.jsonl; {count} values redacted\n");
        assert!(recording.stderr.starts_with(&said), "{recording:?}");
    }
}

#[tokio::test]
async fn what_is_kept_is_there() {
    let (address, _) = upstream::start().await;
    let recorder = Recorder::start(
        address,
        "--keep-header Authorization --keep-header set-cookie --keep-query key",
    );
    let mut client = Client::connect(recorder.address, false).await;
    let mut request = request("HEAD", "/headers?key=S1&token=S2", empty());
    request.headers_mut().insert("authorization", "S3".parse().unwrap());
    request.headers_mut().insert("cookie", "a=S4".parse().unwrap());
    client.ask(request).await;
    drop(client);
    let recording = recorder.stop().await;
    let trace = recording.trace.as_ref().unwrap();
    for (secret, is_there) in
        [("S1", true), ("S2", false), ("\"S3\"", true), ("S4", false), ("sid=S3CRET", true)]
    {
        assert_eq!(trace.contains(secret), is_there, "{secret}: {trace}");
    }
    assert!(recording.stderr.contains("2 values redacted"), "{recording:?}");
}
