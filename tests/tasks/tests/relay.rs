//! Responses that pass through a task, against a naive account of what the client must receive.

#![expect(clippy::unwrap_used, reason = "a test fails where it does not hold")]

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use bench_host::host::Direction;
use bench_host::testing::{Answer, Call};
use chunkwise::http::Relay;
use chunkwise::{Error, Result, time};
use chunkwise_task_tests::{
    Case, Guard, Script, auth, data, headers, latencies, log, misuse, open,
};
use proptest::prelude::*;

/// What the task does with a chunk that it has taken.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// Sends it on in another form, after a call that takes so many milliseconds.
    Ask(u64),
    /// At once.
    Send,
    /// In two parts, with a call in between.
    Twice(u64),
    /// Not at all, after a call or at once.
    Drop(u64),
    /// With the next one.
    Merge,
    /// After a sleep.
    Sleep(u64),
    /// Sends an empty answer.
    Empty,
    /// Fails, after a call or at once.
    Fail(u64),
    /// Ends, after a call or at once.
    End(u64),
}

/// What must come of it.
#[derive(Debug, Default)]
struct Account {
    taken: Vec<u8>,
    sent: Vec<u8>,
    unanswered: Vec<u8>,
    end: Option<End>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Body,
    Early,
    Failed,
}

impl Account {
    fn send(&mut self, data: &[u8]) {
        self.sent.extend_from_slice(data);
        self.unanswered.clear();
    }

    /// What the client must have in the end, where errors pass.
    fn whole(&self, body: &[u8]) -> Vec<u8> {
        let rest = &body[self.taken.len()..];
        match self.end {
            Some(End::Failed) => [&self.sent, &self.unanswered, rest].concat(),
            _ => [&self.sent, rest].concat(),
        }
    }
}

async fn pause(latency: u64) -> Result<()> {
    if latency > 0 {
        auth().get(&format!("/{latency}")).send().await?;
    }
    Ok(())
}

/// The task; it keeps the account.
async fn relay(mut body: Relay, steps: Vec<Step>, account: Rc<RefCell<Account>>) -> Result<()> {
    let mut kept = Vec::new();
    let mut steps = steps.into_iter();
    while let Some(chunk) = body.next().await {
        assert!(!chunk.is_empty());
        {
            let mut account = account.borrow_mut();
            account.taken.extend_from_slice(&chunk);
            account.unanswered.extend_from_slice(&chunk);
        }
        kept.extend_from_slice(&chunk);
        let mut out = |data: &[u8]| {
            account.borrow_mut().send(data);
            body.send(data)
        };
        let answer =
            |kept: &mut Vec<u8>| format!("<{}>", String::from_utf8(std::mem::take(kept)).unwrap());
        match steps.next().unwrap_or(Step::Send) {
            Step::Ask(latency) => {
                pause(latency).await?;
                out(answer(&mut kept).as_bytes())?;
            }
            Step::Send => out(answer(&mut kept).as_bytes())?,
            Step::Twice(latency) => {
                out(b"1")?;
                pause(latency).await?;
                out(answer(&mut kept).as_bytes())?;
            }
            Step::Drop(latency) => {
                kept.clear();
                pause(latency).await?;
            }
            Step::Merge => {}
            Step::Sleep(latency) => {
                time::sleep(Duration::from_millis(latency)).await?;
                out(answer(&mut kept).as_bytes())?;
            }
            Step::Empty => {
                kept.clear();
                out(b"")?;
            }
            Step::Fail(latency) => {
                pause(latency).await?;
                account.borrow_mut().end = Some(End::Failed);
                return Err(Error::Plugin("the task fails"));
            }
            Step::End(latency) => {
                pause(latency).await?;
                account.borrow_mut().end = Some(End::Early);
                return Ok(());
            }
        }
    }
    assert!(body.has_ended() && body.waiting() == 0);
    account.borrow_mut().end = Some(End::Body);
    account.borrow_mut().send(b"end");
    body.send("end")
}

fn script(steps: Vec<Step>, account: &Rc<RefCell<Account>>) -> Script {
    let account = Rc::clone(account);
    Script::new().response_headers(move |headers| {
        let (steps, account) = (steps.clone(), Rc::clone(&account));
        Ok(headers.relay(async move |body| relay(body, steps, account).await))
    })
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let latency = || prop_oneof![Just(0), 1_u64..19];
    let step = prop_oneof![
        4 => latency().prop_map(Step::Ask),
        3 => Just(Step::Send),
        2 => latency().prop_map(Step::Twice),
        2 => latency().prop_map(Step::Drop),
        2 => Just(Step::Merge),
        1 => (1_u64..5).prop_map(Step::Sleep),
        1 => Just(Step::Empty),
        1 => latency().prop_map(Step::Fail),
        1 => latency().prop_map(Step::End),
    ];
    prop::collection::vec(step, 0..10)
}

fn cases() -> impl Strategy<Value = Case> {
    any::<(bool, bool)>().prop_map(|(higress, refuse)| Case { higress, refuse })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_client_gets_what_the_account_says(
        case in cases(),
        chunks in prop::collection::vec("[a-z]{0,4}", 1..8),
        steps in steps(),
        http1: bool,
        trailers: bool,
        forwards: bool,
    ) {
        let account: Rc<RefCell<Account>> = Rc::default();
        let mut host = case.forwarding(forwards, &latencies(), script(steps, &account));
        let mut answer = Answer::new(200).chunks(&chunks);
        if trailers {
            answer = answer.trailer("t", "1");
        }
        let mut call = Call::get("/").answer(answer);
        if http1 {
            call = call.http1();
        }
        let outcome = host.send(call).unwrap();
        let account = account.borrow();
        let whole = chunks.concat();
        let text = outcome.downstream.text();
        prop_assert_eq!(&outcome.stalled, &None);
        prop_assert_eq!(misuse(&mut host), [""; 0]);
        prop_assert!(account.end.is_some());
        prop_assert!(whole.as_bytes().starts_with(&account.taken), "in order, and each once");
        let withheld = log(&mut host).iter().any(|line| line.contains("were withheld"));
        if withheld {
            // Behind the last chunk there is no place for more where trailers end the body.
            prop_assert!(trailers && !case.higress && !account.sent.is_empty());
            prop_assert!(outcome.reset && !outcome.downstream.ended);
            prop_assert!(account.whole(whole.as_bytes()).starts_with(text.as_bytes()));
            return Ok(());
        }
        if account.end == Some(End::Failed) {
            let lines = log(&mut host);
            prop_assert_eq!(lines.len(), 1);
            prop_assert!(lines[0].contains("the task fails"), "{:?}", lines);
        } else {
            prop_assert_eq!(log(&mut host), [""; 0]);
        }
        if account.end == Some(End::Failed) && case.refuse {
            prop_assert!(outcome.reset && !outcome.downstream.ended);
            prop_assert!(account.sent.starts_with(text.as_bytes()));
            return Ok(());
        }
        let expected = account.whole(whole.as_bytes());
        prop_assert_eq!(text, String::from_utf8_lossy(&expected));
        prop_assert!(outcome.downstream.ended && !outcome.reset);
        prop_assert_eq!(outcome.downstream.trailers.is_empty(), !trailers);
    }

    /// Time passes between frames, and the client leaves at some moment.
    #[test]
    fn a_client_may_leave_at_any_moment(
        case in cases(),
        frames in prop::collection::vec(("[a-z]{0,4}", 0_u64..30), 1..8),
        steps in steps(),
        leaves_at in 0_usize..12,
        ends: bool,
        forwards: bool,
    ) {
        let account: Rc<RefCell<Account>> = Rc::default();
        let mut host = case.forwarding(forwards, &latencies(), script(steps, &account));
        let stream = open(&mut host);
        headers(&mut host, stream, Direction::Request, &[], true);
        headers(&mut host, stream, Direction::Response, &[], false);
        let last = frames.len() - 1;
        let mut whole = Vec::new();
        for (at, (frame, wait)) in frames.iter().enumerate() {
            if at == leaves_at || host.slot().stream(stream).unwrap().is_over() {
                break;
            }
            whole.extend_from_slice(frame.as_bytes());
            data(&mut host, stream, Direction::Response, frame.as_bytes(), ends && at == last);
            host.run_for(Duration::from_millis(*wait)).unwrap();
        }
        let closed = host.slot().close(stream).unwrap();
        host.run_for(Duration::from_secs(10)).unwrap();
        prop_assert!(host.slot().crashes().is_empty());
        prop_assert_eq!(misuse(&mut host), [""; 0]);
        let account = account.borrow();
        let received = closed.response.received.body();
        prop_assert!(whole.starts_with(&account.taken));
        if !(account.end == Some(End::Failed) && case.refuse) {
            let expected = account.whole(&whole);
            prop_assert!(expected.starts_with(received), "{:?} {:?}", expected, received);
        }
    }
}

/// Between the end of the body and the last answer there is nothing but the task.
#[test]
fn a_response_without_a_body_is_not_relayed() {
    for case in Case::PROXIES {
        let drops = Rc::new(std::cell::Cell::new(0));
        let counted = Rc::clone(&drops);
        let script = Script::new().response_headers(move |headers| {
            let guard = Guard(Rc::clone(&counted));
            Ok(headers.relay(async move |_| {
                let _guard = guard;
                panic!("there is nothing to relay");
            }))
        });
        let mut host = case.with(&latencies(), script);
        let outcome = host.send(Call::get("/")).unwrap();
        assert!(outcome.downstream.ended);
        assert_eq!(drops.get(), 1);
    }
}

#[test]
fn headers_of_relayed_responses_leave_at_once() {
    for case in Case::PROXIES {
        let account = Rc::default();
        let mut host = case.with(&latencies(), script(vec![Step::Ask(10)], &account));
        let stream = open(&mut host);
        headers(&mut host, stream, Direction::Request, &[], true);
        headers(&mut host, stream, Direction::Response, &[], false);
        assert!(host.slot().stream(stream).unwrap().response.received.headers.is_some());
        data(&mut host, stream, Direction::Response, b"a", false);
        host.run_for(Duration::from_millis(11)).unwrap();
        // What was sent has not to wait for the next chunk, nor for the end.
        assert_eq!(
            host.slot().stream(stream).unwrap().response.received.body(),
            b"<a>",
            "{case:?}"
        );
        data(&mut host, stream, Direction::Response, b"b", true);
        host.run_for(Duration::from_millis(2)).unwrap();
        assert_eq!(host.slot().stream(stream).unwrap().response.received.body(), b"<a><b>end");
        assert!(host.slot().close(stream).unwrap().response.received.ended);
    }
}
