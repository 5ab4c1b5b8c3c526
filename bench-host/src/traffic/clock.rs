//! The points in time that a trace records.

use std::time::Duration;

/// A point in time in nanoseconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Instant(i128);

impl Instant {
    /// Parses RFC 3339 as browsers write it: `2017-06-28T17:41:55.090+09:00`.
    ///
    /// A space for the `T`, an offset without its colon and more than nine digits of a second are
    /// accepted. Anything else is `None`: a replay can do without a recorded time.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut rest = text.as_bytes();
        let year = digits(&mut rest, 4)?;
        expect(&mut rest, b"-")?;
        let month = digits(&mut rest, 2).filter(|month| (1..=12).contains(month))?;
        expect(&mut rest, b"-")?;
        let day = digits(&mut rest, 2).filter(|day| (1..=31).contains(day))?;
        expect(&mut rest, b"Tt ")?;
        let hour = digits(&mut rest, 2).filter(|hour| *hour < 24)?;
        expect(&mut rest, b":")?;
        let minute = digits(&mut rest, 2).filter(|minute| *minute < 60)?;
        expect(&mut rest, b":")?;
        let second = digits(&mut rest, 2).filter(|second| *second <= 60)?;
        let nanos = fraction(&mut rest)?;
        let offset = offset_minutes(&mut rest)?;
        if !rest.is_empty() {
            return None;
        }
        let minutes = (days_since_1970(year, month, day) * 24 + hour) * 60 + minute - offset;
        let seconds = i128::from(minutes) * 60 + i128::from(second);
        Some(Self(seconds * 1_000_000_000 + i128::from(nanos)))
    }

    /// A moment as protobuf's `Timestamp` writes it; nanoseconds past a second's end are `None`.
    pub(super) fn from_unix(seconds: i64, nanos: u32) -> Option<Self> {
        let is_fraction = nanos < 1_000_000_000;
        is_fraction.then(|| Self(i128::from(seconds) * 1_000_000_000 + i128::from(nanos)))
    }

    /// How long after `earlier` this is; zero when it is before.
    pub(super) fn since(self, earlier: Self) -> Duration {
        u64::try_from((self.0 - earlier.0).max(0)).map_or(Duration::MAX, Duration::from_nanos)
    }
}

fn digits(rest: &mut &[u8], count: usize) -> Option<i64> {
    let (digits, tail) = rest.split_at_checked(count)?;
    *rest = tail;
    digits.iter().try_fold(0, |number, digit| {
        digit.is_ascii_digit().then(|| number * 10 + i64::from(digit - b'0'))
    })
}

fn expect(rest: &mut &[u8], any_of: &[u8]) -> Option<u8> {
    let (first, tail) = rest.split_first()?;
    *rest = tail;
    any_of.contains(first).then_some(*first)
}

fn fraction(rest: &mut &[u8]) -> Option<i64> {
    if rest.first() != Some(&b'.') {
        return Some(0);
    }
    let all = &rest[1..];
    let count = all.iter().take_while(|byte| byte.is_ascii_digit()).count();
    *rest = &all[count..];
    let nanos = (0..9).fold(0, |nanos, place| {
        let digit = all[..count].get(place).map_or(0, |digit| digit - b'0');
        nanos * 10 + i64::from(digit)
    });
    (count > 0).then_some(nanos)
}

fn offset_minutes(rest: &mut &[u8]) -> Option<i64> {
    let sign = match expect(rest, b"Zz+-")? {
        b'+' => 1,
        b'-' => -1,
        _ => return Some(0),
    };
    let hours = digits(rest, 2)?;
    if rest.first() == Some(&b':') {
        *rest = &rest[1..];
    }
    Some(sign * (hours * 60 + digits(rest, 2)?))
}

/// Days of the Gregorian calendar, counted in years that start in March so that the leap day comes
/// last.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    let day_of_year = (153 * month + 2) / 5 + day - 1;
    year * 365 + leap_days + day_of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i128 = 1_000_000_000;

    #[test]
    fn known_moments() {
        for (text, nanos) in [
            ("1970-01-01T00:00:00Z", 0),
            ("1970-01-01T00:00:00.5Z", SECOND / 2),
            ("2000-03-01T00:00:00Z", 951_868_800 * SECOND),
            ("2017-06-28T09:09:08.406Z", 1_498_640_948_406_000_000),
            ("2017-06-28T18:09:08.406+09:00", 1_498_640_948_406_000_000),
            ("2017-06-28 04:39:08.4060000001-0430", 1_498_640_948_406_000_000),
            ("1969-12-31T23:59:59z", -SECOND),
        ] {
            assert_eq!(Instant::parse(text), Some(Instant(nanos)), "{text}");
        }
    }

    #[test]
    fn anything_else_is_no_time() {
        for text in [
            "",
            "yesterday",
            "2017-06-28",
            "2017-06-28T09:09:08",
            "2017-13-28T09:09:08Z",
            "2017-06-28T24:09:08Z",
            "2017-06-28T09:09:08.Z",
            "2017-06-28T09:09:08Zulu",
            "2017-06-28T09:09:08+9",
            "２０17-06-28T09:09:08Z",
        ] {
            assert_eq!(Instant::parse(text), None, "{text}");
        }
    }

    #[test]
    fn timestamps_are_the_same_moments() {
        assert_eq!(
            Instant::from_unix(1_498_640_948, 406_000_000),
            Instant::parse("2017-06-28T09:09:08.406Z")
        );
        assert_eq!(Instant::from_unix(-1, 0), Some(Instant(-SECOND)));
        assert!(Instant::from_unix(i64::MIN, 999_999_999).is_some());
        assert_eq!(Instant::from_unix(0, 1_000_000_000), None);
    }

    #[test]
    fn differences_never_go_below_zero() {
        let (early, late) = (Instant(5), Instant(12));
        assert_eq!(late.since(early), Duration::from_nanos(7));
        assert_eq!(early.since(late), Duration::ZERO);
    }
}
