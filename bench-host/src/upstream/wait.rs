//! Durations as a script writes them.

use std::{fmt, time::Duration};

use serde::{
    Deserialize, Deserializer,
    de::{Error, Visitor},
};

/// Units that a duration may carry, with their length in nanoseconds.
const UNITS: [(&str, u128); 7] = [
    ("ns", 1),
    ("us", 1_000),
    ("µs", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("min", 60_000_000_000),
    ("h", 3_600_000_000_000),
];

/// The longest wait, a year: what follows it is no simulation, and no sum of waits overflows.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 3600);

/// A duration with its unit: `250us`, `5ms`, `1.5s`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wait(pub(super) Duration);

/// Parses a duration; the error says what to write instead.
pub(super) fn parse_wait(text: &str) -> Result<Duration, String> {
    let wrong = || {
        format!(
            "`{text}` is not a duration; write a number and one of ns, us, ms, s, min, h, such as \
             5ms"
        )
    };
    let trimmed = text.trim();
    let number = trimmed.bytes().take_while(|byte| byte.is_ascii_digit() || *byte == b'.').count();
    let (number, unit) = trimmed.split_at(number);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let unit = unit.trim_start();
    let (_, scale) = *UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(wrong)?;
    // Nine digits are all that the largest unit resolves usefully; more of them say nothing.
    if whole.is_empty() || fraction.is_empty() || fraction.len() > 9 {
        return Err(wrong());
    }
    let whole: u64 = whole.parse().map_err(|_| wrong())?;
    let tenths = 10_u128.pow(fraction.len().try_into().map_err(|_| wrong())?);
    let fraction: u128 = fraction.parse().map_err(|_| wrong())?;
    let nanos = u128::from(whole) * scale + fraction * scale / tenths;
    let duration = u64::try_from(nanos).map(Duration::from_nanos).unwrap_or(Duration::MAX);
    if duration > LONGEST {
        return Err(format!("`{text}` is longer than a year; leave the answer out instead"));
    }
    Ok(duration)
}

impl<'de> Deserialize<'de> for Wait {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;

        impl Visitor<'_> for Text {
            type Value = Wait;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a duration with its unit, such as \"5ms\"")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Wait, E> {
                parse_wait(text).map(Wait).map_err(E::custom)
            }
        }

        deserializer.deserialize_str(Text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_scale_the_number() {
        for (text, nanos) in [
            ("0s", 0),
            ("7ns", 7),
            ("250us", 250_000),
            ("250 µs", 250_000),
            ("5ms", 5_000_000),
            ("1.5s", 1_500_000_000),
            ("0.000000001s", 1),
            ("2min", 120_000_000_000),
            ("1h", 3_600_000_000_000),
        ] {
            assert_eq!(parse_wait(text), Ok(Duration::from_nanos(nanos)), "{text}");
        }
    }

    #[test]
    fn what_is_no_duration_is_refused() {
        for text in ["", "5", "ms", "-1ms", "1.ms", ".5ms", "1.2.3s", "5 parsecs", "1e3s"] {
            assert!(parse_wait(text).unwrap_err().contains("is not a duration"), "{text}");
        }
        for text in ["8761h", "18446744073709551615h"] {
            assert!(parse_wait(text).unwrap_err().contains("longer than a year"), "{text}");
        }
        assert!(parse_wait("1.0000000000s").is_err());
    }
}
