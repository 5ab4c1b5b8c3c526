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

/// Requests with a body ask for a new VM and for something that takes three seconds; others pass.
fn asking() -> String {
    let ask = [property("wasm_need_rebuild", "true"), http_call("auth", "/", 10_000)].concat();
    format!(
        "(if (result i32) (local.get 2)
            (then (i32.const 0)) (else {ask} (i32.const 4)))"
    )
}

fn waiting() -> Slot<'static> {
    let then = [effective(2), resume(0)].concat();
    worker(&[("request_headers", &asking()), ("http_call_response", &then)])
}

#[test]
fn streams_end_in_the_vm_in_which_they_began() {
    let mut slot = waiting();
    let slow = request(&mut slot, false);
    // The wish is looked at by a timer, not by the next stream.
    let before = request(&mut slot, true);
    assert_eq!(before.context, 3);
    close(&mut slot, before);
    assert_eq!((slot.vms(), slot.rebuilds()), (1, 0));

    pass(&mut slot, 1000);
    assert_eq!((slot.vms(), slot.rebuilds()), (2, 1));
    let after = request(&mut slot, true);
    assert_eq!(after.context, 2);
    assert_eq!(received(&mut slot, slow, Request), "nothing []");

    pass(&mut slot, 2000);
    assert_eq!(received(&mut slot, slow, Request), "headers []");
    data(&mut slot, slow, Request, "ab", true);
    assert_eq!(received(&mut slot, slow, Request), "headers [ab] end");
    close(&mut slot, slow);
    close(&mut slot, after);

    let ended = slot.finish();
    assert_eq!(ended.len(), 2);
    insta::assert_snapshot!(logged(&ended[0]), @"
    context_create 1 0
    vm_start 1 0
    configure 1 3
    context_create 2 1
    request_headers 2 4 0
    property 0
    http_call 0
    token 4
    context_create 3 1
    request_headers 3 4 1
    log 3
    done 3
    delete 3
    http_call_response 1 4 1 0 0
    effective 0
    continue 0
    request_body 2 2 1
    log 2
    done 2
    delete 2
    done 1
    delete 1
    ");
    insta::assert_snapshot!(logged(&ended[1]), @"
    context_create 1 0
    vm_start 1 0
    configure 1 3
    context_create 2 1
    request_headers 2 4 1
    log 2
    done 2
    delete 2
    ");
}

#[test]
fn a_worker_has_at_most_one_old_vm() {
    let mut slot = waiting();
    let first = request(&mut slot, false);
    pass(&mut slot, 1000);
    let second = request(&mut slot, false);
    assert_eq!((slot.vms(), second.context), (2, 2));
    pass(&mut slot, 10_000);
    assert_eq!((slot.vms(), slot.rebuilds()), (2, 1));
    close(&mut slot, first);
    pass(&mut slot, 1000);
    assert_eq!((slot.vms(), slot.rebuilds()), (3, 2));
    // The second stream is still in the second VM, which is old now.
    let third = request(&mut slot, true);
    assert_eq!(third.context, 2);
    data(&mut slot, second, Request, "ab", true);
    assert_eq!(received(&mut slot, second, Request), "headers [ab] end");
    assert!(log_of(&mut slot, second).contains("http_call_response 1 4 1 0 0\n"));
    assert!(!log_of(&mut slot, third).contains("http_call_response"));
}

#[test]
fn any_value_asks_for_it() {
    for value in ["true", "false", "", "0"] {
        let ask = answering(&property("wasm_need_rebuild", value), 0);
        let mut slot = worker(&[("request_headers", &ask)]);
        let id = request(&mut slot, true);
        close(&mut slot, id);
        pass(&mut slot, 1000);
        assert_eq!(slot.rebuilds(), 1, "{value}");
        pass(&mut slot, 5000);
        assert_eq!(slot.rebuilds(), 1, "{value}");
    }
}

#[test]
fn a_stock_envoy_knows_no_such_wish() {
    let ask = answering(&property("wasm_need_rebuild", "true"), 0);
    let mut slot = worker_of(Profile::Envoy, &[("request_headers", &ask)]);
    let id = request(&mut slot, true);
    close(&mut slot, id);
    pass(&mut slot, 5000);
    assert_eq!((slot.vms(), slot.rebuilds()), (1, 0));
}

const GET: &str = "(call $status 'get' (call $proxy_get_shared_data 'k'
    (i32.const 0) (i32.const 4) (i32.const 8)))";

const SET: &str = "(call $status 'set' (call $proxy_set_shared_data 'k' 'v' (i32.const 0)))";

#[test]
fn shared_data_stays_and_globals_do_not() {
    let configure = format!(
        "{GET} (global.set $count (i32.add (global.get $count) (i32.const 1)))
        (call $status 'count' (global.get $count)) (i32.const 1)"
    );
    let ask = [SET, &property("wasm_need_rebuild", "1")].concat();
    let script = [("configure", &*configure), ("request_headers", &answering(&ask, 0))];
    let module = format!("{HIGRESS}(global $count (mut i32) (i32.const 0)){}", logging(&script));
    let mut slot = slot(&module, Settings::new(Profile::Higress), world(""));
    let id = request(&mut slot, true);
    close(&mut slot, id);
    pass(&mut slot, 1000);
    let ended = slot.finish();
    assert!(logged(&ended[0]).contains("configure 1 3\nget 1\ncount 1\n"));
    insta::assert_snapshot!(logged(&ended[1]), @"
    context_create 1 0
    vm_start 1 0
    configure 1 3
    get 0
    count 1
    ");
}

/// A VM that refuses its configuration replaces nothing; the one that is there goes on.
#[test]
fn a_rebuild_that_fails_changes_nothing() {
    let configure = "(i32.ne (i32.const 0) (call $proxy_get_shared_data 'k'
        (i32.const 0) (i32.const 4) (i32.const 8)))";
    let ask = [SET, &property("wasm_need_rebuild", "1")].concat();
    let script = [("configure", configure), ("request_headers", &answering(&ask, 0))];
    let mut slot = worker(&script);
    let id = request(&mut slot, true);
    pass(&mut slot, 5000);
    assert_eq!(slot.rebuilds(), 0);
    let other = request(&mut slot, true);
    assert_eq!(other.context, 3);
    assert_eq!(received(&mut slot, other, Request), "headers [] end");
    close(&mut slot, id);
    close(&mut slot, other);
    assert!(slot.crashes().is_empty());
}
