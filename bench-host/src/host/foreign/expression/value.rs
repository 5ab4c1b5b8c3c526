//! What expressions come to.

use std::collections::BTreeSet;

use bytes::Bytes;

use super::operators;
use super::parse::Expression;
use crate::host::Status;
use crate::host::attributes::{Attributes, Value};
use crate::host::headers::encode_pairs;

/// A value in an expression: one of the host's, or one that the expression has made.
#[derive(Clone, Debug)]
pub(super) enum Cel<'a> {
    Host(Value<'a>),
    List(Vec<Cel<'a>>),
    Map(Vec<(Cel<'a>, Cel<'a>)>),
}

impl<'a> Cel<'a> {
    pub(super) fn truth(&self) -> Option<bool> {
        if let Self::Host(Value::Bool(truth)) = self { Some(*truth) } else { None }
    }

    pub(super) fn bool(truth: bool) -> Self {
        Self::Host(Value::Bool(truth))
    }

    pub(super) fn int(number: i64) -> Self {
        Self::Host(Value::Int(number))
    }

    pub(super) fn string(text: impl Into<Bytes>) -> Self {
        Self::Host(Value::String(text.into()))
    }

    /// The value as a guest gets it.
    ///
    /// # Errors
    /// As [`Value::encode`].
    pub(super) fn encode(&self) -> Result<Vec<u8>, Status> {
        let pairs: Result<Vec<_>, Status> = match self {
            Self::Host(value) => return value.encode(),
            Self::List(items) => items.iter().map(|item| Ok((item.encode()?, vec![]))).collect(),
            Self::Map(entries) => {
                entries.iter().map(|(key, value)| Ok((key.encode()?, value.encode()?))).collect()
            }
        };
        let pairs = pairs?;
        let pairs: Vec<_> = pairs.iter().map(|(key, value)| (&key[..], &value[..])).collect();
        Ok(encode_pairs(pairs.into_iter()))
    }
}

impl Expression {
    /// The value; `None` is CEL's error.
    pub(super) fn evaluate<'a>(&self, view: &Attributes<'a>) -> Option<Cel<'a>> {
        Some(match self {
            Self::Null => Cel::Host(Value::Null),
            Self::Bool(truth) => Cel::bool(*truth),
            Self::Int(number) => Cel::int(*number),
            Self::Uint(number) => Cel::Host(Value::Uint(*number)),
            Self::Double(number) => Cel::Host(Value::Double(*number)),
            Self::String(text) => Cel::string(text.clone()),
            Self::Bytes(bytes) => Cel::Host(Value::Bytes(bytes.clone().into())),
            Self::Name(name) => Cel::Host(view.root(name.as_bytes())?),
            Self::List(items) => {
                Cel::List(items.iter().map(|item| item.evaluate(view)).collect::<Option<_>>()?)
            }
            Self::Map(entries) => {
                let mut keys = BTreeSet::new();
                let entries = entries.iter().map(|(key, value)| {
                    let key = key.evaluate(view)?;
                    keys.insert(operators::key(&key)?).then_some(())?;
                    Some((key, value.evaluate(view)?))
                });
                Cel::Map(entries.collect::<Option<_>>()?)
            }
            Self::Field(value, name) => {
                operators::index(view, value.evaluate(view)?, &Cel::string(name.clone()))?
            }
            Self::Index(pair) => {
                let [value, index] = &**pair;
                operators::index(view, value.evaluate(view)?, &index.evaluate(view)?)?
            }
            Self::Has(value, name) => {
                Cel::bool(operators::has(view, &value.evaluate(view)?, name)?)
            }
            Self::Not(value) => Cel::bool(!value.evaluate(view)?.truth()?),
            Self::Minus(value) => match value.evaluate(view)? {
                Cel::Host(Value::Int(number)) => Cel::int(number.checked_neg()?),
                Cel::Host(Value::Double(number)) => Cel::Host(Value::Double(-number)),
                _ => return None,
            },
            Self::And(pair) => Cel::bool(both(view, pair, false)?),
            Self::Or(pair) => Cel::bool(both(view, pair, true)?),
            Self::If(parts) => {
                let [condition, yes, no] = &**parts;
                let chosen = if condition.evaluate(view)?.truth()? { yes } else { no };
                chosen.evaluate(view)?
            }
            Self::Binary(operator, pair) => {
                let [left, right] = &**pair;
                operator.apply(view, left.evaluate(view)?, right.evaluate(view)?)?
            }
            Self::Call(function, arguments) => {
                let arguments = arguments.iter().map(|argument| argument.evaluate(view));
                function.apply(&arguments.collect::<Option<Vec<_>>>()?)?
            }
        })
    }
}

/// `&&` and `||`: whichever side decides does so, even if the other is an error.
fn both(view: &Attributes<'_>, [left, right]: &[Expression; 2], decides: bool) -> Option<bool> {
    let truth = |side: &Expression| side.evaluate(view).and_then(|value| value.truth());
    let left = truth(left);
    if left == Some(decides) {
        return left;
    }
    let right = truth(right);
    if right == Some(decides) { right } else { left.and(right) }
}
