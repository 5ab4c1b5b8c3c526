//! Redis rules as they are written.

use std::{fmt, num::NonZeroU64};

use bytes::Bytes;
use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, SeqAccess, Visitor, value::MapAccessDeserializer},
};

use super::{
    resp::Reply,
    rule::{Fail, Pace},
    value::{Data, OrText},
    wait::Wait,
};

/// A Redis rule, ready to answer.
#[derive(Clone, Debug)]
pub(super) struct RedisScript {
    command: Option<String>,
    args: Vec<String>,
    pub(super) then: Then,
}

/// What a Redis rule does.
#[derive(Clone, Debug)]
pub(super) enum Then {
    Reply(Bytes),
    Fail(Fail),
}

impl RedisScript {
    /// Whether the rule answers this command; arguments after those of the rule may be anything.
    pub(super) fn matches(&self, words: Option<&[&[u8]]>) -> bool {
        let Some(command) = &self.command else { return true };
        let Some((name, args)) = words.and_then(|words| words.split_first()) else { return false };
        name.eq_ignore_ascii_case(command.as_bytes())
            && args.len() >= self.args.len()
            && self.args.iter().zip(args).all(|(expected, arg)| expected.as_bytes() == *arg)
    }
}

/// A Redis rule as it is written.
#[derive(Debug, Deserialize)]
#[serde(try_from = "RawRedisRule")]
pub(super) struct RedisRule {
    pub(super) pace: Pace,
    pub(super) script: RedisScript,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawRedisRule {
    command: Option<String>,
    #[serde(default)]
    args: Vec<String>,
    status: Option<String>,
    error: Option<String>,
    integer: Option<i64>,
    string: Option<OrText<Data>>,
    nil: Option<bool>,
    array: Option<Vec<Element>>,
    raw: Option<OrText<Data>>,
    fail: Option<Fail>,
    latency: Option<Wait>,
    latencies: Option<Vec<Wait>>,
    times: Option<NonZeroU64>,
}

impl TryFrom<RawRedisRule> for RedisRule {
    type Error = String;

    fn try_from(raw: RawRedisRule) -> Result<Self, String> {
        let pace = Pace::new(raw.latency, raw.latencies, raw.times)?;
        if raw.command.is_none() && !raw.args.is_empty() {
            return Err("`args` needs a `command`".to_owned());
        }
        let array = raw.array.map(|array| array.into_iter().map(|element| element.0).collect());
        let mut answers = [
            raw.status.map(Reply::Status),
            raw.error.map(Reply::Error),
            raw.integer.map(Reply::Integer),
            raw.string.map(|data| Reply::Bulk(data.0.0)),
            nil(raw.nil)?,
            array.map(Reply::Array),
        ]
        .into_iter()
        .flatten()
        .map(|reply| Then::Reply(reply.encode()))
        .chain(raw.raw.map(|data| Then::Reply(data.0.0)))
        .chain(raw.fail.map(Then::Fail));
        let (Some(then), None) = (answers.next(), answers.next()) else {
            return Err("give exactly one of `string`, `integer`, `array`, `nil`, `status`, \
                        `error`, `raw` and `fail`"
                .to_owned());
        };
        let script = RedisScript { command: raw.command, args: raw.args, then };
        Ok(Self { pace, script })
    }
}

fn nil(value: Option<bool>) -> Result<Option<Reply>, String> {
    match value {
        None => Ok(None),
        Some(true) => Ok(Some(Reply::Nil)),
        Some(false) => Err("`nil` can only be true".to_owned()),
    }
}

/// An element of an array: a text, a number, a list, or `{ nil = true }`.
#[derive(Debug)]
struct Element(Reply);

impl<'de> Deserialize<'de> for Element {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct NilTable {
            nil: bool,
        }

        struct Any;

        impl<'de> Visitor<'de> for Any {
            type Value = Element;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text, a whole number, a list, or { nil = true }")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Element, E> {
                Ok(Element(Reply::Bulk(Bytes::copy_from_slice(text.as_bytes()))))
            }

            fn visit_i64<E: Error>(self, number: i64) -> Result<Element, E> {
                Ok(Element(Reply::Integer(number)))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Element, A::Error> {
                let mut replies = Vec::new();
                while let Some(Element(reply)) = list.next_element()? {
                    replies.push(reply);
                }
                Ok(Element(Reply::Array(replies)))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Element, A::Error> {
                let table = NilTable::deserialize(MapAccessDeserializer::new(map))?;
                nil(Some(table.nil)).map_err(A::Error::custom)?;
                Ok(Element(Reply::Nil))
            }
        }

        deserializer.deserialize_any(Any)
    }
}
