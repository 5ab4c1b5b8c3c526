//! Everything at once: streams that hold, wait, relay and rewrite in any combination, side by side.

#![expect(clippy::unwrap_used, reason = "a test fails where it does not hold")]

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use bench_host::testing::{Answer, Call};
use chunkwise::http::{BodyAction, BodyMode, HeadersAction, HeldHeaders, Relay, Resume, RouteCall};
use chunkwise::{Chunk, Result, time};
use chunkwise_task_tests::{Case, Script, auth, log};
use proptest::prelude::*;

/// What is done with one message.
#[derive(Clone, Copy, Debug)]
enum Head {
    Continue,
    Hold,
    Wait(u64),
    Relay(u64),
}

#[derive(Clone, Debug)]
struct Side {
    head: Head,
    buffer: bool,
    /// What becomes of each chunk, over and over.
    verdicts: Vec<u8>,
    /// The last chunk waits so long for a task.
    last_waits: Option<u64>,
    chunks: Vec<String>,
    trailers: bool,
    bodiless: bool,
}

#[derive(Clone, Debug)]
struct Plan {
    request: Side,
    response: Side,
    /// The request is rewritten, and its response is given to a task that waits so long.
    route: Option<u64>,
    http1: bool,
    beside: Option<u64>,
}

/// What a stream's messages have become so far.
#[derive(Debug, Default)]
struct Progress {
    out: [Vec<u8>; 2],
    held: [Vec<u8>; 2],
    at: [usize; 2],
    routed: bool,
}

type Streams = Rc<RefCell<Vec<Progress>>>;

async fn pause(milliseconds: u64) -> Result<()> {
    match milliseconds % 3 {
        0 => Ok(()),
        1 => time::sleep(Duration::from_millis(milliseconds)).await,
        _ => Ok(auth().get(&format!("/{milliseconds}")).send().await.map(drop)?),
    }
}

async fn mark(held: HeldHeaders, milliseconds: u64) -> Result<Resume> {
    pause(milliseconds).await?;
    held.set("x-waited", milliseconds.to_string())?;
    pause(milliseconds / 2).await?;
    Ok(Resume::Continue)
}

async fn relay(mut body: Relay, milliseconds: u64, streams: Streams, number: usize) -> Result<()> {
    while let Some(chunk) = body.next().await {
        pause(milliseconds).await?;
        let out = [b"<", &chunk[..], b">"].concat();
        streams.borrow_mut()[number].out[1].extend_from_slice(&out);
        body.send(out)?;
    }
    Ok(())
}

fn chunk(
    side: usize,
    plan: &Plan,
    chunk: &mut Chunk<'_>,
    streams: &Streams,
    number: usize,
) -> Result<BodyAction> {
    let direction = if side == 0 { &plan.request } else { &plan.response };
    let bytes = chunk.bytes()?.to_vec();
    let mut all = streams.borrow_mut();
    let state = &mut all[number];
    assert!(bytes.starts_with(&state.held[side]));
    assert_eq!(chunk.held(), if direction.buffer { chunk.held() } else { state.held[side].len() });
    state.held[side].clear();
    let (out, at) = (&mut state.out[side], state.at[side]);
    state.at[side] += 1;
    if chunk.is_last() && !chunk.is_released() {
        if let (0, Some(milliseconds), Ok(_)) = (side, plan.route, chunk.headers()) {
            state.routed = true;
            out.extend_from_slice(b"rewritten");
            let call = RouteCall::new("PUT", "/rewritten").body("rewritten");
            let streams = Rc::clone(streams);
            return chunk.route(&call, async move |reply| {
                pause(milliseconds).await?;
                let body = reply.bytes()?;
                reply.set("x-routed", "1")?;
                // A body of no bytes that trailers end has no place for others.
                let out = if body.is_empty() { body } else { [&body[..], b"!"].concat().into() };
                if !out.is_empty() {
                    reply.replace(&out)?;
                }
                streams.borrow_mut()[number].out[1].extend_from_slice(&out);
                Ok(Resume::Continue)
            });
        }
        if let Some(milliseconds) = direction.last_waits
            && out.is_empty()
        {
            let streams = Rc::clone(streams);
            let task = chunk.wait(async move |body| {
                pause(milliseconds).await?;
                let new = [b"(", &body.bytes()?[..], b")"].concat();
                streams.borrow_mut()[number].out[side].extend_from_slice(&new);
                body.replace(new)?;
                Ok(Resume::Continue)
            });
            if task.is_ok() {
                return task;
            }
        }
    }
    let verdict = direction.verdicts[at % direction.verdicts.len()];
    Ok(match verdict {
        0 if !chunk.is_last() => {
            state.held[side] = bytes;
            BodyAction::Hold
        }
        1 if !chunk.is_released() => {
            out.extend_from_slice(b"edited");
            BodyAction::Edit(bytes::Bytes::from_static(b"edited"))
        }
        2 => BodyAction::Drop,
        _ => {
            out.extend_from_slice(&bytes);
            BodyAction::Pass
        }
    })
}

fn script(plans: Vec<Plan>, streams: &Streams) -> Script {
    let plans: Rc<[Plan]> = plans.into();
    let number = |value: Option<&[u8]>| -> usize {
        String::from_utf8_lossy(value.unwrap()).parse().unwrap()
    };
    let plan_of = move |chunk: &Chunk<'_>| {
        let property = chunk.property(&["plan"]).unwrap();
        number(property.as_ref().map(|value| value.bytes()))
    };
    let (one, two, three, four) =
        (Rc::clone(&plans), Rc::clone(&plans), Rc::clone(&plans), Rc::clone(&plans));
    let (bodies, relays, replies) = (Rc::clone(streams), Rc::clone(streams), Rc::clone(streams));
    Script::new()
        .request_headers(move |headers| {
            // A stock Envoy does not tell headers of the request later.
            let named = headers.get("x-plan")?;
            headers.set_property(&["plan"], named.unwrap_or_default())?;
            let plan = &one[number(named)];
            if plan.request.buffer {
                headers.body_mode(BodyMode::Buffer);
            }
            if let Some(milliseconds) = plan.beside {
                headers.spawn(async move {
                    loop {
                        pause(milliseconds * 3 + 1).await?;
                    }
                });
            }
            Ok(match plan.request.head {
                Head::Continue | Head::Relay(_) => HeadersAction::Continue,
                Head::Hold => HeadersAction::Hold,
                Head::Wait(milliseconds) => {
                    headers.wait(async move |held| mark(held, milliseconds).await)
                }
            })
        })
        .request_body(move |body| {
            let number = plan_of(body);
            chunk(0, &two[number], body, &bodies, number)
        })
        .response_headers(move |headers| {
            let property = headers.property(&["plan"])?;
            let number = number(property.as_ref().map(|value| value.bytes()));
            assert!(!relays.borrow()[number].routed, "the task has the response");
            let plan = &three[number];
            if plan.response.buffer {
                headers.body_mode(BodyMode::Buffer);
            }
            let streams = Rc::clone(&relays);
            Ok(match plan.response.head {
                Head::Continue => HeadersAction::Continue,
                Head::Hold => HeadersAction::Hold,
                Head::Wait(milliseconds) => {
                    headers.wait(async move |held| mark(held, milliseconds).await)
                }
                Head::Relay(milliseconds) => headers
                    .relay(async move |body| relay(body, milliseconds, streams, number).await),
            })
        })
        .response_body(move |body| {
            let number = plan_of(body);
            chunk(1, &four[number], body, &replies, number)
        })
}

fn sides(relays: bool) -> impl Strategy<Value = Side> {
    let head = prop_oneof![
        Just(Head::Continue),
        Just(Head::Hold),
        (0_u64..20).prop_map(Head::Wait),
        (0_u64..20).prop_map(move |ms| if relays { Head::Relay(ms) } else { Head::Wait(ms) }),
    ];
    let verdicts = prop::collection::vec(0_u8..5, 1..5);
    let chunks = prop::collection::vec("[a-z]{0,5}", 1..6);
    let waits = prop::option::of(0_u64..20);
    (head, any::<bool>(), verdicts, waits, chunks, any::<bool>(), prop::bool::weighted(0.1))
        .prop_map(|(head, buffer, verdicts, last_waits, chunks, trailers, bodiless)| Side {
            head,
            buffer,
            verdicts,
            last_waits,
            chunks,
            trailers,
            bodiless,
        })
}

fn plans() -> impl Strategy<Value = Plan> {
    let route = prop::option::weighted(0.3, 0_u64..20);
    let beside = prop::option::weighted(0.2, 0_u64..20);
    (sides(false), sides(true), route, any::<bool>(), beside).prop_map(
        |(request, response, route, http1, beside)| Plan {
            request,
            response,
            route,
            http1,
            beside,
        },
    )
}

impl Plan {
    fn call(&self, number: usize) -> Call {
        let mut answer = Answer::new(200);
        if !self.response.bodiless {
            answer = answer.chunks(&self.response.chunks);
            if self.response.trailers {
                answer = answer.trailer("t", "2");
            }
        }
        let mut call = Call::post("/").header("x-plan", &number.to_string()).answer(answer);
        if !self.request.bodiless {
            call = call.chunks(&self.request.chunks);
            if self.request.trailers {
                call = call.trailer("t", "1");
            }
        }
        if self.http1 { call.http1() } else { call }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_combination_comes_to_its_end(plans in prop::collection::vec(plans(), 1..9), higress: bool, forwards: bool) {
        let mut upstreams = String::from("[cluster.auth]\n");
        for latency in 0..70 {
            upstreams.push_str(&format!(
                "[[cluster.auth.http]]\nmatch = {{ path = \"/{latency}\" }}\nlatency = \"{latency}ms\"\n"
            ));
        }
        let streams: Streams = Rc::default();
        streams.borrow_mut().resize_with(plans.len(), Progress::default);
        let mut host = Case { higress, refuse: true }.forwarding(forwards, &upstreams, script(plans.clone(), &streams));
        let calls: Vec<_> = plans.iter().enumerate().map(|(number, plan)| plan.call(number)).collect();
        let outcomes = host.interleave(calls).unwrap();
        prop_assert_eq!(log(&mut host), [""; 0]);
        for ((outcome, plan), state) in outcomes.iter().zip(&plans).zip(&*streams.borrow()) {
            prop_assert_eq!(&outcome.stalled, &None, "{:?} {:?}", outcome.upstream, outcome.downstream);
            prop_assert_eq!(outcome.upstream.text(), String::from_utf8_lossy(&state.out[0]));
            prop_assert_eq!(outcome.downstream.text(), String::from_utf8_lossy(&state.out[1]));
            prop_assert!(outcome.upstream.ended && outcome.downstream.ended && !outcome.reset);
            let request_trailers = plan.request.trailers && !plan.request.bodiless;
            let response_trailers = plan.response.trailers && !plan.response.bodiless;
            prop_assert_eq!(outcome.upstream.trailers.is_empty(), !request_trailers);
            prop_assert_eq!(outcome.downstream.trailers.is_empty(), !response_trailers);
            prop_assert_eq!(outcome.downstream.header("x-routed").is_some(), state.routed);
        }
    }
}
