//! What the plugin does, whatever engine it runs on.

#![expect(clippy::unwrap_used, reason = "a test fails where it does not hold")]

use std::time::Duration;

use bench_host::engine::StartError;
use bench_host::testing::{Call, Setup, TestHost, run_together};

/// Starts the plugin in a proxy with a configuration.
pub type Start = fn(&Setup, &str) -> Result<TestHost, StartError>;

/// Makes a test of every behaviour, for one engine.
macro_rules! tests {
    ($start:path) => {
        behaviour::tests! { $start =>
            one_worker_fetches_for_all
            nobody_tells_his_own_quota
            nobody_is_two_users
            another_worker_takes_over_when_the_leader_is_gone
            a_table_that_fails_leaves_the_one_before
            a_configuration_that_is_only_tried_makes_no_call
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
const SECOND: Duration = Duration::from_secs(1);

fn workers(rules: &[&str]) -> Setup {
    let cluster = "cluster.\"outbound|80||quotas.dns\"";
    let mut script = format!("[{cluster}]\nlatency = \"5ms\"\n");
    for rule in rules {
        script.push_str(&format!("[[{cluster}.http]]\n{rule}\n"));
    }
    Setup::new().upstreams(&script).unwrap().workers()
}

/// What the service is told of a user's quota, or the status instead.
fn quota(host: &mut TestHost, user: &str) -> String {
    let outcome = host.send(Call::get("/").header("x-user", user)).unwrap();
    let quota = outcome.upstream.header("x-quota").map(|quota| quota.into_owned());
    quota.unwrap_or_else(|| outcome.downstream.header(":status").unwrap().into_owned())
}

pub fn one_worker_fetches_for_all(start: Start) {
    let first = "times = 1\nbody = '{\"ada\": 100, \"bob\": 0}'";
    let setup = workers(&[first, "body = '{\"ada\": 7}'"]);
    let mut hosts = [(); 3].map(|()| start(&setup, CONFIGURATION).unwrap());
    for host in &mut hosts {
        assert_eq!(quota(host, "ada"), "200", "there is no table yet");
    }
    run_together(&mut hosts.each_mut(), SECOND).unwrap();
    assert_eq!(hosts[0].take_callouts().len(), 1);
    for host in &mut hosts {
        let quotas = ["ada", "bob", "eve"].map(|user| quota(host, user));
        assert_eq!(quotas, ["100", "429", "200"]);
    }
    run_together(&mut hosts.each_mut(), 100 * SECOND).unwrap();
    assert_eq!(hosts[0].take_callouts().len(), 10);
    for host in &mut hosts {
        assert_eq!(quota(host, "ada"), "7");
    }
}

pub fn nobody_tells_his_own_quota(start: Start) {
    let mut host = start(&workers(&["body = '{\"ada\": 100}'"]), CONFIGURATION).unwrap();
    for told in ["before there is a table", "with one"] {
        for user in ["eve", ""] {
            let call = Call::get("/").header("x-user", user).header("x-quota", "999");
            let outcome = host.send(call).unwrap();
            assert_eq!(outcome.upstream.header("x-quota"), None, "{told}");
        }
        host.run_for(SECOND).unwrap();
    }
    assert_eq!(quota(&mut host, "ada"), "100");
}

pub fn nobody_is_two_users(start: Start) {
    let setup = workers(&["body = '{\"ada\": 100, \"bob\": 0}'"]);
    let mut host = start(&setup, CONFIGURATION).unwrap();
    host.run_for(SECOND).unwrap();
    for (first, second) in [("ada", "bob"), ("eve", "bob"), ("", "ada")] {
        let call = Call::get("/").header("x-user", first).header("x-user", second);
        let outcome = host.send(call).unwrap();
        assert_eq!(outcome.downstream.header(":status").unwrap(), "400", "{first}, {second}");
    }
    assert_eq!([quota(&mut host, "ada"), quota(&mut host, "bob")], ["100", "429"]);
}

pub fn another_worker_takes_over_when_the_leader_is_gone(start: Start) {
    let setup = workers(&["body = '{\"ada\": 100}'"]);
    let leader = start(&setup, CONFIGURATION).unwrap();
    let other = start(&setup, CONFIGURATION).unwrap();
    let mut hosts = [leader, other];
    run_together(&mut hosts.each_mut(), SECOND).unwrap();
    let [leader, mut other] = hosts;
    assert_eq!(other.take_callouts().len(), 1);
    drop(leader);
    assert_eq!(quota(&mut other, "ada"), "100", "its table stays");
    other.run_for(8 * SECOND).unwrap();
    assert!(other.take_callouts().is_empty());
    other.run_for(8 * SECOND).unwrap();
    assert_eq!(other.take_callouts().len(), 1);
}

pub fn a_table_that_fails_leaves_the_one_before(start: Start) {
    let rules = [
        "times = 1\nbody = '{\"ada\": 100}'",
        "times = 1\nstatus = 500\nbody = '{\"ada\": 1}'",
        "times = 1\nbody = '[]'",
        "times = 1\nfail = \"reset\"",
    ];
    let mut host = start(&workers(&rules), CONFIGURATION).unwrap();
    host.run_for(35 * SECOND).unwrap();
    assert_eq!((host.take_callouts().len(), quota(&mut host, "ada")), (4, "100".to_owned()));
    let said: Vec<_> = host.log().iter().map(|line| line.message.as_str()).collect();
    let [leads, failure, no_table, reset] = said.as_slice() else { panic!("{said:?}") };
    assert!(leads.starts_with("leads"), "{leads}");
    assert_eq!(*failure, "no table of quotas: status 500");
    assert_eq!(*no_table, "no table of quotas: status 200");
    assert!(reset.starts_with("no table of quotas: "), "{reset}");
}

pub fn a_configuration_that_is_only_tried_makes_no_call(start: Start) {
    let mut host = start(&workers(&["body = '{}'"]), CONFIGURATION).unwrap();
    host.configure(CONFIGURATION).unwrap();
    assert!(host.take_callouts().is_empty());
    host.run_for(SECOND).unwrap();
    assert_eq!(host.take_callouts().len(), 1, "the worker's, which leads at once");
}

pub fn bad_configurations_name_the_field(start: Start) {
    for (wrong, right, message) in [
        ("\"path\"", "\"pat\"", "pat"),
        ("\"every_seconds\"", "\"every\"", "every"),
        ("/quotas.json", "/a b", "path: the plugin's call has a url"),
    ] {
        let configuration = CONFIGURATION.replace(wrong, right);
        let error = start(&Setup::new(), &configuration).unwrap_err().to_string();
        assert!(error.contains(message), "{error}");
    }
}
