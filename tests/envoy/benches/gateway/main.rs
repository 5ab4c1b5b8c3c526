//! What each example costs in a real Envoy, against no plugin at all.
//!
//! ```sh
//! cargo bench-envoy           # prints the tables
//! cargo bench-envoy --write   # and writes results/envoy.* and docs/gateway.md
//! cargo bench-envoy --test    # one quick pass
//! ```
//!
//! All plugins take turns in every round, so that what a machine does meanwhile meets all of them;
//! docs/gateway.md says what the figures are.

mod cases;
mod plugins;
mod predict;
mod rounds;

use std::collections::{BTreeMap, HashMap};
use std::env;
use std::error::Error;
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use bench_host::report::cpu;
use envoy_tests::figures::{AGAIN, Figure, NONE, Row, median, page, parse, print, publish};
use envoy_tests::origin::Reply;
use envoy_tests::{Gateway, Origin, Services, envoy};

use cases::Case;
use rounds::{Measured, Size};

/// How much is measured.
struct Plan {
    rounds: usize,
    /// About how long each loop of a round takes without a plugin.
    time: Duration,
    /// Requests in the bench host.
    requests: usize,
    /// Whether the bench host runs every plugin, or one of each traffic.
    whole: bool,
    write: bool,
}

impl Plan {
    fn new() -> Self {
        let has = |flag: &str| env::args().any(|argument| argument == flag);
        // Cargo passes `--bench` when it measures, and not when it tests.
        match has("--bench") && !has("--test") {
            true => Self {
                rounds: 7,
                time: Duration::from_millis(300),
                requests: 400,
                whole: true,
                write: has("--write"),
            },
            false => Self {
                rounds: 1,
                time: Duration::from_millis(20),
                requests: 40,
                whole: false,
                write: false,
            },
        }
    }
}

fn main() -> ExitCode {
    if envoy().is_none() {
        return ExitCode::SUCCESS;
    }
    match run(&Plan::new()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(plan: &Plan) -> Result<(), Box<dyn Error>> {
    let start = Instant::now();
    let cases = cases::cases()?;
    let replies: HashMap<_, _> = cases
        .iter()
        .filter_map(|case| {
            Some((case.name, Reply::of(case.exchange.response.as_ref()?, case.pause)))
        })
        .collect();
    let upstream = Origin::start(move |_, head| {
        let traffic = head.headers.get(cases::HEADER).and_then(|value| value.to_str().ok());
        traffic.and_then(|traffic| replies.get(traffic)).cloned().unwrap_or_else(Reply::reset)
    })?;
    let mut gateways: BTreeMap<&str, (Gateway, Services)> = BTreeMap::new();
    for plugin in cases.iter().flat_map(|case| &case.plugins) {
        let plugin = behind(plugin);
        if !gateways.contains_key(plugin) {
            gateways.insert(plugin, plugins::start(plugin, upstream.port())?);
        }
    }
    check(&cases, &gateways)?;
    eprintln!("{:.0?}: {} gateways are ready", start.elapsed(), gateways.len());
    let measured = measure(plan, &cases, &gateways)?;
    eprintln!("{:.0?}: {} rounds are done", start.elapsed(), plan.rounds);
    drop(gateways);
    // With as many digits as the file has, so that page and file say the same.
    let rows = parse(&print(&rows(plan, &cases, &measured)?))?;
    println!("{}", page(&rows));
    eprintln!("{:.0?}: done", start.elapsed());
    let failed: u64 = rows.iter().map(|row| row.failed).sum();
    if failed > 0 {
        return Err(format!("{failed} requests failed; see the column of each plugin").into());
    }
    if plan.write {
        publish(&chunkwise_tests::root(), &rows)?;
    }
    Ok(())
}

/// Checks that what is compared does the same: links in answers are replaced, and by nobody else.
fn check(
    cases: &[Case],
    gateways: &BTreeMap<&str, (Gateway, Services)>,
) -> Result<(), Box<dyn Error>> {
    let with_links = cases.iter().filter(|case| case.plugins.contains(&plugins::LUA));
    for case in with_links {
        let sent = |plugin| -> Result<_, Box<dyn Error>> {
            let (gateway, _) = gateways.get(plugin).ok_or("a gateway has not been started")?;
            Ok(gateway.send(&case.exchange, Duration::ZERO)?.text().into_owned())
        };
        let plain = sent(NONE)?;
        let replaced = plain.replace("http://", "https://");
        if !plain.contains("http://") {
            return Err(format!("{}: there is nothing to replace", case.name).into());
        }
        for plugin in [plugins::LUA, "replace", "floor"] {
            if sent(plugin)? != replaced {
                return Err(
                    format!("{}: {plugin} does not replace what it should", case.name).into()
                );
            }
        }
    }
    Ok(())
}

/// The gateway that stands for a row.
fn behind(plugin: &str) -> &str {
    if plugin == AGAIN { NONE } else { plugin }
}

type Rounds<'c> = HashMap<(&'c str, &'c str), Vec<Measured>>;

fn measure<'c>(
    plan: &Plan,
    cases: &'c [Case],
    gateways: &BTreeMap<&str, (Gateway, Services)>,
) -> Result<Rounds<'c>, Box<dyn Error>> {
    let gateway = |plugin: &str| match gateways.get(behind(plugin)) {
        Some((gateway, _)) => Ok(gateway),
        None => Err(format!("no gateway has been started for {plugin}")),
    };
    let mut sizes = Vec::new();
    for case in cases {
        // Once to warm up, once to know.
        Size::calibrate(case, gateway(NONE)?, plan.time)?;
        let size = Size::calibrate(case, gateway(NONE)?, plan.time)?;
        for plugin in &case.plugins {
            rounds::warm_up(case, gateway(plugin)?, size)?;
        }
        sizes.push(size);
    }
    let mut measured = Rounds::new();
    for round in 0..plan.rounds {
        for (case, size) in cases.iter().zip(&sizes) {
            let mut order = case.plugins.clone();
            // No plugin always comes at the same moment of a round.
            let turn = round % order.len();
            order.rotate_left(turn);
            for plugin in order {
                let of_round = rounds::measure(case, gateway(plugin)?, *size)?;
                measured.entry((case.name, plugin)).or_default().push(of_round);
            }
        }
    }
    Ok(measured)
}

fn rows(plan: &Plan, cases: &[Case], measured: &Rounds<'_>) -> Result<Vec<Row>, Box<dyn Error>> {
    let (envoy, machine, date) = (envoy_version()?, cpu(), today()?);
    let mut rows = Vec::new();
    for case in cases {
        let rounds = |plugin| measured.get(&(case.name, plugin)).map_or(&[][..], |rounds| rounds);
        let none = rounds(NONE);
        let mut predicted = 0;
        for plugin in case.plugins.iter().copied() {
            let rounds = rounds(plugin);
            let all = |rounds: &[Measured], of: fn(&Measured) -> f64| -> Vec<f64> {
                rounds.iter().map(of).collect()
            };
            let figure = |of| Figure::new(&all(rounds, of), &all(none, of));
            let bench_host = match plugins::example(plugin) {
                Some(example) if plan.whole || predicted == 0 => {
                    predicted += 1;
                    Some(predict::predict(case, example, plan.requests)?)
                }
                _ => None,
            };
            rows.push(Row {
                traffic: case.name.to_owned(),
                plugin: plugin.to_owned(),
                rounds: rounds.len() as u64,
                answers: rounds.iter().map(|round| round.answers).sum(),
                failed: rounds.iter().map(|round| round.failed).sum(),
                cpu: figure(|round| round.cpu),
                p50: figure(|round| round.p50),
                p99: figure(|round| round.p99),
                throughput: figure(|round| round.throughput),
                busy: median(&all(rounds, |round| round.busy)),
                client: median(&all(rounds, |round| round.client)),
                bench_host,
                envoy: envoy.clone(),
                machine: machine.clone(),
                date: date.clone(),
            });
        }
    }
    Ok(rows)
}

/// The version as Envoy itself writes it, such as `1.40.0`.
fn envoy_version() -> Result<String, Box<dyn Error>> {
    let binary = envoy().ok_or("Envoy has gone")?;
    let output = Command::new(binary).arg("--version").output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    // `… version: REVISION/1.40.0/Clean/RELEASE/BoringSSL`.
    Ok(text.split('/').find(|part| part.starts_with(char::is_numeric)).unwrap_or("?").to_owned())
}

fn today() -> Result<String, Box<dyn Error>> {
    let output = Command::new("date").args(["-u", "+%Y-%m-%d"]).output()?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
