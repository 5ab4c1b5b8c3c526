//! The buffer limit of a stream.

use bench_host::host::{Profile, Settings, World};
use bench_host::testing::{Answer, Call, Outcome};

use super::guest::{host_in, limited, logging, stream_log};

const LIMIT: usize = 8;

fn send(script: &[(&str, &str)], call: Call) -> (Outcome, String) {
    let mut host = limited(&logging(script), LIMIT);
    let outcome = host.send(call).unwrap();
    (outcome, stream_log(&mut host))
}

#[test]
fn a_request_that_is_too_large_to_buffer_is_answered_413() {
    let call = Call::post("/").chunks(["12345", "6789", "0"]);
    let (outcome, log) = send(&[("request_body", "(i32.const 1)")], call);
    insta::assert_snapshot!(log, @"
    request_headers 2 4 0
    request_body 2 5 0
    response_headers 2 3 0
    response_body 2 17 1
    log 2
    done 2
    delete 2
    ");
    assert_eq!(outcome.downstream.header(":status").unwrap(), "413");
    assert_eq!(outcome.downstream.text(), "Payload Too Large");
    assert_eq!(outcome.details, "request_payload_too_large");
    assert!(outcome.replied_locally && !outcome.reset);
    assert!(outcome.upstream.body.is_empty() && !outcome.upstream.ended);
}

/// Envoy's own answer is there before the filter's, of which only the details remain.
#[test]
fn envoy_shows_what_is_too_much_and_a_reply_to_it_comes_too_late() {
    let refuse = "(if (result i32) (i32.gt_u (local.get 1) (i32.const 8))
        (then (drop (call $proxy_send_local_response (i32.const 403) 'mine' 'no'
            (i32.const 0) (i32.const 0) (i32.const -1))) (i32.const 1))
        (else (i32.const 1)))";
    for (answer, details) in [(refuse, "mine"), ("(i32.const 1)", "request_payload_too_large")] {
        let settings = Settings { buffer_limit: Some(LIMIT), ..Settings::new(Profile::Envoy) };
        let module = logging(&[("request_body", answer)]);
        let mut host = host_in(&module, settings, World::default());
        let outcome = host.send(Call::post("/").chunks(["12345", "6789", "0"])).unwrap();
        assert!(stream_log(&mut host).contains("\nrequest_body 2 9 0\n"));
        assert_eq!(outcome.downstream.header(":status").unwrap(), "413");
        assert_eq!(outcome.downstream.text(), "Payload Too Large");
        assert_eq!(outcome.details, details);
    }
}

#[test]
fn so_is_one_whose_first_frame_is_too_large() {
    let call = Call::post("/").body("123456789");
    let (outcome, log) = send(&[("request_body", "(i32.const 1)")], call);
    assert!(
        log.starts_with("request_headers 2 4 0\nrequest_body 2 9 1\nresponse_headers"),
        "{log}"
    );
    assert_eq!(outcome.details, "request_payload_too_large");
}

#[test]
fn a_request_of_exactly_the_limit_passes() {
    let hold = "(if (result i32) (local.get 2) (then (i32.const 0)) (else (i32.const 1)))";
    let call = Call::post("/").chunks(["12345", "678"]);
    let (outcome, _) = send(&[("request_body", hold)], call);
    assert_eq!(outcome.upstream.text(), "12345678");
    assert!(!outcome.replied_locally);
}

#[test]
fn a_response_that_is_too_large_to_buffer_becomes_500_while_its_headers_wait() {
    let answer = Answer::new(200).chunks(["12345", "6789"]);
    let script = format!(
        "{}{}",
        super::guest::HIGRESS,
        logging(&[("response_headers", "(i32.const 1)"), ("response_body", "(i32.const 1)")])
    );
    let mut host = limited(&script, LIMIT);
    let outcome = host.send(Call::get("/").answer(answer)).unwrap();
    assert_eq!(outcome.downstream.header(":status").unwrap(), "500");
    assert_eq!(outcome.downstream.text(), "Internal Server Error");
    assert_eq!(outcome.details, "response_payload_too_large");
    // The reply passes no filter: a response was in their hands already.
    insta::assert_snapshot!(stream_log(&mut host), @"
    request_headers 2 4 1
    response_headers 2 1 0
    response_body 2 5 0
    log 2
    done 2
    delete 2
    ");
}

#[test]
fn a_response_whose_headers_have_gone_is_cut_off() {
    let answer = Answer::new(200).chunks(["12345", "6789"]);
    let script = [("response_body", "(i32.const 1)")];
    let (outcome, _) = send(&script, Call::get("/").answer(answer));
    assert_eq!(outcome.downstream.header(":status").unwrap(), "200");
    assert!(outcome.reset && !outcome.downstream.ended);
}

#[test]
fn headers_that_stop_everything_have_the_same_limit() {
    for (answer, replied) in [("(i32.const 3)", true), ("(i32.const 4)", false)] {
        let call = Call::post("/").chunks(["12345", "6789", "0"]);
        let (outcome, log) = send(&[("request_headers", answer)], call);
        assert_eq!(outcome.replied_locally, replied, "{answer}: {log}");
        assert!(!log.contains("request_body"), "{log}");
        assert_eq!(outcome.details == "request_payload_too_large", replied);
    }
}

#[test]
fn a_watermark_slows_the_sender_down_for_good_when_nobody_lets_go() {
    let call = Call::post("/").chunks(["12345", "6789", "0"]);
    let (outcome, log) = send(&[("request_body", "(i32.const 2)")], call);
    // Over the limit no frame comes any more.
    assert!(log.contains("request_body 2 5 0\nrequest_body 2 4 0\nlog 2"), "{log}");
    assert!(!outcome.replied_locally && !outcome.upstream.ended);
}

#[test]
fn frames_that_pass_have_no_limit() {
    let call = Call::post("/").chunks(["1234567890", "1234567890"]);
    let (outcome, _) = send(&[], call);
    assert_eq!(outcome.upstream.body.len(), 20);
}
