//! Functions of expressions. `None` is an error of the evaluation.

use bytes::Bytes;

use super::value::Cel;
use crate::host::attributes::Value;

/// A function, by what it takes.
#[derive(Clone, Copy, Debug)]
pub(super) enum Function {
    Size,
    StartsWith,
    EndsWith,
    Contains,
    Matches,
    Int,
    Uint,
    Double,
    String,
    Bytes,
}

impl Function {
    /// `f(a, b)`
    pub(super) fn global(name: &str, arguments: usize) -> Option<Self> {
        Some(match (name, arguments) {
            ("size", 1) => Self::Size,
            ("matches", 2) => Self::Matches,
            ("int", 1) => Self::Int,
            ("uint", 1) => Self::Uint,
            ("double", 1) => Self::Double,
            ("string", 1) => Self::String,
            ("bytes", 1) => Self::Bytes,
            _ => return None,
        })
    }

    /// `a.f(b)`, which counts as two arguments.
    pub(super) fn method(name: &str, arguments: usize) -> Option<Self> {
        Some(match (name, arguments) {
            ("size", 1) => Self::Size,
            ("startsWith", 2) => Self::StartsWith,
            ("endsWith", 2) => Self::EndsWith,
            ("contains", 2) => Self::Contains,
            ("matches", 2) => Self::Matches,
            _ => return None,
        })
    }

    pub(super) fn apply<'a>(self, arguments: &[Cel<'a>]) -> Option<Cel<'a>> {
        let (first, rest) = arguments.split_first()?;
        let texts = || match (first, rest.first()) {
            (Cel::Host(Value::String(a)), Some(Cel::Host(Value::String(b)))) => Some((a, b)),
            _ => None,
        };
        let truth = match self {
            Self::StartsWith => texts().map(|(a, b)| a.starts_with(b)),
            Self::EndsWith => texts().map(|(a, b)| a.ends_with(b)),
            Self::Contains => texts().map(|(a, b)| memchr::memmem::find(a, b).is_some()),
            Self::Matches => texts().and_then(|(a, b)| matches(a, b)),
            Self::Size => return size(first).map(Cel::int),
            Self::Int | Self::Uint | Self::Double | Self::String | Self::Bytes => {
                let Cel::Host(value) = first else { return None };
                return self.convert(value).map(Cel::Host);
            }
        };
        truth.map(Cel::bool)
    }

    fn convert<'a>(self, value: &Value<'a>) -> Option<Value<'a>> {
        let text = |bytes: &Bytes| str::from_utf8(bytes).map(str::to_owned).ok();
        Some(match (self, value) {
            (Self::Int, Value::Int(number)) => Value::Int(*number),
            (Self::Int, Value::Uint(number)) => Value::Int(i64::try_from(*number).ok()?),
            (Self::Int, Value::Double(number)) => Value::Int(whole(*number)?.try_into().ok()?),
            (Self::Int, Value::String(bytes)) => Value::Int(text(bytes)?.parse().ok()?),
            (Self::Int, Value::Timestamp(nanoseconds)) => Value::Int(nanoseconds / 1_000_000_000),
            (Self::Uint, Value::Uint(number)) => Value::Uint(*number),
            (Self::Uint, Value::Int(number)) => Value::Uint(u64::try_from(*number).ok()?),
            (Self::Uint, Value::Double(number)) => Value::Uint(whole(*number)?.try_into().ok()?),
            (Self::Uint, Value::String(bytes)) => Value::Uint(text(bytes)?.parse().ok()?),
            (Self::Double, Value::Double(number)) => Value::Double(*number),
            (Self::Double, Value::Int(number)) => Value::Double(*number as f64),
            (Self::Double, Value::Uint(number)) => Value::Double(*number as f64),
            (Self::Double, Value::String(bytes)) => Value::Double(text(bytes)?.parse().ok()?),
            (Self::String, Value::String(bytes) | Value::Bytes(bytes)) => {
                text(bytes)?;
                Value::String(bytes.clone())
            }
            (Self::String, Value::Int(number)) => Value::String(number.to_string().into()),
            (Self::String, Value::Uint(number)) => Value::String(number.to_string().into()),
            (Self::String, Value::Double(number)) => Value::String(number.to_string().into()),
            (Self::String, Value::Bool(truth)) => Value::String(truth.to_string().into()),
            (Self::Bytes, Value::String(bytes) | Value::Bytes(bytes)) => {
                Value::Bytes(bytes.clone())
            }
            _ => return None,
        })
    }
}

/// A number without its fraction; none that 64 bits do not hold.
fn whole(number: f64) -> Option<i128> {
    /// 2^64
    const LIMIT: f64 = 18_446_744_073_709_551_616.0;
    (number.abs() < LIMIT).then_some(number.trunc() as i128)
}

/// Code points of a string, bytes, or entries.
fn size(value: &Cel<'_>) -> Option<i64> {
    let size = match value {
        Cel::Host(Value::String(text)) => String::from_utf8_lossy(text).chars().count(),
        Cel::Host(Value::Bytes(bytes)) => bytes.len(),
        Cel::Host(Value::Headers(headers)) => headers.len(),
        Cel::Host(Value::Object(fields)) => fields.len(),
        Cel::Host(Value::List(items)) => items.len(),
        Cel::Host(Value::Group(_)) => 0,
        Cel::List(items) => items.len(),
        Cel::Map(entries) => entries.len(),
        Cel::Host(_) => return None,
    };
    i64::try_from(size).ok()
}

/// Linear in both, as the regular expressions of CEL are.
fn matches(text: &[u8], pattern: &[u8]) -> Option<bool> {
    const MAX_PROGRAM: usize = 1024 * 1024;
    let pattern = str::from_utf8(pattern).ok()?;
    let mut pattern = regex::bytes::RegexBuilder::new(pattern);
    Some(pattern.size_limit(MAX_PROGRAM).build().ok()?.is_match(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_become_others_only_if_they_fit() {
        let int = |number: f64| {
            let converted = Function::Int.convert(&Value::Double(number));
            converted.map(|value| value.encode().unwrap())
        };
        assert_eq!(int(-1.9), Some((-1_i64).to_le_bytes().to_vec()));
        for wrong in [f64::NAN, f64::INFINITY, 1e19, -1e30] {
            assert_eq!(int(wrong), None, "{wrong}");
        }
        assert!(Function::Uint.convert(&Value::Int(-1)).is_none());
        assert!(Function::Int.convert(&Value::Uint(u64::MAX)).is_none());
        assert!(Function::String.convert(&Value::Bytes(Bytes::from_static(b"\xff"))).is_none());
    }

    #[test]
    fn sizes_are_counted_in_code_points() {
        assert_eq!(size(&Cel::string("a\u{e4}\u{1f600}")), Some(3));
        assert_eq!(size(&Cel::int(1)), None);
    }

    #[test]
    fn a_pattern_that_grows_out_of_bounds_is_an_error() {
        assert_eq!(matches(b"ab", b"^a.$"), Some(true));
        assert_eq!(matches(b"ab", b"(((a{1000}){1000}){1000})"), None);
        assert_eq!(matches(b"ab", b"("), None);
    }
}
