//! A plugin's configuration as a `WasmPlugin` has it: an object instead of a text.

use serde_json::{Map, Number, Value};
use thiserror::Error;

/// Why a configuration cannot stand in a `WasmPlugin`, though a plugin may take it. Its author may
/// put it into a key of an object, or configure Envoy without a control plane.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum NotAnObject {
    /// It is not JSON at all.
    #[error("a WasmPlugin's configuration is an object, and this one is not JSON: {0}")]
    NotJson(String),
    /// It is another kind of JSON.
    #[error("a WasmPlugin's configuration is an object, and this one is {0}")]
    Other(&'static str),
    /// It has a number that would arrive as another one.
    #[error("numbers in a WasmPlugin are doubles, and {0} would not stay as it is")]
    Number(Number),
}

/// Reads a configuration; nothing is `None`.
///
/// # Errors
/// What a `WasmPlugin` cannot say.
pub fn read(text: &str) -> Result<Option<Map<String, Value>>, NotAnObject> {
    if text.trim().is_empty() {
        return Ok(None);
    }
    let value: Value =
        serde_json::from_str(text).map_err(|error| NotAnObject::NotJson(error.to_string()))?;
    check(&value)?;
    match value {
        Value::Object(map) => Ok(Some(map)),
        Value::Array(_) => Err(NotAnObject::Other("a list")),
        Value::String(_) => Err(NotAnObject::Other("a text")),
        Value::Number(_) => Err(NotAnObject::Other("a number")),
        Value::Bool(_) => Err(NotAnObject::Other("a truth value")),
        Value::Null => Err(NotAnObject::Other("null")),
    }
}

/// Whether a `google.protobuf.Struct` holds the value as it is.
fn check(value: &Value) -> Result<(), NotAnObject> {
    /// Integers up to here are doubles, each a different one.
    const MOST: u64 = 1 << 53;
    match value {
        Value::Array(list) => list.iter().try_for_each(check),
        Value::Object(map) => map.values().try_for_each(check),
        Value::Number(number) => {
            let integer = number.as_u64().or_else(|| number.as_i64().map(i64::unsigned_abs));
            match integer {
                Some(integer) if integer > MOST => Err(NotAnObject::Number(number.clone())),
                _ => Ok(()),
            }
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_are_read() {
        assert_eq!(read(""), Ok(None));
        assert_eq!(read(" \n"), Ok(None));
        assert_eq!(read("{}"), Ok(Some(Map::new())));
        assert_eq!(
            read("{\"a\": 9007199254740992}").unwrap().unwrap()["a"],
            9_007_199_254_740_992_u64
        );
    }

    #[test]
    fn everything_else_is_refused() {
        let error = |text| read(text).unwrap_err().to_string();
        insta::assert_snapshot!(error("[1]"), @"a WasmPlugin's configuration is an object, and this one is a list");
        insta::assert_snapshot!(error("\"a\""), @"a WasmPlugin's configuration is an object, and this one is a text");
        insta::assert_snapshot!(error("key: value"), @"a WasmPlugin's configuration is an object, and this one is not JSON: expected value at line 1 column 1");
        insta::assert_snapshot!(error("{\"a\": [{\"b\": -9007199254740993}]}"), @"numbers in a WasmPlugin are doubles, and -9007199254740993 would not stay as it is");
    }
}
