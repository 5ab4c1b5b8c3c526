//! TCP connections through a network filter.

use bytes::Bytes;

use bench_host::host::{PeerKind, Profile, Settings};
use bench_host::testing::TestHost;

use chunkwise_tests::guest::{host_in, logging, stream_log};

use super::snippets::*;
use super::steps::*;

fn host(script: &[(&str, &str)]) -> TestHost {
    host_in(&logging(script), Settings::new(Profile::Envoy), world(""))
}

fn send(
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
fn passed(host: &mut TestHost, context: u32, direction: bench_host::host::Direction) -> String {
    let connection = host.proxy().connection(context).unwrap();
    String::from_utf8_lossy(&connection.flow(direction).passed).into_owned()
}

/// The network filter ends a context in another order than the HTTP filter: done, log, delete.
#[test]
fn a_connection_from_beginning_to_end() {
    let mut host = host(&[]);
    let id = host.proxy().connect();
    send(&mut host, id, Request, "abc", false);
    send(&mut host, id, Response, "xy", false);
    send(&mut host, id, Request, "d", true);
    assert_eq!(passed(&mut host, id, Request), "abcd");
    assert_eq!(passed(&mut host, id, Response), "xy");
    host.proxy().disconnect(id, PeerKind::Remote);
    insta::assert_snapshot!(stream_log(&mut host), @"
    new_connection 2
    downstream_data 2 3 0
    upstream_data 2 2 0
    downstream_data 2 1 1
    downstream_connection_close 2 2
    done 2
    log 2
    delete 2
    ");
}

#[test]
fn the_proxy_closes_too() {
    let mut host = host(&[]);
    let id = host.proxy().connect();
    host.proxy().disconnect(id, PeerKind::Local);
    insta::assert_snapshot!(stream_log(&mut host), @"
    new_connection 2
    downstream_connection_close 2 1
    done 2
    log 2
    delete 2
    ");
}

/// The end of the upstream's bytes is all that the filter learns of that connection.
#[test]
fn the_upstream_closes_with_its_last_bytes() {
    let mut host = host(&[]);
    let id = host.proxy().connect();
    send(&mut host, id, Response, "xy", true);
    assert_eq!(passed(&mut host, id, Response), "xy");
    host.proxy().disconnect(id, PeerKind::Local);
    insta::assert_snapshot!(stream_log(&mut host), @"
    new_connection 2
    upstream_data 2 2 1
    upstream_connection_close 2 0
    downstream_connection_close 2 1
    done 2
    log 2
    delete 2
    ");
}

#[test]
fn a_plugin_that_closes_hears_that_the_proxy_has() {
    let close = "(call $status 'close' (call $proxy_close_stream (i32.const 2))) (i32.const 1)";
    let mut host = host(&[("downstream_data", close)]);
    let id = host.proxy().connect();
    send(&mut host, id, Request, "ab", false);
    insta::assert_snapshot!(stream_log(&mut host), @"
    new_connection 2
    downstream_data 2 2 0
    close 0
    downstream_connection_close 2 1
    done 2
    log 2
    delete 2
    ");
}

#[test]
fn a_connection_has_properties_and_no_headers() {
    let look = [property("x", "y"), header(0, ":path"), reply(403, "x", "no")].concat();
    let mut host = host(&[("new_connection", &answering(&look, 0))]);
    let id = host.proxy().connect();
    host.proxy().disconnect(id, PeerKind::Remote);
    insta::assert_snapshot!(stream_log(&mut host), @"
    new_connection 2
    property 0
    :path fails 2
    reply 0
    downstream_connection_close 2 2
    done 2
    log 2
    delete 2
    ");
}
