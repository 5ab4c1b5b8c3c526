//! What guests keep in the host: properties, queues, metrics; and foreign functions.

use bench_host::testing::{Answer, Call};

use super::guest::{HIGRESS, host, limited, logging, stream_log};

const IMPORTS: &str = r#"
(import "env" "proxy_call_foreign_function" (func $foreign (param i32 i32 i32 i32 i32 i32) (result i32)))
(import "env" "proxy_set_property" (func $set_property (param i32 i32 i32 i32) (result i32)))
(import "env" "proxy_get_property" (func $get_property (param i32 i32 i32 i32) (result i32)))
(import "env" "proxy_register_shared_queue" (func $register (param i32 i32 i32) (result i32)))
(import "env" "proxy_resolve_shared_queue" (func $resolve (param i32 i32 i32 i32 i32) (result i32)))
(import "env" "proxy_enqueue_shared_queue" (func $enqueue (param i32 i32 i32) (result i32)))
(import "env" "proxy_dequeue_shared_queue" (func $dequeue (param i32 i32 i32) (result i32)))
"#;

/// A guest that runs this in its request's headers; what it logged there.
fn run(code: &str) -> String {
    let body = format!(
        "{HIGRESS}{IMPORTS}{}",
        logging(&[("request_headers", &format!("{code} (i32.const 0)"))])
    );
    let mut host = host(&body);
    host.send(Call::get("/a?b=c")).unwrap();
    let log = stream_log(&mut host);
    let lines = log.lines().skip(1).take_while(|line| !line.starts_with("response_headers"));
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn a_foreign_function_gives_its_result_where_the_guest_wants_it() {
    let log = run(r#"
        (i32.store (i32.const 16) (i32.const 9))
        (call $status 'level' (call $foreign 'get_log_level'
            (i32.const 0) (i32.const 0) (i32.const 12) (i32.const 16)))
        (call $status 'bytes' (i32.load (i32.const 16)))
        (call $status 'value' (i32.load (i32.load (i32.const 12))))
        (call $status 'nowhere' (call $foreign 'get_log_level'
            (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)))
        (call $status 'unknown' (call $foreign 'of_the_future'
            (i32.const 0) (i32.const 0) (i32.const 12) (i32.const 16)))
        (call $status 'bytes' (i32.load (i32.const 16)))
        (call $status 'outside' (call $foreign 'get_log_level'
            (i32.const 0) (i32.const 0) (i32.const -1) (i32.const 16)))
        (call $status 'outside' (call $foreign 'compress'
            (i32.const -1) (i32.const 2) (i32.const 12) (i32.const 16)))"#);
    insta::assert_snapshot!(log, @"
    level 0
    bytes 4
    value 0
    nowhere 0
    unknown 1
    bytes 0
    outside 6
    outside 6
    ");
}

#[test]
fn an_expression_is_made_evaluated_and_deleted() {
    let log = run(r#"
        (call $status 'create' (call $foreign 'expr_create'
            'request.query' (i32.const 12) (i32.const 16)))
        (call $status 'evaluate' (call $foreign 'expr_evaluate'
            (i32.load (i32.const 12)) (i32.const 4) (i32.const 20) (i32.const 24)))
        (call $say (i32.load (i32.const 20)) (i32.load (i32.const 24)))
        (call $status 'delete' (call $foreign 'expr_delete'
            (i32.load (i32.const 12)) (i32.const 4) (i32.const 20) (i32.const 24)))
        (call $status 'evaluate' (call $foreign 'expr_evaluate'
            (i32.load (i32.const 12)) (i32.const 4) (i32.const 20) (i32.const 24)))"#);
    insta::assert_snapshot!(log, @"
    create 0
    evaluate 0
    b=c
    delete 0
    evaluate 1
    ");
}

#[test]
fn queues_are_found_by_name_and_keep_order() {
    let log = run(r#"
        (call $status 'resolve' (call $resolve
            (i32.const 0) (i32.const 0) 'queue' (i32.const 8)))
        (call $status 'register' (call $register 'queue' (i32.const 8)))
        (call $status 'resolve' (call $resolve
            (i32.const 0) (i32.const 0) 'queue' (i32.const 8)))
        (call $status 'elsewhere' (call $resolve 'other_vm' 'queue' (i32.const 12)))
        (call $status 'enqueue' (call $enqueue (i32.load (i32.const 8)) 'first'))
        (call $status 'dequeue' (call $dequeue
            (i32.load (i32.const 8)) (i32.const 16) (i32.const 20)))
        (call $say (i32.load (i32.const 16)) (i32.load (i32.const 20)))
        (call $status 'dequeue' (call $dequeue
            (i32.load (i32.const 8)) (i32.const 16) (i32.const 20)))"#);
    insta::assert_snapshot!(log, @"
    resolve 1
    register 0
    resolve 0
    elsewhere 1
    enqueue 0
    dequeue 0
    first
    dequeue 7
    queue_ready 1 1
    ");
}

#[test]
fn a_plugin_raises_the_limit_of_its_stream() {
    let raise = "(drop (call $set_property 'set_encoder_buffer_limit' '10')) (i32.const 0)";
    let hold = "(if (result i32) (local.get 2) (then (i32.const 0)) (else (i32.const 1)))";
    let send = |answer: Answer, raise| {
        let script = [("request_headers", raise), ("request_body", hold), ("response_body", hold)];
        let mut host = limited(&format!("{HIGRESS}{IMPORTS}{}", logging(&script)), 5);
        let call = Call::post("/").chunks(["12345", "678"]).answer(answer);
        host.send(call).unwrap()
    };
    let answer = || Answer::new(200).chunks(["12345", "67890"]);
    let outcome = send(answer(), raise);
    assert_eq!(outcome.upstream.text(), "12345678", "one limit holds for both directions");
    assert_eq!(outcome.downstream.text(), "1234567890");
    let outcome = send(Answer::new(200).chunks(["12345", "678901"]), raise);
    assert!(outcome.reset || outcome.replied_locally, "{outcome:?}");
    assert!(send(answer(), "(i32.const 0)").replied_locally);
}
