//! Hosts that give less than they have announced: a part of a body must not be taken for the whole.

use std::cell::Cell;
use std::rc::Rc;

use bench_host::testing::{Answer, Call};
use chunkwise::Error;
use chunkwise::call::CallError;
use chunkwise::http::{BodyMode, HeadersAction, Resume, RouteCall};
use chunkwise_task_tests::{AUTH, Case, Script, auth};

/// A value that a callback leaves for the test.
type Left<T> = Rc<Cell<Option<T>>>;

const CASE: Case = Case { higress: true, refuse: true };

/// A plugin that gets requests whole.
fn buffering() -> Script {
    Script::new().request_headers(|headers| {
        headers.body_mode(BodyMode::Buffer);
        Ok(HeadersAction::Hold)
    })
}

#[test]
fn a_held_body_is_as_long_as_announced() {
    for (more, wanted) in [(0, Ok(2)), (1, Err(Error::ShortRead { wanted: 3, got: 2 }))] {
        let seen = Left::default();
        let noted = Rc::clone(&seen);
        let script = buffering().request_body(move |chunk| {
            let noted = Rc::clone(&noted);
            chunk.wait(async move |held| {
                noted.set(Some(held.bytes().map(|bytes| bytes.len())));
                Ok(Resume::Continue)
            })
        });
        CASE.announcing(more, AUTH, script).send(Call::post("/").body("ab")).unwrap();
        assert_eq!(seen.take(), Some(wanted));
    }
}

#[test]
fn what_a_task_has_put_into_a_held_body_is_what_it_reads() {
    let seen = Left::default();
    let noted = Rc::clone(&seen);
    let script = buffering().request_body(move |chunk| {
        let noted = Rc::clone(&noted);
        let action = chunk.wait(async move |held| {
            let before = held.bytes()?;
            held.replace("")?;
            assert!(held.bytes()?.is_empty());
            held.replace("longer than it was")?;
            noted.set(Some((before, held.bytes()?)));
            Ok(Resume::Continue)
        });
        // An edit that comes behind the making of the task counts too.
        chunk.append(b"cd")?;
        action
    });
    CASE.with(AUTH, script).send(Call::post("/").body("ab")).unwrap();
    assert_eq!(seen.take(), Some(("abcd".into(), "longer than it was".into())));
}

#[test]
fn a_response_to_a_rewritten_request_is_given_whole() {
    for answer in [Answer::new(200).body("xyz"), Answer::new(200).body("xyz").trailer("t", "1")] {
        let seen = Left::default();
        let noted = Rc::clone(&seen);
        let script = buffering().request_body(move |chunk| {
            let noted = Rc::clone(&noted);
            let call = RouteCall::new("PUT", "/");
            chunk.route(&call, async move |reply| {
                noted.set(Some(reply.bytes()?));
                Ok(Resume::Continue)
            })
        });
        CASE.with(AUTH, script).send(Call::post("/").body("ab").answer(answer)).unwrap();
        assert_eq!(seen.take(), Some("xyz".into()));
    }
}

#[test]
fn an_answer_to_a_call_is_as_long_as_announced() {
    for (more, wanted) in [(0, Ok(2)), (1, Err(CallError::ShortRead { wanted: 3, got: 2 }))] {
        let seen = Left::default();
        let noted = Rc::clone(&seen);
        let script = Script::new().request_headers(move |headers| {
            let (noted, call) = (Rc::clone(&noted), auth().get("/").send());
            Ok(headers.wait(async move |_| {
                noted.set(Some(call.await.map(|answer| answer.body().len())));
                Ok(Resume::Continue)
            }))
        });
        CASE.announcing(more, AUTH, script).send(Call::get("/")).unwrap();
        assert_eq!(seen.take(), Some(wanted));
    }
}
