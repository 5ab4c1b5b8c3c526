//! The result file: what a replay found, as `--json` writes it.
//!
//! `docs/results.md` says what each key means. Keys beyond those that scripts may rely on are
//! optional when read, so that other programs can write results too.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::layout;
use crate::leak::LeakCheck;
use crate::measure::{Percentiles, Phase};

/// All that a replay found.
///
/// Everything but keys that end in `_ns`, and `cpu`, is the same in every run on every machine for
/// the same module, traffic and options.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ResultFile {
    /// [`ResultFile::SCHEMA`].
    pub schema: u32,
    /// What was replayed through.
    pub plugin: PluginInfo,
    /// What ran it.
    pub host: HostInfo,
    /// How it was run; `None` only in files that something else wrote.
    #[serde(default)]
    pub options: Option<ReplayOptions>,
    /// What was replayed.
    pub traffic: TrafficInfo,
    /// What became of the requests.
    pub requests: RequestCounts,
    /// What callbacks cost, by [`Phase::name`]; every phase is there, even without calls.
    pub phases: BTreeMap<String, PhaseCosts>,
    /// Linear memory, and the plugin's own books.
    pub heap: HeapUse,
    /// Whether memory grows with requests; `None` only in files that something else wrote.
    #[serde(default)]
    pub leak: Option<LeakCheck>,
    /// The VMs that it took.
    pub vm: VmInfo,
    /// Calls to imports that do nothing in this host, by name.
    #[serde(default)]
    pub stubbed_imports: BTreeMap<String, u64>,
    /// Calls of the plugin that no rule of the upstreams answered.
    #[serde(default)]
    pub unmatched_calls: UnmatchedCalls,
    /// What the plugin wanted the host to keep beyond its budget, a line for each kind.
    #[serde(default)]
    pub refused: Vec<String>,
    /// What the plugin logged first.
    #[serde(default)]
    pub plugin_log: LogExcerpt,
}

/// Calls that no rule answered, and so failed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct UnmatchedCalls {
    /// How many.
    pub count: u64,
    /// The first ones that differ.
    pub first: Vec<String>,
}

/// The plugin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PluginInfo {
    /// The path as the user wrote it, or a native plugin's name.
    pub path: String,
    /// SHA-256 of the module, in hexadecimal.
    pub sha256: Option<String>,
    /// Length of the module.
    pub bytes: Option<u64>,
    /// The ABI version that it declares.
    pub abi: Option<String>,
    /// What built it, where that can be told.
    pub sdk: Option<SdkInfo>,
    /// Imports that no proxy offers: proxies refuse the module.
    #[serde(default)]
    pub not_offered: Vec<String>,
}

/// The SDK that a plugin was built with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SdkInfo {
    /// `chunkwise`, or `proxy-wasm` for the Rust crate of that name.
    pub name: String,
    /// Its version, where the module tells it.
    #[serde(default)]
    pub version: Option<String>,
    /// What was chosen at build time.
    #[serde(default)]
    pub settings: BTreeMap<String, String>,
}

/// The host and the machine under it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct HostInfo {
    /// `envoy` or `higress`.
    pub profile: String,
    /// `wasmtime` or `native`.
    pub engine: String,
    /// The engine's version.
    pub engine_version: String,
    /// The processor's model; differs between machines.
    pub cpu: String,
    /// Whether instructions were counted.
    pub fuel: bool,
}

/// How the trace was replayed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ReplayOptions {
    /// Streams that were open at once in a VM.
    pub streams: usize,
    /// VMs, each on a thread of its own.
    pub workers: usize,
    /// Repetitions of the trace.
    pub repeat: usize,
    /// The longest chunk of a body without recorded chunks.
    pub chunk_bytes: usize,
    /// Bytes that one direction of a stream may hold.
    pub buffer_limit_bytes: usize,
    /// Length of the plugin's configuration.
    pub configuration_bytes: usize,
    /// Requests a second; `None` is as fast as it goes.
    pub rate_per_second: Option<f64>,
    /// What becomes of streams when the plugin has failed.
    #[serde(default)]
    pub failure_policy: String,
    /// Whether `StopIteration` of header callbacks was what it says whatever the ABI.
    #[serde(default)]
    pub allow_stop_iteration: bool,
    /// `virtual`, or `wall` where timers and answers took the machine's time.
    #[serde(default)]
    pub clock: String,
}

/// The traffic, over all repetitions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct TrafficInfo {
    /// The path as the user wrote it, a `synth:` notation or `demo`.
    pub source: String,
    /// Requests.
    pub requests: u64,
    /// Body chunks of both directions that reached the plugin's filter.
    pub chunks: u64,
    /// Bytes in these chunks.
    pub bytes: u64,
    /// What to know before trusting the result, a sentence each.
    #[serde(default)]
    pub notes: Vec<String>,
}

/// What became of the requests.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RequestCounts {
    /// The client got a whole response.
    pub completed: u64,
    /// Among these, the plugin answered, or the proxy on its behalf.
    pub local_replies: u64,
    /// Cut off, or stuck.
    pub failed: u64,
    /// Why those failed, and how many of them.
    #[serde(default)]
    pub failed_because: BTreeMap<String, u64>,
    /// How long whole requests took, from when they were due; `None` where time was not taken.
    #[serde(default)]
    pub latency_ns: Option<Percentiles>,
}

/// What all callbacks of a phase cost.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PhaseCosts {
    /// Callbacks made.
    pub calls: u64,
    /// How long they took, zeros without calls; `None` where time was not taken.
    pub latency_ns: Option<Percentiles>,
    /// Instructions; `None` where they were not counted.
    pub fuel: Option<Fuel>,
    /// Host calls that were made, by import.
    pub host_calls: BTreeMap<String, u64>,
    /// Bytes that the host wrote into the plugin's memory.
    pub bytes_in: u64,
    /// Bytes that the host read out of the plugin's memory.
    pub bytes_out: u64,
    /// Allocations; `None` when the plugin keeps no books, or they were not read.
    pub guest: Option<GuestBooks>,
    /// Pages that linear memory grew by.
    pub pages_grown: u64,
}

/// Instructions by the engine's count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Fuel {
    /// Of all calls.
    pub total: u64,
    /// A call's share, to three decimals; 0 without calls.
    pub per_call: f64,
}

/// Allocations by the plugin's own books.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct GuestBooks {
    /// How many.
    pub allocations: u64,
    /// How many bytes.
    pub allocated_bytes: u64,
}

/// Memory, added up over workers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct HeapUse {
    /// Pages of 64 KiB once the plugin was configured.
    pub pages_initial: u64,
    /// Pages at the end.
    pub pages_final: u64,
    /// The most pages.
    pub pages_peak: u64,
    /// Allocated and not freed at the end, by the plugin's books.
    pub live_bytes: Option<u64>,
    /// The most that was ever allocated and not freed.
    pub live_peak: Option<u64>,
    /// Held by the arena at the end.
    pub arena_bytes: Option<u64>,
    /// Of the first worker: requests finished, pages, live bytes.
    pub timeline: Vec<(u64, u64, Option<u64>)>,
}

/// The VMs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct VmInfo {
    /// Made in all.
    pub created: u64,
    /// Replaced because the plugin asked for it.
    pub rebuilds: u64,
    /// Ended by a trap.
    pub crashes: u64,
    /// How long the first one took to make.
    pub instantiate_ns: u64,
    /// How long its start and configuration took.
    pub configure_ns: u64,
    /// The first crashes.
    #[serde(default)]
    pub crash_reasons: Vec<VmCrash>,
}

/// A VM that trapped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct VmCrash {
    /// The request, counted from 0; `None` outside of requests.
    pub request: Option<u64>,
    /// The export that was running.
    pub callback: String,
    /// What happened.
    pub reason: String,
    /// The plugin's stack, innermost first; empty where it is not known.
    pub stack: Vec<String>,
}

/// The first lines that a plugin logged.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct LogExcerpt {
    /// `level: message`.
    pub lines: Vec<String>,
    /// Lines by level, as far as the host kept them.
    #[serde(default)]
    pub levels: BTreeMap<String, u64>,
    /// Lines that are not in `lines`.
    pub dropped: u64,
}

impl HostInfo {
    /// A host that counts instructions.
    #[cfg(feature = "cli")]
    pub(crate) fn new(profile: &str, (engine, version): (&str, &str), cpu: &str) -> Self {
        Self {
            profile: profile.to_owned(),
            engine: engine.to_owned(),
            engine_version: version.to_owned(),
            cpu: cpu.to_owned(),
            fuel: true,
        }
    }
}

impl ResultFile {
    /// The version of the format.
    pub const SCHEMA: u32 = 1;

    /// The costs of a phase, if the file has it.
    #[must_use]
    pub fn phase(&self, phase: Phase) -> Option<&PhaseCosts> {
        self.phases.get(phase.name())
    }

    /// The file's text: indented JSON, keys always in the same order, a line feed at the end.
    #[must_use]
    pub fn to_json(&self) -> String {
        layout::json(self)
    }
}

impl PhaseCosts {
    /// Host calls of any kind.
    #[must_use]
    pub fn host_call_count(&self) -> u64 {
        self.host_calls.values().sum()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::super::fixture;

    /// Every key that scripts may rely on; `*` stands for each phase.
    const CONTRACT: &str = "
        schema
        plugin.path plugin.sha256 plugin.bytes plugin.abi plugin.sdk
        host.profile host.engine host.engine_version host.cpu host.fuel
        traffic.source traffic.requests traffic.chunks traffic.bytes
        requests.completed requests.local_replies requests.failed
        phases.*.calls
        phases.*.latency_ns.mean phases.*.latency_ns.p50 phases.*.latency_ns.p90
        phases.*.latency_ns.p99 phases.*.latency_ns.p999 phases.*.latency_ns.max
        phases.*.fuel.total phases.*.fuel.per_call
        phases.*.host_calls phases.*.bytes_in phases.*.bytes_out
        phases.*.guest.allocations phases.*.guest.allocated_bytes
        phases.*.pages_grown
        heap.pages_initial heap.pages_final heap.pages_peak
        heap.live_bytes heap.live_peak heap.arena_bytes heap.timeline
        vm.created vm.rebuilds vm.crashes vm.instantiate_ns vm.configure_ns";

    const PHASES: [&str; 9] = [
        "request_headers",
        "request_body",
        "request_trailers",
        "response_headers",
        "response_body",
        "response_trailers",
        "done",
        "tick",
        "call_response",
    ];

    #[test]
    fn every_key_of_the_contract_is_there() {
        let file: Value = serde_json::from_str(&fixture::busy().to_json()).unwrap();
        for key in CONTRACT.split_whitespace() {
            let phases: &[&str] = if key.contains('*') { &PHASES } else { &[""] };
            for phase in phases {
                let pointer = format!("/{}", key.replace('*', phase).replace('.', "/"));
                assert!(file.pointer(&pointer).is_some(), "{pointer} is missing");
            }
        }
        assert_eq!(file["schema"], 1);
        assert_eq!(file.get("gate"), None);
    }

    #[test]
    fn a_file_in_full() {
        let mut result = fixture::busy();
        result.phases.retain(|phase, _| phase == "request_body");
        insta::assert_snapshot!(result.to_json(), @r#"
        {
          "schema": 1,
          "plugin": {
            "path": "rebrand.wasm",
            "sha256": "93a44bbb96c751218e4c00d479e4c14358122a389acca16205b1e4d0dc5f9476",
            "bytes": 48640,
            "abi": "0.2.1",
            "sdk": {
              "name": "chunkwise",
              "version": "0.1.0",
              "settings": {
                "arena": "64KiB"
              }
            },
            "not_offered": []
          },
          "host": {
            "profile": "envoy",
            "engine": "wasmtime",
            "engine_version": "48.0.8",
            "cpu": "Some CPU @ 2.60GHz",
            "fuel": true
          },
          "options": {
            "streams": 1,
            "workers": 1,
            "repeat": 1,
            "chunk_bytes": 16384,
            "buffer_limit_bytes": 1048576,
            "configuration_bytes": 0,
            "rate_per_second": null,
            "failure_policy": "fail-closed",
            "allow_stop_iteration": false,
            "clock": "virtual"
          },
          "traffic": {
            "source": "synth:upload,size=64KiB,requests=2",
            "requests": 2,
            "chunks": 10,
            "bytes": 131072,
            "notes": []
          },
          "requests": {
            "completed": 2,
            "local_replies": 1,
            "failed": 0,
            "failed_because": {},
            "latency_ns": {
              "mean": 2311050.0,
              "p50": 2100000,
              "p90": 2310000,
              "p99": 2591400,
              "p999": 3150000,
              "max": 105000000
            }
          },
          "phases": {
            "request_body": {
              "calls": 10,
              "latency_ns": {
                "mean": 47321.5,
                "p50": 43000,
                "p90": 47300,
                "p99": 53062,
                "p999": 64500,
                "max": 2150000
              },
              "fuel": {
                "total": 132103,
                "per_call": 13210.3
              },
              "host_calls": {
                "proxy_get_buffer_bytes": 10,
                "proxy_set_buffer_bytes": 2
              },
              "bytes_in": 131070,
              "bytes_out": 80,
              "guest": {
                "allocations": 1,
                "allocated_bytes": 96
              },
              "pages_grown": 1
            }
          },
          "heap": {
            "pages_initial": 3,
            "pages_final": 4,
            "pages_peak": 4,
            "live_bytes": 2048,
            "live_peak": 12288,
            "arena_bytes": 65536,
            "timeline": [
              [0,3,1024],
              [1,4,2048],
              [2,4,2048]
            ]
          },
          "leak": {
            "verdict": "cannot-tell",
            "reason": "too few requests, 42 in one VM are needed: repeat more",
            "from_request": 0,
            "to_request": 2,
            "points": 3,
            "live_per_request": null,
            "memory_per_request": null
          },
          "vm": {
            "created": 1,
            "rebuilds": 0,
            "crashes": 0,
            "instantiate_ns": 350000,
            "configure_ns": 20000,
            "crash_reasons": []
          },
          "stubbed_imports": {},
          "unmatched_calls": {
            "count": 0,
            "first": []
          },
          "refused": [],
          "plugin_log": {
            "lines": [],
            "levels": {},
            "dropped": 0
          }
        }
        "#);
    }

    #[test]
    fn what_was_skipped_is_null_and_still_there() {
        let file: Value = serde_json::from_str(&fixture::bare().to_json()).unwrap();
        for phase in PHASES {
            for key in ["latency_ns", "fuel", "guest"] {
                assert_eq!(file["phases"][phase].get(key), Some(&Value::Null), "{phase}.{key}");
            }
        }
        for key in ["live_bytes", "live_peak", "arena_bytes"] {
            assert_eq!(file["heap"].get(key), Some(&Value::Null), "{key}");
        }
        assert_eq!(file["plugin"].get("sdk"), Some(&Value::Null));
    }
}
