//! Scripts of upstreams.

use std::collections::BTreeSet;
use std::time::Duration;

use bench_host::upstream::{GrpcCall, GrpcKind, HttpCall, RedisCall, Session, Upstreams};
use bytes::Bytes;

/// Words of a script that are tried as names of clusters.
const CLUSTERS: usize = 32;

/// A text is a script or an error that names it. Two sessions of a script answer the same calls in
/// the same way, and clusters that the script does not have answer none.
pub fn check(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    // It names files of the machine, which are nobody's business here.
    if text.contains("body_file") || text.contains('\\') && text.contains("file") {
        return;
    }
    let upstreams = match Upstreams::parse(text, "fuzz.toml") {
        Ok(upstreams) => upstreams,
        Err(error) => {
            let text = error.to_string();
            assert!(text.contains("fuzz.toml"), "{text}");
            return;
        }
    };
    let words: BTreeSet<&str> =
        text.split(|c: char| "[]{}.,=\"' \t\r\n".contains(c)).take(1024).collect();
    let mut sessions = [(); 2].map(|()| upstreams.session());
    let known = words.into_iter().filter(|word| upstreams.session().knows(word.as_bytes()));
    for cluster in known.take(CLUSTERS) {
        let [one, other] = &mut sessions;
        let (one, other) = (calls(one, cluster.as_bytes()), calls(other, cluster.as_bytes()));
        assert_eq!(one, other, "a script has other answers the second time");
    }
    let unknown = b"\xff no text of a script";
    assert!(!sessions[0].knows(unknown) && sessions[0].hosts(unknown).is_empty());
    assert!(sessions[0].http(unknown, &HttpCall::default()).is_none());
    let [one, other] = sessions;
    assert_eq!(one.unmatched(), other.unmatched());
    assert!(one.unmatched().len() <= 64);
}

/// What comes of one call of every kind, and of some again, as text.
fn calls(session: &mut Session, cluster: &[u8]) -> String {
    let mut said = format!("{:?}", session.hosts(cluster));
    let timeouts = [None, Some(Duration::from_millis(5))];
    for path in ["/", "/check", "/slow/7?a=b", "/a"] {
        let headers: [(Bytes, Bytes); 3] =
            [(":method", "POST"), (":path", path), ("x", "1")].map(|(n, v)| (n.into(), v.into()));
        for timeout in timeouts {
            let body = b"please";
            let call = HttpCall { headers: &headers, body, timeout, ..HttpCall::default() };
            said += &format!("{:?}", session.http(cluster, &call));
        }
    }
    for kind in [GrpcKind::Unary, GrpcKind::Stream] {
        for timeout in timeouts {
            let call = GrpcCall {
                kind,
                service: b"s.S",
                method: b"M",
                initial_metadata: &[],
                message: b"m",
                timeout,
            };
            let Some(mut outcome) = session.grpc(cluster, &call) else { continue };
            said += &format!("{:?}", outcome.steps);
            if let Some(stream) = &mut outcome.stream {
                said += &format!("{:?}", stream.sent(false));
                said += &format!("{:?}", stream.sent(true));
                said += &format!("{:?} {}", stream.ended(), stream.is_closed());
            }
        }
    }
    let queries: [&[u8]; 4] = [
        b"*1\r\n$4\r\nPING\r\n",
        b"*2\r\n$3\r\nGET\r\n$1\r\na\r\n",
        b"*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\n1\r\n",
        b"*2\r\n$4\r\nINCR\r\n$1\r\na\r\n",
    ];
    for query in queries.into_iter().chain(queries) {
        let call = RedisCall { query, timeout: timeouts[1], now: Duration::from_secs(1) };
        said += &format!("{:?}", session.redis(cluster, &call));
    }
    said
}
