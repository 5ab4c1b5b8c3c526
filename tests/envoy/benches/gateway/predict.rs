//! What the bench host says of the same traffic.

use std::error::Error;
use std::fs;
use std::process::Command;

use bench_host::measure::Phase;
use envoy_tests::Bootstrap;
use envoy_tests::figures::Predicted;
use serde_json::Value;

use crate::cases::Case;
use crate::plugins::{configuration, script};

/// Requests a virtual second, so that time passes for what a timer fetches.
const RATE: &str = "20";
/// Runs that take time.
const TIMED: usize = 3;

/// What a request costs there. Timers are left out of the counters: how many of them fire for a
/// request depends on the load.
pub fn predict(case: &Case, plugin: &str, requests: usize) -> Result<Predicted, Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let path = |name| folder.path().join(name);
    fs::write(path("traffic.jsonl"), &case.line)?;
    fs::write(path("config.json"), configuration(plugin)?)?;
    fs::write(path("upstreams.toml"), script(plugin))?;
    let module = chunkwise_tests::module(plugin);
    // As Envoy has it in this example.
    let stops = Bootstrap::of_example(plugin)?.text().contains("allow_on_headers_stop_iteration");
    let run = |flags: &[&str]| -> Result<Value, Box<dyn Error>> {
        let mut command = bench_host();
        command.arg("replay").arg(&module);
        command.args(stops.then_some("--allow-stop-iteration"));
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
    let timed = (0..TIMED).map(|_| run(&["--no-fuel"])).collect::<Result<Vec<_>, _>>()?;
    let sum = |run: &Value, of: fn(&Value) -> f64| -> f64 {
        let phases = Phase::ALL.into_iter().filter(|phase| is_of_a_request(*phase));
        phases.map(|phase| of(&run["phases"][phase.name()])).sum()
    };
    let fuel = sum(&counted, |phase| phase["fuel"]["total"].as_f64().unwrap_or_default());
    let calls = sum(&counted, |phase| {
        let calls = phase["host_calls"].as_object().map(|calls| calls.values());
        calls.into_iter().flatten().filter_map(Value::as_f64).sum()
    });
    let time = |run| {
        sum(run, |phase| {
            let number = |value: &Value| value.as_f64().unwrap_or_default();
            number(&phase["calls"]) * number(&phase["latency_ns"]["mean"])
        })
    };
    // What else the machine did can only have made it longer.
    let time = timed.iter().map(time).fold(f64::INFINITY, f64::min);
    let requests = requests as f64;
    Ok(Predicted {
        fuel: (fuel / requests).round() as u64,
        nanoseconds: (time / requests).round() as u64,
        host_calls: calls / requests,
    })
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
