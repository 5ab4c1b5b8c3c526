//! One run of a script: the state that its rules have in it.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    GrpcCall, GrpcOutcome, HttpCall, HttpOutcome, RedisCall, RedisOutcome, UpstreamHost, grpc,
    http,
    http_match::first,
    made::{MadeCall, MadeCalls},
    redis,
    redis_rule::RedisScript,
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
    /// HTTP calls, where somebody wants to know them.
    calls: Option<MadeCalls>,
}

impl Session {
    pub(super) fn new(script: Arc<Script>) -> Self {
        Self {
            answered: vec![0; script.rules],
            script,
            stores: BTreeMap::new(),
            unmatched: Vec::new(),
            unmatched_calls: 0,
            calls: None,
        }
    }

    /// Whether the script has this cluster; a call to any other one is a bad argument.
    pub fn knows(&self, cluster: &[u8]) -> bool {
        self.script.clusters.contains_key(cluster)
    }

    /// Notes a call to a cluster that the script does not have. Plugins often say nothing of it.
    pub fn refused(&mut self, cluster: &[u8]) {
        self.note(cluster, "no script has this cluster");
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
        if let Some(calls) = &mut self.calls {
            calls.keep(cluster, call);
        }
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
        let matches = |script: &RedisScript| script.matches(words.as_deref());
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

    /// Keeps copies of HTTP calls from now on, until they are [taken](Self::take_calls); of those
    /// that are not taken, the first 64 MiB.
    pub fn keep_calls(&mut self) {
        self.calls.get_or_insert_default();
    }

    /// Takes the calls that were kept, in their order.
    pub fn take_calls(&mut self) -> Vec<MadeCall> {
        self.calls.as_mut().map(MadeCalls::take).unwrap_or_default()
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
