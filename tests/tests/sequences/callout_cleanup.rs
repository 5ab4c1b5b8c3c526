//! What is left of a call when its callback has ended.

use bench_host::testing::Call;

use chunkwise_tests::guest::stream_log;

use super::callout::host;
use super::snippets::*;

/// What arrived for a call is there for the callback that it is for, and for none after it.
#[test]
fn an_answer_is_gone_when_its_callback_ends() {
    let ask = answering(&http_call("auth", "/ok", 500), 4);
    let then = [effective(2), body(4), resume(0)].concat();
    let look = answering(&[body(4), header(6, ":status")].concat(), 0);
    let script =
        [("request_headers", &*ask), ("http_call_response", &then), ("request_body", &look)];
    let mut host = host(&script);
    host.send(Call::post("/").body("ab")).unwrap();
    insta::assert_snapshot!(stream_log(&mut host), @"
    request_headers 2 4 0
    http_call 0
    token 4
    http_call_response 1 4 2 3 0
    effective 0
    body=yes
    continue 0
    request_body 2 2 1
    body fails 1
    :status fails 2
    response_headers 2 1 1
    log 2
    done 2
    delete 2
    ");
}
