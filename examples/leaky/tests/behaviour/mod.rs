//! What the plugin does, whatever engine it runs on, with and without its leak.

#![expect(clippy::unwrap_used, reason = "a test fails where it does not hold")]

use bench_host::engine::StartError;
use bench_host::testing::{Answer, Call, Setup, TestHost};

/// Starts the plugin in a proxy with a configuration.
pub type Start = fn(&Setup, &str) -> Result<TestHost, StartError>;

/// Makes a test of every behaviour, for one engine.
macro_rules! tests {
    ($start:path) => {
        behaviour::tests! { $start =>
            failures_are_logged
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

pub fn failures_are_logged(start: Start) {
    let mut host = start(&Setup::new(), CONFIGURATION).unwrap();
    for status in [200, 499, 500, 503] {
        host.send(Call::get("/cart").answer(Answer::new(status))).unwrap();
    }
    let lines: Vec<_> = host.log().iter().map(|line| line.message.as_str()).collect();
    assert_eq!(lines, ["GET /cart: 500", "GET /cart: 503"]);
}

pub fn bad_configurations_name_the_field(start: Start) {
    for (configuration, field) in
        [("{}", "from_status"), (r#"{"from_status": "x"}"#, "from_status"), (r#"{"a": 1}"#, "a")]
    {
        let error = start(&Setup::new(), configuration).unwrap_err().to_string();
        assert!(error.contains(field), "{error}");
    }
}
