//! That the load client counts what happened, and leaves no wait out.

#![expect(clippy::unwrap_used, reason = "a test fails where it does not hold")]

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::time::Duration;

use bench_host::testing::{Answer, Call};
use bench_host::traffic::{Exchange, HttpVersion};
use envoy_tests::load::{Failure, Load, Report};
use envoy_tests::origin::{Origin, Reply};

const VERSIONS: [HttpVersion; 2] = [HttpVersion::Http1, HttpVersion::Http2];

fn post(http: HttpVersion) -> Exchange {
    Exchange { http, ..Exchange::from(Call::post("/").chunks(["a request ", "body"])) }
}

fn load(http: HttpVersion) -> Load {
    Load::new(&[post(http)], Duration::ZERO).unwrap()
}

fn failures(report: &Report) -> Vec<(Failure, u64)> {
    report.failures.iter().map(|(failure, count)| (*failure, *count)).collect()
}

#[test]
fn every_request_is_counted_once_and_by_kind() {
    let answer = Answer::new(200).chunks(["an ", "answer"]);
    let (answer, busy) =
        (Reply::new(answer, Duration::ZERO), Reply::new(Answer::new(503), Duration::ZERO));
    for http in VERSIONS {
        let (answer, busy) = (answer.clone(), busy.clone());
        let origin = Origin::start(move |request, _| match request {
            request if request % 10 == 3 => busy.clone(),
            request if request % 100 == 6 => Reply::reset(),
            500 => answer.clone().after(Duration::from_secs(30)),
            _ => answer.clone(),
        })
        .unwrap();
        let load = load(http).connections(7).streams(3).timeout(Duration::from_secs(3));
        let report = load.closed(origin.address(), 1000);
        assert_eq!(report.requests, 1000, "{http:?}");
        let expected = [(Failure::Status(503), 100), (Failure::Reset, 10), (Failure::Timeout, 1)];
        assert_eq!(failures(&report), expected, "{http:?}");
        assert_eq!(report.failed(), 111);
        assert_eq!(report.latency.len(), 889);
        assert_eq!(report.bytes, 889 * 9);
        assert_eq!(origin.requests(), 1000, "{http:?}");
        assert!(report.throughput() > 0.0);
    }
}

#[test]
fn where_nobody_listens_all_fail() {
    let origin = Origin::always(Reply::new(Answer::new(200), Duration::ZERO)).unwrap();
    let address = origin.address();
    assert_eq!(load(HttpVersion::Http1).closed(address, 3).failed(), 0);
    drop(origin);
    let nowhere = SocketAddr::from(([127, 0, 0, 1], 1));
    let report = load(HttpVersion::Http1).connections(2).closed(nowhere, 5);
    assert_eq!(report.failures, BTreeMap::from([(Failure::Connect, 5)]));
}

#[test]
fn an_open_loop_counts_the_wait_behind_a_server_that_stalls() {
    const STALL: Duration = Duration::from_millis(600);
    const PER_SECOND: NonZeroU32 = NonZeroU32::new(100).unwrap();
    let start = || {
        let answer = Reply::new(Answer::new(200), Duration::ZERO);
        Origin::start(move |request, _| match request {
            10 => answer.clone().after(STALL),
            _ => answer.clone(),
        })
    };
    for http in VERSIONS {
        let open = load(http).open(start().unwrap().address(), PER_SECOND, 100);
        assert_eq!((open.requests, open.failed()), (100, 0));
        assert!(open.elapsed >= Duration::from_millis(990), "{:?}", open.elapsed);
        // Of the 60 requests that were due meanwhile, half were due more than 300 ms before its
        // end. No machine is fast enough to make that less.
        assert!(open.latency.count_between(300_000_000, u64::MAX) >= 29, "{:?}", open.latency);
        let closed = load(http).closed(start().unwrap().address(), 100);
        assert_eq!(closed.requests, 100);
        assert!(closed.quantile(1.0) >= STALL);
    }
}

#[test]
fn exchanges_are_sent_in_turn_each_with_the_status_it_is_to_have() {
    let teapot = Reply::new(Answer::new(418), Duration::ZERO);
    let fine = Reply::new(Answer::new(200), Duration::ZERO);
    let origin = Origin::start(move |_, head| match head.uri.path() {
        "/teapot" => teapot.clone(),
        _ => fine.clone(),
    })
    .unwrap();
    let exchanges = [Call::get("/teapot").answer(Answer::new(418)), Call::get("/")];
    let load = Load::new(&exchanges.map(Exchange::from), Duration::ZERO).unwrap();
    assert_eq!(load.closed(origin.address(), 10).failed(), 0);
    let report = load.expect(hyper::StatusCode::OK).closed(origin.address(), 10);
    assert_eq!(failures(&report), [(Failure::Status(418), 5)]);
    assert!(Load::new(&[], Duration::ZERO).is_err());
}

#[test]
fn streamed_bodies_take_their_pauses_and_arrive_whole() {
    let pause = Duration::from_millis(20);
    let events = Answer::new(200).chunks(["data: 1\n\n", "data: 2\n\n", "data: 3\n\n"]);
    for http in VERSIONS {
        let origin = Origin::always(Reply::new(events.clone(), pause)).unwrap();
        let report = Load::new(&[post(http)], pause).unwrap().closed(origin.address(), 2);
        assert_eq!((report.failed(), report.bytes), (0, 54));
        assert!(report.latency.min() >= 59_000_000, "{}", report.latency.min());
    }
}
