//! Sizes as people write and read them: `16KiB` in, `16.0 KiB` out.

use thiserror::Error;

/// Units that a size may carry, smallest first; matched without regard to case.
const UNITS: [(&str, u64); 9] = [
    ("", 1),
    ("B", 1),
    ("KB", 1_000),
    ("KiB", 1 << 10),
    ("MB", 1_000_000),
    ("MiB", 1 << 20),
    ("GB", 1_000_000_000),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
];

/// Why a text is not a size.
///
/// The fault is the user's; each message says what to write instead.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum SizeError {
    /// There is no digit where the number should start.
    #[error("`{0}` is not a size; write a whole number and a unit, such as 64KiB")]
    NotANumber(String),
    /// The number does not fit into 64 bits once the unit is applied.
    #[error("size `{0}` is too large; the largest is 18446744073709551615 bytes")]
    TooLarge(String),
    /// The unit is none that is known.
    #[error(
        "size `{text}` has the unknown unit `{unit}`; use KiB, MiB, GiB, TiB (powers of 1024) or \
         KB, MB, GB (powers of 1000)"
    )]
    UnknownUnit {
        /// The size as written.
        text: String,
        /// What follows the number.
        unit: String,
    },
}

/// Parses a size in bytes such as `16KiB`, `1MiB`, `64KB`, `4096` or `2GiB`.
///
/// KiB, MiB, GiB and TiB are powers of 1024, KB, MB and GB powers of 1000; a bare number counts
/// bytes. Case does not matter and a space may stand before the unit. Fractions are refused: write
/// `1536KiB` for one and a half mebibytes.
///
/// # Errors
///
/// [`SizeError`] when the text is no number, has an unknown unit or overflows 64 bits.
///
/// ```
/// use bench_host::units::parse_size;
///
/// assert_eq!(parse_size("16KiB"), Ok(16 * 1024));
/// assert_eq!(parse_size("64KB"), Ok(64_000));
/// assert!(parse_size("1.5MiB").is_err());
/// ```
pub fn parse_size(text: &str) -> Result<u64, SizeError> {
    let trimmed = text.trim();
    let digits = trimmed.bytes().take_while(|byte| byte.is_ascii_digit()).count();
    let (number, unit) = trimmed.split_at(digits);
    let unit = unit.trim_start();
    if number.is_empty() || unit.starts_with(['.', ',']) {
        return Err(SizeError::NotANumber(text.to_owned()));
    }
    let Some((_, factor)) = UNITS.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit)) else {
        return Err(SizeError::UnknownUnit { text: text.to_owned(), unit: unit.to_owned() });
    };
    number
        .parse::<u64>()
        .ok()
        .and_then(|number| number.checked_mul(*factor))
        .ok_or_else(|| SizeError::TooLarge(text.to_owned()))
}

/// Writes a number of bytes for people, to one decimal: `512 B`, `16.0 KiB`, `1.5 MiB`.
///
/// Rounds to the nearest tenth and moves to the next unit before it would print `1024.0`.
///
/// ```
/// use bench_host::units::format_bytes;
///
/// assert_eq!(format_bytes(512), "512 B");
/// assert_eq!(format_bytes(16 * 1024), "16.0 KiB");
/// ```
pub fn format_bytes(bytes: u64) -> String {
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut tenths = 0;
    let mut name = "";
    for (exponent, unit) in ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"].into_iter().enumerate() {
        let scale = 1_u128 << (10 * (exponent + 1));
        tenths = (u128::from(bytes) * 10 + scale / 2) / scale;
        name = unit;
        if tenths < 10_240 {
            break;
        }
    }
    format!("{}.{} {name}", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_scale_the_number() {
        for (text, bytes) in [
            ("0", 0),
            ("4096", 4096),
            ("7B", 7),
            ("16KiB", 16 << 10),
            ("16 kib", 16 << 10),
            ("64KB", 64_000),
            ("1MiB", 1 << 20),
            ("3MB", 3_000_000),
            ("2GiB", 2 << 30),
            ("1GB", 1_000_000_000),
            ("1TiB", 1 << 40),
            ("18446744073709551615", u64::MAX),
        ] {
            assert_eq!(parse_size(text), Ok(bytes), "{text}");
        }
    }

    #[test]
    fn messages_say_what_to_write() {
        let message = |text| parse_size(text).unwrap_err().to_string();
        let not_a_number =
            "`` is not a size; write a whole number and a unit, such as 64KiB".to_owned();
        assert_eq!(message(""), not_a_number);
        for text in ["KiB", "-1", "1.5MiB", "1,5MiB", "lots"] {
            assert_eq!(message(text), not_a_number.replacen("``", &format!("`{text}`"), 1));
        }
        assert_eq!(
            message("16K"),
            "size `16K` has the unknown unit `K`; use KiB, MiB, GiB, TiB (powers of 1024) or KB, \
             MB, GB (powers of 1000)"
        );
        for text in ["18446744073709551616", "17179869184GiB"] {
            assert_eq!(
                message(text),
                format!("size `{text}` is too large; the largest is 18446744073709551615 bytes")
            );
        }
    }

    #[test]
    fn bytes_round_to_a_tenth() {
        for (bytes, text) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (1536, "1.5 KiB"),
            (16 << 10, "16.0 KiB"),
            ((1 << 20) - 1, "1.0 MiB"),
            (1 << 20, "1.0 MiB"),
            (u64::MAX, "16.0 EiB"),
        ] {
            assert_eq!(format_bytes(bytes), text);
        }
    }
}
