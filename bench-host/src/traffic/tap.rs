//! Output of Envoy's tap filter, read as a stream.

use std::{
    fs::File,
    io::{self, BufRead, BufReader},
    path::PathBuf,
    slice,
    sync::Arc,
};

use bytes::{Buf as _, Bytes};

use super::{
    Exchange, TrafficError,
    clock::Instant,
    error::reason_at,
    tap_binary, tap_exchange,
    tap_frame::{Broken, Coding, Frame, Frames},
    tap_join::Join,
    tap_json,
    tap_model::{Origin, Recorded, Trace},
    tap_notes::Tally,
};

/// The longest message, as long as protobuf's JSON needs for a body of 128 MiB and more.
const LONGEST: u64 = 256 << 20;
/// What is held of the streams of one file.
const HELD: u64 = 1 << 30;

/// A trace of one file or several, which every pass reads anew.
#[derive(Clone, Debug)]
pub(super) struct Tap {
    files: Arc<[Source]>,
    /// When the first request came.
    first: Option<Instant>,
    requests: u64,
}

/// One file.
#[derive(Clone, Debug)]
pub(super) struct Source {
    /// Its name for messages.
    pub(super) name: String,
    /// What its streams are called: by the name of their file where it holds one of many.
    pub(super) prefix: Option<String>,
    pub(super) coding: Coding,
    pub(super) content: Place,
}

/// Where the content of a file is.
#[derive(Clone, Debug)]
pub(super) enum Place {
    File(PathBuf),
    /// A pipe, which cannot be read twice.
    Memory(Bytes),
}

impl Tap {
    /// Checks all files, and puts them into the order of their requests where those have times;
    /// with the trace come notes for its user.
    pub(super) fn open(files: Vec<Source>) -> Result<(Self, Vec<String>), TrafficError> {
        let mut tally = Tally::default();
        let (mut streams, mut requests) = (0, 0);
        let mut timed = Vec::with_capacity(files.len());
        for file in files {
            let mut reader = FileReader::new(&file);
            let mut first: Option<Instant> = None;
            let before = requests;
            while let Some((origin, recorded)) = reader.next(&file)? {
                streams += 1;
                let received = recorded.request.received;
                if file.exchange(origin, recorded, &mut tally)?.is_some() {
                    requests += 1;
                    first = first.into_iter().chain(received).min();
                }
            }
            if requests > before {
                timed.push((first, file));
            }
        }
        let mut notes = tally.notes(streams);
        if timed.iter().all(|(first, _)| first.is_some()) {
            timed.sort_by_key(|(first, _)| *first);
        } else if timed.len() > 1 {
            notes.push(format!(
                "the {} files are in the order of their names, because not all of them say when \
                 their request came (record_headers_received_time, and streaming: false)",
                timed.len()
            ));
        }
        let first = timed.iter().filter_map(|(first, _)| *first).min();
        let files = timed.into_iter().map(|(_, file)| file).collect();
        Ok((Self { files, first, requests }, notes))
    }

    /// How many exchanges one pass has.
    pub(super) fn requests(&self) -> u64 {
        self.requests
    }

    /// Starts a pass.
    pub(super) fn read(&self) -> Reader<'_> {
        Reader { tap: self, files: self.files.iter(), current: None }
    }
}

impl Source {
    /// Converts what was recorded; `None` when no request came.
    fn exchange(
        &self,
        origin: Origin,
        recorded: Recorded,
        tally: &mut Tally,
    ) -> Result<Option<Exchange>, TrafficError> {
        let name = || match &self.prefix {
            Some(prefix) => prefix.clone(),
            None => format!("trace {}", origin.trace),
        };
        tap_exchange::exchange(recorded, name, tally).map_err(|reason| self.wrong(origin, reason))
    }

    fn wrong(&self, origin: Origin, reason: String) -> TrafficError {
        TrafficError::Trace {
            file: self.name.clone(),
            trace: origin.trace,
            byte: origin.byte,
            reason,
        }
    }

    /// Decodes a message.
    fn decode(&self, origin: Origin, frame: &Frame) -> Result<Trace, TrafficError> {
        if self.coding != Coding::Json {
            return tap_binary::parse(&frame.bytes)
                .map_err(|wrong| self.wrong(origin, wrong.reason()));
        }
        tap_json::parse(&frame.bytes).map_err(|error| {
            let cause = error.inner();
            if cause.is_data() {
                return self.wrong(origin, reason_at(&error));
            }
            let before = if cause.line() == 1 { frame.column } else { 0 };
            TrafficError::json_at(&self.name, (frame.line, before), cause)
        })
    }
}

/// One pass over the exchanges; ends after the first error.
pub(super) struct Reader<'a> {
    tap: &'a Tap,
    files: slice::Iter<'a, Source>,
    current: Option<(&'a Source, FileReader)>,
}

impl Reader<'_> {
    fn advance(&mut self) -> Result<Option<Exchange>, TrafficError> {
        loop {
            let Some((file, reader)) = &mut self.current else {
                let Some(file) = self.files.next() else {
                    return Ok(None);
                };
                self.current = Some((file, FileReader::new(file)));
                continue;
            };
            let Some((origin, recorded)) = reader.next(file)? else {
                self.current = None;
                continue;
            };
            let received = recorded.request.received;
            if let Some(exchange) = file.exchange(origin, recorded, &mut Tally::default())? {
                let start = received.zip(self.tap.first).map(|(at, first)| at.since(first));
                return Ok(Some(Exchange { start, ..exchange }));
            }
        }
    }
}

impl Iterator for Reader<'_> {
    type Item = Result<Exchange, TrafficError>;

    fn next(&mut self) -> Option<Self::Item> {
        let next = self.advance().transpose();
        if !matches!(next, Some(Ok(_))) {
            self.files = [].iter();
            self.current = None;
        }
        next
    }
}

/// The streams of one file.
struct FileReader {
    /// Why the file could not be opened.
    failure: Option<io::Error>,
    frames: Frames,
    join: Join,
    next: u64,
    is_read: bool,
}

impl FileReader {
    fn new(file: &Source) -> Self {
        let (input, failure): (Box<dyn BufRead + Send>, _) = match &file.content {
            Place::Memory(content) => (Box::new(content.clone().reader()), None),
            Place::File(path) => match File::open(path) {
                Ok(file) => (Box::new(BufReader::with_capacity(64 << 10, file)), None),
                Err(cause) => (Box::new(io::empty()), Some(cause)),
            },
        };
        let frames = Frames::new(input, file.coding, LONGEST);
        Self { failure, frames, join: Join::new(HELD), next: 0, is_read: false }
    }

    /// The next stream of `file` that is whole, and where it begins.
    fn next(&mut self, file: &Source) -> Result<Option<(Origin, Recorded)>, TrafficError> {
        let io = |cause| TrafficError::Io { file: file.name.clone(), cause };
        if let Some(cause) = self.failure.take() {
            return Err(io(cause));
        }
        loop {
            if let Some(whole) = self.join.pop() {
                return Ok(Some(whole));
            }
            if self.is_read {
                return Ok(None);
            }
            let trace = self.next;
            let frame = self.frames.next().map_err(|broken| match broken {
                Broken::Io(cause) => io(cause),
                Broken::At(byte, what) => file.wrong(Origin { trace, byte }, what),
            })?;
            let Some(frame) = frame else {
                self.join.finish();
                self.is_read = true;
                continue;
            };
            let origin = Origin { trace, byte: frame.at };
            let message = file.decode(origin, &frame)?;
            self.join.push(origin, message).map_err(|reason| file.wrong(origin, reason))?;
            self.next += 1;
        }
    }
}
