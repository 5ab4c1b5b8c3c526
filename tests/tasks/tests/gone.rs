//! Callbacks about what is unknown or has ended, while tasks wait.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use bench_host::engine::Callback;
use bench_host::host::Direction;
use bench_host::measure::Phase;
use bench_host::testing::{Answer, Call};
use chunkwise::abi::Guest;
use chunkwise::http::{BodyAction, BodyMode, HeadersAction, Resume, RouteCall};
use chunkwise::{
    Chunk, Config, ConfigError, Driver, Error, Filter, Plugin, PluginContext, Result, http, time,
};
use chunkwise_task_tests::{
    AUTH, Case, Guard, Script, Signal, auth, data, headers, log, misuse, open,
};
use proptest::prelude::*;

thread_local! {
    static ALIVE: Rc<Cell<i64>> = Rc::default();
    static TURN: Cell<u32> = const { Cell::new(0) };
    static SIGNAL: std::cell::RefCell<Signal> = std::cell::RefCell::default();
}

/// Counts what is alive: the futures of tasks.
struct Alive;

impl Alive {
    fn new() -> Self {
        ALIVE.with(|alive| alive.set(alive.get() + 1));
        Self
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        ALIVE.with(|alive| alive.set(alive.get() - 1));
        // A future may wake others when it goes.
        if TURN.get().is_multiple_of(3) {
            SIGNAL.with_borrow(Signal::clone).set();
        }
    }
}

fn turn() -> u32 {
    TURN.set(TURN.get().wrapping_mul(7) + 3);
    TURN.get() >> 3
}

/// Waits for something that may never come, or is refused at once.
async fn something() -> Result<()> {
    let _alive = Alive::new();
    match turn() % 5 {
        0 => auth().get("/").send().await.map(drop)?,
        1 => time::sleep(Duration::from_millis(3)).await?,
        2 => return Ok(()),
        _ => SIGNAL.with_borrow(Signal::clone).await,
    }
    let _ = auth().get("/again").send().await;
    SIGNAL.with_borrow(Signal::clone).await;
    if turn().is_multiple_of(3) { Err(Error::Plugin("no")) } else { Ok(()) }
}

/// Does something else in every callback.
struct Restless;
struct RestlessFilter;

impl Plugin for Restless {
    type Filter = RestlessFilter;

    const HOST: chunkwise::Host = chunkwise::Host::Higress;

    fn configure(_: &Config<'_>) -> Result<Self, ConfigError> {
        Ok(Self)
    }

    fn start(&self, context: &PluginContext<Self>) -> Result<()> {
        context.spawn(something());
        context.every(Duration::from_millis(2), |_| {
            SIGNAL.replace(Signal::default()).set();
            Ok(())
        });
        Ok(())
    }

    fn filter(&self) -> RestlessFilter {
        RestlessFilter
    }
}

impl Filter<Restless> for RestlessFilter {
    fn request_headers(
        &mut self,
        _: &Restless,
        headers: &http::RequestHeaders<'_>,
    ) -> Result<HeadersAction> {
        headers.spawn(something());
        if turn().is_multiple_of(2) {
            headers.body_mode(BodyMode::Buffer);
        }
        Ok(match turn() % 4 {
            0 => HeadersAction::Continue,
            1 => HeadersAction::Hold,
            _ => headers.wait(async |held| {
                something().await?;
                let _ = held.set("x", "1");
                if turn().is_multiple_of(4) {
                    return held.reply(&http::Reply::new(403));
                }
                Ok(Resume::Continue)
            }),
        })
    }

    fn request_body(&mut self, _: &Restless, chunk: &mut Chunk<'_>) -> Result<BodyAction> {
        match turn() % 5 {
            0 => Ok(BodyAction::Hold),
            1 => Ok(BodyAction::Pass),
            2 => Ok(BodyAction::Drop),
            3 if chunk.headers().is_ok() && chunk.is_last() && !chunk.is_released() => {
                chunk.route(&RouteCall::new("GET", "/"), async |_| {
                    something().await?;
                    Ok(Resume::Continue)
                })
            }
            _ if chunk.is_last() => chunk.wait(async |body| {
                something().await?;
                let _ = body.replace("new");
                Ok(Resume::Continue)
            }),
            _ => Ok(BodyAction::Edit("new".into())),
        }
    }

    fn response_headers(
        &mut self,
        _: &Restless,
        headers: &http::ResponseHeaders<'_>,
    ) -> Result<HeadersAction> {
        Ok(match turn() % 3 {
            0 => headers.relay(async |mut body| {
                while let Some(chunk) = body.next().await {
                    something().await?;
                    body.send(chunk)?;
                }
                Ok(())
            }),
            1 => headers.wait(async |_| {
                something().await?;
                Ok(Resume::Continue)
            }),
            _ => HeadersAction::Hold,
        })
    }

    fn response_body(&mut self, plugin: &Restless, chunk: &mut Chunk<'_>) -> Result<BodyAction> {
        if turn().is_multiple_of(2) {
            Ok(BodyAction::Pass)
        } else {
            self.request_body(plugin, chunk)
        }
    }
}

/// A callback with some small numbers.
fn callbacks() -> impl Strategy<Value = Callback> {
    (0_u32..19, 0_u32..6, 0_u32..8, any::<bool>()).prop_map(|(kind, context, number, end)| {
        match kind {
            0 => Callback::ContextCreate { context, parent: 0 },
            1 | 2 => Callback::ContextCreate { context, parent: 1 + number / 6 },
            3 => Callback::Configure { context, size: 0 },
            4 | 5 => Callback::RequestHeaders { context, count: number, end },
            6 | 7 => Callback::RequestBody { context, size: number, end },
            8 => Callback::RequestTrailers { context, count: number },
            9 => Callback::ResponseHeaders { context, count: number, end },
            10 | 11 => Callback::ResponseBody { context, size: number, end },
            12 => Callback::ResponseTrailers { context, count: number },
            13 | 14 => Callback::Tick { context },
            15 => {
                let headers = number % 3;
                Callback::HttpCallResponse {
                    context,
                    token: number,
                    headers,
                    size: number,
                    trailers: 0,
                }
            }
            16 => Callback::Log { context },
            17 => Callback::Done { context },
            _ => Callback::Delete { context },
        }
    })
}

/// Calls a driver, without a host around it.
fn call(driver: &dyn Guest, callback: Callback) {
    match callback {
        Callback::ContextCreate { context, parent } => driver.on_context_create(context, parent),
        Callback::Configure { context, .. } => drop(driver.on_configure(context, 0)),
        Callback::RequestHeaders { context, count, end } => {
            driver.on_request_headers(context, count as usize, end);
        }
        Callback::RequestBody { context, size, end } => {
            driver.on_request_body(context, size as usize, end);
        }
        Callback::RequestTrailers { context, count } => {
            driver.on_request_trailers(context, count as usize);
        }
        Callback::ResponseHeaders { context, count, end } => {
            driver.on_response_headers(context, count as usize, end);
        }
        Callback::ResponseBody { context, size, end } => {
            driver.on_response_body(context, size as usize, end);
        }
        Callback::ResponseTrailers { context, count } => {
            driver.on_response_trailers(context, count as usize);
        }
        Callback::Tick { context } => driver.on_tick(context),
        Callback::HttpCallResponse { context, token, headers, size, trailers } => {
            let [headers, size, trailers] = [headers, size, trailers].map(|number| number as usize);
            driver.on_http_call_response(context, token, headers, size, trailers);
        }
        Callback::Log { context } => driver.on_log(context),
        Callback::Done { context } => drop(driver.on_done(context)),
        Callback::Delete { context } => driver.on_delete(context),
        _ => unreachable!(),
    }
}

fn alive() -> i64 {
    ALIVE.with(|alive| alive.get())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, failure_persistence: None, ..ProptestConfig::default() })]

    /// Any callbacks in any order: nothing panics, and what has ended keeps nothing alive.
    #[test]
    fn callbacks_in_any_order_are_survived(
        callbacks in prop::collection::vec(callbacks(), 0..60),
        seed: u32,
    ) {
        TURN.set(seed);
        SIGNAL.take();
        let driver = Driver::<Restless>::new();
        driver.on_context_create(1, 0);
        driver.on_configure(1, 0);
        for callback in callbacks {
            call(&driver, callback);
        }
        for context in (0..8).rev() {
            driver.on_delete(context);
        }
        prop_assert_eq!(alive(), 0, "tasks of contexts that are deleted");
        SIGNAL.take().set();
        drop(driver);
        prop_assert_eq!(alive(), 0);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    /// The same beside real streams of a host that takes host calls.
    #[test]
    fn callbacks_of_a_wild_host_are_survived(
        wild in prop::collection::vec((callbacks(), 0_u64..4), 0..40),
        seed: u32,
    ) {
        TURN.set(seed);
        SIGNAL.take();
        let setup = bench_host::testing::Setup::new().higress().upstreams(AUTH).unwrap();
        let mut host = setup.native::<Restless>("").unwrap();
        for (at, (callback, wait)) in wild.into_iter().enumerate() {
            if at % 8 == 0 {
                let stream = open(&mut host);
                headers(&mut host, stream, Direction::Request, &[], false);
            }
            host.slot().current().guest().call(callback).unwrap();
            host.run_for(Duration::from_millis(wait)).unwrap();
        }
        prop_assert!(host.slot().crashes().is_empty());
        SIGNAL.take().set();
        drop(host);
        prop_assert_eq!(alive(), 0);
    }
}

/// Answers that nobody waits for make no host call.
#[test]
fn answers_to_nobody_are_ignored() {
    for case in Case::PROXIES {
        let script = Script::new().request_headers(|headers| {
            Ok(headers.wait(async |held| {
                let reply = auth().get("/").send().await?;
                held.set("x-answer", reply.body())?;
                Ok(Resume::Continue)
            }))
        });
        let mut host = case.with(AUTH, script);
        let stream = open(&mut host);
        headers(&mut host, stream, Direction::Request, &[], true);
        for context in [0, 1, stream.context, 77, u32::MAX] {
            for token in [0, 5, 77, u32::MAX] {
                for count in [0, 3] {
                    let wild = Callback::HttpCallResponse {
                        context,
                        token,
                        headers: count,
                        size: 9,
                        trailers: 1,
                    };
                    host.slot().current().guest().call(wild).unwrap();
                }
                host.slot().current().guest().call(Callback::Tick { context: token }).unwrap();
                host.slot().current().guest().call(Callback::Done { context: token }).unwrap();
                host.slot().current().guest().call(Callback::Delete { context: token }).unwrap();
            }
        }
        assert!(host.ledger().host_calls(Phase::CallResponse).is_empty());
        host.run_for(Duration::from_millis(3)).unwrap();
        let closed = host.slot().close(stream).unwrap();
        assert_eq!(closed.request.received.headers.unwrap().get(b"x-answer").unwrap(), "ok");
        assert_eq!(log(&mut host), [""; 0]);
    }
}

/// A stream that waits keeps the configuration that it began with, and is finished.
#[test]
fn a_new_configuration_leaves_waiting_streams_alone() {
    for case in Case::ALL {
        for direction in [Direction::Request, Direction::Response] {
            let drops = Rc::new(Cell::new(0));
            let counted = Rc::clone(&drops);
            let wait = async |held: http::HeldHeaders| {
                auth().get("/").send().await?;
                held.set("x-one", "1")?;
                auth().get("/").send().await?;
                held.set("x-two", "2")?;
                Ok(Resume::Continue)
            };
            let script = Script::new().start(move |context| {
                let guard = Guard(Rc::clone(&counted));
                context.spawn(async move {
                    let _guard = guard;
                    loop {
                        time::sleep(Duration::from_millis(1)).await?;
                    }
                });
                Ok(())
            });
            let script = match direction {
                Direction::Request => script.request_headers(move |headers| Ok(headers.wait(wait))),
                Direction::Response => {
                    script.response_headers(move |headers| Ok(headers.wait(wait)))
                }
            };
            let mut host = case.with(AUTH, script);
            // A proxy tries every configuration in a VM of its own.
            let tried = drops.get();
            let stream = open(&mut host);
            headers(&mut host, stream, Direction::Request, &[], true);
            if direction == Direction::Response {
                headers(&mut host, stream, Direction::Response, &[], false);
            }
            host.configure("").unwrap();
            host.run_for(Duration::from_millis(3)).unwrap();
            host.configure("").unwrap();
            host.run_for(Duration::from_millis(3)).unwrap();
            if direction == Direction::Response {
                data(&mut host, stream, Direction::Response, b"body", true);
            }
            let closed = host.slot().close(stream).unwrap();
            let half = match direction {
                Direction::Request => closed.request,
                Direction::Response => closed.response,
            };
            let sent = half.received.headers.unwrap();
            assert!(sent.get(b"x-one").is_some() && sent.get(b"x-two").is_some(), "{case:?}");
            assert!(half.received.ended);
            host.run_for(Duration::from_secs(1)).unwrap();
            let tried_again = 2 * tried.max(1);
            assert!(
                drops.get() - tried >= 2,
                "{} tasks of old configurations ended, {tried_again}",
                drops.get()
            );
            assert_eq!(misuse(&mut host), [""; 0]);
            let outcome = host.send(Call::get("/").answer(Answer::new(200).body("x"))).unwrap();
            assert!(outcome.downstream.ended);
            assert_eq!(log(&mut host), [""; 0]);
        }
    }
}

/// A plugin that goes while its streams and its own tasks wait.
#[test]
fn a_vm_that_ends_takes_all_tasks_along() {
    for case in Case::PROXIES {
        let drops = Rc::new(Cell::new(0));
        let counted = Rc::clone(&drops);
        let forever = Signal::default();
        let keep = forever.clone();
        let script = Script::new().request_headers(move |headers| {
            let (forever, counted) = (keep.clone(), Rc::clone(&counted));
            let guard = Guard(Rc::clone(&counted));
            let other = forever.clone();
            headers.spawn(async move {
                let _guard = guard;
                other.await;
                Ok(())
            });
            let guard = Guard(counted);
            Ok(headers.wait(async move |_| {
                let _guard = guard;
                forever.await;
                Ok(Resume::Continue)
            }))
        });
        let mut host = case.with(AUTH, script);
        for _ in 0..10 {
            let stream = open(&mut host);
            headers(&mut host, stream, Direction::Request, &[], true);
        }
        assert_eq!(drops.get(), 0);
        drop(host);
        assert_eq!(drops.get(), 20);
        // Wakers that outlive their VM wake nobody.
        forever.set();
    }
}

/// Starts a task, and refuses its configuration.
struct Undecided;

impl Plugin for Undecided {
    type Filter = ();

    fn configure(_: &Config<'_>) -> Result<Self, ConfigError> {
        Ok(Self)
    }

    fn start(&self, context: &PluginContext<Self>) -> Result<()> {
        let alive = Alive::new();
        context.spawn(async move {
            let _alive = alive;
            std::future::pending().await
        });
        Err(Error::Plugin("on second thoughts"))
    }

    fn filter(&self) {}
}

#[test]
fn a_configuration_that_is_refused_leaves_no_task() {
    let driver = Driver::<Undecided>::new();
    driver.on_context_create(1, 0);
    assert!(!driver.on_configure(1, 0));
    assert_eq!(alive(), 0);
}
