//! What becomes of streams when the VM has failed, by the failure policy.

use std::num::NonZeroUsize;
use std::time::Duration;

use bench_host::host::{FailurePolicy, Profile, Settings};
use bench_host::replay::{Options, Run, replay};
use bench_host::testing::{Answer, Call, Outcome, TestHost};
use bench_host::traffic::Traffic;

use super::guest::{log, logging, plugin};

/// Traps in the request body of the second stream of every VM.
const SECOND: &str = "(if (i32.eq (local.get 0) (i32.const 3)) (then (unreachable))) (i32.const 0)";

const SECOND_AFTER: Duration = Duration::from_secs(1);

fn host(profile: Profile, failure_policy: FailurePolicy) -> TestHost {
    let settings = Settings { failure_policy, ..Settings::new(profile) };
    let plugin = plugin(&logging(&[("request_body", SECOND)]));
    TestHost::start(&plugin, settings, "cfg").unwrap()
}

fn call() -> Call {
    Call::post("/").chunks(["ab", "c"]).answer(Answer::new(200).body("xyz"))
}

fn send(host: &mut TestHost) -> Outcome {
    host.outcomes([call()]).pop().unwrap()
}

/// Lets time pass; a fault that is told here has been seen before.
fn pass(host: &mut TestHost, time: Duration) {
    drop(host.run_for(time));
}

fn failed(outcome: &Outcome) -> bool {
    let status = outcome.downstream.header(":status").unwrap();
    assert_eq!(status == "503", outcome.details == "wasm_fail_stream");
    assert_eq!(status == "503", !outcome.upstream.ended);
    status == "503"
}

#[test]
fn closed_is_closed_for_good() {
    let mut host = host(Profile::Envoy, FailurePolicy::FailClosed);
    assert!(!failed(&send(&mut host)));
    for _ in 0..3 {
        assert!(failed(&send(&mut host)));
        pass(&mut host, 10 * SECOND_AFTER);
    }
    // The dead VM is not called any more.
    assert!(log(&mut host).ends_with("request_body 3 2 0"), "{}", log(&mut host));
    assert_eq!((host.slot().crashes().len(), host.slot().vms()), (1, 1));
}

#[test]
fn open_passes_everything_without_the_plugin() {
    let mut host = host(Profile::Envoy, FailurePolicy::FailOpen);
    for _ in 0..4 {
        let outcome = send(&mut host);
        assert!(!failed(&outcome));
        assert_eq!(outcome.upstream.text(), "abc");
        assert_eq!(outcome.downstream.text(), "xyz");
    }
    assert_eq!((host.slot().crashes().len(), host.slot().vms()), (1, 1));
}

#[test]
fn reload_waits_for_its_back_off() {
    let mut host = host(Profile::Envoy, FailurePolicy::FailReload);
    assert!(!failed(&send(&mut host)));
    assert!(failed(&send(&mut host)));
    // Envoy counts from the first load.
    assert!(failed(&send(&mut host)));
    pass(&mut host, SECOND_AFTER);
    assert!(!failed(&send(&mut host)), "a new VM");
    assert!(failed(&send(&mut host)), "the second stream of the new VM");
    assert!(failed(&send(&mut host)), "not yet another one");
    assert_eq!((host.slot().crashes().len(), host.slot().vms()), (2, 2));
}

#[test]
fn higress_recovers_at_once_and_then_once_a_second() {
    let mut host = host(Profile::Higress, FailurePolicy::FailClosed);
    assert!(!failed(&send(&mut host)));
    assert!(failed(&send(&mut host)));
    assert!(!failed(&send(&mut host)), "the first recovery waits for nothing");
    assert!(failed(&send(&mut host)));
    assert!(failed(&send(&mut host)), "the next one waits a second");
    pass(&mut host, SECOND_AFTER);
    assert!(!failed(&send(&mut host)));
    assert_eq!((host.slot().crashes().len(), host.slot().vms()), (2, 3));
}

fn run(profile: Profile, requests: u32, streams: usize) -> Run {
    let plugin = plugin(&logging(&[("request_body", SECOND)]));
    let mut options = Options::new(Settings::new(profile));
    options.settings.log_level = bench_host::host::Level::Trace;
    options.streams = NonZeroUsize::new(streams).unwrap();
    let traffic = Traffic::open(&format!("synth:upload,size=10,requests={requests}")).unwrap();
    replay(&plugin, &traffic, &options, &|_| ()).unwrap()
}

#[test]
fn a_run_goes_on_and_names_the_request() {
    let run = run(Profile::Higress, 3, 1);
    assert_eq!((run.completed, run.failed, run.vms), (2, 1, 2));
    assert_eq!(run.crashes[0].request, Some(1));
    assert_eq!(run.crashes[0].fault.callback, "proxy_on_request_body");
    // The log of every VM is kept.
    let starts = run.log.iter().filter(|line| line.message == "configure 1 0");
    assert_eq!(starts.count(), 2);
}

#[test]
fn streams_that_are_open_fail_with_their_vm() {
    let run = run(Profile::Envoy, 8, 4);
    assert_eq!((run.completed, run.failed), (0, 8));
    assert_eq!((run.crashes.len(), run.vms), (1, 1));
}
