//! `bench-host record`

use std::io::IsTerminal as _;
use std::net::SocketAddr;
use std::num::{NonZeroU64, NonZeroUsize};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use clap::{ArgGroup, Args};
use indicatif::{ProgressBar, ProgressStyle};

use super::Failure;
use crate::record::{Event, Listener, Options, Summary, UpstreamAddress, record};
use crate::traffic::{Redaction, TraceWriter, Traffic, WriteError};
use crate::units::parse_size;

/// Record traffic as a trace in JSON lines: live through a reverse proxy, or out of other traces.
///
/// The proxy speaks HTTP/1.1, and HTTP/2 without TLS, on the same port, and the same to the
/// upstream. It passes each frame on as it comes, and records its time. Ctrl-C or SIGTERM ends the
/// trace; exchanges that have ended are in it, others are not. WebSockets and other upgrades are
/// refused.
///
/// Values of headers and query parameters whose names say that they are secret are replaced by
/// [redacted]. Bodies are recorded as they are.
#[derive(Debug, Args)]
#[command(
    group = ArgGroup::new("source").required(true).args(["traffic", "upstream"]),
    after_help = "Example: cargo bench-host record --upstream http://127.0.0.1:8080 --out \
                  trace.jsonl\n     or: cargo bench-host record site.har --out trace.jsonl"
)]
pub(super) struct Arguments {
    /// Traces to make one of, whatever --traffic of replay takes.
    #[arg(value_name = "FILE")]
    traffic: Vec<String>,
    /// Where the trace goes; what is there before stays until the recording has ended well.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    #[command(flatten)]
    proxy: ProxyArguments,
    #[command(flatten)]
    secrets: SecretArguments,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Reverse proxy")]
struct ProxyArguments {
    /// Where the requests go: scheme http, host and port.
    #[arg(long, value_name = "URL")]
    upstream: Option<UpstreamAddress>,
    /// Where the requests come from; with port 0 a free one, which stderr says.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0", value_parser = address, conflicts_with = "traffic")]
    listen: SocketAddr,
    /// Stop after so many exchanges.
    #[arg(long, value_name = "N", conflicts_with = "traffic")]
    requests: Option<NonZeroU64>,
    /// Stop after this time, such as 30s or 10m.
    #[arg(long = "for", value_name = "TIME", value_parser = time, conflicts_with = "traffic")]
    time: Option<Duration>,
    /// The longest body; an exchange with a longer one passes and is left out.
    #[arg(long, value_name = "SIZE", default_value = "16MiB", value_parser = size, conflicts_with = "traffic")]
    max_body: NonZeroUsize,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Secrets")]
struct SecretArguments {
    /// Keep the values of a header that would be redacted, such as authorization, cookie or
    /// x-api-key.
    #[arg(long = "keep-header", value_name = "NAME")]
    kept_headers: Vec<String>,
    /// Redact the values of one more header.
    #[arg(long = "redact-header", value_name = "NAME")]
    redacted_headers: Vec<String>,
    /// Keep the values of a query parameter that would be redacted, such as key or access_token.
    #[arg(long = "keep-query", value_name = "NAME")]
    kept_parameters: Vec<String>,
    /// Redact the values of one more query parameter.
    #[arg(long = "redact-query", value_name = "NAME")]
    redacted_parameters: Vec<String>,
}

impl SecretArguments {
    fn redaction(&self) -> Redaction {
        let mut redaction = Redaction::default();
        self.kept_headers.iter().for_each(|name| redaction.keep_header(name));
        self.redacted_headers.iter().for_each(|name| redaction.redact_header(name));
        self.kept_parameters.iter().for_each(|name| redaction.keep_query(name));
        self.redacted_parameters.iter().for_each(|name| redaction.redact_query(name));
        redaction
    }
}

/// How many exchanges that are left out are told one by one.
const MOST_TOLD: u64 = 10;

pub(super) fn run(arguments: Arguments) -> Result<(), Failure> {
    let redaction = arguments.secrets.redaction();
    let writer = TraceWriter::create(&arguments.out)?;
    let told = Arc::new(Told::new());
    let (writer, summary) = match arguments.proxy.upstream {
        Some(upstream) => {
            let options = Options {
                upstream,
                listen: arguments.proxy.listen,
                requests: arguments.proxy.requests.map(NonZeroU64::get),
                time: arguments.proxy.time,
                max_body: arguments.proxy.max_body.get(),
                redaction,
            };
            let listener = told.clone();
            record(options, writer, Listener::new(move |event| listener.hear(event)))?
        }
        None => convert(&arguments.traffic, writer, &redaction, &told)?,
    };
    told.bar.finish_and_clear();
    let out = arguments.out.display();
    let left_out = match told.left_out.load(Ordering::Relaxed) {
        0 => String::new(),
        count => format!("; {} left out", counted(count, "exchange")),
    };
    if summary.recorded == 0 {
        return Err(Failure::Input(format!(
            "nothing was recorded, so there is no new {out}{left_out}"
        )));
    }
    writer.finish()?;
    eprintln!(
        "recorded {} in {out}; {} redacted{left_out}",
        counted(summary.recorded, "exchange"),
        counted(summary.redacted, "value")
    );
    eprintln!("note: bodies are not redacted; look for secrets in them before you share the trace");
    Ok(())
}

/// Makes one trace of others, one after the other.
fn convert(
    sources: &[String],
    mut writer: TraceWriter,
    redaction: &Redaction,
    told: &Told,
) -> Result<(TraceWriter, Summary), Failure> {
    let mut summary = Summary::default();
    for source in sources {
        let traffic = Traffic::open(source)?;
        traffic.notes().iter().for_each(|note| eprintln!("note: {source}: {note}"));
        for exchange in traffic.exchanges() {
            let mut exchange = exchange?;
            let redacted = redaction.apply(&mut exchange);
            match writer.write(&exchange) {
                Ok(()) => {
                    summary.recorded += 1;
                    summary.redacted += redacted;
                }
                Err(WriteError::Exchange { label, cause }) => {
                    told.hear(Event::LeftOut { label, reason: cause.to_string() });
                }
                Err(error) => return Err(error.into()),
            }
        }
    }
    Ok((writer, summary))
}

/// What the user is told while it goes on.
struct Told {
    bar: ProgressBar,
    left_out: AtomicU64,
}

impl Told {
    fn new() -> Self {
        let bar = if std::io::stderr().is_terminal() {
            let style = ProgressStyle::with_template("{pos} exchanges recorded in {elapsed}");
            let style = style.expect("the template is a constant that the tests draw");
            ProgressBar::no_length().with_style(style)
        } else {
            ProgressBar::hidden()
        };
        Self { bar, left_out: AtomicU64::new(0) }
    }

    fn hear(&self, event: Event) {
        let say = |line: &str| self.bar.suspend(|| eprintln!("{line}"));
        match event {
            Event::Listening(address) => say(&format!("listening on http://{address}")),
            Event::Recorded => self.bar.inc(1),
            Event::LeftOut { label, reason } => {
                match self.left_out.fetch_add(1, Ordering::Relaxed) {
                    MOST_TOLD => say("left out: more, which are counted at the end"),
                    told if told < MOST_TOLD => say(&format!("left out: {label}: {reason}")),
                    _ => {}
                }
            }
        }
    }
}

fn counted(count: u64, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

fn size(text: &str) -> Result<NonZeroUsize, String> {
    let size = parse_size(text).map_err(|error| error.to_string())?;
    let size = usize::try_from(size).map_err(|_| "too large for this machine".to_owned())?;
    NonZeroUsize::new(size).ok_or_else(|| "must not be zero".to_owned())
}

fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| "not an IP address and a port, such as 127.0.0.1:9000".to_owned())
}

/// A number and `s`, `m` or `h`.
fn time(text: &str) -> Result<Duration, String> {
    /// Longer than any recording: a year of hours.
    const MOST: u64 = 365 * 24 * 3_600;
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        _ => return Err("not a time; write a whole number and s, m or h, such as 30s".to_owned()),
    };
    let number: u64 = number.parse().map_err(|_| "not a time, such as 30s".to_owned())?;
    match number.saturating_mul(seconds) {
        0 => Err("must not be zero".to_owned()),
        seconds if seconds <= MOST => Ok(Duration::from_secs(seconds)),
        _ => Err("must be at most a year".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_to_listen_at_is_an_address_with_a_port() {
        assert_eq!(address("127.0.0.1:9000"), Ok(([127, 0, 0, 1], 9000).into()));
        for text in ["9000", "localhost:9000", "127.0.0.1"] {
            assert!(address(text).unwrap_err().ends_with("such as 127.0.0.1:9000"), "{text}");
        }
    }

    #[test]
    fn times_have_a_unit() {
        for (text, seconds) in [("30s", 30), ("10m", 600), ("2h", 7_200)] {
            assert_eq!(time(text), Ok(Duration::from_secs(seconds)));
        }
        for (text, reason) in [
            ("30", "not a time; write a whole number and s, m or h, such as 30s"),
            ("s", "not a time, such as 30s"),
            ("0s", "must not be zero"),
            ("9999999999999999h", "must be at most a year"),
        ] {
            assert_eq!(time(text), Err(reason.to_owned()));
        }
    }

    #[test]
    fn the_progress_template_is_valid() {
        assert!(ProgressStyle::with_template("{pos} exchanges recorded in {elapsed}").is_ok());
    }
}
