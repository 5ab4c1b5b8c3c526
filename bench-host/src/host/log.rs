//! What a plugin logs.

use std::fmt;

use serde::Deserialize;

/// How much a line matters; the numbers are those of the ABI.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
#[repr(u32)]
pub enum Level {
    /// 0
    Trace = 0,
    /// 1
    Debug = 1,
    /// 2
    Info = 2,
    /// 3
    Warn = 3,
    /// 4
    Error = 4,
    /// 5
    Critical = 5,
}

impl Level {
    /// The level of a number.
    pub fn from_abi(number: u32) -> Option<Self> {
        Some(match number {
            0 => Self::Trace,
            1 => Self::Debug,
            2 => Self::Info,
            3 => Self::Warn,
            4 => Self::Error,
            5 => Self::Critical,
            _ => return None,
        })
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Trace => "trace",
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
            Self::Critical => "critical",
        })
    }
}

/// A line that a plugin logged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// How much it matters.
    pub level: Level,
    /// What it says.
    pub message: String,
}

/// The first lines that a plugin logged, and how many there were.
#[derive(Clone, Debug)]
pub struct Log {
    level: Level,
    lines: Vec<LogLine>,
    dropped: u64,
    kept_lines: usize,
    kept_bytes: usize,
    /// Bytes of all lines that are kept.
    bytes: usize,
}

/// Bytes of all lines that are kept, however many of them and however long they may be.
const MOST_BYTES: usize = 64 * 1024 * 1024;

impl Log {
    /// Lines that are kept; a plugin that logs in a loop must not fill the host's memory.
    pub const KEPT_LINES: usize = 1_000;

    /// Bytes of a line that are kept.
    pub const KEPT_BYTES: usize = 4_096;

    /// A log of lines from `level` on.
    pub fn new(level: Level) -> Self {
        Self::keeping(level, Self::KEPT_LINES, Self::KEPT_BYTES)
    }

    /// A log of at most this many lines from `level` on, each of at most this many bytes.
    pub fn keeping(level: Level, kept_lines: usize, kept_bytes: usize) -> Self {
        Self { level, lines: Vec::new(), dropped: 0, kept_lines, kept_bytes, bytes: 0 }
    }

    /// Adds a line, if it matters enough.
    pub fn write(&mut self, level: Level, message: &[u8]) {
        if level < self.level {
            return;
        }
        if self.lines.len() >= self.kept_lines || self.bytes >= MOST_BYTES {
            self.dropped += 1;
            return;
        }
        let kept = message.get(..self.kept_bytes).unwrap_or(message);
        let message = String::from_utf8_lossy(kept).into_owned();
        self.bytes += message.len();
        self.lines.push(LogLine { level, message });
    }

    /// Counts the lines of another log, and keeps none of them.
    pub(super) fn forget(&mut self, other: &Self) {
        self.dropped += other.dropped + other.lines.len() as u64;
    }

    /// The level from which on lines are kept.
    pub fn level(&self) -> Level {
        self.level
    }

    /// The lines that were kept.
    pub fn lines(&self) -> &[LogLine] {
        &self.lines
    }

    /// How many lines there were beyond those.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_counted_and_not_kept() {
        let mut log = Log::new(Level::Info);
        log.write(Level::Debug, b"too little");
        for _ in 0..Log::KEPT_LINES + 5 {
            log.write(Level::Warn, &vec![b'x'; Log::KEPT_BYTES * 2]);
        }
        assert_eq!((log.lines().len(), log.dropped()), (Log::KEPT_LINES, 5));
        assert_eq!(log.lines()[0].message.len(), Log::KEPT_BYTES);
    }

    #[test]
    fn how_much_is_kept_can_be_chosen() {
        let mut log = Log::keeping(Level::Info, 2, 3);
        for line in ["first", "second", "third"] {
            log.write(Level::Info, line.as_bytes());
        }
        let lines: Vec<_> = log.lines().iter().map(|line| line.message.as_str()).collect();
        assert_eq!((lines, log.dropped()), (vec!["fir", "sec"], 1));
    }
}
