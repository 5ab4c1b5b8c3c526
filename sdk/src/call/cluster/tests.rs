//! Names of clusters, from code and from configurations.

use super::*;

#[test]
fn every_kind_in_code_and_in_a_configuration_has_the_same_names() {
    let cases: [(Cluster, &str, &str, &str); 12] = [
        (
            TargetCluster::new("some|name", "h:1").into(),
            r#"{"type": "target", "cluster": "some|name", "host": "h:1"}"#,
            "some|name",
            "h:1",
        ),
        (
            K8sCluster::new("svc", 80).into(),
            r#"{"type": "k8s", "service": "svc", "port": 80, "namespace": ""}"#,
            "outbound|80||svc.default.svc.cluster.local",
            "svc.default.svc.cluster.local",
        ),
        (
            K8sCluster::new("svc", 80).namespace("ns").version("v1").host("x").into(),
            r#"{"type": "k8s", "service": "svc", "port": 80, "namespace": "ns",
                "version": "v1", "host": "x"}"#,
            "outbound|80|v1|svc.ns.svc.cluster.local",
            "x",
        ),
        (
            NacosCluster::new("a_b", 8848).into(),
            r#"{"type": "nacos", "service": "a_b", "port": 8848}"#,
            "outbound|8848||a_b.DEFAULT-GROUP.public.nacos",
            "a_b",
        ),
        (
            NacosCluster::new("a", 1).group("G_1").namespace("n_1").version("v").into(),
            r#"{"type": "nacos", "service": "a", "port": 1, "group": "G_1",
                "namespace": "n_1", "version": "v"}"#,
            "outbound|1|v|a.G-1.n-1.nacos",
            "a",
        ),
        (
            NacosCluster::new("providers:x:", 1).external().host("x").into(),
            r#"{"type": "nacos", "service": "providers:x:", "port": 1, "external": true,
                "host": "x"}"#,
            "outbound|1||providers:x:.DEFAULT-GROUP.public.nacos-ext",
            "x",
        ),
        (
            StaticIpCluster::new("a", 80).into(),
            r#"{"type": "static_ip", "service": "a", "port": 80}"#,
            "outbound|80||a.static",
            "a",
        ),
        (
            StaticIpCluster::new("a", 80).host("b").into(),
            r#"{"type": "static_ip", "service": "a", "port": 80, "host": "b"}"#,
            "outbound|80||a.static",
            "b",
        ),
        (
            DnsCluster::new("a", "a.example", 443).into(),
            r#"{"type": "dns", "service": "a", "domain": "a.example", "port": 443}"#,
            "outbound|443||a.dns",
            "a.example",
        ),
        (
            ConsulCluster::new("a", "dc1", 80).into(),
            r#"{"type": "consul", "service": "a", "datacenter": "dc1", "port": 80}"#,
            "outbound|80||a.dc1.consul",
            "a",
        ),
        (
            FqdnCluster::new("a.example", 80).into(),
            r#"{"type": "fqdn", "fqdn": "a.example", "port": 80}"#,
            "outbound|80||a.example",
            "a.example",
        ),
        (
            FqdnCluster::new("a.example", 80).host("b").into(),
            r#"{"type": "fqdn", "fqdn": "a.example", "port": 80, "host": "b"}"#,
            "outbound|80||a.example",
            "b",
        ),
    ];
    for (in_code, json, name, host) in cases {
        assert_eq!((in_code.name(), in_code.host_name()), (Some(name), Some(host)));
        assert_eq!(serde_json::from_str::<Cluster>(json).unwrap(), in_code, "{json}");
    }
}

#[test]
fn what_is_wrong_is_told_with_its_field() {
    let long = "a".repeat(64);
    let cases: [(Cluster, &str); 15] = [
        (K8sCluster::new("", 80).into(), "service"),
        (K8sCluster::new("a", 0).into(), "port"),
        (K8sCluster::new("A", 80).into(), "service"),
        (K8sCluster::new("a.b", 80).into(), "service"),
        (K8sCluster::new("-a", 80).into(), "service"),
        (K8sCluster::new(long, 80).into(), "service"),
        (K8sCluster::new("a", 80).namespace("n|s").into(), "namespace"),
        (K8sCluster::new("a", 80).version("v 1").into(), "version"),
        (K8sCluster::new("a", 80).host("u@h").into(), "host"),
        (NacosCluster::new("providers:x", 1).into(), "service"),
        (NacosCluster::new("a", 1).group("a|b").into(), "group"),
        (DnsCluster::new("a", "b c", 443).into(), "domain"),
        (ConsulCluster::new("a", "", 80).into(), "datacenter"),
        (TargetCluster::new("a\n", "h").into(), "cluster"),
        (TargetCluster::new("a", "").into(), "host"),
    ];
    for (cluster, field) in cases {
        let error = cluster.check().unwrap_err();
        assert_eq!(error.field(), field, "{error}");
        assert_eq!((cluster.name(), cluster.host_name()), (None, None));
    }
}

#[track_caller]
fn refused(json: &str) -> (String, String) {
    #[derive(Debug, Deserialize)]
    struct Settings {
        #[serde(rename = "auth")]
        _auth: Cluster,
    }
    let json = format!(r#"{{"auth": {json}}}"#);
    let error = serde_path_to_error::deserialize::<_, Settings>(
        &mut serde_json::Deserializer::from_str(&json),
    )
    .unwrap_err();
    (error.path().to_string(), error.into_inner().to_string())
}

#[test]
fn a_configuration_is_refused_with_the_path_of_its_field() {
    let (path, reason) = refused(r#"{"type": "k8s", "service": "a", "port": "80"}"#);
    assert_eq!(path, "auth.port", "{reason}");
    let (path, reason) = refused(r#"{"type": "k8s", "service": "a", "port": 70000}"#);
    assert_eq!(path, "auth.port", "{reason}");
    let (path, reason) = refused(r#"{"type": "eureka", "service": "a", "port": 80}"#);
    assert_eq!(path, "auth.type", "{reason}");
    for (json, field) in [
        (r#"{"service": "a", "port": 80}"#, "`type`"),
        (r#"{"type": "k8s", "port": 80}"#, "`service`"),
        (r#"{"type": "k8s", "service": "a"}"#, "`port`"),
        (r#"{"type": "k8s", "service": "a", "port": 0}"#, "`port`"),
        (r#"{"type": "k8s", "service": "a", "port": 80, "group": "g"}"#, "`group`"),
        (r#"{"type": "k8s", "service": "a", "prot": 80}"#, "`prot`"),
        (r#"{"type": "route", "port": 80}"#, "`port`"),
    ] {
        let (path, reason) = refused(json);
        assert!(path.starts_with("auth") && reason.contains(field), "{path}: {reason}");
    }
}

#[test]
fn the_route_of_a_request_may_not_be_known_yet() {
    assert_eq!(route_name(Some(b"outbound|80||a")), Ok("outbound|80||a"));
    for unknown in [None, Some(b"".as_slice()), Some(b"\xff")] {
        assert_eq!(route_name(unknown), Err(CallError::NoRoute));
    }
}

#[test]
fn the_host_of_a_request_is_its_client_s_word_and_is_checked() {
    assert_eq!(request_host(Some(b"a.example:8080")), Ok("a.example:8080"));
    for bad in [None, Some(b"".as_slice()), Some(b"a b"), Some(b"u@a"), Some(b"\xff")] {
        assert_eq!(request_host(bad), Err(CallError::NoAuthority));
    }
}

#[test]
fn only_the_cluster_of_the_route_has_no_names_of_its_own() {
    let route = Cluster::from(RouteCluster::new());
    assert_eq!((route.check(), route.name(), route.host_name()), (Ok(()), None, None));
    let named = Cluster::from(RouteCluster::new().host("a.example"));
    assert_eq!((named.name(), named.host_name()), (None, Some("a.example")));
}
