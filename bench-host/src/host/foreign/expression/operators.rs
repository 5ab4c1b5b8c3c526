//! Operators of expressions. `None` is an error of the evaluation.

use std::cmp::Ordering;

use bytes::Bytes;

use super::value::Cel;
use crate::host::attributes::{Attributes, Value};

/// Most bytes of a string that an expression makes, and most items of a list.
const MAX_LENGTH: usize = 1024 * 1024;

/// An operator with two operands.
#[derive(Clone, Copy, Debug)]
pub(super) enum Operator {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    In,
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
}

impl Operator {
    pub(super) fn apply<'a>(
        self,
        view: &Attributes<'a>,
        left: Cel<'a>,
        right: Cel<'a>,
    ) -> Option<Cel<'a>> {
        let truth = match self {
            Self::Equal => equal(&left, &right),
            Self::NotEqual => !equal(&left, &right),
            Self::Less => order(&left, &right)?.is_lt(),
            Self::LessOrEqual => order(&left, &right)?.is_le(),
            Self::Greater => order(&left, &right)?.is_gt(),
            Self::GreaterOrEqual => order(&left, &right)?.is_ge(),
            Self::In => contains(view, right, &left)?,
            Self::Add | Self::Subtract | Self::Multiply | Self::Divide | Self::Remainder => {
                return self.calculate(left, right);
            }
        };
        Some(Cel::bool(truth))
    }

    fn calculate<'a>(self, left: Cel<'a>, right: Cel<'a>) -> Option<Cel<'a>> {
        Some(Cel::Host(match (left, right) {
            (Cel::Host(Value::Int(a)), Cel::Host(Value::Int(b))) => Value::Int(match self {
                Self::Add => a.checked_add(b),
                Self::Subtract => a.checked_sub(b),
                Self::Multiply => a.checked_mul(b),
                Self::Divide => a.checked_div(b),
                _ => a.checked_rem(b),
            }?),
            (Cel::Host(Value::Uint(a)), Cel::Host(Value::Uint(b))) => Value::Uint(match self {
                Self::Add => a.checked_add(b),
                Self::Subtract => a.checked_sub(b),
                Self::Multiply => a.checked_mul(b),
                Self::Divide => a.checked_div(b),
                _ => a.checked_rem(b),
            }?),
            (Cel::Host(Value::Double(a)), Cel::Host(Value::Double(b))) => match self {
                Self::Add => Value::Double(a + b),
                Self::Subtract => Value::Double(a - b),
                Self::Multiply => Value::Double(a * b),
                Self::Divide => Value::Double(a / b),
                _ => return None,
            },
            (Cel::Host(Value::String(a)), Cel::Host(Value::String(b))) => {
                Value::String(self.join(&a, &b)?)
            }
            (Cel::Host(Value::Bytes(a)), Cel::Host(Value::Bytes(b))) => {
                Value::Bytes(self.join(&a, &b)?)
            }
            (Cel::List(mut a), Cel::List(b)) if matches!(self, Self::Add) => {
                a.extend(b);
                return Some(Cel::List(a));
            }
            _ => return None,
        }))
    }

    fn join(self, a: &[u8], b: &[u8]) -> Option<Bytes> {
        let fits = matches!(self, Self::Add) && a.len() + b.len() <= MAX_LENGTH;
        fits.then(|| [a, b].concat().into())
    }
}

/// A field, an entry or an item.
pub(super) fn index<'a>(view: &Attributes<'a>, value: Cel<'a>, index: &Cel<'a>) -> Option<Cel<'a>> {
    match value {
        Cel::Host(value) => {
            let place;
            let name = match index {
                Cel::Host(Value::String(name)) => &name[..],
                Cel::Host(Value::Int(number)) if matches!(value, Value::List(_)) => {
                    place = number.to_string();
                    place.as_bytes()
                }
                _ => return None,
            };
            view.field(&value, name).map(Cel::Host)
        }
        Cel::List(mut items) => match index {
            Cel::Host(Value::Int(place)) => {
                let place = usize::try_from(*place).ok()?;
                (place < items.len()).then(|| items.swap_remove(place))
            }
            _ => None,
        },
        Cel::Map(entries) => {
            entries.into_iter().find(|(key, _)| equal(key, index)).map(|(_, value)| value)
        }
    }
}

/// Whether a map has an entry, or a message a field that is set; an error for all others.
pub(super) fn has(view: &Attributes<'_>, value: &Cel<'_>, name: &str) -> Option<bool> {
    match value {
        Cel::Host(value) => view.has(value, name.as_bytes()),
        Cel::Map(entries) => {
            let name = Cel::string(name.to_owned());
            Some(entries.iter().any(|(key, _)| equal(key, &name)))
        }
        Cel::List(_) => None,
    }
}

/// A key of a map, by which equal ones are found; `None` for what cannot be one.
pub(super) fn key(key: &Cel<'_>) -> Option<(i128, Bytes)> {
    match key {
        Cel::Host(Value::Bool(truth)) => Some((i128::from(*truth), Bytes::from_static(b"bool"))),
        Cel::Host(Value::String(text)) => Some((i128::MAX, text.clone())),
        Cel::Host(number) => Some((integer(number)?, Bytes::new())),
        _ => None,
    }
}

fn contains<'a>(view: &Attributes<'a>, all: Cel<'a>, one: &Cel<'a>) -> Option<bool> {
    Some(match all {
        Cel::List(items) => items.iter().any(|item| equal(item, one)),
        Cel::Host(Value::List(items)) => (0..items.len()).any(|place| {
            let place = Cel::int(i64::try_from(place).unwrap_or(i64::MAX));
            index(view, Cel::Host(Value::List(items)), &place).is_some_and(|item| equal(&item, one))
        }),
        Cel::Map(_) | Cel::Host(Value::Headers(_) | Value::Object(_) | Value::Group(_)) => {
            index(view, all, one).is_some()
        }
        Cel::Host(_) => return None,
    })
}

/// Values of different types are different, but numbers are compared as numbers.
fn equal(left: &Cel<'_>, right: &Cel<'_>) -> bool {
    match (left, right) {
        (Cel::List(a), Cel::List(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| equal(a, b))
        }
        (Cel::Map(a), Cel::Map(b)) => {
            let has = |key, value| b.iter().any(|(k, v)| equal(k, key) && equal(v, value));
            a.len() == b.len() && a.iter().all(|(key, value)| has(key, value))
        }
        (Cel::Host(Value::Null), Cel::Host(Value::Null)) => true,
        _ => order(left, right) == Some(Ordering::Equal),
    }
}

fn order(left: &Cel<'_>, right: &Cel<'_>) -> Option<Ordering> {
    let (Cel::Host(left), Cel::Host(right)) = (left, right) else { return None };
    match (left, right) {
        (Value::Bool(a), Value::Bool(b)) => Some(a.cmp(b)),
        (Value::String(a), Value::String(b)) | (Value::Bytes(a), Value::Bytes(b)) => Some(a.cmp(b)),
        (Value::Duration(a), Value::Duration(b)) | (Value::Timestamp(a), Value::Timestamp(b)) => {
            Some(a.cmp(b))
        }
        (Value::Double(a), Value::Double(b)) => a.partial_cmp(b),
        (Value::Double(a), _) => a.partial_cmp(&(integer(right)? as f64)),
        (_, Value::Double(b)) => (integer(left)? as f64).partial_cmp(b),
        _ => Some(integer(left)?.cmp(&integer(right)?)),
    }
}

fn integer(value: &Value<'_>) -> Option<i128> {
    match value {
        Value::Int(number) => Some((*number).into()),
        Value::Uint(number) => Some((*number).into()),
        _ => None,
    }
}
