//! The end of a stream: access log, done, delete.

use bench_host::host::{Profile, Settings, World};
use bench_host::testing::{Answer, Call, TestHost};

use chunkwise_tests::guest::{host_in, logging, stream_log};

use super::snippets::*;
use super::steps::*;

fn host(script: &[(&str, &str)]) -> TestHost {
    host_in(&logging(script), Settings::new(Profile::Higress), World::default())
}

fn full() -> Call {
    let answer = Answer::new(200).header("x", "1").body("xyz").trailer("t", "2");
    Call::post("/").header("y", "3").body("ab").trailer("t", "4").answer(answer)
}

#[test]
fn headers_and_the_responses_trailers_can_be_read() {
    let look = [
        header(0, ":path"),
        header(0, "y"),
        header(0, "none"),
        header(2, ":status"),
        header(2, "x"),
        header(2, "none"),
        header(3, "t"),
        header(1, "t"),
    ];
    let mut host = host(&[("log", &look.concat())]);
    host.send(full()).unwrap();
    let log = stream_log(&mut host);
    insta::assert_snapshot!(log.split_once("response_trailers 2 1\n").unwrap().1, @"
    log 2
    :path=/
    y=3
    none fails 1
    :status=200
    x=1
    none fails 1
    t=2
    t fails 1
    done 2
    delete 2
    ");
}

#[test]
fn nothing_can_be_changed_but_properties() {
    let change = [add(0, "a", "b"), add(2, "a", "b"), property("custom_log", "z")];
    let mut host = host(&[("log", &change.concat())]);
    host.send(full()).unwrap();
    let log = stream_log(&mut host);
    insta::assert_snapshot!(log.split_once("response_trailers 2 1\n").unwrap().1, @"
    log 2
    add 2
    add 2
    property 0
    done 2
    delete 2
    ");
}

#[test]
fn what_was_set_before_is_there() {
    let look = "(drop (call $proxy_get_property 'custom_log' (i32.const 0) (i32.const 4)))
        (call $text 'set=') (call $text (i32.load (i32.const 0)) (i32.load (i32.const 4)))
        (call $flush)
        (drop (call $proxy_get_property 'response\\00code_details' (i32.const 0) (i32.const 4)))
        (call $text 'details=') (call $text (i32.load (i32.const 0)) (i32.load (i32.const 4)))
        (call $flush)";
    let set = answering(&property("custom_log", "z"), 0);
    let mut host = host(&[("response_headers", &set), ("log", look)]);
    host.send(full()).unwrap();
    let log = stream_log(&mut host);
    assert!(log.ends_with("log 2\nset=z\ndetails=via_upstream\ndone 2\ndelete 2"), "{log}");
}

#[test]
fn a_stream_without_headers_has_a_beginning_and_an_end() {
    let mut host = host(&[]);
    let id = open(host.slot());
    close(host.slot(), id);
    insta::assert_snapshot!(stream_log(&mut host), @"
    log 2
    done 2
    delete 2
    ");
}

/// What a stream answers when it is done does not matter: only root contexts put their end off.
#[test]
fn a_stream_cannot_put_its_end_off() {
    let mut host = host(&[("done", "(i32.const 0)")]);
    host.send(Call::get("/")).unwrap();
    insta::assert_snapshot!(stream_log(&mut host), @"
    request_headers 2 4 1
    response_headers 2 1 1
    log 2
    done 2
    delete 2
    ");
}

#[test]
fn a_local_reply_is_logged_as_the_response() {
    let look = [header(0, ":path"), header(2, ":status")].concat();
    let deny = answering(&reply(403, "x", ""), 0);
    let mut host = host(&[("request_headers", &deny), ("log", &look)]);
    host.send(Call::get("/")).unwrap();
    insta::assert_snapshot!(stream_log(&mut host), @"
    request_headers 2 4 1
    reply 0
    response_headers 2 1 1
    log 2
    :path=/
    :status=403
    done 2
    delete 2
    ");
}
