//! Hosts that refuse what they are asked for, or end a stream in the middle of its own callback.
//!
//! Plugins are called without a host here, where every host call is refused.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::task::Poll;

use bench_host::testing::Call;
use chunkwise::Error;
use chunkwise::abi::Guest;
use chunkwise::http::{BodyAction, BodyMode, HeadersAction, Resume, RouteCall};
use chunkwise_task_tests::{AUTH, Case, Guard, Script, Signal};

const PASS: u32 = 0;
const STOP_ALL: u32 = 4;
const DROP_BODY: u32 = 3;
const HOLD_TRAILERS: u32 = 1;

type Slot<T> = Rc<RefCell<Option<T>>>;

/// A stream of the plugin with the context 1.
const STREAM: u32 = 2;

#[test]
fn a_stream_that_ends_in_its_own_callback_is_told() {
    // The host says that it is done, deletes it, or both; in the callback, or the last behind it.
    for (done, delete) in [(true, true), (false, true), (true, false), (false, false)] {
        let told = Rc::new(Cell::new(0));
        let guest: Slot<Rc<dyn Guest>> = Slot::default();
        let (count, inside) = (Rc::clone(&told), Rc::clone(&guest));
        let script = Script::new()
            .request_headers(move |_| {
                let guest = inside.borrow().clone().unwrap();
                if done {
                    guest.on_log(STREAM);
                    assert!(guest.on_done(STREAM));
                }
                if delete {
                    guest.on_delete(STREAM);
                }
                Ok(HeadersAction::Continue)
            })
            .done(move || count.set(count.get() + 1));
        let bare = Case { higress: false, refuse: true }.bare(script);
        guest.replace(Some(Rc::clone(&bare)));
        bare.on_context_create(STREAM, 1);
        bare.on_request_headers(STREAM, 0, true);
        assert_eq!(told.get(), u32::from(delete), "{done} {delete}");
        bare.on_delete(STREAM);
        assert_eq!(told.get(), 1, "{done} {delete}");
        guest.take();
    }
}

#[test]
fn a_callback_that_panics_is_over() {
    let (signal, ended) = (Signal::default(), Rc::new(Cell::new(false)));
    let (waits, noted) = (signal.clone(), Rc::clone(&ended));
    let script = Script::new()
        .request_headers(move |headers| {
            let (waits, noted) = (waits.clone(), Rc::clone(&noted));
            Ok(headers.wait(async move |_| {
                waits.await;
                noted.set(true);
                Ok(Resume::Continue)
            }))
        })
        .response_headers(|_| panic!("as the test wants it"))
        .response_body(move |_| {
            signal.set();
            Ok(BodyAction::Pass)
        });
    let bare = Case { higress: false, refuse: true }.bare(script);
    for stream in [STREAM, STREAM + 1] {
        bare.on_context_create(stream, 1);
    }
    assert_eq!(bare.on_request_headers(STREAM, 0, true), STOP_ALL);
    let panics = AssertUnwindSafe(|| bare.on_response_headers(STREAM + 1, 0, false));
    assert!(catch_unwind(panics).is_err());
    // The outermost callback polls what it wakes.
    bare.on_response_body(STREAM, 0, false);
    assert!(ended.get());
}

/// A relay whose task ends where only a timer can let the response go.
#[test]
fn a_relay_that_no_timer_can_let_go_is_refused() {
    for refuse in [false, true] {
        let script = Script::new().response_headers(move |headers| {
            let (first, second) = (Signal::default(), Signal::default());
            let (waits, sets) = (first.clone(), second.clone());
            headers.spawn(async move {
                waits.await;
                sets.set();
                Ok(())
            });
            Ok(headers.relay(async move |_| {
                let mut polls = 0;
                // The first chunk has this polled, which wakes the other task, which wakes this.
                poll_fn(move |_| {
                    polls += 1;
                    if polls == 1 { Poll::Pending } else { Poll::Ready(()) }
                })
                .await;
                first.set();
                second.await;
                Ok(())
            }))
        });
        let bare = Case { higress: true, refuse }.bare(script);
        bare.on_context_create(STREAM, 1);
        assert_eq!(bare.on_response_headers(STREAM, 0, false), PASS);
        assert_eq!(bare.on_response_body(STREAM, 0, false), DROP_BODY);
        assert_eq!(bare.on_response_trailers(STREAM, 0), HOLD_TRAILERS);
    }
}

/// What is neither the request that came nor the other one must not reach the upstream.
#[test]
fn a_request_that_was_rewritten_in_part_is_refused() {
    for case in Case::ALL {
        for fails_behind in [false, true] {
            let dropped = Rc::new(Cell::new(0));
            let guard = Rc::clone(&dropped);
            let script = Script::new()
                .request_headers(|headers| {
                    headers.body_mode(BodyMode::Buffer);
                    Ok(HeadersAction::Hold)
                })
                .request_body(move |chunk| {
                    let call = RouteCall::new("PUT", "/other").body("new");
                    let guard = Guard(Rc::clone(&guard));
                    let action = chunk.route(&call, async move |_| {
                        drop(guard);
                        Ok(Resume::Continue)
                    })?;
                    if fails_behind { Err(Error::Plugin("behind it")) } else { Ok(action) }
                });
            let mut host =
                if fails_behind { case.with(AUTH, script) } else { case.too_early(script) };
            let outcome = host.send(Call::post("/").body("ab")).unwrap();
            let status = outcome.downstream.header(":status").unwrap().into_owned();
            assert_eq!((status.as_str(), dropped.get()), ("500", 1), "{case:?} {fails_behind}");
            assert!(outcome.upstream.headers.is_empty(), "{case:?} {fails_behind}");
        }
    }
}
