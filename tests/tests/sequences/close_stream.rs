//! Replies, and the contexts that they act on.

use bench_host::testing::Call;

use chunkwise_tests::guest::stream_log;

use super::local_reply::{full, host};
use super::snippets::*;

#[test]
fn closing_a_response_keeps_its_details() {
    let close = "(call $status 'close' (call $proxy_close_stream (i32.const 1))) (i32.const 0)";
    let mut host = host(&[("response_body", close)]);
    let outcome = host.send(full()).unwrap();
    assert!(outcome.reset);
    assert_eq!(outcome.details, "via_upstream");
    insta::assert_snapshot!(stream_log(&mut host), @"
    request_headers 2 4 0
    request_body 2 2 0
    request_trailers 2 1
    response_headers 2 2 0
    response_body 2 3 0
    close 0
    log 2
    done 2
    delete 2
    ");
}

/// Context 0 is the VM's own: acting on it is acting on nobody else.
#[test]
fn the_context_of_the_vm_is_known() {
    let look = [effective(0), header(0, ":path"), effective(99), header(0, ":path")].concat();
    let mut host = host(&[("request_headers", &answering(&look, 0))]);
    host.send(Call::get("/")).unwrap();
    insta::assert_snapshot!(stream_log(&mut host), @"
    request_headers 2 4 1
    effective 0
    :path=/
    effective 2
    :path=/
    response_headers 2 1 1
    log 2
    done 2
    delete 2
    ");
}
