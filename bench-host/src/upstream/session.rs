//! One run of a script: the state that its rules have in it.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    GrpcCall, GrpcOutcome, HttpCall, HttpOutcome, RedisCall, RedisOutcome, UpstreamHost, grpc,
    http,
    http_match::first,
    redis,
    resp::{Reply, parse_command},
    rule::pick,
    script::{Cluster, Script},
    store::Store,
};

/// How many calls without a rule are remembered, and how many characters of each.
const UNMATCHED: (usize, usize) = (64, 200);

/// The state of a script in one run: how often each rule has answered, and what stores hold.
///
/// The same calls in the same order have the same outcomes. A session knows no clock; it answers
/// at once with what will come, and when.
///
/// # Cost
///
/// A counter of 8 bytes for each rule, 64 names of calls at most, and the stores of clusters which
/// have one (16 MiB each at most). A call compares the rules of its cluster in order.
#[derive(Clone, Debug)]
pub struct Session {
    script: Arc<Script>,
    answered: Vec<u64>,
    stores: BTreeMap<Vec<u8>, Store>,
    unmatched: Vec<String>,
    unmatched_calls: u64,
}

impl Session {
    pub(super) fn new(script: Arc<Script>) -> Self {
        Self {
            answered: vec![0; script.rules],
            script,
            stores: BTreeMap::new(),
            unmatched: Vec::new(),
            unmatched_calls: 0,
        }
    }

    /// Whether the script has this cluster; a call to any other one is a bad argument.
    pub fn knows(&self, cluster: &[u8]) -> bool {
        self.script.clusters.contains_key(cluster)
    }

    /// The hosts of a cluster; none when it is unknown.
    pub fn hosts(&self, cluster: &[u8]) -> &[UpstreamHost] {
        self.script.clusters.get(cluster).map_or(&[], |cluster| &cluster.hosts)
    }

    /// Answers an HTTP call.
    ///
    /// `None` when no answer ever comes: the upstream stays silent and the plugin set no timeout,
    /// or the cluster is unknown, which [`knows`](Self::knows) tells.
    pub fn http(&mut self, cluster: &[u8], call: &HttpCall<'_>) -> Option<HttpOutcome> {
        let Cluster { http: rules, latency, .. } = self.script.clusters.get(cluster)?;
        let picked =
            pick(rules, &mut self.answered, *latency, |script| script.matches.matches(call));
        if let Some((script, latency)) = picked {
            return http::outcome(&script.then, latency, call.timeout);
        }
        let part = |name| String::from_utf8_lossy(first(call.headers, name).unwrap_or_default());
        let name = format!("http {} {}", part(":method"), part(":path"));
        self.note(cluster, &name);
        Some(http::unscripted())
    }

    /// Answers a gRPC call, or the opening of a stream.
    ///
    /// `None` only when the cluster is unknown; an upstream that stays silent has no steps.
    pub fn grpc(&mut self, cluster: &[u8], call: &GrpcCall<'_>) -> Option<GrpcOutcome> {
        let Cluster { grpc: rules, latency, .. } = self.script.clusters.get(cluster)?;
        let matches = |script: &Arc<_>| -> bool { grpc::matches(script, call) };
        if let Some((script, latency)) = pick(rules, &mut self.answered, *latency, matches) {
            return Some(grpc::outcome(script, latency, call));
        }
        let part = |bytes| String::from_utf8_lossy(bytes);
        let name = format!("grpc {}/{}", part(call.service), part(call.method));
        self.note(cluster, &name);
        Some(grpc::unscripted())
    }

    /// Answers a Redis call: by a rule, else by the store if the cluster has one.
    ///
    /// `None` when no answer ever comes, as for [`http`](Self::http).
    pub fn redis(&mut self, cluster: &[u8], call: &RedisCall<'_>) -> Option<RedisOutcome> {
        let Cluster { redis: rules, latency, store, .. } = self.script.clusters.get(cluster)?;
        let words = parse_command(call.query);
        let matches = |script: &redis::RedisScript| script.matches(words.as_deref());
        if let Some((script, latency)) = pick(rules, &mut self.answered, *latency, matches) {
            return redis::outcome(script, latency, call.timeout);
        }
        let (latency, has_store) = (*latency, *store);
        if let (true, Some(words)) = (has_store, &words) {
            let store = self.stores.entry(cluster.to_vec()).or_default();
            if let Some(reply) = store.run(words, call.now) {
                return Some(redis::answer(reply.encode(), latency, call.timeout));
            }
        }
        let name = match &words {
            // A key is often different in every call; the name of the command says enough.
            Some(words) => String::from_utf8_lossy(words.first().copied().unwrap_or_default()),
            None => "a query that is no command".into(),
        };
        self.note(cluster, &format!("redis {name}"));
        let reply = Reply::Error("ERR no rule of the upstream script answers this call".to_owned());
        Some(redis::answer(reply.encode(), latency, call.timeout))
    }

    /// The calls that no rule answered, each once: `cluster: http GET /path`.
    ///
    /// The first 64 different ones, to show to the author of the script;
    /// [`unmatched_calls`](Self::unmatched_calls) counts all.
    pub fn unmatched(&self) -> &[String] {
        &self.unmatched
    }

    /// How many calls no rule answered.
    pub fn unmatched_calls(&self) -> u64 {
        self.unmatched_calls
    }

    fn note(&mut self, cluster: &[u8], call: &str) {
        let (calls, characters) = UNMATCHED;
        self.unmatched_calls = self.unmatched_calls.saturating_add(1);
        let text = format!("{}: {call}", String::from_utf8_lossy(cluster));
        let text: String = text.chars().take(characters).collect();
        if self.unmatched.len() < calls && !self.unmatched.contains(&text) {
            self.unmatched.push(text);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bytes::Bytes;

    use super::{
        super::{GrpcEvent, GrpcKind, Health, HttpAnswer, RedisAnswer, Upstreams, resp::command},
        *,
    };

    const AUTH: &[u8] = b"outbound|80||auth.dns";

    /// The script that the documentation shows.
    fn example() -> Session {
        let text = include_str!("../../../docs/upstreams.md");
        let (_, rest) = text.split_once("<!-- example -->\n```toml\n").unwrap();
        let (script, _) = rest.split_once("```").unwrap();
        Upstreams::parse(script, "docs/upstreams.md").unwrap().session()
    }

    fn http(
        session: &mut Session,
        fields: &[(&'static str, &'static str)],
        body: &str,
    ) -> HttpOutcome {
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
        let fields = [
            (":status", "403"),
            ("set-cookie", "a=1"),
            ("set-cookie", "b=2"),
            ("x-reason", "blocked"),
        ];
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
        assert_eq!(
            steps[0].what,
            GrpcEvent::Close { status: 12, message: "no such method".into() }
        );
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
            let HttpAnswer::Response { headers, body, .. } = http(&mut session, &get, "").what
            else {
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
}
