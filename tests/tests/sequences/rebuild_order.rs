//! A VM that is replaced while it works: Higress's proactive rebuild.

use bench_host::host::{Profile, Settings, Slot};

use chunkwise_tests::guest::{HIGRESS, logging};

use super::snippets::*;
use super::steps::*;

const SLOW: &str = r#"
    [cluster.auth]
    latency = "3s"
    [[cluster.auth.http]]
"#;

fn worker_of(profile: Profile, script: &[(&str, &str)]) -> Slot<'static> {
    slot(&format!("{HIGRESS}{}", logging(script)), Settings::new(profile), world(SLOW))
}

fn worker(script: &[(&str, &str)]) -> Slot<'static> {
    worker_of(Profile::Higress, script)
}

/// A wish is looked at every second, also when more than a second passes at once.
#[test]
fn time_that_passes_at_once_is_looked_into() {
    let script = [
        ("configure", &*answering(&tick_period(400), 1)),
        ("request_headers", &answering(&property("wasm_need_rebuild", "1"), 0)),
    ];
    let mut slot = worker(&script);
    let id = request(&mut slot, true);
    close(&mut slot, id);
    pass(&mut slot, 2000);
    let ended = slot.finish();
    let ticks = |log: String| log.matches("tick 1").count();
    assert_eq!((ticks(logged(&ended[0])), ticks(logged(&ended[1]))), (2, 2));
}

/// The old VM has to do with what its root context still wants.
#[test]
fn an_old_root_context_can_put_its_end_off() {
    let finish = "(call $status 'finish' (call $proxy_done))";
    let script = [
        ("request_headers", &*answering(&property("wasm_need_rebuild", "1"), 0)),
        ("done", &answering(&when(&is(0, 1), &http_call("auth", "/", 0)), 0)),
        ("http_call_response", finish),
    ];
    let mut slot = worker(&script);
    let id = request(&mut slot, true);
    close(&mut slot, id);
    pass(&mut slot, 1000);
    pass(&mut slot, 5000);
    let ended = slot.finish();
    insta::assert_snapshot!(logged(&ended[0]), @"
    context_create 1 0
    vm_start 1 0
    configure 1 3
    context_create 2 1
    request_headers 2 4 1
    property 0
    log 2
    done 2
    delete 2
    done 1
    http_call 0
    token 4
    http_call_response 1 4 1 0 0
    finish 0
    delete 1
    ");
}

/// The stream keeps its own root context alive, and not the other one of its VM.
#[test]
fn a_root_context_without_streams_ends_when_its_vm_is_replaced() {
    let ask = answering(&property("wasm_need_rebuild", "1"), 0);
    let mut slot = worker(&[("request_headers", &ask)]);
    let old = request(&mut slot, true);
    slot.configure("other".into()).unwrap();
    pass(&mut slot, 1000);
    let new = request(&mut slot, true);
    insta::assert_snapshot!(log_of(&mut slot, new), @"
    context_create 1 0
    vm_start 1 0
    configure 1 5
    context_create 2 1
    request_headers 2 4 1
    property 0
    ");
    close(&mut slot, old);
    let ended = slot.finish();
    insta::assert_snapshot!(logged(&ended[0]).split_once("property 0\n").unwrap().1, @"
    context_create 3 0
    vm_start 3 0
    configure 3 5
    done 3
    delete 3
    log 2
    done 2
    delete 2
    done 1
    delete 1
    ");
}
