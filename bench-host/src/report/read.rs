//! Reading result files back.

use serde::Deserialize;
use thiserror::Error;

use super::ResultFile;

/// Why a text is not a result that can be read. The input is at fault.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ResultError {
    /// It is something else, or damaged.
    #[error("not a result file: {0}; write one with `bench-host replay … --json FILE`")]
    NotAResult(String),
    /// It is of another version.
    #[error(
        "a result file of schema {found}, and this program reads schema {}: replay again to get \
         one, or read it with the program that wrote it",
        ResultFile::SCHEMA
    )]
    Schema {
        /// The version that the file names.
        found: u64,
    },
}

#[derive(Deserialize)]
struct Version {
    schema: u64,
}

impl ResultFile {
    /// Reads what [`ResultFile::to_json`] wrote. Keys that are not known here are passed over.
    ///
    /// # Errors
    /// [`ResultError`] when the text is no result, or one of another schema.
    pub fn from_json(text: &str) -> Result<Self, ResultError> {
        let not_a_result = |error: &dyn ToString| ResultError::NotAResult(error.to_string());
        let version: Version = serde_json::from_str(text).map_err(|error| not_a_result(&error))?;
        if version.schema != u64::from(Self::SCHEMA) {
            return Err(ResultError::Schema { found: version.schema });
        }
        let mut reader = serde_json::Deserializer::from_str(text);
        serde_path_to_error::deserialize(&mut reader).map_err(|error| not_a_result(&error))
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture;
    use super::*;

    #[test]
    fn a_result_reads_back_as_it_was_written() {
        for result in [fixture::busy(), fixture::bare(), fixture::broken()] {
            let text = result.to_json();
            let read = ResultFile::from_json(&text).unwrap();
            assert_eq!(read, result);
            assert_eq!(read.to_json(), text);
        }
    }

    #[test]
    fn the_keys_of_the_schema_are_enough() {
        let text = r#"{
            "schema": 1,
            "plugin": {"path": "a.wasm", "sha256": "00", "bytes": 8, "abi": "0.2.1", "sdk": null},
            "host": {"profile": "envoy", "engine": "wasmtime", "engine_version": "1",
                     "cpu": "x", "fuel": true},
            "traffic": {"source": "demo", "requests": 1, "chunks": 2, "bytes": 3},
            "requests": {"completed": 1, "local_replies": 0, "failed": 0},
            "phases": {"request_body": {
                "calls": 2, "latency_ns": null, "fuel": {"total": 3, "per_call": 1.5},
                "host_calls": {"proxy_log": 1}, "bytes_in": 1, "bytes_out": 2, "guest": null,
                "pages_grown": 0, "of_a_later_version": []}},
            "heap": {"pages_initial": 1, "pages_final": 1, "pages_peak": 1, "live_bytes": null,
                     "live_peak": null, "arena_bytes": null, "timeline": [[1, 1, null]]},
            "vm": {"created": 1, "rebuilds": 0, "crashes": 0, "instantiate_ns": 1,
                   "configure_ns": 1},
            "gate": []
        }"#;
        let result = ResultFile::from_json(text).unwrap();
        assert_eq!(result.phases["request_body"].host_call_count(), 1);
        assert_eq!(result.options, None);
    }

    #[test]
    fn messages_say_what_is_wrong_and_what_to_do() {
        let message = |text: &str| ResultFile::from_json(text).unwrap_err().to_string();
        insta::assert_snapshot!(message("nonsense"), @"not a result file: expected ident at line 1 column 2; write one with `bench-host replay … --json FILE`");
        insta::assert_snapshot!(message("{}"), @"not a result file: missing field `schema` at line 1 column 2; write one with `bench-host replay … --json FILE`");
        insta::assert_snapshot!(message(r#"{"schema": 2}"#), @"a result file of schema 2, and this program reads schema 1: replay again to get one, or read it with the program that wrote it");
        let text = fixture::busy().to_json().replace("\"completed\": 2", "\"completed\": -2");
        insta::assert_snapshot!(message(&text), @"not a result file: requests.completed: invalid value: integer `-2`, expected u64 at line 44 column 19; write one with `bench-host replay … --json FILE`");
    }
}
