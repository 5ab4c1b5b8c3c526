//! gRPC rules as they are written.

use std::{fmt, num::NonZeroU64, time::Duration};

use bytes::Bytes;
use serde::{
    Deserialize, Deserializer,
    de::{Error, Visitor},
};

use super::{
    rule::{Fail, Pace},
    value::{Data, Fields, OrText, RawData},
    wait::Wait,
};

/// A gRPC rule, ready to answer.
#[derive(Clone, Debug)]
pub(super) struct GrpcScript {
    service: Option<String>,
    method: Option<String>,
    pub(super) initial_metadata: Vec<(Bytes, Bytes)>,
    pub(super) messages: Vec<Message>,
    pub(super) trailing_metadata: Vec<(Bytes, Bytes)>,
    pub(super) status: u32,
    pub(super) message: Bytes,
    /// When the upstream closes a stream; `None` is never.
    pub(super) close: Option<When>,
    pub(super) fail: Option<Fail>,
}

impl GrpcScript {
    pub(super) fn matches(&self, service: &[u8], method: &[u8]) -> bool {
        let is = |expected: &Option<String>, name| {
            expected.as_ref().is_none_or(|expected| expected.as_bytes() == name)
        };
        is(&self.service, service) && is(&self.method, method)
    }
}

/// A message of the upstream.
#[derive(Clone, Debug)]
pub(super) struct Message {
    pub(super) data: Bytes,
    /// How long after the message before it, or after what it answers; `None` is the default.
    pub(super) latency: Option<Duration>,
    pub(super) when: When,
}

/// The moment of a stream at which something happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum When {
    /// When the stream is opened.
    Open,
    /// With each message of the plugin.
    Each,
    /// With this message of the plugin, counted from 1.
    Nth(u64),
    /// When the plugin sends nothing more.
    End,
}

impl When {
    /// Whether `now` is the moment.
    pub(super) fn is(self, now: Self) -> bool {
        self == now || (self == Self::Each && matches!(now, Self::Nth(_)))
    }
}

impl<'de> Deserialize<'de> for When {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Moment;

        impl Visitor<'_> for Moment {
            type Value = When;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("\"open\", \"each\", \"end\", or the number of a message from 1")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<When, E> {
                match text {
                    "open" => Ok(When::Open),
                    "each" => Ok(When::Each),
                    "end" => Ok(When::End),
                    _ => Err(E::invalid_value(serde::de::Unexpected::Str(text), &self)),
                }
            }

            fn visit_i64<E: Error>(self, number: i64) -> Result<When, E> {
                match u64::try_from(number) {
                    Ok(number) if number > 0 => Ok(When::Nth(number)),
                    _ => Err(E::invalid_value(serde::de::Unexpected::Signed(number), &self)),
                }
            }
        }

        deserializer.deserialize_any(Moment)
    }
}

/// When a stream is closed: at a moment, or never.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(untagged, expecting = "expected \"open\", \"end\", \"never\" or the number of a message")]
enum CloseWhen {
    Never(Never),
    At(When),
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Never {
    Never,
}

#[derive(Debug, Deserialize)]
#[serde(try_from = "RawGrpcRule")]
pub(super) struct GrpcRule {
    pub(super) pace: Pace,
    pub(super) script: GrpcScript,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawGrpcRule {
    service: Option<String>,
    method: Option<String>,
    initial_metadata: Option<Fields>,
    #[serde(default)]
    messages: Vec<OrText<Message>>,
    trailing_metadata: Option<Fields>,
    status: Option<u32>,
    message: Option<String>,
    close: Option<CloseWhen>,
    fail: Option<Fail>,
    latency: Option<Wait>,
    latencies: Option<Vec<Wait>>,
    times: Option<NonZeroU64>,
}

impl TryFrom<RawGrpcRule> for GrpcRule {
    type Error = String;

    fn try_from(raw: RawGrpcRule) -> Result<Self, String> {
        let pace = Pace::new(raw.latency, raw.latencies, raw.times)?;
        let status = raw.status.unwrap_or_default();
        if status > 16 {
            return Err(format!("status {status} is not between 0 and 16"));
        }
        let messages: Vec<_> = raw.messages.into_iter().map(|message| message.0).collect();
        let answers = raw.status.is_some()
            || raw.message.is_some()
            || raw.close.is_some()
            || raw.initial_metadata.is_some()
            || raw.trailing_metadata.is_some()
            || !messages.is_empty();
        if raw.fail.is_some() && answers {
            return Err("`fail` leaves no room for an answer; remove messages, metadata, status \
                        and close, or `fail`"
                .to_owned());
        }
        let close = match raw.close {
            Some(CloseWhen::Never(Never::Never)) => None,
            Some(CloseWhen::At(When::Each)) => {
                return Err("a stream is closed once; use a number instead of `each`".to_owned());
            }
            Some(CloseWhen::At(when)) => Some(when),
            // An upstream that answers what it is sent goes on until the plugin ends.
            None if messages.iter().all(|message| message.when == When::Open) => Some(When::Open),
            None => Some(When::End),
        };
        let text = raw.message.unwrap_or_default();
        let mut initial_metadata = vec![
            (Bytes::from_static(b":status"), Bytes::from_static(b"200")),
            (Bytes::from_static(b"content-type"), Bytes::from_static(b"application/grpc")),
        ];
        initial_metadata.extend(raw.initial_metadata.unwrap_or_default().0);
        let mut trailing_metadata = vec![("grpc-status".into(), status.to_string().into())];
        if !text.is_empty() {
            trailing_metadata.push(("grpc-message".into(), text.clone().into()));
        }
        trailing_metadata.extend(raw.trailing_metadata.unwrap_or_default().0);
        let script = GrpcScript {
            service: raw.service,
            method: raw.method,
            initial_metadata,
            messages,
            trailing_metadata,
            status,
            message: text.into(),
            close,
            fail: raw.fail,
        };
        Ok(Self { pace, script })
    }
}

impl From<String> for Message {
    fn from(text: String) -> Self {
        Self { data: text.into(), latency: None, when: When::Open }
    }
}

impl<'de> Deserialize<'de> for Message {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Raw {
            text: Option<String>,
            base64: Option<String>,
            hex: Option<String>,
            json: Option<serde_json::Value>,
            latency: Option<Wait>,
            when: Option<When>,
        }

        let Raw { text, base64, hex, json, latency, when } = Raw::deserialize(deserializer)?;
        let data = Data::try_from(RawData { text, base64, hex, json }).map_err(Error::custom)?.0;
        let latency = latency.map(|wait| wait.0);
        Ok(Self { data, latency, when: when.unwrap_or(When::Open) })
    }
}
