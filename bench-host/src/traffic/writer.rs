//! A trace file that comes into being exchange by exchange.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, BufWriter, Write as _},
    path::{Path, PathBuf},
    process,
};

use thiserror::Error;

use super::{
    Exchange,
    lines_write::{Unwritable, WrittenLine},
};

/// Writes a trace in our own format, JSON lines, of which [`Traffic`](super::Traffic) reads the
/// same exchanges again.
///
/// The lines go to a file beside the target that takes its place in [`finish`](Self::finish), so
/// there is no half a trace under the target's name; a writer that is dropped before leaves
/// nothing behind. What is no regular file, such as a pipe, is written as it comes.
///
/// # Cost
///
/// One exchange at a time is encoded, through a buffer of 64 KiB. Bodies are not copied, but for
/// generated ones without chunks of their own.
#[derive(Debug)]
pub struct TraceWriter {
    target: PathBuf,
    /// Where the lines go until the end; `None` for what cannot be renamed.
    partial: Option<PathBuf>,
    output: BufWriter<File>,
    written: u64,
}

/// Why a trace cannot be written.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum WriteError {
    /// The format has no place for something in the exchange, of which nothing has been written.
    #[error("cannot write the exchange {label}: {cause}")]
    Exchange {
        /// What messages call the exchange.
        label: String,
        /// What there is no place for.
        #[source]
        cause: Unwritable,
    },
    /// The file cannot be made or written: the path is wrong, or the disk is full.
    #[error("cannot write {}: {cause}", .file.display())]
    Io {
        /// The target as the user named it.
        file: PathBuf,
        /// What the system said.
        #[source]
        cause: io::Error,
    },
}

impl TraceWriter {
    /// Begins a trace that will be at `path`.
    ///
    /// # Errors
    ///
    /// [`WriteError::Io`] when no file can be made there.
    pub fn create(path: &Path) -> Result<Self, WriteError> {
        let io = |cause| WriteError::Io { file: path.to_owned(), cause };
        let (partial, file) = match fs::metadata(path) {
            Ok(known) if !known.is_file() => {
                (None, OpenOptions::new().write(true).open(path).map_err(io)?)
            }
            known => {
                // The file that a link leads to is replaced, not the link.
                let real = match known {
                    Ok(_) => fs::canonicalize(path).map_err(io)?,
                    Err(_) => path.to_owned(),
                };
                let mut name = real.file_name().unwrap_or_default().to_owned();
                name.push(format!(".{}.partial", process::id()));
                let partial = real.with_file_name(name);
                let file = File::create(&partial).map_err(io)?;
                (Some(partial), file)
            }
        };
        Ok(Self {
            target: path.to_owned(),
            partial,
            output: BufWriter::with_capacity(64 << 10, file),
            written: 0,
        })
    }

    /// Adds an exchange.
    ///
    /// # Errors
    ///
    /// [`WriteError::Exchange`] leaves the trace as it was, and others can follow. After
    /// [`WriteError::Io`] the trace is lost.
    pub fn write(&mut self, exchange: &Exchange) -> Result<(), WriteError> {
        let line = WrittenLine::new(exchange)
            .map_err(|cause| WriteError::Exchange { label: exchange.label.clone(), cause })?;
        serde_json::to_writer(&mut self.output, &line)
            .map_err(io::Error::from)
            .and_then(|()| self.output.write_all(b"\n"))
            .map_err(|cause| WriteError::Io { file: self.target.clone(), cause })?;
        self.written += 1;
        Ok(())
    }

    /// Brings what has been written so far into the file, as for someone who looks into it.
    ///
    /// # Errors
    ///
    /// [`WriteError::Io`]; the trace is then lost.
    pub fn flush(&mut self) -> Result<(), WriteError> {
        let flushed = self.output.flush();
        flushed.map_err(|cause| WriteError::Io { file: self.target.clone(), cause })
    }

    /// How many exchanges have been written.
    pub fn written(&self) -> u64 {
        self.written
    }

    /// Ends the trace, and gives it its name.
    ///
    /// # Errors
    ///
    /// [`WriteError::Io`]; the trace is then lost.
    pub fn finish(mut self) -> Result<u64, WriteError> {
        let io = |cause| WriteError::Io { file: self.target.clone(), cause };
        self.output.flush().map_err(io)?;
        if let Some(partial) = &self.partial {
            let target = fs::canonicalize(&self.target).unwrap_or_else(|_| self.target.clone());
            fs::rename(partial, target).map_err(io)?;
        }
        self.partial = None;
        Ok(self.written)
    }
}

impl Drop for TraceWriter {
    fn drop(&mut self) {
        if let Some(partial) = &self.partial {
            // A file that is gone already is gone.
            let _ = fs::remove_file(partial);
        }
    }
}
