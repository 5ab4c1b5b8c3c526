//! Suites of expected results.

use std::path::Path;

use bench_host::engine::{Callback, Fault, Guest, Heap, Plugin, StartError};
use bench_host::host::Host;
use bench_host::measure::Gauge;
use bench_host::suite::{Plugins, RunOptions, Suite};

/// Cases of a suite that are run.
const CASES: usize = 4;

/// A text is a suite whose cases are run to an end, or it is wrong in places that lie in it.
/// `name` says in which format.
pub fn check(name: &str, data: &[u8]) {
    let suite = match Suite::parse(Path::new(name), data.to_vec()) {
        Ok(suite) => suite,
        Err(error) => {
            let text = error.to_string();
            assert!(text.contains(name), "{text}");
            return;
        }
    };
    // Suites name files of the machine, which are nobody's business here.
    let says = |words: &[&[u8]]| {
        words.iter().any(|word| data.windows(word.len()).any(|piece| piece == *word))
    };
    if says(&[b"file", b"\\u", b"\\U", b"\\x"]) {
        return;
    }
    let (cases, options) = (suite.cases(), RunOptions::default());
    for (number, case) in cases.iter().enumerate().take(CASES) {
        let plugins = Plugins { counted: &Idle, timed: None };
        let result = suite.run(number, plugins, &options).expect("a case that is listed runs");
        assert_eq!(result.name, case.name);
    }
    let plugins = Plugins { counted: &Idle, timed: None };
    assert!(suite.run(cases.len(), plugins, &options).is_none(), "a case that is not listed runs");
}

/// A plugin that lets everything pass.
struct Idle;

impl Plugin for Idle {
    fn guest(&self, host: Host) -> Result<Box<dyn Guest>, StartError> {
        Ok(Box::new(IdleGuest(host)))
    }
}

struct IdleGuest(Host);

impl Guest for IdleGuest {
    fn call(&mut self, callback: Callback) -> Result<Option<u32>, Fault> {
        Ok(match callback {
            Callback::VmStart { .. } | Callback::Configure { .. } | Callback::Done { .. } => {
                Some(1)
            }
            _ => Some(0),
        })
    }

    fn gauge(&mut self) -> Gauge {
        Gauge::default()
    }

    fn heap(&mut self) -> Heap {
        Heap::default()
    }

    fn host(&mut self) -> &mut Host {
        &mut self.0
    }

    fn into_host(self: Box<Self>) -> Host {
        self.0
    }
}
