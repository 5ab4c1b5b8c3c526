//! Who polls a task that waits: streams that wake each other, answers, ends and replies.

use bench_host::host::Direction;
use bench_host::testing::{Answer, Call};
use chunkwise::Error;
use chunkwise::call::CallError;
use chunkwise::http::{BodyAction, BodyMode, HeadersAction, HeldHeaders, Reply, Resume};
use chunkwise_task_tests::{AUTH, Case, Script, Signal, auth, headers, log, misuse, open};
use proptest::prelude::*;

/// One stream's task waits for what another stream does.
#[test]
fn a_task_is_woken_by_another_stream() {
    for case in Case::ALL {
        let signal = Signal::default();
        let script = Script::new().request_headers(move |headers| {
            let signal = signal.clone();
            if headers.get("x-first")?.is_some() {
                return Ok(headers.wait(async move |held| {
                    signal.await;
                    held.set("x-woken", "1")?;
                    Ok(Resume::Continue)
                }));
            }
            headers.set("x-second", "1")?;
            signal.set();
            headers.set("x-mine", "1")?;
            Ok(HeadersAction::Continue)
        });
        let mut host = case.with(AUTH, script);
        let calls = [
            Call::post("/").header("x-first", "1").chunks(["a", "b", "c"]),
            Call::post("/").header("x-first", "1").trailer("t", "1"),
            Call::get("/"),
        ];
        let outcomes = host.interleave(calls).unwrap();
        for first in &outcomes[..2] {
            assert_eq!(first.stalled, None, "{case:?}");
            assert_eq!(first.upstream.header("x-woken").as_deref(), Some("1"));
            assert_eq!(first.upstream.header("x-mine"), None);
        }
        assert_eq!(outcomes[0].upstream.text(), "abc");
        assert_eq!(outcomes[2].upstream.header("x-mine").as_deref(), Some("1"));
        assert_eq!(outcomes[2].upstream.header("x-woken"), None);
        assert_eq!(log(&mut host), [""; 0]);
    }
}

/// ... and by one that ends.
#[test]
fn a_task_is_woken_by_the_end_of_another_stream() {
    for case in Case::PROXIES {
        let signal = Signal::default();
        let set = signal.clone();
        let script = Script::new()
            .request_headers(move |headers| {
                if headers.get("x-first")?.is_none() {
                    return Ok(HeadersAction::Continue);
                }
                let signal = signal.clone();
                Ok(headers.wait(async move |held| {
                    signal.await;
                    held.set("x-woken", "1")?;
                    Ok(Resume::Continue)
                }))
            })
            .done(move || set.set());
        let mut host = case.with(AUTH, script);
        let first = open(&mut host);
        headers(&mut host, first, Direction::Request, &[("x-first", "1")], true);
        host.send(Call::get("/")).unwrap();
        let closed = host.slot().close(first).unwrap();
        let sent = closed.request.received.headers.unwrap();
        assert!(sent.get(b"x-woken").is_some());
        assert!(closed.request.received.ended);
        assert_eq!(log(&mut host), [""; 0]);
    }
}

/// A reply of each kind of task, in each phase; headers that were sent make it a reset.
#[test]
fn tasks_of_every_phase_can_reply() {
    for case in Case::PROXIES {
        for hold in [false, true] {
            let held = move || if hold { HeadersAction::Hold } else { HeadersAction::Continue };
            let reply = |name: &'static str| Reply::new(418).body(name.as_bytes());
            let script = move |response: bool| {
                let script = Script::new();
                if response {
                    script.response_headers(move |_| Ok(held())).response_body(move |chunk| {
                        if !chunk.is_last() {
                            return Ok(BodyAction::Hold);
                        }
                        chunk.wait(async move |body| {
                            auth().get("/").send().await?;
                            body.reply(&reply("response body"))
                        })
                    })
                } else {
                    script.request_headers(move |_| Ok(held())).request_body(move |chunk| {
                        if !chunk.is_last() {
                            return Ok(BodyAction::Hold);
                        }
                        chunk.wait(async move |body| {
                            auth().get("/").send().await?;
                            body.reply(&reply("request body"))
                        })
                    })
                }
            };
            for trailers in [false, true] {
                let with = |call: Call, answer: Answer| {
                    if trailers {
                        call.trailer("t", "1").answer(answer.trailer("t", "1"))
                    } else {
                        call.answer(answer)
                    }
                };
                let call = || {
                    with(Call::post("/").chunks(["a", "b"]), Answer::new(200).chunks(["c", "d"]))
                };
                let mut host = case.with(AUTH, script(false));
                let outcome = host.send(call()).unwrap();
                assert_eq!(outcome.downstream.text(), "request body", "{case:?} {hold} {trailers}");
                assert_eq!(outcome.upstream.text(), "");
                assert!(!outcome.upstream.ended && outcome.downstream.ended);
                assert_eq!(misuse(&mut host), [""; 0]);
                let mut host = case.with(AUTH, script(true));
                let outcome = host.send(call()).unwrap();
                assert_eq!(outcome.upstream.text(), "ab");
                if hold {
                    assert_eq!(outcome.downstream.text(), "response body");
                    assert_eq!(outcome.downstream.header(":status").as_deref(), Some("418"));
                } else {
                    assert!(outcome.reset, "{case:?} {trailers}");
                    assert_eq!(outcome.downstream.text(), "");
                }
                assert_eq!(misuse(&mut host), [""; 0]);
            }
        }
    }
}

/// A task that waits at first, and is woken by another one before the host has its answer.
#[test]
fn a_task_may_end_in_the_callback_that_it_holds() {
    // Waits for a task that is polled behind it, and that ends by itself.
    fn behind(view: &chunkwise::http::Stream<'_>) -> Signal {
        let (first, signal) = (Signal::default(), Signal::default());
        let (wait, set) = (first.clone(), signal.clone());
        view.spawn(async move {
            wait.await;
            set.set();
            Ok(())
        });
        view.spawn(async move {
            first.set();
            Ok(())
        });
        signal
    }
    for case in Case::ALL {
        for trailers in [false, true] {
            let script = Script::new()
                .request_headers(|headers| {
                    headers.body_mode(BodyMode::Buffer);
                    let signal = behind(headers);
                    Ok(headers.wait(async move |held| {
                        signal.await;
                        held.set("x-headers", "1")?;
                        Ok(Resume::Continue)
                    }))
                })
                .request_body(|chunk| {
                    let signal = behind(chunk);
                    chunk.wait(async move |held| {
                        signal.await;
                        held.replace("request")?;
                        Ok(Resume::Continue)
                    })
                })
                .response_headers(|headers| {
                    headers.body_mode(BodyMode::Buffer);
                    let signal = behind(headers);
                    Ok(headers.wait(async move |held| {
                        signal.await;
                        held.set("x-headers", "1")?;
                        Ok(Resume::Continue)
                    }))
                })
                .response_body(|chunk| {
                    let signal = behind(chunk);
                    chunk.wait(async move |held| {
                        signal.await;
                        held.replace("response")?;
                        Ok(Resume::Continue)
                    })
                });
            let mut host = case.with(AUTH, script);
            let (mut call, mut answer) = (Call::post("/").body("a"), Answer::new(200).body("b"));
            if trailers {
                (call, answer) = (call.trailer("t", "1"), answer.trailer("t", "2"));
            }
            let outcome = host.send(call.answer(answer)).unwrap();
            assert_eq!(outcome.stalled, None, "{case:?} {trailers}");
            assert_eq!(
                (&*outcome.upstream.text(), &*outcome.downstream.text()),
                ("request", "response")
            );
            for seen in [&outcome.upstream, &outcome.downstream] {
                assert!(seen.ended && seen.header("x-headers").is_some());
                assert_eq!(seen.trailers.is_empty(), !trailers);
            }
            assert_eq!(log(&mut host), [""; 0]);
        }
    }
}

/// The last answer that is due may come at any moment between the turns of streams.
#[test]
fn nobody_is_given_up_whose_answer_has_just_come() {
    for case in Case::PROXIES {
        for frames in 0..40 {
            let script = Script::new().request_headers(|headers| {
                if headers.get("x-check")?.is_none() {
                    return Ok(HeadersAction::Continue);
                }
                Ok(headers.wait(async |_| {
                    auth().get("/").send().await?;
                    Ok(Resume::Continue)
                }))
            });
            let mut host = case.with(AUTH, script);
            let other = Call::post("/").chunks(vec!["a"; frames]);
            let outcomes = host.interleave([Call::get("/").header("x-check", "1"), other]).unwrap();
            assert_eq!(outcomes[0].stalled, None, "beside {frames} frames");
            assert!(outcomes[0].downstream.ended);
        }
    }
}

/// A reply is the end of it, whatever its task says then.
#[test]
fn a_stream_that_was_answered_does_not_go_on() {
    for case in Case::ALL {
        for response in [false, true] {
            for (waits_before, waits_after) in
                [(false, false), (true, false), (false, true), (true, true)]
            {
                for end in 0..3 {
                    let task = move || {
                        async move |held: HeldHeaders| {
                            if waits_before {
                                auth().get("/").send().await?;
                            }
                            let replied = held.reply(&Reply::new(401).body(b"who?"))?;
                            if waits_after {
                                auth().get("/").send().await?;
                            }
                            match end {
                                0 => Ok(replied),
                                1 => Ok(Resume::Continue),
                                _ => Err(Error::Plugin("too late")),
                            }
                        }
                    };
                    let script = Script::new();
                    let script = if response {
                        script.response_headers(move |headers| {
                            if headers.get(":status")? == Some(b"401") {
                                return Ok(HeadersAction::Continue);
                            }
                            Ok(headers.wait(task()))
                        })
                    } else {
                        script.request_headers(move |headers| Ok(headers.wait(task())))
                    };
                    let mut host = case.with(AUTH, script);
                    let call = Call::post("/").chunks(["a", "b"]);
                    let outcome = host.send(call.answer(Answer::new(200).body("c"))).unwrap();
                    let what = format!("{case:?} {response} {waits_before} {waits_after} {end}");
                    let fails_at_once = end == 2 && !waits_after && case.refuse;
                    if fails_at_once && outcome.downstream.text() != "who?" {
                        // Then it was answered twice in one callback, and both refuse.
                        assert_eq!(outcome.downstream.header(":status").as_deref(), Some("500"));
                    } else {
                        assert_eq!(outcome.downstream.text(), "who?", "{what}");
                        assert_eq!(outcome.downstream.header(":status").as_deref(), Some("401"));
                    }
                    assert!(outcome.downstream.ended && !outcome.reset, "{what}");
                    assert!(response || !outcome.upstream.ended, "{what}");
                    assert_eq!((outcome.stalled, misuse(&mut host)), (None, vec![]), "{what}");
                }
            }
        }
    }
}

#[test]
fn a_call_outside_of_a_task_is_refused() {
    let mut call = Box::pin(auth().get("/").send());
    let context = &mut std::task::Context::from_waker(std::task::Waker::noop());
    let std::task::Poll::Ready(result) = call.as_mut().poll(context) else { panic!("it waits") };
    assert_eq!(result.err(), Some(CallError::OutsideOfTask));
}

#[test]
fn a_call_in_a_callback_but_outside_of_a_task_is_refused() {
    for case in Case::PROXIES {
        let script = Script::new().request_headers(|_| {
            let mut call = Box::pin(auth().get("/").send());
            let context = &mut std::task::Context::from_waker(std::task::Waker::noop());
            let std::task::Poll::Ready(result) = call.as_mut().poll(context) else {
                panic!("it waits")
            };
            assert_eq!(result.err(), Some(CallError::OutsideOfTask));
            Ok(HeadersAction::Continue)
        });
        let mut host = case.with(AUTH, script);
        assert!(host.send(Call::get("/")).unwrap().downstream.ended);
        assert!(host.take_callouts().is_empty());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    /// 64 streams at once; each makes its own number of calls, whose answers come in any order, and
    /// gets its own answers.
    #[test]
    fn streams_do_not_mix(
        plans in prop::collection::vec((prop::collection::vec(1_u64..400, 0..4), 0_u8..4), 64),
        higress: bool,
        refuse: bool,
    ) {
        let mut upstreams = String::from("[cluster.auth]\n");
        for (stream, (latencies, _)) in plans.iter().enumerate() {
            for (call, latency) in latencies.iter().enumerate() {
                upstreams.push_str(&format!(
                    "[[cluster.auth.http]]\nmatch = {{ path = \"/{stream}/{call}\" }}\n\
                     latency = \"{latency}ms\"\nbody = \"{stream}.{call};\"\n"
                ));
            }
        }
        let counts: Vec<_> = plans.iter().map(|(latencies, _)| latencies.len()).collect();
        let script = Script::new().request_headers(move |headers| {
            let number = headers.get("x-number")?.unwrap();
            let number: usize = String::from_utf8_lossy(number).parse().unwrap();
            let count = counts[number];
            Ok(headers.wait(async move |held| {
                let mut all = String::new();
                for call in 0..count {
                    let reply = auth().get(&format!("/{number}/{call}")).send().await?;
                    all.push_str(&String::from_utf8_lossy(reply.body()));
                    held.set("x-all", &all)?;
                }
                if number % 5 == 4 {
                    return held.reply(&Reply::new(403).body(all.as_bytes()));
                }
                if number % 7 == 6 {
                    return Err(Error::Plugin("seven"));
                }
                Ok(Resume::Continue)
            }))
        });
        let mut host = Case { higress, refuse }.with(&upstreams, script);
        let calls = plans.iter().enumerate().map(|(number, (_, kind))| {
            let call = Call::post("/").header("x-number", &number.to_string());
            match kind {
                0 => call,
                1 => call.chunks([format!("{number}"), "x".to_owned()]),
                2 => call.chunks([format!("{number}x")]).trailer("t", "1"),
                _ => call.http1().chunks([format!("{number}x")]),
            }
        });
        let outcomes = host.interleave(calls.collect::<Vec<_>>()).unwrap();
        for (number, outcome) in outcomes.iter().enumerate() {
            let (latencies, kind) = &plans[number];
            let all: String = (0..latencies.len()).map(|call| format!("{number}.{call};")).collect();
            prop_assert_eq!(&outcome.stalled, &None);
            if number % 5 == 4 {
                prop_assert_eq!(outcome.downstream.header(":status").unwrap(), "403");
                prop_assert_eq!(outcome.downstream.text(), all);
                prop_assert_eq!(outcome.upstream.text(), "");
            } else if number % 7 == 6 && refuse {
                prop_assert_eq!(outcome.downstream.header(":status").unwrap(), "500");
                prop_assert_eq!(outcome.upstream.text(), "");
            } else {
                let expected = if *kind == 0 { String::new() } else { format!("{number}x") };
                prop_assert_eq!(outcome.upstream.text(), expected);
                prop_assert_eq!(outcome.upstream.header("x-all").unwrap_or_default(), all);
                prop_assert_eq!(outcome.downstream.header(":status").unwrap(), "200");
            }
        }
        prop_assert_eq!(misuse(&mut host), [""; 0]);
    }
}
