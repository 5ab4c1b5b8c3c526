//! TCP connections through a network filter.

use bytes::Bytes;

use bench_host::host::{Profile, Settings};
use bench_host::testing::TestHost;

use chunkwise_tests::guest::{host_in, logging, stream_log};

use super::snippets::*;
use super::steps::*;

pub fn host(script: &[(&str, &str)]) -> TestHost {
    host_in(&logging(script), Settings::new(Profile::Envoy), world(""))
}

pub fn send(
    host: &mut TestHost,
    context: u32,
    direction: bench_host::host::Direction,
    text: &str,
    end: bool,
) {
    let bytes = Bytes::copy_from_slice(text.as_bytes());
    host.proxy().bytes(context, direction, bytes, end);
}

/// What has gone on in a direction.
pub fn passed(host: &mut TestHost, context: u32, direction: bench_host::host::Direction) -> String {
    let connection = host.proxy().connection(context).unwrap();
    String::from_utf8_lossy(&connection.flow(direction).passed).into_owned()
}

#[test]
fn bytes_that_wait_come_again_with_those_that_follow() {
    let hold = format!("{} (i32.lt_u (local.get 1) (i32.const 4))", body(2));
    let mut host = host(&[("downstream_data", &hold)]);
    let id = host.proxy().connect();
    send(&mut host, id, Request, "ab", false);
    assert_eq!(passed(&mut host, id, Request), "");
    send(&mut host, id, Request, "cd", false);
    assert_eq!(passed(&mut host, id, Request), "abcd");
    send(&mut host, id, Request, "e", false);
    assert_eq!(passed(&mut host, id, Request), "abcd");
    insta::assert_snapshot!(stream_log(&mut host), @"
    new_connection 2
    downstream_data 2 2 0
    body=ab
    downstream_data 2 4 0
    body=abcd
    downstream_data 2 1 0
    body=e
    ");
}

#[test]
fn bytes_can_be_changed_on_their_way() {
    let script = [
        ("downstream_data", &*answering(&set_body(2, "NEW"), 0)),
        ("upstream_data", &answering(&append(3, "!"), 0)),
    ];
    let mut host = host(&script);
    let id = host.proxy().connect();
    send(&mut host, id, Request, "ab", false);
    send(&mut host, id, Response, "xy", false);
    assert_eq!(passed(&mut host, id, Request), "NEW");
    assert_eq!(passed(&mut host, id, Response), "xy!");
}

/// What waits goes on without the plugin; only the client's bytes can be let go.
#[test]
fn resuming_passes_on_what_waits() {
    let go = [effective(2), resume(2), resume(3)].concat();
    let script = [
        ("configure", &*answering(&tick_period(100), 1)),
        ("downstream_data", "(i32.const 1)"),
        ("tick", &go),
    ];
    let mut host = host(&script);
    let id = host.proxy().connect();
    send(&mut host, id, Request, "ab", false);
    assert_eq!(passed(&mut host, id, Request), "");
    pass(host.slot(), 100);
    assert_eq!(passed(&mut host, id, Request), "ab");
    insta::assert_snapshot!(stream_log(&mut host), @"
    new_connection 2
    downstream_data 2 2 0
    tick 1
    effective 0
    continue 0
    continue 12
    ");
}
