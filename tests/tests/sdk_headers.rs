//! Header maps: what is read, what is changed, when, and at what cost.

#![expect(clippy::unwrap_used, reason = "a test fails where it does not hold")]

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use bench_host::engine::native::NativePlugin;
use bench_host::engine::{Callback, Plugin as _};
use bench_host::host::{Direction, HeaderMap, Host, Level, Measure, Profile, Proxy, Received};
use bench_host::host::{Settings, World};
use bench_host::measure::Phase;
use bench_host::testing::{Answer, Call, Outcome, TestHost};
use bytes::Bytes;
use chunkwise::abi::Status;
use chunkwise::http::{Headers, HeadersAction, RequestHeaders, ResponseHeaders};
use chunkwise::http::{Trailers, TrailersAction};
use chunkwise::{Config, ConfigError, Error, Filter, Plugin, Result};

type Work = Box<dyn FnMut(Phase, &Headers<'_>, bool) -> Result<HeadersAction>>;

thread_local! {
    static WORK: RefCell<Work> = RefCell::new(Box::new(|_, _, _| Ok(HeadersAction::Continue)));
    static CALLED: Cell<u32> = const { Cell::new(0) };
}

/// Does with every header map what the test says; a failed assertion in there fails the stream.
struct Scripted;
struct ScriptedFilter;

impl Plugin for Scripted {
    type Filter = ScriptedFilter;

    fn configure(_: &Config<'_>) -> Result<Self, ConfigError> {
        Ok(Self)
    }

    fn filter(&self) -> ScriptedFilter {
        ScriptedFilter
    }
}

fn work(phase: Phase, headers: &Headers<'_>, more: bool) -> Result<HeadersAction> {
    CALLED.set(CALLED.get() + 1);
    WORK.with_borrow_mut(|work| work(phase, headers, more))
}

impl Filter<Scripted> for ScriptedFilter {
    fn request_headers(
        &mut self,
        _: &Scripted,
        headers: &RequestHeaders<'_>,
    ) -> Result<HeadersAction> {
        work(Phase::RequestHeaders, headers, headers.has_body())
    }

    fn request_trailers(
        &mut self,
        _: &Scripted,
        trailers: &Trailers<'_>,
    ) -> Result<TrailersAction> {
        work(Phase::RequestTrailers, trailers, false).map(|_| TrailersAction::Continue)
    }

    fn response_headers(
        &mut self,
        _: &Scripted,
        headers: &ResponseHeaders<'_>,
    ) -> Result<HeadersAction> {
        work(Phase::ResponseHeaders, headers, headers.has_body())
    }

    fn response_trailers(
        &mut self,
        _: &Scripted,
        trailers: &Trailers<'_>,
    ) -> Result<TrailersAction> {
        work(Phase::ResponseTrailers, trailers, false).map(|_| TrailersAction::Continue)
    }
}

/// What is done with the maps of one phase.
fn on(at: Phase, mut work: impl FnMut(&Headers<'_>, bool) -> Result<HeadersAction> + 'static) {
    CALLED.set(0);
    WORK.set(Box::new(
        move |phase, headers, more| {
            if phase == at { work(headers, more) } else { Ok(HeadersAction::Continue) }
        },
    ));
}

/// As [`on`], and the headers go on.
fn look(at: Phase, mut look: impl FnMut(&Headers<'_>) -> Result<()> + 'static) {
    on(at, move |headers, _| look(headers).map(|()| HeadersAction::Continue));
}

fn send(call: Call) -> (Outcome, TestHost) {
    let mut host = TestHost::native::<Scripted>("").unwrap();
    let outcome = host.send(call).unwrap();
    assert_eq!(host.log(), []);
    (outcome, host)
}

fn calls(names: &[(&str, u64)]) -> BTreeMap<String, u64> {
    names.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect()
}

fn pairs(headers: &HeaderMap) -> Vec<(String, String)> {
    let text = |bytes: &Bytes| String::from_utf8_lossy(bytes).into_owned();
    headers.iter().map(|(name, value)| (text(name), text(value))).collect()
}

fn values(headers: &HeaderMap, wanted: &str) -> Vec<String> {
    let all = pairs(headers).into_iter().filter(|(name, _)| name == wanted);
    all.map(|(_, value)| value).collect()
}

#[test]
fn headers_that_nobody_looks_at_cost_nothing() {
    look(Phase::RequestHeaders, |headers| {
        assert_eq!((headers.len(), headers.is_empty()), (5, false));
        Ok(())
    });
    let (outcome, mut host) = send(Call::get("/").header("x-a", "1"));
    assert_eq!(CALLED.get(), 2);
    assert_eq!(outcome.upstream.header("x-a").unwrap(), "1");
    for phase in [Phase::ContextCreate, Phase::RequestHeaders, Phase::ResponseHeaders] {
        assert_eq!(host.ledger().host_calls(phase), calls(&[]));
        assert_eq!(host.ledger().phase(phase).bytes_in, 0);
    }
}

#[test]
fn a_value_is_read_in_one_host_call() {
    look(Phase::RequestHeaders, |headers| {
        assert_eq!(headers.get(":path")?, Some(&b"/a?b"[..]));
        Ok(())
    });
    let (_, mut host) = send(Call::get("/a?b"));
    let get = calls(&[("proxy_get_header_map_value", 1)]);
    assert_eq!(host.ledger().host_calls(Phase::RequestHeaders), get);
    let costs = host.ledger().phase(Phase::RequestHeaders);
    assert_eq!((costs.bytes_in, costs.bytes_out), (4, 5), "the value in, the name out");
}

#[test]
fn missing_is_not_empty() {
    look(Phase::RequestHeaders, |headers| {
        assert_eq!(headers.get("x-missing")?, None);
        assert_eq!(headers.get("x-empty")?, Some(&b""[..]));
        assert_eq!(headers.get("")?, None);
        Ok(())
    });
    let (_, mut host) = send(Call::get("/").header("x-empty", ""));
    let get = calls(&[("proxy_get_header_map_value", 3)]);
    assert_eq!(host.ledger().host_calls(Phase::RequestHeaders), get);
    assert_eq!(host.ledger().phase(Phase::RequestHeaders).bytes_in, 0);
}

#[test]
fn several_values_keep_their_order_and_get_gives_the_first() {
    look(Phase::ResponseHeaders, |headers| {
        assert_eq!(headers.get("set-cookie")?, Some(&b"a=1"[..]));
        let pairs = headers.iter()?;
        assert_eq!((pairs.len(), headers.len()), (4, 4));
        let expected: [(&[u8], &[u8]); 4] =
            [(b":status", b"200"), (b"set-cookie", b"a=1"), (b"x", b""), (b"set-cookie", b"b=2")];
        assert!(pairs.eq(expected));
        Ok(())
    });
    let answer = Answer::new(200).header("set-cookie", "a=1").header("x", "");
    let (_, mut host) = send(Call::get("/").answer(answer.header("set-cookie", "b=2")));
    let read = calls(&[("proxy_get_header_map_pairs", 1), ("proxy_get_header_map_value", 1)]);
    assert_eq!(host.ledger().host_calls(Phase::ResponseHeaders), read);
}

#[test]
fn each_change_is_one_host_call() {
    look(Phase::RequestHeaders, |headers| {
        headers.set("x-one", "new")?;
        headers.set("x-new", "first")?;
        headers.add("x-new", "second")?;
        headers.remove("x-gone")?;
        headers.remove("x-never-was")?;
        headers.set("x-empty", "")?;
        assert_eq!(headers.get("x-one")?, Some(&b"new"[..]));
        assert_eq!(headers.len(), 8, "as it was when the callback began");
        Ok(())
    });
    let call = Call::get("/").header("x-one", "1").header("x-gone", "1").header("x-gone", "2");
    let (outcome, mut host) = send(call.header("x-one", "2"));
    let headers = pairs(&outcome.upstream.headers);
    let expected = [("x-one", "new"), ("x-new", "first"), ("x-new", "second"), ("x-empty", "")];
    let tail = headers[4..].iter().map(|(name, value)| (&name[..], &value[..]));
    assert_eq!(tail.collect::<Vec<_>>(), expected, "behind the four pseudo headers");
    let changes = calls(&[
        ("proxy_replace_header_map_value", 3),
        ("proxy_add_header_map_value", 1),
        ("proxy_remove_header_map_value", 2),
        ("proxy_get_header_map_value", 1),
    ]);
    assert_eq!(host.ledger().host_calls(Phase::RequestHeaders), changes);
}

#[test]
fn values_are_bytes() {
    const VALUE: &[u8] = b"caf\xe9 \xff\x80";
    look(Phase::RequestHeaders, |headers| {
        headers.set("x-latin", VALUE)?;
        headers.add("x-utf8", "gr\u{fc}n")?;
        assert_eq!(headers.get("x-latin")?, Some(VALUE));
        assert!(headers.iter()?.any(|(name, value)| name == b"x-latin" && value == VALUE));
        Ok(())
    });
    let (outcome, _) = send(Call::get("/"));
    assert_eq!(outcome.upstream.headers.get(b"x-latin").unwrap(), VALUE);
    assert_eq!(outcome.upstream.headers.get(b"x-utf8").unwrap(), "gr\u{fc}n");
}

#[test]
fn response_headers_and_trailers_are_maps_of_their_own() {
    WORK.set(Box::new(|phase, headers, _| {
        let own: &[u8] = phase.name().as_bytes();
        assert_eq!(headers.get("x-phase")?, Some(own));
        headers.set("x-seen", own)?;
        Ok(HeadersAction::Continue)
    }));
    let (headers, trailers) = ("response_headers", "response_trailers");
    let answer = Answer::new(200).header("x-phase", headers).trailer("x-phase", trailers);
    let call = Call::post("/").header("x-phase", "request_headers").body("b");
    let call = call.trailer("x-phase", "request_trailers").answer(answer.body("b"));
    let (outcome, _) = send(call);
    assert_eq!(values(&outcome.upstream.headers, "x-seen"), ["request_headers"]);
    assert_eq!(values(&outcome.upstream.trailers, "x-seen"), ["request_trailers"]);
    assert_eq!(values(&outcome.downstream.headers, "x-seen"), ["response_headers"]);
    assert_eq!(values(&outcome.downstream.trailers, "x-seen"), ["response_trailers"]);
}

#[test]
fn whether_a_body_follows_is_known() {
    for (call, has_body) in [
        (Call::get("/"), false),
        (Call::post("/").body(""), true),
        (Call::post("/").body("x"), true),
        (Call::post("/").trailer("x", "y"), true),
    ] {
        on(Phase::RequestHeaders, move |_, more| {
            assert_eq!(more, has_body);
            Ok(HeadersAction::Continue)
        });
        send(call);
    }
}

/// A proxy whose callbacks the test makes by itself.
fn proxy(settings: Settings) -> Proxy {
    let settings = Settings { log_level: Level::Trace, ..settings };
    let guest = NativePlugin::<Scripted>::new().guest(Host::new(settings, &World::default()));
    let measure = Measure { time: false, usage: true };
    Proxy::start(guest.unwrap(), &Bytes::new(), measure).unwrap()
}

#[test]
fn headers_that_were_sent_on_cannot_be_changed_and_the_host_says_so() {
    let mut proxy = proxy(Settings::new(Profile::Envoy));
    let context = proxy.open("HTTP/2", Received::keeping(), Received::keeping());
    let map: HeaderMap = [(&b":path"[..], &b"/"[..])].into_iter().collect();
    look(Phase::RequestHeaders, |_| Ok(()));
    proxy.headers(context, Direction::Request, map.clone(), false);
    let refused = |result: Result<()>, call: &str| match result {
        Err(Error::Host(error)) => {
            assert_eq!((error.call(), error.status()), (call, Status::BadArgument));
            let text = format!("the host refused {call}: bad argument");
            assert_eq!(Error::Host(error).to_string(), text);
        }
        other => panic!("{other:?}"),
    };
    look(Phase::RequestHeaders, move |headers| {
        refused(headers.set("x", "y"), "proxy_replace_header_map_value");
        refused(headers.add("x", "y"), "proxy_add_header_map_value");
        refused(headers.remove("x"), "proxy_remove_header_map_value");
        let read = headers.get(":path");
        refused(read.map(drop), "proxy_get_header_map_value");
        Ok(())
    });
    // The same callback once more, for headers that have gone on.
    let again = Callback::RequestHeaders { context, count: 1, end: false };
    assert_eq!(proxy.guest().call(again), Ok(Some(0)));
    look(Phase::ResponseHeaders, |_| Ok(()));
    proxy.headers(context, Direction::Response, map, false);
    look(Phase::ResponseHeaders, move |headers| {
        refused(headers.set("x", "y"), "proxy_replace_header_map_value");
        let read = headers.get(":path");
        refused(read.map(drop), "proxy_get_header_map_value");
        assert_eq!(headers.iter()?.count(), 0);
        Ok(())
    });
    let again = Callback::ResponseHeaders { context, count: 1, end: false };
    assert_eq!(proxy.guest().call(again), Ok(Some(0)));
    assert_eq!(proxy.host().log.lines(), []);
}

/// Sends a request whose header callback holds its headers.
fn held(stop_is_stop_all: bool, body: &[&str]) -> Outcome {
    on(Phase::RequestHeaders, |_, _| Ok(HeadersAction::Hold));
    let settings =
        Settings { stop_is_stop_all, buffer_limit: Some(8), ..Settings::new(Profile::Envoy) };
    let mut host = TestHost::start(&NativePlugin::<Scripted>::new(), settings, "").unwrap();
    let call = Call::post("/");
    host.send(if body.is_empty() { call } else { call.chunks(body) }).unwrap()
}

#[test]
fn stopped_headers_leave_with_the_body_where_the_host_reads_stop_as_stop() {
    let outcome = held(false, &["ab", "cd"]);
    assert_eq!(outcome.upstream.text(), "abcd");
    assert!(outcome.upstream.ended && outcome.downstream.ended);
    assert_eq!(outcome.upstream.header(":path").unwrap(), "/");
    assert_eq!(outcome.details, "via_upstream");

    let bodiless = held(false, &[]);
    assert!(bodiless.downstream.ended, "no body callback comes that could continue");
}

#[test]
fn a_stock_host_reads_stop_as_stop_everything() {
    let outcome = held(true, &["ab", "cd"]);
    assert!(outcome.upstream.headers.is_empty() && outcome.upstream.body.is_empty());
    assert!(!outcome.upstream.ended && !outcome.downstream.ended);
    // Past the limit the sender is slowed down and the request waits, without an error.
    let outcome = held(true, &["12345", "6789", "0"]);
    assert!(!outcome.downstream.ended && !outcome.replied_locally);
}

#[test]
fn response_headers_stop_in_the_same_way() {
    on(Phase::ResponseHeaders, |_, _| Ok(HeadersAction::Hold));
    let settings = Settings { stop_is_stop_all: false, ..Settings::new(Profile::Envoy) };
    let mut host = TestHost::start(&NativePlugin::<Scripted>::new(), settings, "").unwrap();
    let call = Call::get("/").answer(Answer::new(200).chunks(["ab", "cd"]));
    let outcome = host.send(call).unwrap();
    assert_eq!((outcome.downstream.text(), outcome.downstream.ended), ("abcd".into(), true));
}
