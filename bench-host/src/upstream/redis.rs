//! Redis calls: what a plugin sends, what it gets, and the rules between the two.

use std::time::Duration;

use bytes::Bytes;

use super::{
    redis_rule::{RedisScript, Then},
    rule::Fail,
};

/// A Redis call as the plugin dispatched it.
#[derive(Clone, Copy, Debug, Default)]
pub struct RedisCall<'a> {
    /// The command in RESP, as `proxy_redis_call` takes it.
    pub query: &'a [u8],
    /// How long the plugin waits, as `proxy_redis_init` was told; `None` and zero mean for ever.
    pub timeout: Option<Duration>,
    /// The virtual time, from any fixed start; keys of `store = true` expire by it.
    pub now: Duration,
}

/// What comes of a Redis call; the timeout has already been applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RedisOutcome {
    /// When the plugin hears of it, counted from the call.
    pub after: Duration,
    /// What it hears.
    pub what: RedisAnswer,
}

/// What a plugin hears of its Redis call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RedisAnswer {
    /// A reply in RESP, errors of Redis included: status 0 of `proxy_on_redis_call_response`.
    Reply(Bytes),
    /// No reply: status 1, and no bytes.
    NetworkError,
}

/// Applies latency and timeout to a rule; `None` when nothing ever comes.
pub(super) fn outcome(
    script: &RedisScript,
    latency: Duration,
    timeout: Option<Duration>,
) -> Option<RedisOutcome> {
    match &script.then {
        Then::Reply(reply) => Some(answer(reply.clone(), latency, timeout)),
        Then::Fail(fail) => {
            let timeout = timeout.filter(|timeout| !timeout.is_zero());
            let after = match (fail, timeout) {
                (Fail::Never, None) => return None,
                (Fail::Never | Fail::Timeout, Some(timeout)) => timeout,
                (_, timeout) => latency.min(timeout.unwrap_or(Duration::MAX)),
            };
            Some(RedisOutcome { after, what: RedisAnswer::NetworkError })
        }
    }
}

/// A reply, unless the plugin stops waiting before it comes.
pub(super) fn answer(reply: Bytes, latency: Duration, timeout: Option<Duration>) -> RedisOutcome {
    match timeout.filter(|timeout| !timeout.is_zero()) {
        Some(after) if latency > after => RedisOutcome { after, what: RedisAnswer::NetworkError },
        _ => RedisOutcome { after: latency, what: RedisAnswer::Reply(reply) },
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{Upstreams, resp::command},
        *,
    };

    fn call(rule: &str, words: &[&str], timeout: Option<Duration>) -> Option<RedisOutcome> {
        let script = format!("[[cluster.a.redis]]\n{rule}");
        let mut session = Upstreams::parse(&script, "up.toml").unwrap().session();
        let query = &command(words)[..];
        session.redis(b"a", &RedisCall { query, timeout, ..RedisCall::default() })
    }

    #[test]
    fn every_kind_of_answer_is_written_as_resp() {
        for (rule, expected) in [
            ("string = 'a'", "$1\r\na\r\n"),
            ("string = { hex = '0d0a' }", "$2\r\n\r\n\r\n"),
            ("integer = -7", ":-7\r\n"),
            ("nil = true", "$-1\r\n"),
            ("status = 'OK'", "+OK\r\n"),
            ("error = 'ERR no'", "-ERR no\r\n"),
            (
                "array = ['a', 7, ['b'], { nil = true }]",
                "*4\r\n$1\r\na\r\n:7\r\n*1\r\n$1\r\nb\r\n$-1\r\n",
            ),
            ("raw = '+half'", "+half"),
        ] {
            let reply = RedisAnswer::Reply(expected.into());
            assert_eq!(call(rule, &["GET", "k"], None).unwrap().what, reply, "{rule}");
        }
    }

    #[test]
    fn commands_are_told_apart_by_name_and_first_arguments() {
        let found = |rule: &str, words: &[&str]| {
            let rule = format!("{rule}\nnil = true");
            call(&rule, words, None).unwrap().what == RedisAnswer::Reply("$-1\r\n".into())
        };
        assert!(found("command = 'get'", &["GET", "k"]));
        assert!(found("command = 'GET'\nargs = ['k']", &["get", "k", "more"]));
        assert!(found("", &["ANY"]));
        assert!(!found("command = 'GET'", &["SET", "k"]));
        assert!(!found("command = 'GET'\nargs = ['k']", &["GET", "K"]));
        assert!(!found("command = 'GET'\nargs = ['k', 'l']", &["GET", "k"]));
    }

    #[test]
    fn failures_are_network_errors() {
        let ms = Duration::from_millis;
        let error = |after| Some(RedisOutcome { after, what: RedisAnswer::NetworkError });
        for (rule, timeout, expected) in [
            ("nil = true\nlatency = '5ms'", Some(ms(4)), error(ms(4))),
            ("fail = 'connect'\nlatency = '5ms'", None, error(ms(5))),
            ("fail = 'connect'\nlatency = '5ms'", Some(ms(4)), error(ms(4))),
            ("fail = 'timeout'\nlatency = '5ms'", Some(ms(9)), error(ms(9))),
            ("fail = 'timeout'\nlatency = '5ms'", None, error(ms(5))),
            ("fail = 'never'", Some(ms(9)), error(ms(9))),
            ("fail = 'never'", Some(ms(0)), None),
            ("fail = 'never'", None, None),
        ] {
            assert_eq!(call(rule, &["GET", "k"], timeout), expected, "{rule} {timeout:?}");
        }
        let outcome = call("nil = true\nlatency = '5ms'", &["GET", "k"], Some(ms(5))).unwrap();
        assert!(matches!(outcome.what, RedisAnswer::Reply(_)));
    }
}
