//! Numbers for people. Averages never look more exact than they are.

use crate::units::format_bytes;

/// Digits in groups of three: `1 234 567`.
#[must_use]
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.char_indices() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

/// `1 reply`, `2 replies`.
#[must_use]
pub fn counted(number: u64, one: &str, many: &str) -> String {
    format!("{} {}", count(number), if number == 1 { one } else { many })
}

/// A share of `total`: a whole number where it divides, else two decimals below 100 and none from
/// there on. `0` is exactly none, and `-` a share among nobody.
///
/// ```
/// use bench_host::report::numbers::share;
///
/// assert_eq!(share(8, 4), "2");
/// assert_eq!(share(9, 4), "2.25");
/// assert_eq!(share(1, 1_000), "<0.01");
/// assert_eq!(share(0, 1_000), "0");
/// ```
#[must_use]
pub fn share(total: u64, among: u64) -> String {
    if among == 0 {
        return "-".to_owned();
    }
    if total.is_multiple_of(among) {
        return count(total / among);
    }
    let share = total as f64 / among as f64;
    match share {
        ..0.005 => "<0.01".to_owned(),
        ..99.995 => format!("{share:.2}"),
        // A float becomes the nearest integer there is.
        _ => count(share.round() as u64),
    }
}

/// A share of bytes, to the unit that reads best.
#[must_use]
pub fn bytes_share(total: u64, among: u64) -> String {
    match among {
        0 => "-".to_owned(),
        _ if total > 0 && total < among => "<1 B".to_owned(),
        _ => format_bytes((total as f64 / among as f64).round() as u64),
    }
}

/// A duration, to one decimal: `850 ns`, `1.2 µs`, `34.5 ms`, `2.0 s`.
#[must_use]
pub fn duration(nanoseconds: u64) -> String {
    if nanoseconds < 1_000 {
        return format!("{nanoseconds} ns");
    }
    let mut tenths = 0;
    let mut name = "";
    for (unit, scale) in [("µs", 1_000), ("ms", 1_000_000), ("s", 1_000_000_000)] {
        tenths = (u128::from(nanoseconds) * 10 + scale / 2) / scale;
        name = unit;
        if tenths < 10_000 {
            break;
        }
    }
    format!("{}.{} {name}", tenths / 10, tenths % 10)
}

/// How a number compares to a base: `1.00x`; `-` where there is no base.
#[must_use]
pub fn ratio(number: f64, base: f64) -> String {
    let ratio = number / base;
    if ratio.is_finite() { format!("{ratio:.2}x") } else { "-".to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_numbers_come_in_groups() {
        for (number, text) in [(0, "0"), (999, "999"), (1_000, "1 000"), (1_234_567, "1 234 567")] {
            assert_eq!(count(number), text);
        }
        assert_eq!(counted(1, "chunk", "chunks"), "1 chunk");
        assert_eq!(counted(0, "chunk", "chunks"), "0 chunks");
    }

    #[test]
    fn a_share_is_exact_or_shows_that_it_is_not() {
        for (total, among, text) in [
            (0, 7, "0"),
            (7, 0, "-"),
            (14, 7, "2"),
            (15, 7, "2.14"),
            (1, 1_000_000, "<0.01"),
            (1_999_999, 1_000_000, "2.00"),
            (99_999, 1_000, "100"),
            (1_234_567, 10, "123 457"),
        ] {
            assert_eq!(share(total, among), text, "{total} / {among}");
        }
    }

    #[test]
    fn bytes_are_rounded_but_not_to_nothing() {
        assert_eq!(bytes_share(0, 9), "0 B");
        assert_eq!(bytes_share(3, 9), "<1 B");
        assert_eq!(bytes_share(16_384 * 3, 3), "16.0 KiB");
        assert_eq!(bytes_share(1, 0), "-");
    }

    #[test]
    fn durations_move_to_the_unit_that_fits() {
        for (nanoseconds, text) in [
            (0, "0 ns"),
            (999, "999 ns"),
            (1_000, "1.0 µs"),
            (1_250, "1.3 µs"),
            (999_949, "999.9 µs"),
            (999_950, "1.0 ms"),
            (34_500_000, "34.5 ms"),
            (2_000_000_000, "2.0 s"),
            (u64::MAX, "18446744073.7 s"),
        ] {
            assert_eq!(duration(nanoseconds), text);
        }
    }

    #[test]
    fn a_ratio_needs_a_base() {
        assert_eq!(ratio(3.0, 2.0), "1.50x");
        assert_eq!(ratio(3.0, 0.0), "-");
        assert_eq!(ratio(0.0, 0.0), "-");
    }
}
