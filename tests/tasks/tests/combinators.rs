//! Several things that one task waits for at once, with the combinators of another crate.

use std::cell::RefCell;
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use bench_host::measure::Phase;
use bench_host::testing::{Call, TestHost};
use chunkwise::http::{HeldHeaders, Reply, Resume};
use chunkwise::{Result, time};
use chunkwise_task_tests::{Case, Script, Signal, auth, log};
use futures_util::future::{Either, join, join_all, select, select_all};
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use proptest::prelude::*;

/// Answers after as many milliseconds as the path says, with the path.
fn upstreams(latencies: &[u64]) -> String {
    let mut script = String::from("[cluster.auth]\n");
    for latency in latencies {
        script.push_str(&format!(
            "[[cluster.auth.http]]\nmatch = {{ path = \"/{latency}\" }}\n\
             latency = \"{latency}ms\"\nbody = \"{latency}\"\n"
        ));
    }
    script
}

/// A host whose requests wait for this task.
fn waiting<F: Future<Output = Result<Resume>> + 'static>(
    case: Case,
    latencies: &[u64],
    task: impl Fn(HeldHeaders) -> F + Copy + 'static,
) -> TestHost {
    let script = Script::new()
        .request_headers(move |headers| Ok(headers.wait(async move |held| task(held).await)));
    case.with(&upstreams(latencies), script)
}

async fn ask(latency: u64) -> Result<Vec<u8>> {
    let reply = auth().get(&format!("/{latency}")).timeout(Duration::from_secs(60)).send().await?;
    assert_eq!(reply.body(), latency.to_string().as_bytes());
    Ok(reply.into_body().to_vec())
}

#[test]
fn joined_calls_are_under_way_at_once() {
    for case in Case::ALL {
        let mut host = waiting(case, &[40, 30], async |held| {
            let begin = time::now()?;
            let (slow, fast) = join(ask(40), ask(30)).await;
            let took = time::now()?.saturating_sub(begin);
            assert!((40..45).contains(&took.as_millis()), "{took:?}");
            held.set("x-slow", slow?)?;
            held.set("x-fast", fast?)?;
            Ok(Resume::Continue)
        });
        let outcome = host.send(Call::get("/")).unwrap();
        assert_eq!(outcome.upstream.header("x-slow").as_deref(), Some("40"));
        assert_eq!(outcome.upstream.header("x-fast").as_deref(), Some("30"));
        assert_eq!(log(&mut host), [""; 0]);
    }
}

#[test]
fn the_loser_of_a_race_is_forgotten() {
    for case in Case::ALL {
        let mut host = waiting(case, &[5, 7], async |held| {
            let winner = match select(pin!(ask(7)), pin!(ask(5))).await {
                Either::Left((winner, _)) | Either::Right((winner, _)) => winner?,
            };
            held.set("x-winner", winner)?;
            Ok(Resume::Continue)
        });
        let outcome = host.send(Call::get("/")).unwrap();
        assert_eq!(outcome.upstream.header("x-winner").as_deref(), Some("5"));
        let before = host.ledger().host_calls(Phase::CallResponse);
        host.run_for(Duration::from_secs(1)).unwrap();
        assert_eq!(host.ledger().phase(Phase::CallResponse).calls, 2);
        assert_eq!(host.ledger().host_calls(Phase::CallResponse), before, "a late answer is read");
        assert_eq!(log(&mut host), [""; 0]);
    }
}

/// The loser goes while its task waits for something else: its late answer wakes nobody.
#[test]
fn a_late_answer_comes_into_a_task_that_waits_for_another() {
    for case in Case::PROXIES {
        let mut host = waiting(case, &[5, 7, 20], async |held| {
            let first = match select(pin!(ask(7)), pin!(ask(5))).await {
                Either::Left((winner, _)) | Either::Right((winner, _)) => winner?,
            };
            let then = ask(20).await?;
            held.set("x-all", [first, then].concat())?;
            Ok(Resume::Continue)
        });
        let outcome = host.send(Call::get("/")).unwrap();
        assert_eq!(outcome.upstream.header("x-all").as_deref(), Some("520"));
        assert_eq!(log(&mut host), [""; 0]);
    }
}

#[test]
fn a_timeout_is_a_race_with_a_sleep() {
    for case in Case::ALL {
        let mut host = waiting(case, &[5, 50], async |held| {
            let slow =
                match select(pin!(ask(50)), pin!(time::sleep(Duration::from_millis(10)))).await {
                    Either::Left(_) => false,
                    Either::Right((slept, _)) => slept.map(|()| true)?,
                };
            let fast =
                match select(pin!(ask(5)), pin!(time::sleep(Duration::from_millis(10)))).await {
                    Either::Left((answer, _)) => answer.map(|_| true)?,
                    Either::Right(_) => false,
                };
            if slow && fast { Ok(Resume::Continue) } else { held.reply(&Reply::new(500)) }
        });
        let outcome = host.send(Call::get("/")).unwrap();
        assert_eq!(outcome.downstream.header(":status").as_deref(), Some("200"));
        host.run_for(Duration::from_secs(1)).unwrap();
        assert_eq!(log(&mut host), [""; 0]);
    }
}

#[test]
fn the_first_of_many_is_enough() {
    for case in Case::PROXIES {
        let mut host = waiting(case, &[9, 3, 6], async |held| {
            let calls: Vec<_> = [9, 3, 6].into_iter().map(|ms| Box::pin(ask(ms))).collect();
            let (first, at, rest) = select_all(calls).await;
            drop(rest);
            held.set("x-first", first?)?;
            held.set("x-at", at.to_string())?;
            Ok(Resume::Continue)
        });
        let outcome = host.send(Call::get("/")).unwrap();
        assert_eq!(outcome.upstream.header("x-first").as_deref(), Some("3"));
        assert_eq!(outcome.upstream.header("x-at").as_deref(), Some("1"));
    }
}

/// A call that was begun in one task may be awaited to its end in another one of the plugin.
#[test]
fn a_call_moves_from_one_task_to_another() {
    for case in Case::PROXIES {
        let handed = Rc::new(RefCell::new(None));
        let ready = Signal::default();
        let script = Script::new().request_headers(move |headers| {
            let (handed, ready) = (Rc::clone(&handed), ready.clone());
            if headers.get("x-first")?.is_some() {
                return Ok(headers.wait(async move |_| {
                    let mut call = Box::pin(ask(10));
                    // One poll sends it.
                    let sent = std::future::poll_fn(|context| {
                        std::task::Poll::Ready(call.as_mut().poll(context).is_pending())
                    });
                    assert!(sent.await);
                    handed.replace(Some(call));
                    ready.set();
                    Ok(Resume::Continue)
                }));
            }
            Ok(headers.wait(async move |held| {
                ready.await;
                let call = handed.take().unwrap();
                held.set("x-answer", call.await?)?;
                Ok(Resume::Continue)
            }))
        });
        let mut host = case.with(&upstreams(&[10]), script);
        let calls = [Call::get("/"), Call::get("/").header("x-first", "1")];
        let outcomes = host.interleave(calls).unwrap();
        assert_eq!(outcomes[0].stalled, None, "{:?}", log(&mut host));
        assert_eq!(outcomes[0].upstream.header("x-answer").as_deref(), Some("10"));
        assert!(outcomes[1].downstream.ended);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    /// All answers come, each to its own call, in the order of their latencies.
    #[test]
    fn answers_come_in_the_order_in_which_they_are_due(
        latencies in prop::collection::hash_set(1_u64..1000, 1..40),
        higress: bool,
    ) {
        let case = Case { higress, refuse: true };
        let all: Vec<u64> = latencies.into_iter().collect();
        let order: Rc<RefCell<Vec<u64>>> = Rc::default();
        let (asked, noted) = (all.clone(), Rc::clone(&order));
        let script = Script::new().request_headers(move |headers| {
            let (asked, noted) = (asked.clone(), Rc::clone(&noted));
            Ok(headers.wait(async move |_| {
                let mut calls: FuturesUnordered<_> = asked.iter().map(|ms| ask(*ms)).collect();
                while let Some(answer) = calls.next().await {
                    noted.borrow_mut().push(String::from_utf8(answer?).unwrap().parse().unwrap());
                }
                // And all of them once more, joined.
                let joined = join_all(asked.iter().map(|ms| ask(*ms))).await;
                for (answer, asked) in joined.into_iter().zip(asked) {
                    assert_eq!(answer?, asked.to_string().into_bytes());
                }
                Ok(Resume::Continue)
            }))
        });
        let mut host = case.with(&upstreams(&all), script);
        let outcome = host.send(Call::get("/")).unwrap();
        prop_assert_eq!(outcome.stalled, None);
        prop_assert_eq!(host.take_callouts().len(), all.len() * 2);
        let mut sorted = all;
        sorted.sort_unstable();
        prop_assert_eq!(&*order.borrow(), &sorted);
        prop_assert_eq!(log(&mut host), [""; 0]);
    }
}
