//! What the bench host says of the same traffic.

use std::error::Error;
use std::fs;
use std::process::Command;

use bench_host::measure::Phase;
use serde_json::Value;

use crate::cases::Case;
use crate::plugins::{configuration, script};

/// Requests a virtual second, so that time passes for what a timer fetches.
const RATE: &str = "20";

/// Instructions, nanoseconds in the module (the median of each callback times their number), and
/// host calls, for a request.
///
/// Timers are left out: how many of them fire for a request depends on the load.
pub fn predict(
    case: &Case,
    plugin: &str,
    requests: usize,
) -> Result<(u64, u64, f64), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let path = |name| folder.path().join(name);
    fs::write(path("traffic.jsonl"), &case.line)?;
    fs::write(path("config.json"), configuration(plugin)?)?;
    fs::write(path("upstreams.toml"), script(plugin))?;
    let run = |flags: &[&str]| -> Result<Value, Box<dyn Error>> {
        let mut command = bench_host();
        command.arg("replay").arg(chunkwise_tests::module(plugin));
        for (flag, name) in [
            ("--traffic", "traffic.jsonl"),
            ("--config", "config.json"),
            ("--upstreams", "upstreams.toml"),
            ("--json", "result.json"),
        ] {
            command.arg(flag).arg(path(name));
        }
        let output = command.args(["--repeat", &requests.to_string()]).args(flags).output()?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            return Err(format!("the bench host with {plugin}: {said}").into());
        }
        let result: Value = serde_json::from_str(&fs::read_to_string(path("result.json"))?)?;
        match result["requests"]["failed"].as_u64() {
            Some(0) => Ok(result),
            _ => Err(format!("{plugin}: requests failed in the bench host").into()),
        }
    };
    let counted = run(&["--no-wall", "--rate", RATE])?;
    let timed = run(&["--no-fuel"])?;
    let sum = |run: &Value, of: fn(&Value) -> u64| -> u64 {
        let phases = Phase::ALL.into_iter().filter(|phase| is_of_a_request(*phase));
        phases.map(|phase| of(&run["phases"][phase.name()])).sum()
    };
    let fuel = sum(&counted, |phase| phase["fuel"]["total"].as_u64().unwrap_or_default());
    let calls = sum(&counted, |phase| {
        let calls = phase["host_calls"].as_object().map(|calls| calls.values());
        calls.into_iter().flatten().filter_map(Value::as_u64).sum()
    });
    let time = sum(&timed, |phase| {
        let number = |value: &Value| value.as_u64().unwrap_or_default();
        number(&phase["calls"]) * number(&phase["latency_ns"]["p50"])
    });
    let requests = requests as u64;
    Ok((fuel / requests, time / requests, calls as f64 / requests as f64))
}

fn is_of_a_request(phase: Phase) -> bool {
    !matches!(phase, Phase::VmStart | Phase::Configure | Phase::Tick | Phase::QueueReady)
}

/// The bench host as a user runs it: a release build, whatever this program is.
fn bench_host() -> Command {
    let mut command = Command::new("cargo");
    command.args(["bench-host"]).current_dir(chunkwise_tests::root());
    command
}
