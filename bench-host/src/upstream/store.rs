//! A small Redis in memory, for plugins that count or cache.

use std::{collections::BTreeMap, time::Duration};

use bytes::Bytes;

use super::resp::Reply;

/// How many bytes of keys and values a store holds; with more, writes are refused.
const CAPACITY: usize = 16 << 20;

/// What a key without a value costs, so that many empty ones are bounded too.
const ENTRY: usize = 64;

/// Keys with their values, and when they expire.
#[derive(Clone, Debug, Default)]
pub(super) struct Store {
    entries: BTreeMap<Vec<u8>, Entry>,
    bytes: usize,
}

#[derive(Clone, Debug)]
struct Entry {
    value: Bytes,
    expires: Option<Duration>,
}

impl Store {
    /// Runs a command; `None` when the store does not know it.
    pub(super) fn run(&mut self, words: &[&[u8]], now: Duration) -> Option<Reply> {
        let (name, args) = words.split_first()?;
        let name = name.to_ascii_uppercase();
        let reply = match (&name[..], args) {
            (b"PING", []) => Reply::Status("PONG".to_owned()),
            (b"GET", [key]) => self.get(key, now),
            (b"MGET", [_, ..]) => Reply::Array(args.iter().map(|key| self.get(key, now)).collect()),
            (b"EXISTS", [_, ..]) => self.count(args, |store, key| store.live(key, now).is_some()),
            (b"DEL", [_, ..]) => self.count(args, |store, key| {
                let live = store.live(key, now).is_some();
                store.remove(key);
                live
            }),
            (b"SET", [key, value]) => self.set(key, value, None),
            (b"SET", [key, value, unit, number]) => match span(unit, number) {
                Some(span) => self.set(key, value, Some(now.saturating_add(span))),
                None => syntax_error(),
            },
            (b"SETEX", [key, seconds, value]) => match span(b"EX", seconds) {
                Some(span) => self.set(key, value, Some(now.saturating_add(span))),
                None => Reply::Error("ERR invalid expire time in 'setex' command".to_owned()),
            },
            (b"EXPIRE", [key, seconds]) => match span(b"EX", seconds) {
                Some(span) => self.expire(key, now, now.saturating_add(span)),
                None => not_a_number(),
            },
            (b"INCR", [key]) => self.incr(key, now),
            (
                b"PING" | b"GET" | b"MGET" | b"EXISTS" | b"DEL" | b"SET" | b"SETEX" | b"EXPIRE"
                | b"INCR",
                _,
            ) => Reply::Error(format!(
                "ERR wrong number of arguments for '{}' command",
                String::from_utf8_lossy(&name).to_ascii_lowercase()
            )),
            _ => return None,
        };
        Some(reply)
    }

    /// The entry of a key, if it has not expired.
    fn live(&self, key: &[u8], now: Duration) -> Option<&Entry> {
        self.entries.get(key).filter(|entry| entry.expires.is_none_or(|expires| now < expires))
    }

    fn get(&self, key: &[u8], now: Duration) -> Reply {
        self.live(key, now).map_or(Reply::Nil, |entry| Reply::Bulk(entry.value.clone()))
    }

    fn count(&mut self, keys: &[&[u8]], mut holds: impl FnMut(&mut Self, &[u8]) -> bool) -> Reply {
        let count = keys.iter().filter(|key| holds(self, key)).count();
        Reply::Integer(count.try_into().unwrap_or(i64::MAX))
    }

    fn remove(&mut self, key: &[u8]) {
        if let Some(entry) = self.entries.remove(key) {
            self.bytes -= size(key, &entry.value);
        }
    }

    fn set(&mut self, key: &[u8], value: &[u8], expires: Option<Duration>) -> Reply {
        let freed = self.entries.get(key).map_or(0, |old| size(key, &old.value));
        let size = size(key, value);
        if size > CAPACITY - (self.bytes - freed) {
            return Reply::Error(
                "OOM command not allowed when used memory > 'maxmemory'.".to_owned(),
            );
        }
        self.bytes = self.bytes - freed + size;
        let value = Bytes::copy_from_slice(value);
        self.entries.insert(key.to_vec(), Entry { value, expires });
        Reply::Status("OK".to_owned())
    }

    fn expire(&mut self, key: &[u8], now: Duration, expires: Duration) -> Reply {
        if self.live(key, now).is_none() {
            return Reply::Integer(0);
        }
        if let Some(entry) = self.entries.get_mut(key) {
            entry.expires = Some(expires);
        }
        Reply::Integer(1)
    }

    fn incr(&mut self, key: &[u8], now: Duration) -> Reply {
        let (value, expires) = match self.live(key, now) {
            None => (0, None),
            Some(entry) => match number(&entry.value) {
                Some(value) => (value, entry.expires),
                None => return not_a_number(),
            },
        };
        let Some(value) = value.checked_add(1) else {
            return Reply::Error("ERR increment or decrement would overflow".to_owned());
        };
        match self.set(key, value.to_string().as_bytes(), expires) {
            Reply::Status(_) => Reply::Integer(value),
            error => error,
        }
    }
}

fn size(key: &[u8], value: &[u8]) -> usize {
    key.len().saturating_add(value.len()).saturating_add(ENTRY)
}

fn number(text: &[u8]) -> Option<i64> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// A time to live: `EX` seconds or `PX` milliseconds, more than none.
fn span(unit: &[u8], text: &[u8]) -> Option<Duration> {
    let count = number(text).and_then(|count| u64::try_from(count).ok()).filter(|n| *n > 0)?;
    match &unit.to_ascii_uppercase()[..] {
        b"EX" => Some(Duration::from_secs(count)),
        b"PX" => Some(Duration::from_millis(count)),
        _ => None,
    }
}

fn syntax_error() -> Reply {
    Reply::Error("ERR syntax error".to_owned())
}

fn not_a_number() -> Reply {
    Reply::Error("ERR value is not an integer or out of range".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs commands of space-separated words, each a second after the one before.
    fn run(commands: &[&str]) -> Vec<Reply> {
        let mut store = Store::default();
        let seconds = (0..).map(Duration::from_secs);
        let run = |(command, now): (&&str, _)| {
            let words: Vec<_> = command.split(' ').map(str::as_bytes).collect();
            store.run(&words, now).unwrap()
        };
        commands.iter().zip(seconds).map(run).collect()
    }

    fn ok() -> Reply {
        Reply::Status("OK".to_owned())
    }

    #[test]
    fn keys_are_set_read_counted_and_deleted() {
        let bulk = |text: &'static str| Reply::Bulk(text.into());
        assert_eq!(
            run(&[
                "get a",
                "SET a 1",
                "GET a",
                "INCR a",
                "INCR b",
                "MGET a c b",
                "EXISTS a b c",
                "DEL a c",
                "GET a"
            ]),
            [
                Reply::Nil,
                ok(),
                bulk("1"),
                Reply::Integer(2),
                Reply::Integer(1),
                Reply::Array(vec![bulk("2"), Reply::Nil, bulk("1")]),
                Reply::Integer(2),
                Reply::Integer(1),
                Reply::Nil,
            ]
        );
    }

    #[test]
    fn keys_expire_by_the_clock_of_the_calls() {
        let one = || Reply::Bulk("1".into());
        assert_eq!(
            run(&["SETEX a 2 1", "GET a", "GET a", "SET a 1 PX 1500", "GET a", "GET a"]),
            [ok(), one(), Reply::Nil, ok(), one(), Reply::Nil]
        );
        let kept = ["INCR a", "EXPIRE a 2", "INCR a", "INCR a", "EXPIRE b 1"];
        assert_eq!(run(&kept), [1, 1, 2, 1, 0].map(Reply::Integer), "INCR keeps the expiry");
    }

    #[test]
    fn mistakes_are_errors_as_redis_words_them() {
        let error = |commands: &[&str]| match run(commands).pop() {
            Some(Reply::Error(text)) => text,
            other => panic!("{other:?}"),
        };
        assert!(error(&["GET"]).contains("wrong number of arguments for 'get'"));
        assert!(error(&["SET a x", "INCR a"]).contains("not an integer"));
        assert!(error(&["SET a 9223372036854775807", "INCR a"]).contains("overflow"));
        assert!(error(&["SETEX a 0 1"]).contains("invalid expire"));
        assert!(error(&["SET a 1 XX 1"]).contains("syntax"));
        assert_eq!(Store::default().run(&[b"HGET"], Duration::ZERO), None);
    }

    #[test]
    fn a_store_is_bounded() {
        let mut store = Store::default();
        let big = vec![b'x'; CAPACITY / 2];
        let mut set = |key: &[u8]| store.run(&[b"SET", key, &big], Duration::ZERO).unwrap();
        assert_eq!(set(b"a"), ok());
        assert!(matches!(set(b"b"), Reply::Error(text) if text.starts_with("OOM")));
        assert_eq!(set(b"a"), ok(), "a key replaced gives its bytes back");
    }
}
