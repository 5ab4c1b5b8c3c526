//! What comes out of the filter: what the upstream and the client would have received.

use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::path::PathBuf;

use super::headers::HeaderMap;

/// A message as its receiver got it.
#[derive(Debug, Default)]
pub struct Received {
    /// Headers, once they came.
    pub headers: Option<HeaderMap>,
    /// Trailers, once they came.
    pub trailers: Option<HeaderMap>,
    /// Bytes of the body.
    pub bytes: u64,
    /// Frames of the body.
    pub frames: u64,
    /// Whether the message has ended.
    pub ended: bool,
    body: Body,
}

/// Where body bytes go.
#[derive(Debug, Default)]
enum Body {
    /// Nowhere; they are counted.
    #[default]
    Counted,
    /// Into memory.
    Kept(Vec<u8>),
    /// Into a file, which is made when the first byte or the end comes.
    File { path: PathBuf, file: Option<BufWriter<File>>, failed: Option<io::Error> },
}

impl Received {
    /// A receiver that keeps the body in memory.
    pub fn keeping() -> Self {
        Self { body: Body::Kept(Vec::new()), ..Self::default() }
    }

    /// A receiver that writes the body to a file.
    pub fn file(path: PathBuf) -> Self {
        Self { body: Body::File { path, file: None, failed: None }, ..Self::default() }
    }

    /// The body, if it was kept.
    pub fn body(&self) -> &[u8] {
        match &self.body {
            Body::Kept(body) => body,
            Body::Counted | Body::File { .. } => &[],
        }
    }

    /// Bytes of memory that the body takes.
    pub(super) fn memory(&self) -> usize {
        self.body().len()
    }

    /// Flushes a file, and says what went wrong with it.
    pub fn finish(&mut self) -> Result<(), (PathBuf, io::Error)> {
        let Body::File { path, file, failed } = &mut self.body else { return Ok(()) };
        let result = match failed.take() {
            Some(error) => Err(error),
            None => match file {
                Some(file) => file.flush(),
                None => File::create(&path).map(drop),
            },
        };
        result.map_err(|error| (path.clone(), error))
    }

    pub(super) fn headers(&mut self, headers: &HeaderMap, end: bool) {
        self.headers = Some(headers.clone());
        self.ended |= end;
    }

    pub(super) fn data(&mut self, part: &[u8]) {
        self.bytes += part.len() as u64;
        match &mut self.body {
            Body::Counted => {}
            Body::Kept(body) => body.extend_from_slice(part),
            Body::File { failed: Some(_), .. } => {}
            Body::File { path, file, failed } => {
                let result = match file {
                    Some(file) => file.write_all(part),
                    None => File::create(path)
                        .and_then(|created| file.insert(BufWriter::new(created)).write_all(part)),
                };
                *failed = result.err();
            }
        }
    }

    pub(super) fn trailers(&mut self, trailers: &HeaderMap) {
        self.trailers = Some(trailers.clone());
        self.ended = true;
    }

    pub(super) fn end(&mut self) {
        self.ended = true;
    }
}
