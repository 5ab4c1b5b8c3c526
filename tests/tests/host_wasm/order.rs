//! Which callbacks are made, in which order and with which arguments.

use bench_host::testing::{Answer, Call};

use super::guest::{host, log, logging, module, start_error, stream_log};

fn callbacks(call: Call) -> String {
    let mut host = host(&logging(&[]));
    host.send(call).unwrap();
    stream_log(&mut host)
}

#[test]
fn a_stream_passes_its_callbacks_in_the_order_of_envoy() {
    let mut host = host(&logging(&[]));
    let answer = Answer::new(200).header("server", "x").chunks(["xyz", "!"]).trailer("t", "1");
    host.send(Call::post("/").chunks(["ab", "cde"]).answer(answer)).unwrap();
    insta::assert_snapshot!(log(&mut host), @"
    context_create 1 0
    vm_start 1 0
    configure 1 3
    context_create 2 1
    request_headers 2 4 0
    request_body 2 2 0
    request_body 2 3 1
    response_headers 2 2 0
    response_body 2 3 0
    response_body 2 1 0
    response_trailers 2 1
    log 2
    done 2
    delete 2
    ");
}

#[test]
fn without_bodies_headers_end_the_messages() {
    insta::assert_snapshot!(callbacks(Call::get("/")), @"
    request_headers 2 4 1
    response_headers 2 1 1
    log 2
    done 2
    delete 2
    ");
}

#[test]
fn http1_ends_every_body_with_an_empty_frame() {
    let call = Call::post("/").http1().chunks(["ab", "c"]);
    insta::assert_snapshot!(callbacks(call.answer(Answer::new(200).body("xyz"))), @"
    request_headers 2 4 0
    request_body 2 2 0
    request_body 2 1 0
    request_body 2 0 1
    response_headers 2 2 0
    response_body 2 3 0
    response_body 2 0 1
    log 2
    done 2
    delete 2
    ");
}

/// HTTP/1 says with one more header that a response has no length.
fn with_framing(callbacks: &str) -> String {
    callbacks.replace("response_headers 2 1 0", "response_headers 2 2 0")
}

#[test]
fn an_empty_body_is_one_empty_frame() {
    let both = |call: Call| callbacks(call.body("").answer(Answer::new(200).body("")));
    let http2 = both(Call::post("/"));
    insta::assert_snapshot!(http2, @"
    request_headers 2 4 0
    request_body 2 0 1
    response_headers 2 1 0
    response_body 2 0 1
    log 2
    done 2
    delete 2
    ");
    assert_eq!(both(Call::post("/").http1()), with_framing(&http2));
}

#[test]
fn trailers_end_a_message_instead_of_its_body() {
    let both = |call: Call| {
        let call = call.body("ab").trailer("a", "1").trailer("b", "2");
        callbacks(call.answer(Answer::new(200).trailer("grpc-status", "0")))
    };
    let http2 = both(Call::post("/"));
    insta::assert_snapshot!(http2, @"
    request_headers 2 4 0
    request_body 2 2 0
    request_trailers 2 2
    response_headers 2 1 0
    response_trailers 2 1
    log 2
    done 2
    delete 2
    ");
    assert_eq!(both(Call::post("/").http1()), with_framing(&http2));
}

#[test]
fn interleaved_streams_alternate_and_have_contexts_of_their_own() {
    let mut host = host(&logging(&[]));
    host.interleave([Call::post("/").body("ab"), Call::get("/")]).unwrap();
    insta::assert_snapshot!(stream_log(&mut host), @"
    context_create 3 1
    request_headers 2 4 0
    request_headers 3 4 1
    request_body 2 2 1
    response_headers 3 1 1
    response_headers 2 1 1
    log 2
    done 2
    delete 2
    log 3
    done 3
    delete 3
    ");
}

#[test]
fn contexts_are_not_used_again() {
    let mut host = host(&logging(&[]));
    for _ in 0..3 {
        host.send(Call::get("/")).unwrap();
    }
    let log = log(&mut host);
    let created: Vec<_> = log.lines().filter(|line| line.starts_with("context_create")).collect();
    assert_eq!(
        created,
        ["context_create 1 0", "context_create 2 1", "context_create 3 1", "context_create 4 1"]
    );
}

#[test]
fn a_plugin_without_callbacks_lets_everything_pass() {
    let mut host = host("");
    let answer = Answer::new(204).body("xyz").trailer("t", "1");
    let outcome = host.send(Call::post("/").chunks(["ab", "c"]).answer(answer)).unwrap();
    assert_eq!((outcome.upstream.text(), outcome.downstream.text()), ("abc".into(), "xyz".into()));
    assert_eq!(outcome.downstream.trailers.len(), 1);
    assert_eq!(outcome.details, "via_upstream");
    assert!(!outcome.replied_locally && !outcome.reset);
}

#[test]
fn a_callback_of_another_type_is_refused() {
    let body = r#"(func (export "proxy_on_request_headers") (param i64) (result i32)
        (unreachable))"#;
    insta::assert_snapshot!(start_error(&module(body)), @"the plugin does not load: its proxy_on_request_headers is (i64) -> i32, and not what its ABI version says; proxies refuse it too");
    let body = r#"(func (export "proxy_on_log") (result i32) (unreachable))"#;
    insta::assert_snapshot!(start_error(&module(body)), @"the plugin does not load: its proxy_on_log is () -> i32, and not what its ABI version says; proxies refuse it too");
}

#[test]
fn header_callbacks_have_the_parameters_of_their_abi_version() {
    let callback = |name: &str, params: &str| {
        format!(
            r#"(func (export "proxy_on_{name}_headers") (param {params}) (result i32)
                (i32.const 0))"#
        )
    };
    for (version, right, wrong) in
        [("0_1_0", "i32 i32", "i32 i32 i32"), ("0_2_0", "i32 i32 i32", "i32 i32")]
    {
        let marker = format!(r#"(func (export "proxy_abi_version_{version}"))"#);
        for wrong_one in ["request", "response"] {
            let guest = |params| {
                let other = if wrong_one == "request" { "response" } else { "request" };
                [&*marker, &*callback(wrong_one, params), &*callback(other, right)].concat()
            };
            assert_eq!(host(&guest(right)).send(Call::get("/")).unwrap().details, "via_upstream");
            let error = start_error(&module(&guest(wrong))).to_string();
            let params = wrong.replace(' ', ", ");
            let says = format!("its proxy_on_{wrong_one}_headers is ({params}) -> i32");
            assert!(error.contains(&says), "{error}");
        }
    }
}

#[test]
fn what_is_no_function_is_as_good_as_none() {
    let mut host = host(r#"(global (export "proxy_on_request_body") i32 (i32.const 0))"#);
    assert!(host.send(Call::post("/").body("ab")).unwrap().downstream.ended);
}
