//! Redis commands, which Higress adds.

use bench_host::host::{Profile, Settings};
use bench_host::testing::TestHost;

use chunkwise_tests::guest::{host_in, log, logging, stream_log};

use super::snippets::*;
use super::steps::*;

const REDIS: &str = r#"
    [cluster.redis]
    latency = "2ms"
    [[cluster.redis.redis]]
    command = "GET"
    args = ["k"]
    string = "value"
    [[cluster.redis.redis]]
    command = "GET"
    args = ["none"]
    nil = true
    [[cluster.redis.redis]]
    command = "GET"
    args = ["late"]
    latency = "80ms"
    string = "late"
    [[cluster.redis.redis]]
    command = "GET"
    args = ["down"]
    fail = "connect"
    [[cluster.redis.redis]]
    command = "GET"
    args = ["wrong"]
    error = "ERR no"
    [cluster.auth]
    latency = "3ms"
    [[cluster.auth.http]]
"#;

fn host(script: &[(&str, &str)]) -> TestHost {
    host_in(&logging(script), Settings::new(Profile::Higress), world(REDIS))
}

fn init(cluster: &str) -> String {
    format!("(call $status 'init' (call $proxy_redis_init '{cluster}' '' '' (i32.const 50)))")
}

fn get(cluster: &str, key: &str) -> String {
    let length = key.len();
    format!(
        r"(call $status 'redis_call' (call $proxy_redis_call '{cluster}'
            '*2\0d\0a$3\0d\0aGET\0d\0a${length}\0d\0a{key}\0d\0a' (i32.const 8)))
        (call $status 'token' (i32.load (i32.const 8)))"
    )
}

/// Asks from request headers, stops everything, and logs the answer.
fn asking(key: &str) -> TestHost {
    let init = answering(&init("redis?db=0"), 1);
    let ask = answering(&get("redis", key), 4);
    let then = [effective(2), body(9), resume(0)].concat();
    host(&[("configure", &init), ("request_headers", &ask), ("redis_call_response", &then)])
}

#[test]
fn an_answer_comes_as_it_is_on_the_wire() {
    let mut host = asking("k");
    let id = request(host.slot(), false);
    data(host.slot(), id, Request, "ab", true);
    pass(host.slot(), 1);
    assert_eq!(received(host.slot(), id, Request), "nothing []");
    pass(host.slot(), 1);
    assert_eq!(received(host.slot(), id, Request), "headers [ab] end");
    insta::assert_snapshot!(log(&mut host).replace("\r\n", "~"), @"
    context_create 1 0
    vm_start 1 0
    configure 1 3
    init 0
    context_create 2 1
    request_headers 2 4 0
    redis_call 0
    token 7
    redis_call_response 1 7 0 11
    effective 0
    body=$5~value~
    continue 0
    request_body 2 2 1
    ");
}

#[test]
fn an_error_of_redis_is_an_answer() {
    for (key, answer) in
        [("none", "0 5\neffective 0\nbody=$-1~"), ("wrong", "0 9\neffective 0\nbody=-ERR no~")]
    {
        let mut host = asking(key);
        request(host.slot(), true);
        pass(host.slot(), 10);
        let log = stream_log(&mut host).replace("\r\n", "~");
        assert!(log.contains(&format!("redis_call_response 1 7 {answer}\n")), "{log}");
    }
}

#[test]
fn no_connection_and_no_answer_in_time_are_told_apart_from_answers() {
    for (key, before) in [("down", 2), ("late", 50)] {
        let mut host = asking(key);
        let id = request(host.slot(), true);
        pass(host.slot(), before - 1);
        assert_eq!(received(host.slot(), id, Request), "nothing []");
        pass(host.slot(), 1000);
        assert_eq!(received(host.slot(), id, Request), "headers [] end");
        let log = stream_log(&mut host);
        let (_, answer) = log.split_once("token 7\n").unwrap();
        assert!(answer.starts_with("redis_call_response 1 7 1 0\neffective 0\nbody"), "{log}");
        assert_eq!(log.matches("redis_call_response").count(), 1);
    }
}

#[test]
fn a_cluster_has_to_be_there_and_initialised() {
    let calls = [init("other"), get("redis", "k"), get("other", "k")];
    let mut host = host(&[("request_headers", &answering(&calls.concat(), 0))]);
    request(host.slot(), true);
    insta::assert_snapshot!(stream_log(&mut host), @"
    request_headers 2 4 1
    init 2
    redis_call 10
    token 0
    redis_call 2
    token 0
    ");
}

#[test]
fn tokens_say_of_which_kind_a_call_is() {
    let calls = [
        http_call("auth", "/", 500),
        get("redis", "k"),
        http_call("auth", "/", 500),
        get("redis", "k"),
    ];
    let script = [
        ("configure", &*answering(&init("redis"), 1)),
        ("request_headers", &answering(&calls.concat(), 0)),
    ];
    let mut host = host(&script);
    request(host.slot(), true);
    pass(host.slot(), 10);
    insta::assert_snapshot!(stream_log(&mut host), @"
    request_headers 2 4 1
    http_call 0
    token 4
    redis_call 0
    token 7
    http_call 0
    token 8
    redis_call 0
    token 11
    redis_call_response 1 7 0 11
    redis_call_response 1 11 0 11
    http_call_response 1 4 1 0 0
    http_call_response 1 8 1 0 0
    ");
}

#[test]
fn the_answer_outlives_the_client() {
    let mut host = asking("k");
    let id = request(host.slot(), true);
    close(host.slot(), id);
    pass(host.slot(), 10);
    insta::assert_snapshot!(stream_log(&mut host).replace("\r\n", "~"), @"
    request_headers 2 4 1
    redis_call 0
    token 7
    log 2
    done 2
    delete 2
    redis_call_response 1 7 0 11
    effective 2
    body=$5~value~
    continue 0
    ");
}
