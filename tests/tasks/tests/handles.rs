//! What a task starts beside itself.

#![expect(clippy::unwrap_used, reason = "a test fails where it does not hold")]

use std::cell::RefCell;
use std::rc::Rc;

use bench_host::testing::{Answer, Call};
use chunkwise::call::CallError;
use chunkwise::http::Resume;
use chunkwise_task_tests::{Case, Script, auth, log};

const SCRIPT: &str = "[cluster.auth]\nlatency = \"2ms\"\n[[cluster.auth.http]]\nbody = \"ok\"\n";

/// What came of the call that a task has left behind.
fn left_behind(answer: Answer) -> (bool, Vec<Result<u16, CallError>>) {
    let told = Rc::new(RefCell::new(Vec::new()));
    let teller = Rc::clone(&told);
    let script = Script::new().request_headers(move |headers| {
        let teller = Rc::clone(&teller);
        Ok(headers.wait(async move |request| {
            request.call(auth().post("/audit").body("went on").send(), move |reply| {
                teller.borrow_mut().push(reply.map(|reply| reply.status()));
                Ok(())
            });
            auth().get("/check").send().await?;
            Ok(Resume::Continue)
        }))
    });
    let mut host = Case { higress: false, refuse: true }.with(SCRIPT, script);
    let outcome = host.send(Call::get("/").answer(answer)).unwrap();
    assert_eq!(log(&mut host), [""; 0]);
    let paths: Vec<_> = host.take_callouts().iter().map(|call| call.path().into_owned()).collect();
    assert_eq!(paths, ["/audit", "/check"]);
    (outcome.downstream.ended, told.take())
}

#[test]
fn a_call_that_nothing_waits_for_goes_on_beside_the_task() {
    assert_eq!(left_behind(Answer::new(200).body("hi")), (true, vec![Ok(200)]));
}
