//! Running scenarios.

use std::path::Path;

use bench_host::engine::wasm::{Limits, WasmPlugin};
use bench_host::host::{Clock, Direction, LogLine, PeerKind, Profile, Settings, Shared, World};
use bench_host::module::Module;
use bench_host::testing::{Outcome, TestHost};
use bench_host::upstream::Upstreams;
use bytes::Bytes;
use chunkwise_tests::guest::CALLBACKS;

use super::guest::{Guest, Part, UNWRITTEN};
use super::imports::{Answer, Import, Offer, Param};
use super::scenario::{Effect, Scenario};
use super::script::{Call, STATUSES, parse};
use super::value::Value;

/// One call that was made and answered as expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Observed {
    pub scenario: &'static str,
    pub import: &'static str,
    pub answer: u32,
    pub callback: &'static str,
    pub higress: bool,
}

/// What running a scenario on one host gave.
#[derive(Debug, Default)]
pub struct Report {
    pub observed: Vec<Observed>,
    pub mistakes: Vec<String>,
}

/// Few enough instructions that an endless loop ends soon.
pub const LIMITS: Limits =
    Limits { fuel: Some(50_000_000), deadline: None, memory: 16 * 1024 * 1024, ..Limits::COUNTED };

/// Runs a scenario on each of its hosts.
pub fn run(scenario: &Scenario) -> Report {
    let mut report = Report::default();
    for &(profile, abi) in &scenario.hosts {
        let mut mistakes = Vec::new();
        run_on(scenario, profile, abi, &mut report.observed, &mut mistakes);
        let title = scenario.title;
        let host = profile.name();
        report.mistakes.extend(mistakes.iter().map(|m| format!("{title} ({host}, {abi}): {m}")));
    }
    report
}

fn parts(scenario: &Scenario) -> Vec<Part> {
    let part = |(name, script): &(&str, &str)| {
        let (name, times) = match name.split_once('@') {
            Some((name, times)) => (name, Some(times.parse().unwrap())),
            None => (*name, None),
        };
        (name.to_owned(), times, parse(script))
    };
    scenario.scripts.iter().map(part).collect()
}

/// Settings of a proxy for a module of this ABI.
pub fn settings(profile: Profile, module: &[u8]) -> Settings {
    let mut settings = Settings::new(profile);
    let facts = Module::parse(Path::new("guest.wasm"), module.to_vec()).unwrap().facts;
    settings.adapt_to(&facts);
    settings
}

/// The guest of a scenario, as it calls under this ABI.
pub fn guest(scenario: &Scenario, abi: &str) -> (Guest, Vec<u8>) {
    let mut guest = Guest::default();
    let module = guest.module(abi, "", &parts(scenario));
    (guest, module)
}

fn run_on(
    scenario: &Scenario,
    profile: Profile,
    abi: &str,
    observed: &mut Vec<Observed>,
    mistakes: &mut Vec<String>,
) {
    let (guest, module) = guest(scenario, abi);
    let plugin = match WasmPlugin::compile(&module, LIMITS) {
        Ok(plugin) => plugin,
        Err(error) => return mistakes.push(format!("does not compile: {error}")),
    };
    let upstreams = Upstreams::parse(scenario.upstreams, "test").unwrap();
    let world = World::new(Clock::default(), Shared::default(), &upstreams);
    let host = TestHost::start_in(&plugin, settings(profile, &module), world, "cfg");
    let mut host = match host {
        Ok(host) => host,
        Err(error) => return mistakes.push(format!("does not start: {error}")),
    };
    let mut outcome = None;
    if let Some(call) = scenario.call.clone() {
        match host.send(call) {
            Ok(seen) => outcome = Some(seen),
            Err(fault) => mistakes.push(format!("fault: {fault}")),
        }
    }
    let tcp = scenario.tcp.then(|| tcp(&mut host));
    if let Err(fault) = host.run_for(scenario.run_for) {
        mistakes.push(format!("fault: {fault}"));
    }
    host.proxy().shut_down();
    if let Err(fault) = host.run_for(scenario.run_on) {
        mistakes.push(format!("fault: {fault}"));
    }
    let log = host.log().to_vec();
    let seen = Seen { log: &log, outcome: outcome.as_ref(), tcp: tcp.as_ref() };
    judge(scenario, profile, &guest.calls, seen, observed, mistakes);
}

/// What a run has left to look at.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    pub log: &'a [LogLine],
    pub outcome: Option<&'a Outcome>,
    pub tcp: Option<&'a (Vec<u8>, bool)>,
}

/// Holds what was seen against what the scenario expects.
pub fn judge(
    scenario: &Scenario,
    profile: Profile,
    calls: &[Call],
    Seen { log, outcome, tcp }: Seen<'_>,
    observed: &mut Vec<Observed>,
    mistakes: &mut Vec<String>,
) {
    let mut made = vec![0; calls.len()];
    let before = observed.len();
    check_calls(calls, log, profile, &mut made, observed, mistakes);
    for seen in &mut observed[before..] {
        seen.scenario = scenario.title;
    }
    for (call, made) in calls.iter().zip(made) {
        if made == 0 {
            mistakes.push(format!("{} was not called", call.line));
        }
    }
    let told = told(log);
    for effect in &scenario.effects {
        if let Err(mistake) = check(*effect, outcome, tcp, log, &told) {
            mistakes.push(mistake);
        }
    }
}

/// Bytes that reached the upstream, and whether the connection was closed.
fn tcp(host: &mut TestHost) -> (Vec<u8>, bool) {
    let proxy = host.proxy();
    let context = proxy.connect();
    proxy.bytes(context, Direction::Request, Bytes::from_static(b"hello"), false);
    proxy.bytes(context, Direction::Response, Bytes::from_static(b"world"), false);
    proxy.bytes(context, Direction::Request, Bytes::from_static(b"bye"), true);
    host.run_for(std::time::Duration::from_millis(1)).unwrap();
    let left = host.proxy().disconnect(context, PeerKind::Remote);
    left.map(|connection| (connection.downstream.passed, connection.closed)).unwrap()
}

/// The bytes of hexadecimal digits.
fn unhex(text: &str) -> Vec<u8> {
    let digit = |at: usize| u8::from_str_radix(&text[at..at + 2], 16).unwrap();
    (0..text.len() / 2).map(|at| digit(2 * at)).collect()
}

fn word(bytes: &[u8]) -> u32 {
    u32::from_le_bytes(bytes[..4].try_into().unwrap())
}

/// The numbers of a line.
pub fn numbers(line: &str) -> Vec<u32> {
    line.split_whitespace().map(|number| word(&unhex(number))).collect()
}

/// Callbacks that came, with their arguments.
pub fn told(log: &[LogLine]) -> Vec<(&'static str, Vec<u32>)> {
    let lines = log.iter().filter_map(|line| line.message.strip_prefix('@'));
    let told = lines.map(|line| {
        let numbers = numbers(line);
        (CALLBACKS[numbers[0] as usize].0, numbers[1..].to_vec())
    });
    told.collect()
}

fn check_calls(
    calls: &[Call],
    log: &[LogLine],
    profile: Profile,
    made: &mut [usize],
    observed: &mut Vec<Observed>,
    mistakes: &mut Vec<String>,
) {
    let mut callback = "";
    for line in log {
        if let Some(line) = line.message.strip_prefix('@') {
            callback = CALLBACKS[numbers(line)[0] as usize].0;
        }
        let Some(line) = line.message.strip_prefix('#') else { continue };
        let words: Vec<_> = line.split_whitespace().map(unhex).collect();
        let number = word(&words[0]) as usize;
        let call = &calls[number];
        made[number] += 1;
        let answer = word(&words[1]);
        let wanted = expected(call, profile);
        if answer != wanted {
            let name = |status: u32| STATUSES.get(status as usize).copied().unwrap_or("?");
            mistakes.push(format!(
                "in {callback}: {}: observed {answer} {}, expected {wanted} {}",
                call.line,
                name(answer),
                name(wanted)
            ));
            continue;
        }
        let outs = call.import.params.iter().filter(|param| is_out(**param));
        let missing = wanted == 12 && call.answer != 12;
        let mut right = true;
        for ((param, bytes), value) in outs.zip(&words[2..]).zip(&call.out) {
            if !missing && !matches(*param, bytes, value) {
                right = false;
                mistakes.push(format!(
                    "in {callback}: {}: handed over {}",
                    call.line,
                    shown(*param, bytes)
                ));
            }
        }
        if right {
            let import = call.import.name;
            let higress = profile == Profile::Higress;
            observed.push(Observed { scenario: "", import, answer, callback, higress });
        }
    }
}

/// What Higress alone implements is not implemented elsewhere.
fn expected(call: &Call, profile: Profile) -> u32 {
    let Import { offer, result, .. } = *call.import;
    let missing = offer == Offer::Higress && profile != Profile::Higress;
    if missing && result == Answer::Status { 12 } else { call.answer }
}

fn is_out(param: Param) -> bool {
    std::matches!(param, Param::Out | Param::Word | Param::Long)
}

fn matches(param: Param, bytes: &[u8], value: &Value) -> bool {
    let unwritten = word(bytes) == UNWRITTEN;
    match (value, param) {
        (Value::Any, _) => true,
        (Value::Name(_), _) => !unwritten,
        (Value::Kept, Param::Out) => unwritten && word(&bytes[4..]) == UNWRITTEN,
        (Value::Kept, _) => unwritten,
        (Value::Nil, Param::Out) => bytes[..8] == [0; 8],
        (Value::Bytes(text), Param::Out) => {
            word(&bytes[4..]) as usize == text.len() && bytes[8..] == text[..] && !text.is_empty()
        }
        (Value::Number(n), Param::Word) => i64::from(word(bytes)) == *n,
        (Value::Number(n), Param::Long) => bytes[..8] == n.to_le_bytes(),
        _ => panic!("{value:?} cannot be handed over in {param:?}"),
    }
}

fn shown(param: Param, bytes: &[u8]) -> String {
    match param {
        Param::Out if word(bytes) == UNWRITTEN => "nothing (kept)".to_owned(),
        Param::Out => {
            let text = String::from_utf8_lossy(&bytes[8..]).into_owned();
            format!("{text:?} at {:#x} of {} bytes", word(bytes), word(&bytes[4..]))
        }
        Param::Long => format!("{}", u64::from_le_bytes(bytes[..8].try_into().unwrap())),
        _ => format!("{} ({:#x})", word(bytes), word(bytes)),
    }
}

fn check(
    effect: Effect,
    outcome: Option<&Outcome>,
    tcp: Option<&(Vec<u8>, bool)>,
    log: &[LogLine],
    told: &[(&str, Vec<u32>)],
) -> Result<(), String> {
    let seen = || outcome.ok_or("there is no outcome".to_owned());
    let field = |map: &bench_host::host::HeaderMap, name: &str| {
        map.get(name.as_bytes()).map(|value| String::from_utf8_lossy(value).into_owned())
    };
    let (observed, wanted) = match effect {
        Effect::Request(name, value) => {
            (format!("{:?}", field(&seen()?.upstream.headers, name)), format!("{value:?}"))
        }
        Effect::Response(name, value) => {
            (format!("{:?}", field(&seen()?.downstream.headers, name)), format!("{value:?}"))
        }
        Effect::RequestTrailer(name, value) => {
            (format!("{:?}", field(&seen()?.upstream.trailers, name)), format!("{value:?}"))
        }
        Effect::ResponseTrailer(name, value) => {
            (format!("{:?}", field(&seen()?.downstream.trailers, name)), format!("{value:?}"))
        }
        Effect::RequestBody(text) => (seen()?.upstream.text().into_owned(), text.to_owned()),
        Effect::ResponseBody(text) => (seen()?.downstream.text().into_owned(), text.to_owned()),
        Effect::Details(text) => (seen()?.details.clone(), text.to_owned()),
        Effect::Reset(reset) => (seen()?.reset.to_string(), reset.to_string()),
        Effect::Ended(ended) => (seen()?.downstream.ended.to_string(), ended.to_string()),
        Effect::Logged(level, text) => {
            let is = |line: &LogLine| line.message == text && line.level.to_string() == level;
            (log.iter().any(is).to_string(), "true".to_owned())
        }
        Effect::NotLogged(text) => {
            (log.iter().any(|line| line.message == text).to_string(), "false".to_owned())
        }
        Effect::Told(name, arguments) => {
            let came: Vec<_> = told.iter().filter(|(of, _)| *of == name).collect();
            let fits = |given: &[u32]| {
                let pairs = given.iter().zip(arguments);
                given.len() == arguments.len()
                    && pairs
                        .clone()
                        .all(|(given, wanted)| *wanted < 0 || i64::from(*given) == *wanted)
            };
            match came.iter().any(|(_, given)| fits(given)) {
                true => return Ok(()),
                false => (format!("{came:?}"), format!("{arguments:?}")),
            }
        }
        Effect::Times(name, times) => {
            let came = told.iter().filter(|(of, _)| *of == name).count();
            (came.to_string(), times.to_string())
        }
        Effect::Passed(text) => {
            let (passed, _) = tcp.ok_or("there is no connection")?;
            (String::from_utf8_lossy(passed).into_owned(), text.to_owned())
        }
        Effect::Closed(closed) => {
            (tcp.ok_or("there is no connection")?.1.to_string(), closed.to_string())
        }
    };
    if observed == wanted { Ok(()) } else { Err(format!("{effect:?}: observed {observed}")) }
}
