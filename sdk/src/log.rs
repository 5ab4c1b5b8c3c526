//! Logging through the proxy, at the proxy's level.
//!
//! ```no_run
//! chunkwise::info!("{} rules", 3);
//! ```
//!
//! # Cost
//! The first line of a callback asks the host for its level (one host call); a line below that
//! level costs nothing more. A line that is kept is formatted into a buffer that is used again,
//! and costs one host call.

use std::cell::Cell;
use std::fmt::{self, Write as _};

use crate::abi::host;

/// How much a line matters; the numbers are those of the ABI.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u32)]
pub enum Level {
    /// Every step.
    Trace = 0,
    /// What a developer looks for.
    Debug = 1,
    /// What an operator may want to know.
    Info = 2,
    /// What an operator should know.
    Warn = 3,
    /// A request or a configuration failed.
    Error = 4,
    /// The plugin cannot go on.
    Critical = 5,
}

thread_local! {
    /// The host's level, asked for at most once in a callback.
    static HOST_LEVEL: Cell<Option<u32>> = const { Cell::new(None) };
    /// The line being formatted.
    static LINE: Cell<String> = const { Cell::new(String::new()) };
}

/// Whether the proxy keeps lines of this level. One host call at the first use in a callback.
pub fn enabled(level: Level) -> bool {
    let host_level = HOST_LEVEL.get().unwrap_or_else(|| {
        // A host that cannot tell gets every line and filters by itself.
        let asked = host::log_level().unwrap_or(Level::Trace as u32);
        HOST_LEVEL.set(Some(asked));
        asked
    });
    level as u32 >= host_level
}

/// Logs one line; [`info!`](crate::info) and its kin are the short way to write it.
pub fn line(level: Level, message: fmt::Arguments<'_>) {
    if !enabled(level) {
        return;
    }
    if let Some(text) = message.as_str() {
        return host::log(level as u32, text);
    }
    // Taken, not borrowed: formatting runs the author's code, which may log as well.
    // A thread that is ending natively has none any more, and gets one of its own.
    let mut text = LINE.try_with(Cell::take).unwrap_or_default();
    text.clear();
    // Writing to a string fails only if a `Display` does; what it wrote is still worth logging.
    let _ = text.write_fmt(message);
    host::log(level as u32, &text);
    let _ = LINE.try_with(|line| line.set(text));
}

/// Forgets the host's level, which may change between callbacks.
#[inline]
pub(crate) fn callback_begins() {
    HOST_LEVEL.set(None);
}

/// Logs at [`Level::Trace`](crate::log::Level::Trace).
#[macro_export]
macro_rules! trace {
    ($($message:tt)+) => { $crate::log::line($crate::log::Level::Trace, ::std::format_args!($($message)+)) };
}

/// Logs at [`Level::Debug`](crate::log::Level::Debug).
#[macro_export]
macro_rules! debug {
    ($($message:tt)+) => { $crate::log::line($crate::log::Level::Debug, ::std::format_args!($($message)+)) };
}

/// Logs at [`Level::Info`](crate::log::Level::Info).
#[macro_export]
macro_rules! info {
    ($($message:tt)+) => { $crate::log::line($crate::log::Level::Info, ::std::format_args!($($message)+)) };
}

/// Logs at [`Level::Warn`](crate::log::Level::Warn).
#[macro_export]
macro_rules! warn {
    ($($message:tt)+) => { $crate::log::line($crate::log::Level::Warn, ::std::format_args!($($message)+)) };
}

/// Logs at [`Level::Error`](crate::log::Level::Error).
#[macro_export]
macro_rules! error {
    ($($message:tt)+) => { $crate::log::line($crate::log::Level::Error, ::std::format_args!($($message)+)) };
}

/// Logs at [`Level::Critical`](crate::log::Level::Critical).
#[macro_export]
macro_rules! critical {
    ($($message:tt)+) => { $crate::log::line($crate::log::Level::Critical, ::std::format_args!($($message)+)) };
}
