//! Bodies that are too long, empty, skipped, or not all there.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use bench_host::testing::{Call, Setup};
use chunkwise::Error;
use chunkwise::http::{BodyAction, BodyMode, Resume};
use chunkwise_task_tests::message::{Message, on};
use chunkwise_task_tests::{AUTH, Case, auth, log};

#[test]
fn a_body_over_the_limit_is_the_proxys_to_refuse() {
    for case in Case::ALL {
        for hold in [false, true] {
            for response in [false, true] {
                let script = on(response, BodyMode::Buffer, hold, |_| panic!("it is too long"));
                let setup = Setup::new().upstreams(AUTH).unwrap().buffer_limit(10);
                let mut host = case.start(setup, script);
                let chunks = vec!["12345".to_owned(); 4];
                let message = Message {
                    response,
                    chunks,
                    http1: false,
                    trailers: false,
                    content_length: false,
                };
                let outcome = message.send(&mut host);
                let status = outcome.downstream.header(":status");
                match (response, hold) {
                    (false, _) => assert_eq!(status.as_deref(), Some("413")),
                    (true, true) => assert_eq!(status.as_deref(), Some("500")),
                    (true, false) => assert!(outcome.reset),
                }
                assert_eq!(log(&mut host), [""; 0]);
            }
        }
    }
}

#[test]
fn messages_without_a_body_have_no_body_callback() {
    for case in Case::PROXIES {
        for hold in [false, true] {
            for response in [false, true] {
                let script = on(response, BodyMode::Buffer, hold, |_| panic!("there is no body"));
                let mut host = case.with(AUTH, script);
                let outcome = host.send(Call::get("/")).unwrap();
                assert_eq!(outcome.stalled, None);
                assert!(outcome.upstream.ended && outcome.downstream.ended);
            }
        }
    }
}

/// Headers, then trailers: the whole body is empty, and is given once.
#[test]
fn a_body_that_is_nothing_but_trailers_is_given_once() {
    for case in Case::PROXIES {
        for hold in [false, true] {
            for mode in [BodyMode::Buffer, BodyMode::Stream] {
                let calls = Rc::new(Cell::new(0));
                let counted = Rc::clone(&calls);
                let script = on(false, mode, hold, move |chunk| {
                    assert!(chunk.is_last() && chunk.is_empty() && chunk.is_released());
                    counted.set(counted.get() + 1);
                    Ok(BodyAction::Pass)
                });
                let mut host = case.with(AUTH, script);
                let outcome = host.send(Call::post("/").trailer("t", "1")).unwrap();
                assert_eq!((calls.get(), outcome.stalled), (1, None));
                assert!(outcome.upstream.ended && !outcome.upstream.trailers.is_empty());
            }
        }
    }
}

/// An error comes too late for edits that were made, and the message is a whole one all the same.
#[test]
fn an_error_behind_an_edit_leaves_a_message() {
    for higress in [false, true] {
        let case = Case { higress, refuse: false };
        for fails_at in ["a", "b"] {
            for response in [false, true] {
                for trailers in [false, true] {
                    let script = on(response, BodyMode::Stream, true, move |chunk| {
                        let fails = chunk.bytes()?.ends_with(fails_at.as_bytes());
                        chunk.append(b"+++")?;
                        if fails {
                            Err(Error::Plugin("behind the edit"))
                        } else {
                            Ok(BodyAction::Hold)
                        }
                    });
                    let chunks = ["a", "b", "c"].map(str::to_owned).to_vec();
                    let message =
                        Message { response, chunks, http1: false, trailers, content_length: true };
                    let mut host = case.with(AUTH, script);
                    let outcome = message.send(&mut host);
                    let seen = message.seen(&outcome);
                    let expected = if fails_at == "a" { "a+++bc" } else { "a+++b+++c" };
                    assert_eq!(seen.text(), expected);
                    assert_eq!(seen.header("content-length"), None, "{case:?} {response}");
                    assert!(seen.ended);
                }
            }
        }
    }
}

/// A task gets a whole body or none: what was sent on before cannot be held any more.
#[test]
fn a_part_of_a_body_cannot_wait() {
    for case in Case::ALL {
        for response in [false, true] {
            for trailers in [false, true] {
                let errors: Rc<RefCell<Vec<Error>>> = Rc::default();
                let noted = Rc::clone(&errors);
                let script = on(response, BodyMode::Stream, false, move |chunk| {
                    let result = chunk.wait(async |_| panic!("not the whole body"));
                    noted.borrow_mut().extend(result.err());
                    Ok(BodyAction::Pass)
                });
                let chunks = ["a", "b", "c"].map(str::to_owned).to_vec();
                let message =
                    Message { response, chunks, http1: false, trailers, content_length: false };
                let mut host = case.with(AUTH, script);
                let outcome = message.send(&mut host);
                assert_eq!(message.seen(&outcome).text(), "abc");
                let calls = 3 + usize::from(trailers);
                assert_eq!(*errors.borrow(), vec![Error::BodyIncomplete; calls], "{case:?}");
            }
        }
    }
}

#[test]
fn headers_that_were_sent_are_not_there() {
    for case in Case::PROXIES {
        let script = on(false, BodyMode::Stream, true, |chunk| {
            // They leave with the first chunk that passes.
            let first = chunk.bytes()?.starts_with(b"a");
            assert_eq!(chunk.headers().err(), (!first).then_some(Error::HeadersReleased));
            Ok(BodyAction::Pass)
        });
        let mut host = case.with(AUTH, script);
        let outcome = host.send(Call::post("/").chunks(["a", "b", "c"])).unwrap();
        assert_eq!(outcome.upstream.text(), "abc");
        assert_eq!(log(&mut host), [""; 0]);
    }
}

/// What is skipped, is not given; and a mode that the header callback chooses wins.
#[test]
fn skipped_bodies_pass() {
    for case in Case::PROXIES {
        let script = on(false, BodyMode::Skip, false, |_| panic!("it is skipped"));
        let mut host = case.with(AUTH, script);
        let outcome = host.send(Call::post("/").chunks(["a", "b"]).trailer("t", "1")).unwrap();
        assert_eq!(outcome.upstream.text(), "ab");
        assert!(outcome.upstream.ended);
    }
}

/// The stream goes on behind a body that waited: what comes then is not lost.
#[test]
fn trailers_that_come_while_a_body_waits_are_kept() {
    for case in Case::ALL {
        for response in [false, true] {
            for hold in [false, true] {
                let trailers = Rc::new(Cell::new(0));
                let counted = Rc::clone(&trailers);
                let count = move || counted.set(counted.get() + 1);
                let script = on(response, BodyMode::Buffer, hold, |chunk| {
                    chunk.wait(async |body| {
                        auth().get("/").send().await?;
                        body.replace("new")?;
                        Ok(Resume::Continue)
                    })
                });
                let (one, other) = (count.clone(), count);
                let script = script
                    .request_trailers(move |_| {
                        one();
                        Ok(chunkwise::http::TrailersAction::Continue)
                    })
                    .response_trailers(move |_| {
                        other();
                        Ok(chunkwise::http::TrailersAction::Continue)
                    });
                let chunks = ["a", "b"].map(str::to_owned).to_vec();
                let message = Message {
                    response,
                    chunks,
                    http1: false,
                    trailers: true,
                    content_length: false,
                };
                let mut host = case.with(AUTH, script);
                let outcome = message.send(&mut host);
                let seen = message.seen(&outcome);
                assert_eq!(
                    (&*seen.text(), seen.trailers.is_empty(), seen.ended),
                    ("new", false, true)
                );
                assert_eq!(trailers.get(), 1, "{case:?} {response} {hold}");
                assert_eq!(log(&mut host), [""; 0]);
            }
        }
    }
}
