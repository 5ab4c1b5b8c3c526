//! What a plugin may use before it is stopped, as options. The command `limits` is in `budget.rs`.

use std::time::Duration;

use clap::Args;

use crate::engine::wasm::Limits;
use crate::host::Settings;
use crate::units::parse_size;

/// What a plugin may use before it is stopped.
#[derive(Args, Clone, Copy, Debug)]
#[command(next_help_heading = "Limits of the plugin")]
pub(super) struct LimitArguments {
    /// Linear memory of a VM, up to 4GiB; the default is that of the proxy-wasm C++ host
    /// (PROXY_WASM_HOST_MAX_WASM_MEMORY_SIZE_BYTES).
    #[arg(long, value_name = "SIZE", default_value = "1GiB", value_parser = memory)]
    max_memory: usize,
    /// Stack for calls inside the plugin, up to 1MiB; the default is wasmtime's
    /// (Config::max_wasm_stack).
    #[arg(long, value_name = "SIZE", default_value = "512KiB", value_parser = stack)]
    max_stack: usize,
    /// Instructions in one callback, while they are counted; the default is ours: seconds on any
    /// machine.
    #[arg(long, value_name = "N", default_value_t = Limits::FUEL, value_parser = fuel)]
    max_fuel: u64,
    /// Time for one callback, such as 500ms, 10s or 2m; the default is ours: longer than any proxy
    /// waits.
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = time)]
    max_time: Duration,
    /// Log lines that are kept; those beyond are counted. The default is ours.
    #[arg(long, value_name = "N", default_value = "1000")]
    max_log_lines: usize,
    /// What the host keeps for the plugin: shared state, metrics, what it adds to headers and
    /// bodies, calls under way. Real proxies have no such limit; the default is ours.
    #[arg(long, value_name = "SIZE", default_value = "256MiB", value_parser = host_memory)]
    max_host_memory: u64,
}

impl LimitArguments {
    /// Of a pass that counts instructions.
    pub fn limits(&self) -> Limits {
        Limits {
            fuel: Some(self.max_fuel),
            deadline: Some(self.max_time),
            memory: self.max_memory,
            stack: self.max_stack,
        }
    }

    /// Sets what the host itself limits.
    pub fn apply(&self, settings: &mut Settings) {
        settings.log_lines = self.max_log_lines;
        settings.quota = self.max_host_memory;
    }
}

/// What 32 bits can address.
const MOST_MEMORY: u64 = 4 << 30;

/// Less than a page of linear memory is none.
const LEAST_MEMORY: u64 = 64 << 10;

fn memory(text: &str) -> Result<usize, String> {
    size(text, LEAST_MEMORY, MOST_MEMORY, "from 64KiB to 4GiB")
}

fn host_memory(text: &str) -> Result<u64, String> {
    parse_size(text).map_err(|error| error.to_string())
}

fn stack(text: &str) -> Result<usize, String> {
    size(text, 16 << 10, Limits::MOST_STACK as u64, "from 16KiB to 1MiB")
}

fn size(text: &str, least: u64, most: u64, range: &str) -> Result<usize, String> {
    let size = parse_size(text).map_err(|error| error.to_string())?;
    if !(least..=most).contains(&size) {
        return Err(format!("must be {range}"));
    }
    usize::try_from(size).map_err(|_| "too large for this machine".to_owned())
}

fn fuel(text: &str) -> Result<u64, String> {
    match text.parse() {
        Ok(0) | Err(_) => Err("not a number above zero".to_owned()),
        Ok(fuel) => Ok(fuel),
    }
}

/// A number and `ms`, `s` or `m`.
fn time(text: &str) -> Result<Duration, String> {
    /// How finely time is looked at, and longer than anyone waits for a callback.
    const RANGE: std::ops::RangeInclusive<Duration> =
        Duration::from_millis(100)..=Duration::from_secs(24 * 60 * 60);
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let milliseconds = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        _ => return Err("not a time; write a whole number and ms, s or m, such as 10s".to_owned()),
    };
    let number: u64 = number.parse().map_err(|_| "not a time, such as 10s".to_owned())?;
    let time = Duration::from_millis(number.saturating_mul(milliseconds));
    if RANGE.contains(&time) { Ok(time) } else { Err("must be from 100ms to 1440m".to_owned()) }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::host::{DEFAULT_QUOTA, Profile};

    #[derive(Debug, Parser)]
    struct Command {
        #[command(flatten)]
        limits: LimitArguments,
    }

    fn parse(arguments: &[&str]) -> Result<LimitArguments, String> {
        let command = Command::try_parse_from([&["test"], arguments].concat());
        command.map(|command| command.limits).map_err(|error| error.to_string())
    }

    #[test]
    fn the_defaults_are_those_of_the_engine() {
        assert_eq!(parse(&[]).unwrap().limits(), Limits::COUNTED);
        let mut settings = Settings::new(Profile::Envoy);
        let before = settings.log_lines;
        parse(&[]).unwrap().apply(&mut settings);
        assert_eq!((settings.log_lines, settings.quota), (before, DEFAULT_QUOTA));
    }

    #[test]
    fn every_limit_can_be_chosen() {
        let chosen = parse(&[
            "--max-memory=20MiB",
            "--max-stack=64KiB",
            "--max-fuel=7",
            "--max-time=2m",
            "--max-log-lines=3",
            "--max-host-memory=1MiB",
        ])
        .unwrap();
        let limits = Limits {
            fuel: Some(7),
            deadline: Some(Duration::from_secs(120)),
            memory: 20 << 20,
            stack: 64 << 10,
        };
        assert_eq!(chosen.limits(), limits);
        let mut settings = Settings::new(Profile::Envoy);
        chosen.apply(&mut settings);
        assert_eq!((settings.log_lines, settings.quota), (3, 1 << 20));
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for (argument, reason) in [
            ("--max-memory=5GiB", "must be from 64KiB to 4GiB"),
            ("--max-memory=0", "must be from 64KiB to 4GiB"),
            ("--max-stack=2MiB", "must be from 16KiB to 1MiB"),
            ("--max-fuel=0", "not a number above zero"),
            ("--max-fuel=-1", "not a number above zero"),
            ("--max-time=10", "not a time; write a whole number and ms, s or m, such as 10s"),
            ("--max-time=ms", "not a time, such as 10s"),
            ("--max-time=99ms", "must be from 100ms to 1440m"),
            ("--max-time=99999999999999999999s", "not a time, such as 10s"),
            ("--max-time=18446744073709551615m", "must be from 100ms to 1440m"),
            ("--max-log-lines=many", "invalid digit found in string"),
        ] {
            let error = parse(&[argument]).unwrap_err();
            assert!(error.contains(reason), "{argument}: {error}");
        }
    }
}
