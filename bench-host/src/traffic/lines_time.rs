//! Times as they are written in our JSON lines format.

use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Milliseconds, fractions allowed; to the nanosecond for the first ten days.
pub(super) struct Millis(pub(super) Duration);

impl<'de> Deserialize<'de> for Millis {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let millis = f64::deserialize(deserializer)?;
        Duration::try_from_secs_f64(millis / 1000.0)
            .map(Self)
            .map_err(|_| de::Error::custom(format_args!("{millis} is no time after the first")))
    }
}

impl Serialize for Millis {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let nanos = self.0.as_nanos();
        match u64::try_from(nanos / 1_000_000) {
            Ok(millis) if nanos.is_multiple_of(1_000_000) => serializer.serialize_u64(millis),
            _ => serializer.serialize_f64(nanos as f64 / 1e6),
        }
    }
}
