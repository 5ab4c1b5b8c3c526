//! Keeping a route: what a plugin is told where it cannot be kept, or not any more.

#![expect(clippy::unwrap_used, reason = "a test fails where it does not hold")]

use bench_host::testing::{Call, Outcome, Setup};
use chunkwise::http::{HeadersAction, RequestHeaders};
use chunkwise::{Config, ConfigError, Error, Filter, Plugin, Result};

/// Changes a header, and keeps the route before or after.
struct Keeper;
struct KeeperFilter;

impl Plugin for Keeper {
    type Filter = KeeperFilter;

    fn configure(_: &Config<'_>) -> Result<Self, ConfigError> {
        Ok(Self)
    }

    fn filter(&self) -> KeeperFilter {
        KeeperFilter
    }
}

impl Filter<Keeper> for KeeperFilter {
    fn request_headers(
        &mut self,
        _: &Keeper,
        headers: &RequestHeaders<'_>,
    ) -> Result<HeadersAction> {
        let path = headers.get(":path")?.map(<[u8]>::to_vec);
        let kept = match path.as_deref() {
            Some(b"/before") => {
                let kept = headers.keep_route();
                headers.set("x-a", "1")?;
                kept
            }
            Some(b"/after-set") => headers.set("x-a", "1").and_then(|()| headers.keep_route()),
            Some(b"/after-add") => headers.add("x-a", "1").and_then(|()| headers.keep_route()),
            _ => headers.remove("x-a").and_then(|()| headers.keep_route()),
        };
        match kept {
            Ok(()) => {}
            Err(Error::RouteCleared) => headers.set("x-error", "cleared")?,
            Err(Error::NeedsHost { host, .. }) => headers.set("x-error", host)?,
            Err(error) => return Err(error),
        }
        Ok(HeadersAction::Continue)
    }
}

fn sent(setup: &Setup, path: &str) -> Outcome {
    setup.native::<Keeper>("").unwrap().send(Call::get(path)).unwrap()
}

fn error(outcome: &Outcome) -> Option<String> {
    outcome.upstream.header("x-error").map(String::from)
}

#[test]
fn a_route_is_kept_before_the_first_change() {
    let outcome = sent(&Setup::new().higress(), "/before");
    assert_eq!((error(&outcome), outcome.keeps_route, outcome.route_clears), (None, true, 0));
}

#[test]
fn after_any_change_it_is_too_late_on_any_host() {
    for setup in [Setup::new(), Setup::new().higress()] {
        for path in ["/after-set", "/after-add", "/after-remove"] {
            let outcome = sent(&setup, path);
            assert_eq!(error(&outcome).as_deref(), Some("cleared"), "{path}");
            assert_eq!((outcome.keeps_route, outcome.route_clears), (false, 2), "{path}");
        }
    }
}

#[test]
fn a_host_that_cannot_is_told_with_the_one_that_can() {
    let outcome = sent(&Setup::new(), "/before");
    assert_eq!(error(&outcome).as_deref(), Some("Higress"));
    assert!(outcome.filter_state.is_empty(), "nothing was set in vain");
}
