//! The hosts of the cluster that a route leads to.

use bench_host::host::{Profile, Settings};

use chunkwise_tests::guest::{host_in, logging, stream_log};

use super::snippets::*;
use super::steps::*;

const LOOK: &str = "(call $status 'hosts' (call $proxy_get_upstream_hosts
        (i32.const 0) (i32.const 4)))
    (call $text (i32.load (i32.const 0)) (i32.load (i32.const 4)))
    (call $flush)";

/// What the plugin is told of this cluster's hosts, when the route leads there.
fn hosts(cluster: &str, script: &str) -> String {
    let settings = Settings { cluster_name: cluster.to_owned(), ..Settings::new(Profile::Higress) };
    let module = logging(&[("request_headers", &answering(LOOK, 0))]);
    let mut host = host_in(&module, settings, world(&format!("[cluster.{cluster}]\n{script}")));
    request(host.slot(), true);
    let log = stream_log(&mut host);
    log.split_once("hosts 0\n").unwrap().1.to_owned()
}

/// Addresses and what is known of their health, as name and value of a map of headers.
#[test]
fn hosts_have_an_address_and_a_state() {
    let script = r#"hosts = [
        "10.0.0.1:80",
        { address = "10.0.0.2:80", health = "unhealthy" },
        { address = "10.0.0.3:80", health = "degraded", metrics = "q 7" },
    ]"#;
    let pairs = concat!(
        "10.0.0.1:80\0{\"health_status\":\"Healthy\"}\0",
        "10.0.0.2:80\0{\"health_status\":\"Unhealthy\"}\0",
        "10.0.0.3:80\0{\"health_status\":\"Degraded\",\"metrics\":\"q 7\"}\0",
    );
    for cluster in ["upstream", "elsewhere"] {
        let hosts = hosts(cluster, script);
        assert!(hosts.ends_with(pairs), "{cluster}: {hosts:?}");
    }
}

#[test]
fn a_cluster_without_hosts_has_none() {
    assert_eq!(hosts("upstream", ""), "");
}
