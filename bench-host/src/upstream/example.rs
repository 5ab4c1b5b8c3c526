//! What the example in the documentation answers.

use std::time::Duration;

use bytes::Bytes;

use super::{
    GrpcCall, GrpcEvent, GrpcKind, Health, HttpAnswer, HttpCall, HttpOutcome, RedisAnswer,
    RedisCall, Session, Upstreams, resp::command,
};

const AUTH: &[u8] = b"outbound|80||auth.dns";

/// The script that the documentation shows.
fn example() -> Session {
    let text = include_str!("../../../docs/upstreams.md");
    let (_, rest) = text.split_once("<!-- example -->\n```toml\n").unwrap();
    let (script, _) = rest.split_once("```").unwrap();
    Upstreams::parse(script, "docs/upstreams.md").unwrap().session()
}

fn http(session: &mut Session, fields: &[(&'static str, &'static str)], body: &str) -> HttpOutcome {
    let headers: Vec<(Bytes, Bytes)> =
        fields.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
    let call = HttpCall { headers: &headers, body: body.as_bytes(), ..HttpCall::default() };
    session.http(AUTH, &call).unwrap()
}

#[test]
fn the_documented_http_rules_answer() {
    let mut session = example();
    let check = [(":method", "POST"), (":path", "/check?a=1"), ("authorization", "x")];
    let first = http(&mut session, &check, "");
    assert_eq!(first.after, Duration::from_millis(40));
    let HttpAnswer::Response { headers, body, .. } = first.what else { panic!("a response") };
    assert_eq!(headers[1], ("content-type".into(), "application/json".into()));
    assert_eq!(body, r#"{"allowed":true,"user":"jo"}"#);

    let second = http(&mut session, &check, "");
    assert_eq!(second.after, Duration::from_millis(2));
    let HttpAnswer::Response { headers, body, trailers } = second.what else {
        panic!("a response")
    };
    let fields =
        [(":status", "403"), ("set-cookie", "a=1"), ("set-cookie", "b=2"), ("x-reason", "blocked")];
    assert_eq!(headers, fields.map(|(name, value)| (name.into(), value.into())));
    assert_eq!((body, trailers), ("no".into(), vec![("x-checked".into(), "1".into())]));

    let slow = [1, 50, 1].map(Duration::from_millis);
    let slow_path = [(":path", "/slow/7")];
    assert_eq!(slow.map(|_| http(&mut session, &slow_path, "yes please").after), slow);
    assert_eq!(http(&mut session, &[(":path", "/broken")], "").what, HttpAnswer::Reset);
    assert_eq!(session.unmatched_calls(), 0);

    let again = http(&mut example(), &check, "");
    assert_eq!(again.after, Duration::from_millis(40), "each session starts anew");
}

#[test]
fn the_documented_grpc_rules_answer() {
    let mut session = example();
    let service = &b"moderation.v1.Moderation"[..];
    let call = GrpcCall { service, method: b"Check", ..GrpcCall::default() };
    let steps = session.grpc(b"moderation", &call).unwrap().steps;
    assert_eq!(steps[0].what, GrpcEvent::Message(Bytes::from_static(&[8, 1])));

    let kind = GrpcKind::Stream;
    let call = GrpcCall { kind, service, method: b"Stream", ..GrpcCall::default() };
    let outcome = session.grpc(b"moderation", &call).unwrap();
    assert_eq!(outcome.steps.len(), 2);
    let mut stream = outcome.stream.unwrap();
    let counts = [stream.sent(false).len(), stream.sent(false).len(), stream.ended().len()];
    assert_eq!(counts, [1, 2, 3]);

    let call = GrpcCall { service, method: b"Other", ..GrpcCall::default() };
    let steps = session.grpc(b"moderation", &call).unwrap().steps;
    assert_eq!(steps[0].what, GrpcEvent::Close { status: 12, message: "no such method".into() });
}

#[test]
fn the_documented_redis_rules_answer() {
    let mut session = example();
    let mut run = |words: &[&str], seconds| {
        let query = &command(words)[..];
        let call = RedisCall { query, now: Duration::from_secs(seconds), timeout: None };
        match session.redis(b"redis", &call).unwrap().what {
            RedisAnswer::Reply(reply) => String::from_utf8(reply.to_vec()).unwrap(),
            RedisAnswer::NetworkError => "network error".to_owned(),
        }
    };
    assert_eq!(run(&["GET", "feature:on"], 0), "$3\r\nyes\r\n");
    assert!(run(&["HGETALL", "k"], 0).starts_with("*6\r\n"));
    assert_eq!(run(&["EVAL", "x"], 0), "network error");
    assert!(run(&["EVAL", "x"], 0).starts_with("-ERR no rule"));
    assert_eq!(run(&["INCR", "n"], 0), ":1\r\n");
    assert_eq!(run(&["EXPIRE", "n", "1"], 5), ":1\r\n");
    assert_eq!(run(&["GET", "n"], 5), "$1\r\n1\r\n");
    assert_eq!(run(&["GET", "n"], 6), "$-1\r\n");
    assert_eq!(session.unmatched(), ["redis: redis EVAL"]);
}

#[test]
fn the_documented_hosts_are_listed() {
    let session = example();
    let hosts = session.hosts(AUTH);
    assert_eq!(hosts[0].address, "10.0.0.1:80");
    assert_eq!((hosts[1].health, hosts.len()), (Health::Unhealthy, 2));
    assert!(session.hosts(b"unknown").is_empty());
}

#[test]
fn calls_without_a_rule_fail_and_are_remembered() {
    let mut session = example();
    let get = [(":method", "GET"), (":path", "/other")];
    for _ in 0..2 {
        let HttpAnswer::Response { headers, body, .. } = http(&mut session, &get, "").what else {
            panic!("a response")
        };
        assert_eq!((&headers[0].1[..], &body[..4]), (&b"503"[..], &b"no r"[..]));
    }
    let steps =
        session.grpc(AUTH, &GrpcCall { service: b"s", method: b"m", ..GrpcCall::default() });
    assert!(matches!(steps.unwrap().steps[0].what, GrpcEvent::Close { status: 14, .. }));
    session.redis(AUTH, &RedisCall { query: b"junk", ..RedisCall::default() }).unwrap();
    assert_eq!(
        session.unmatched(),
        [
            "outbound|80||auth.dns: http GET /other",
            "outbound|80||auth.dns: grpc s/m",
            "outbound|80||auth.dns: redis a query that is no command",
        ]
    );
    assert_eq!(session.unmatched_calls(), 4);

    assert!(!session.knows(b"unknown"));
    assert!(session.http(b"unknown", &HttpCall::default()).is_none());
    assert!(session.grpc(b"unknown", &GrpcCall::default()).is_none());
    assert!(session.redis(b"unknown", &RedisCall::default()).is_none());
    assert_eq!(session.unmatched_calls(), 4, "a refused call is no call");
}

#[test]
fn what_is_remembered_is_bounded() {
    let mut session = example();
    for at in 0..1000 {
        let path = format!("/{at}/{}", "x".repeat(10_000));
        let headers = [(":path".into(), path.into())];
        session.http(AUTH, &HttpCall { headers: &headers, ..HttpCall::default() });
    }
    assert_eq!((session.unmatched().len(), session.unmatched_calls()), (64, 1000));
    assert!(session.unmatched().iter().all(|call| call.len() <= 200));
}
