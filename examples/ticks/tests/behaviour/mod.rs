//! What the plugin does, whatever engine it runs on.

#![expect(clippy::unwrap_used, reason = "a test fails where it does not hold")]

use std::time::Duration;

use bench_host::engine::StartError;
use bench_host::testing::{Call, Setup, TestHost};

/// Starts the plugin in a proxy with a configuration.
pub type Start = fn(&Setup, &str) -> Result<TestHost, StartError>;

/// Makes a test of every behaviour, for one engine.
macro_rules! tests {
    ($start:path) => {
        behaviour::tests! { $start =>
            listed_clients_are_refused_once_the_list_has_come
            an_address_is_the_same_one_however_it_is_written
            the_list_is_fetched_again_and_again
            a_list_that_fails_leaves_the_one_before
            a_configuration_that_is_only_tried_makes_no_call
            another_configuration_takes_over
            bad_configurations_name_the_field
        }
    };
    ($start:path => $($name:ident)*) => {$(
        #[test]
        fn $name() {
            behaviour::$name($start);
        }
    )*};
}
pub(crate) use tests;

const CONFIGURATION: &str = include_str!("../../config.json");

fn setup(script: &str) -> Setup {
    let script = format!("[cluster.\"outbound|80||lists.dns\"]\nlatency = \"5ms\"\n{script}");
    let setup = Setup::new().property("source.address", "10.0.0.9:4711");
    setup.upstreams(&script).unwrap()
}

fn rule(body: &str) -> String {
    format!("[[cluster.\"outbound|80||lists.dns\".http]]\n{body}\n")
}

fn status(host: &mut TestHost) -> String {
    let outcome = host.send(Call::get("/")).unwrap();
    outcome.downstream.header(":status").unwrap().into_owned()
}

const MILLISECOND: Duration = Duration::from_millis(1);

pub fn listed_clients_are_refused_once_the_list_has_come(start: Start) {
    let refused = rule("body = '[\"10.0.0.8\", \"10.0.0.9\"]'");
    let mut host = start(&setup(&refused), CONFIGURATION).unwrap();
    assert_eq!(status(&mut host), "200");
    host.run_for(10 * MILLISECOND).unwrap();
    assert_eq!(status(&mut host), "403");

    let others = rule("body = '[\"10.0.0.8\", \"10.0.0.90\", \"0.0.0.9\"]'");
    let mut host = start(&setup(&others), CONFIGURATION).unwrap();
    host.run_for(10 * MILLISECOND).unwrap();
    assert_eq!(status(&mut host), "200");
}

pub fn an_address_is_the_same_one_however_it_is_written(start: Start) {
    for (listed, client, expected) in [
        ("2001:db8::1", "[2001:db8::1]:4711", "403"),
        ("2001:DB8:0::0001", "[2001:db8::1]:4711", "403"),
        ("2001:db8::1", "[2001:db8::2]:4711", "200"),
        ("10.0.0.9", "[::ffff:10.0.0.9]:4711", "403"),
        ("::ffff:10.0.0.9", "10.0.0.9:4711", "403"),
        ("10.0.0.9", "/run/client.sock", "200"),
    ] {
        let setup = setup(&rule(&format!("body = '[\"{listed}\"]'")));
        let mut host = start(&setup.property("source.address", client), CONFIGURATION).unwrap();
        host.run_for(10 * MILLISECOND).unwrap();
        assert_eq!(status(&mut host), expected, "{listed} {client}");
    }
}

pub fn the_list_is_fetched_again_and_again(start: Start) {
    let lists = [rule("times = 1\nbody = '[]'"), rule("body = '[\"10.0.0.9\"]'")].concat();
    let mut host = start(&setup(&lists), CONFIGURATION).unwrap();
    host.run_for(Duration::from_secs(9)).unwrap();
    assert_eq!((host.take_callouts().len(), status(&mut host)), (1, "200".to_owned()));
    host.run_for(Duration::from_secs(2)).unwrap();
    assert_eq!((host.take_callouts().len(), status(&mut host)), (1, "403".to_owned()));
    host.run_for(Duration::from_secs(100)).unwrap();
    assert_eq!(host.take_callouts().len(), 10);
}

pub fn a_list_that_fails_leaves_the_one_before(start: Start) {
    let script = [
        rule("times = 1\nbody = '[\"10.0.0.9\"]'"),
        rule("times = 1\nstatus = 500\nbody = '[]'"),
        rule("times = 1\nbody = 'no list'"),
        rule("times = 1\nfail = \"reset\""),
        rule("body = '[]'"),
    ];
    let mut host = start(&setup(&script.concat()), CONFIGURATION).unwrap();
    host.run_for(Duration::from_millis(12_900)).unwrap();
    assert_eq!((host.take_callouts().len(), status(&mut host)), (4, "403".to_owned()));
    let said: Vec<_> = host.log().iter().map(|line| line.message.as_str()).collect();
    let [failure, no_list, reset] = said.as_slice() else { panic!("{said:?}") };
    assert!(failure.ends_with("its service answered with a failure"), "{failure}");
    assert!(no_list.contains("JSON document is wrong at line 1"), "{no_list}");
    assert!(reset.starts_with("the list of refused clients is as it was"), "{reset}");
    host.run_for(Duration::from_secs(1)).unwrap();
    assert_eq!(status(&mut host), "200");
}

pub fn a_configuration_that_is_only_tried_makes_no_call(start: Start) {
    let mut host = start(&setup(&rule("body = '[]'")), CONFIGURATION).unwrap();
    assert!(host.take_callouts().is_empty());
    host.run_for(10 * MILLISECOND).unwrap();
    assert_eq!(host.take_callouts().len(), 1);
    host.configure(CONFIGURATION).unwrap();
    assert!(host.take_callouts().is_empty());
    host.run_for(10 * MILLISECOND).unwrap();
    assert_eq!(host.take_callouts().len(), 1, "the worker's, not that of the VM that tried");
}

pub fn another_configuration_takes_over(start: Start) {
    let mut host = start(&setup(&rule("body = '[]'")), CONFIGURATION).unwrap();
    host.run_for(10 * MILLISECOND).unwrap();
    host.take_callouts();
    let other = CONFIGURATION.replace("/refused.json", "/other.json").replace("10\n", "20\n");
    host.configure(&other).unwrap();
    host.run_for(Duration::from_secs(59)).unwrap();
    let paths: Vec<_> = host.take_callouts().iter().map(|call| call.path().into_owned()).collect();
    assert_eq!(paths, ["/other.json"; 3], "the tasks of the one before have ended");
}

pub fn bad_configurations_name_the_field(start: Start) {
    for (wrong, message) in [
        (CONFIGURATION.replace("10\n", "0\n"), "every_seconds: at least 1 is needed"),
        (CONFIGURATION.replace("\"dns\"", "\"carrier pigeon\""), "service"),
        (CONFIGURATION.replace("\"path\"", "\"pat\""), "pat"),
        (CONFIGURATION.replace("/refused", "/a b"), "path: the plugin's call has a url"),
    ] {
        let error = start(&Setup::new(), &wrong).unwrap_err().to_string();
        assert!(error.contains(message), "{error}");
    }
}
