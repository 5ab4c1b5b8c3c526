//! Writing what the upstream and the client would have received.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use serde::Serialize;

use crate::host::{HeaderMap, Received, Stream};

/// A folder with one body file for each request and direction, and one line of JSON for each
/// request in `index.jsonl`: status, headers and trailers.
#[derive(Debug)]
pub(super) struct Outputs {
    folder: PathBuf,
    /// Lines of the index by request: workers end theirs in any order.
    index: Mutex<BTreeMap<u64, String>>,
}

/// What came out cannot be written. It is the machine's fault, or the folder's.
#[derive(Debug, thiserror::Error)]
#[error("cannot write {}: {source}", path.display())]
pub struct OutputError {
    path: PathBuf,
    source: io::Error,
}

#[derive(Serialize)]
struct Line<'a> {
    request: u64,
    label: &'a str,
    upstream: Side,
    downstream: Side,
}

#[derive(Serialize)]
struct Side {
    file: String,
    headers: Vec<(String, String)>,
    body_bytes: u64,
    trailers: Vec<(String, String)>,
    ended: bool,
}

impl Outputs {
    pub fn create(folder: &Path) -> Result<Self, OutputError> {
        let index = Mutex::new(BTreeMap::new());
        let outputs = Self { folder: folder.to_owned(), index };
        // The index is written at the end; that it can be is better known before the run.
        fs::create_dir_all(folder)
            .map_err(|source| OutputError { path: folder.to_owned(), source })?;
        fs::write(outputs.index_path(), "").map_err(|source| outputs.index_error(source))?;
        Ok(outputs)
    }

    /// Receivers for what the upstream and the client get of a request.
    pub fn receivers(&self, number: u64) -> (Received, Received) {
        let file = |side| Received::file(self.folder.join(file_name(number, side)));
        (file("upstream"), file("downstream"))
    }

    /// Writes down how a request ended.
    pub fn finish(&self, number: u64, label: &str, stream: &mut Stream) -> Result<(), OutputError> {
        for received in [&mut stream.request.received, &mut stream.response.received] {
            received.finish().map_err(|(path, source)| OutputError { path, source })?;
        }
        let line = Line {
            request: number,
            label,
            upstream: side(number, "upstream", &stream.request.received),
            downstream: side(number, "downstream", &stream.response.received),
        };
        let line = serde_json::to_string(&line).map_err(|error| self.index_error(error.into()))?;
        self.index.lock().unwrap_or_else(PoisonError::into_inner).insert(number, line);
        Ok(())
    }

    /// Writes the index.
    pub fn close(&self) -> Result<(), OutputError> {
        let index = self.index.lock().unwrap_or_else(PoisonError::into_inner);
        let text: String = index.values().flat_map(|line| [line, "\n"]).collect();
        fs::write(self.index_path(), text).map_err(|source| self.index_error(source))
    }

    fn index_path(&self) -> PathBuf {
        self.folder.join("index.jsonl")
    }

    fn index_error(&self, source: io::Error) -> OutputError {
        OutputError { path: self.index_path(), source }
    }
}

fn file_name(number: u64, side: &str) -> String {
    format!("{number:06}.{side}.body")
}

fn side(number: u64, name: &str, received: &Received) -> Side {
    Side {
        file: file_name(number, name),
        headers: received.headers.as_ref().map(pairs).unwrap_or_default(),
        body_bytes: received.bytes,
        trailers: received.trailers.as_ref().map(pairs).unwrap_or_default(),
        ended: received.ended,
    }
}

fn pairs(map: &HeaderMap) -> Vec<(String, String)> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    map.iter().map(|(name, value)| (text(name), text(value))).collect()
}
