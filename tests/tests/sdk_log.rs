//! Logging: which lines the host is told, and what lines that it drops cost.

#![expect(clippy::unwrap_used, reason = "a test fails where it does not hold")]

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;

use bench_host::engine::Plugin as _;
use bench_host::engine::native::NativePlugin;
use bench_host::host::{Direction, HeaderMap, Host, Level, Log, Measure, Profile, Proxy, Received};
use bench_host::host::{Settings, World};
use bench_host::measure::Phase;
use bytes::Bytes;
use chunkwise::http::{BodyAction, EndedStream, HeadersAction, RequestHeaders};
use chunkwise::{Chunk, Config, ConfigError, Filter, Plugin, Result, log};

type Work = Box<dyn FnMut()>;

thread_local! {
    static WORK: RefCell<Work> = RefCell::new(Box::new(|| ()));
}

/// Logs in every callback what the test says, and a line when it goes.
struct Chatty;
struct ChattyFilter;

impl Plugin for Chatty {
    type Filter = ChattyFilter;

    fn configure(_: &Config<'_>) -> Result<Self, ConfigError> {
        Ok(Self)
    }

    fn filter(&self) -> ChattyFilter {
        chunkwise::debug!("a stream {}", "begins");
        ChattyFilter
    }
}

impl Drop for Chatty {
    fn drop(&mut self) {
        chunkwise::critical!("the plugin {}", "goes");
    }
}

impl Drop for ChattyFilter {
    fn drop(&mut self) {
        chunkwise::debug!("a stream {}", "goes");
    }
}

impl Filter<Chatty> for ChattyFilter {
    fn request_headers(&mut self, _: &Chatty, _: &RequestHeaders<'_>) -> Result<HeadersAction> {
        WORK.with_borrow_mut(|work| work());
        Ok(HeadersAction::Continue)
    }

    fn request_body(&mut self, _: &Chatty, _: &mut Chunk<'_>) -> Result<BodyAction> {
        WORK.with_borrow_mut(|work| work());
        Ok(BodyAction::Pass)
    }

    fn done(&mut self, _: &Chatty, _: &EndedStream<'_>) {
        WORK.with_borrow_mut(|work| work());
    }
}

/// A proxy that keeps lines from `level` on, and a stream in it.
fn open(level: Level, work: impl FnMut() + 'static) -> (Proxy, u32) {
    WORK.set(Box::new(work));
    let settings = Settings { log_level: level, ..Settings::new(Profile::Envoy) };
    let guest = NativePlugin::<Chatty>::new().guest(Host::new(settings, &World::default()));
    let measure = Measure { time: false, usage: true };
    let mut proxy = Proxy::start(guest.unwrap(), &Bytes::new(), measure).unwrap();
    let context = proxy.open("HTTP/2", Received::keeping(), Received::keeping());
    (proxy, context)
}

/// Passes request headers.
fn headers(proxy: &mut Proxy, context: u32) {
    proxy.headers(context, Direction::Request, HeaderMap::default(), false);
}

/// The lines of one callback, at the most talkative level.
fn logged(work: impl FnMut() + 'static) -> Vec<(Level, String)> {
    let (mut proxy, context) = open(Level::Trace, work);
    proxy.host().log = Log::new(Level::Trace);
    headers(&mut proxy, context);
    let lines = proxy.host().log.lines().iter();
    lines.map(|line| (line.level, line.message.clone())).collect()
}

fn calls(level: u64, log: u64) -> BTreeMap<String, u64> {
    let calls = [("proxy_get_log_level", level), ("proxy_log", log)];
    let made = calls.into_iter().filter(|(_, count)| *count > 0);
    made.map(|(name, count)| (name.to_owned(), count)).collect()
}

#[test]
fn lines_below_the_hosts_level_cost_one_question_a_callback() {
    let (mut proxy, context) = open(Level::Error, || {
        chunkwise::trace!("not {}", "this");
        chunkwise::debug!("nor this");
        chunkwise::info!("nor {}", "this");
        chunkwise::warn!("nor this");
        assert!(!log::enabled(log::Level::Warn) && log::enabled(log::Level::Error));
    });
    headers(&mut proxy, context);
    for part in ["a", "b", "c"] {
        let frame = Bytes::from_static(part.as_bytes());
        proxy.data(context, Direction::Request, frame, part == "c");
    }
    proxy.close(context);
    let ledger = &proxy.host().ledger;
    assert_eq!(ledger.host_calls(Phase::Configure), calls(0, 0), "nothing was said there");
    for phase in [Phase::ContextCreate, Phase::RequestHeaders, Phase::Log, Phase::Delete] {
        assert_eq!(ledger.host_calls(phase), calls(1, 0), "{phase:?}");
        assert_eq!(ledger.phase(phase).bytes_out, 0);
    }
    assert_eq!(ledger.host_calls(Phase::RequestBody), calls(3, 0), "three callbacks");
    assert_eq!(proxy.host().log.lines(), []);
}

#[test]
fn nothing_of_a_line_that_is_dropped_is_formatted() {
    struct Never;
    impl fmt::Display for Never {
        fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
            panic!("it was formatted");
        }
    }
    let (mut proxy, context) = open(Level::Info, || chunkwise::debug!("{Never}"));
    headers(&mut proxy, context);
    assert_eq!(proxy.host().log.lines(), []);
}

#[test]
fn lines_that_are_kept_cost_a_call_each() {
    let (mut proxy, context) = open(Level::Warn, || {
        chunkwise::info!("dropped");
        chunkwise::warn!("kept");
        chunkwise::error!("{}", "kept too");
    });
    headers(&mut proxy, context);
    let ledger = &proxy.host().ledger;
    assert_eq!(ledger.host_calls(Phase::RequestHeaders), calls(1, 2));
    assert_eq!(ledger.phase(Phase::RequestHeaders).bytes_out, 12);
    assert_eq!(proxy.host().log.lines().len(), 2);
}

#[test]
fn the_level_is_asked_for_anew_in_each_callback() {
    let (mut proxy, context) = open(Level::Error, || chunkwise::warn!("now"));
    headers(&mut proxy, context);
    assert_eq!(proxy.host().log.lines(), []);
    proxy.host().log = Log::new(Level::Warn);
    proxy.data(context, Direction::Request, Bytes::new(), true);
    assert_eq!(proxy.host().log.lines().len(), 1);
}

#[test]
fn every_level_has_its_number() {
    let lines = logged(|| {
        chunkwise::trace!("0");
        chunkwise::debug!("{}", 1);
        chunkwise::info!("2");
        chunkwise::warn!("{}", 3);
        chunkwise::error!("4");
        chunkwise::critical!("{}", 5);
    });
    for (number, (level, message)) in (0..).zip(&lines) {
        assert_eq!((*level as u32, message), (number, &number.to_string()));
    }
    assert_eq!(lines.len(), 6);
}

#[test]
fn lines_are_text_of_any_kind_and_length() {
    let lines = logged(|| {
        let (name, width) = ("naïve", 7);
        chunkwise::info!("{name:>width$}|{:?}|{{}}", "日本\n");
        chunkwise::info!("plain ünïcode 🦀");
        chunkwise::info!("{}", "");
        chunkwise::info!("short again {}", 1);
    });
    let texts: Vec<_> = lines.iter().map(|(_, text)| &text[..]).collect();
    assert_eq!(texts, ["  naïve|\"日本\\n\"|{}", "plain ünïcode 🦀", "", "short again 1"]);
}

#[test]
fn a_long_line_reaches_the_host_as_a_whole() {
    let (mut proxy, context) = open(Level::Info, || {
        chunkwise::info!("{}|", "é".repeat(50_000));
        chunkwise::info!("{}", "x");
    });
    headers(&mut proxy, context);
    assert_eq!(proxy.host().ledger.phase(Phase::RequestHeaders).bytes_out, 100_001 + 1);
    let [long, short] = proxy.host().log.lines() else { panic!("two lines") };
    assert!(long.message.starts_with("ééé") && long.message.len() <= 100_001);
    assert_eq!(short.message, "x");
}

#[test]
fn a_value_that_logs_while_it_is_formatted_gets_a_line_of_its_own() {
    struct Loud(u32);
    impl fmt::Display for Loud {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            if self.0 > 0 {
                chunkwise::info!("inside {}: {}", self.0, Self(self.0 - 1));
            }
            write!(f, "loud {}", self.0)
        }
    }
    let lines = logged(|| {
        chunkwise::info!("before {} behind", Loud(2));
        chunkwise::info!("{} and {}", Loud(0), Loud(1));
    });
    let texts: Vec<_> = lines.iter().map(|(_, text)| &text[..]).collect();
    let expected = [
        "inside 1: loud 0",
        "inside 2: loud 1",
        "before loud 2 behind",
        "inside 1: loud 0",
        "loud 0 and loud 1",
    ];
    assert_eq!(texts, expected);
}

#[test]
fn a_value_that_cannot_be_formatted_leaves_what_stood_before_it() {
    struct Broken;
    impl fmt::Display for Broken {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("half")?;
            Err(fmt::Error)
        }
    }
    let lines = logged(|| chunkwise::warn!("before {Broken} behind"));
    assert_eq!(lines, [(Level::Warn, "before half".to_owned())]);
}

#[test]
fn filters_and_plugins_may_log_when_they_go() {
    let (mut proxy, context) = open(Level::Debug, || ());
    proxy.close(context);
    let lines = proxy.host().log.lines().iter();
    let lines: Vec<_> = lines.map(|line| &line.message[..]).collect();
    assert_eq!(lines, ["a stream begins", "a stream goes"]);
    let ledger = &proxy.host().ledger;
    assert_eq!(ledger.host_calls(Phase::Delete), calls(1, 1));
    // A stream that is still open goes with its VM, outside of any callback: nobody listens.
    proxy.open("HTTP/2", Received::keeping(), Received::keeping());
    let host = proxy.into_host();
    assert_eq!(host.log.lines().len(), 3);
}

#[test]
fn a_line_outside_of_any_callback_goes_nowhere() {
    assert!(log::enabled(log::Level::Trace), "a host that cannot tell gets every line");
    chunkwise::critical!("nobody {}", "hears this");
}
