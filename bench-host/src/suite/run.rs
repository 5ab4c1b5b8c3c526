//! Running a case of either format.

use super::bench::{Work, bench};
use super::case::{CaseResult, Failure};
use super::place::Place;
use super::session::Setup;
use super::{Format, Plugins, RunOptions, Suite, textproto, toml};
use crate::host::{Level, Profile, Settings};
use crate::upstream::Upstreams;

impl Suite {
    /// Runs a case, by its place in the list; `None` where there is none.
    pub fn run(
        &self,
        number: usize,
        plugins: Plugins<'_>,
        options: &RunOptions,
    ) -> Option<CaseResult> {
        let folder = &self.folder;
        Some(match &self.format {
            Format::Textproto(suite) => {
                let (test, env) = (suite.tests.get(number)?, &suite.env);
                let setup = textproto_setup(test, env, options);
                if let Some(refused) = refused(&test.name, test.at, &setup, options) {
                    return Some(refused);
                }
                let result = textproto::run(test, plugins.counted, &setup, folder);
                benched(result, test.benchmark, plugins, setup, options, || {
                    let inputs = textproto::Inputs::of(test, folder)?;
                    Ok(textproto::Repeated::new(inputs, env))
                })
            }
            Format::Toml(file) => {
                let (case, defaults) = (file.cases.get(number)?, &file.defaults);
                let setup = match toml::setup(case, defaults, options, folder) {
                    Ok(setup) => setup,
                    Err(failure) => return Some(failed(&case.name, failure)),
                };
                if let Some(refused) = refused(&case.name, case.at, &setup, options) {
                    return Some(refused);
                }
                let result = toml::run(case, defaults, plugins.counted, &setup, folder);
                benched(result, case.benchmark, plugins, setup, options, || {
                    toml::Repeated::of(case, defaults, folder)
                })
            }
        })
    }
}

/// Adds what a case costs, where it passed and that is asked for.
fn benched<W: Work>(
    mut result: CaseResult,
    wanted: bool,
    plugins: Plugins<'_>,
    setup: Setup,
    options: &RunOptions,
    work: impl FnOnce() -> Result<W, Failure>,
) -> CaseResult {
    let Some(timed) = plugins.timed.filter(|_| wanted && result.passed()) else { return result };
    let setup = Setup { whole_log: false, ..setup };
    match work() {
        Ok(mut work) => {
            match bench(plugins.counted, timed, &setup, options.iterations, &mut work) {
                Ok(bench) => result.bench = Some(bench),
                Err(error) => result.crash = Some(format!("in the benchmark: {error}")),
            }
        }
        Err(failure) => result.failures.push(failure),
    }
    result
}

/// A stock Envoy does not load what declares the ABI of Higress.
fn refused(name: &str, at: Place, setup: &Setup, options: &RunOptions) -> Option<CaseResult> {
    let refuses = options.abi_0_2_100 && setup.settings.profile == Profile::Envoy;
    refuses.then(|| {
        CaseResult {
        crash: Some(
            "the plugin declares ABI 0.2.100, which a stock Envoy does not load; use --host higress"
                .to_owned(),
        ),
        ..CaseResult::empty(name, at)
    }
    })
}

fn failed(name: &str, failure: Failure) -> CaseResult {
    let at = failure.at;
    CaseResult { failures: vec![failure], ..CaseResult::empty(name, at) }
}

/// The time that plugins see where the suite does not say one: the first millisecond there was,
/// because some language runtimes take 0 for a clock that does not work.
const FIRST_MILLISECOND: u64 = 1_000_000;

fn textproto_setup(test: &textproto::Test, env: &textproto::Env, options: &RunOptions) -> Setup {
    let mut settings = Settings::new(options.profile.unwrap_or(Profile::Envoy));
    options.adapt(&mut settings);
    let configured = env.log_level.checked_sub(1).and_then(Level::from_abi);
    settings.log_level = options.log_level.or(configured).unwrap_or(Level::Info);
    let frozen = match env.time_secs {
        0 => FIRST_MILLISECOND,
        seconds => seconds.saturating_mul(1_000_000_000),
    };
    settings.properties = test.properties.iter().cloned().collect();
    settings.only_given_properties = true;
    Setup {
        settings,
        configuration: options.configuration.clone().unwrap_or_default(),
        update: None,
        upstreams: Upstreams::none(),
        frozen: Some(frozen),
        whole_log: true,
    }
}
