//! That the harness itself does what the other tests rely on.

use std::time::Duration;

use bench_host::testing::{Answer, Call};
use bench_host::traffic::{Exchange, HttpVersion};
use envoy_tests::bootstrap::ports;
use envoy_tests::{Bootstrap, Gateway, Upstream, envoy, upstream};

const PLAIN: &str = r#"
admin: {address: {socket_address: {address: 127.0.0.1, port_value: 9901}}}
static_resources:
  listeners:
  - name: main
    address: {socket_address: {address: 127.0.0.1, port_value: 10000}}
    filter_chains:
    - filters:
      - name: http
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: http
          http_protocol_options: {enable_trailers: true}
          access_log:
          - name: stdout
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.access_loggers.stream.v3.StdoutAccessLog
              log_format: {json_format: {path: "%REQ(:PATH)%", details: "%RESPONSE_CODE_DETAILS%"}}
          route_config:
            virtual_hosts:
            - {name: all, domains: ["*"], routes: [{name: default, match: {prefix: /}, route: {cluster: upstream}}]}
          http_filters:
          - {name: router, typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}}
  clusters:
  - name: upstream
    load_assignment: {cluster_name: upstream, endpoints: [{lb_endpoints: [{endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: 8080}}}}]}]}
    typed_extension_protocol_options:
      envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
        "@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
        use_downstream_protocol_config: {http_protocol_options: {enable_trailers: true}, http2_protocol_options: {}}
"#;

#[test]
fn requests_pass_with_bodies_and_trailers() {
    if envoy().is_none() {
        return;
    }
    let upstream = Upstream::start().unwrap();
    let bootstrap = Bootstrap::new(PLAIN).port(ports::UPSTREAM, upstream.port()).unwrap();
    let gateway = Gateway::start(bootstrap, 1).unwrap();
    for (key, http) in [("a", HttpVersion::Http1), ("b", HttpVersion::Http2)] {
        let answer = Answer::new(201).header("x-of", key).chunks(["an ", "answer"]);
        let answer = answer.header("trailer", "digest").trailer("digest", "1");
        let call = Call::post("/path?query").header(upstream::EXCHANGE, key).chunks(["ab", "c"]);
        let call = call.header("trailer", "checksum").trailer("checksum", "2");
        let call = call.header("te", "trailers").answer(answer);
        let exchange = Exchange { http, ..Exchange::from(call) };
        upstream.answer(key, exchange.response.clone().unwrap(), Duration::ZERO);
        let answer = gateway.send(&exchange, Duration::ZERO).unwrap();
        assert_eq!(answer.status(), Some(201));
        assert_eq!(answer.header("x-of").unwrap(), key);
        assert_eq!(answer.text(), "an answer");
        assert!(answer.ended);
        let came = upstream.take(key);
        assert_eq!(came.len(), 1);
        assert_eq!(came[0].text(), "abc");
        assert_eq!(came[0].header(":path").unwrap(), "/path?query");
        assert_eq!(came[0].trailers.get(b"checksum").unwrap(), "2");
        if http == HttpVersion::Http2 {
            assert_eq!(answer.trailers.get(b"digest").unwrap(), "1");
        }
    }
    let log = gateway.access_log(2).unwrap();
    assert_eq!(log[1]["path"], "/path?query");
    assert_eq!(log[1]["details"], "via_upstream");
    assert_eq!(gateway.stat("http.http.downstream_rq_completed").unwrap(), 2);
    assert_eq!(upstream.requests(), 2);
}

#[test]
fn a_bootstrap_that_envoy_refuses_is_told_with_its_words() {
    if envoy().is_none() {
        return;
    }
    let bootstrap = Bootstrap::new(PLAIN).replace("prefix: /", "prefixx: /").unwrap();
    let error = Gateway::start(bootstrap, 1).unwrap_err().to_string();
    assert!(error.contains("ended with status 1"), "{error}");
    assert!(error.contains("prefixx"), "{error}");
}

#[test]
fn no_envoy_outlives_its_test() {
    if envoy().is_none() {
        return;
    }
    let gateway = Gateway::start(Bootstrap::new(PLAIN), 1).unwrap();
    let process = format!("/proc/{}", gateway.pid().unwrap());
    let process = std::path::Path::new(&process);
    let had_proc = process.exists();
    drop(gateway);
    assert!(!had_proc || !process.exists());
}
