//! TCP connections through a network filter.

use bench_host::host::PeerKind;

use chunkwise_tests::guest::stream_log;

use super::snippets::*;
use super::steps::*;
use super::tcp::{host, passed, send};

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
