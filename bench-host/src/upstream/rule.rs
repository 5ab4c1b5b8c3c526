//! What the rules of every protocol have in common: how late, how often, and how it fails.

use std::{num::NonZeroU64, time::Duration};

use serde::Deserialize;

use super::wait::Wait;

/// A rule with its place in the table of counters.
#[derive(Clone, Debug)]
pub(super) struct Rule<T> {
    /// Index of the counter, unique in the script.
    pub(super) id: usize,
    pub(super) pace: Pace,
    pub(super) script: T,
}

/// When a rule answers, and how often.
#[derive(Clone, Debug, Default)]
pub(super) struct Pace {
    /// A cycle; empty means the latency of the cluster.
    latencies: Vec<Duration>,
    times: Option<NonZeroU64>,
}

impl Pace {
    /// Takes the keys `latency`, `latencies` and `times`; the error is what is wrong with them.
    pub(super) fn new(
        latency: Option<Wait>,
        latencies: Option<Vec<Wait>>,
        times: Option<NonZeroU64>,
    ) -> Result<Self, String> {
        let latencies = match (latency, latencies) {
            (Some(_), Some(_)) => return Err("give either `latency` or `latencies`".to_owned()),
            (Some(latency), None) => vec![latency.0],
            (None, Some(cycle)) if cycle.is_empty() => {
                return Err("`latencies` is empty; give at least one duration".to_owned());
            }
            (None, cycle) => cycle.unwrap_or_default().into_iter().map(|wait| wait.0).collect(),
        };
        Ok(Self { latencies, times })
    }

    /// Whether a rule that has answered `answered` times may answer again.
    fn has_answers_left(&self, answered: u64) -> bool {
        self.times.is_none_or(|times| answered < times.get())
    }

    /// The latency of the answer with this number, counted from 0.
    fn latency(&self, answered: u64, default: Duration) -> Duration {
        let cycle = self.latencies.len() as u64;
        let at = answered.checked_rem(cycle).and_then(|at| usize::try_from(at).ok());
        at.and_then(|at| self.latencies.get(at)).copied().unwrap_or(default)
    }
}

/// Finds the first rule that matches and has answers left, and counts the answer.
pub(super) fn pick<'r, T>(
    rules: &'r [Rule<T>],
    answered: &mut [u64],
    default_latency: Duration,
    matches: impl Fn(&T) -> bool,
) -> Option<(&'r T, Duration)> {
    rules.iter().find_map(|rule| {
        let count = answered.get_mut(rule.id)?;
        if !rule.pace.has_answers_left(*count) || !matches(&rule.script) {
            return None;
        }
        let latency = rule.pace.latency(*count, default_latency);
        *count = count.saturating_add(1);
        Some((&rule.script, latency))
    })
}

/// How an upstream fails instead of answering.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Fail {
    /// No connection can be made.
    Connect,
    /// The connection ends before the answer starts.
    Disconnect,
    /// The upstream takes the request and stays silent.
    Never,
    /// The stream is reset after the answer has started.
    Reset,
    /// The time is up, whatever the plugin allows.
    Timeout,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn rules_answer_in_turn_and_latencies_cycle() {
        let cycle = Some(vec![Wait(ms(1)), Wait(ms(50))]);
        let rules = [
            Rule {
                id: 1,
                pace: Pace::new(None, cycle, NonZeroU64::new(3)).unwrap(),
                script: "first",
            },
            Rule { id: 0, pace: Pace::default(), script: "then" },
        ];
        let mut answered = [0; 2];
        let mut next = || pick(&rules, &mut answered, ms(9), |_| true).unwrap();
        let picks = [next(), next(), next(), next(), next()];
        assert_eq!(
            picks,
            [
                (&"first", ms(1)),
                (&"first", ms(50)),
                (&"first", ms(1)),
                (&"then", ms(9)),
                (&"then", ms(9))
            ]
        );
        assert_eq!(answered, [2, 3]);
        assert!(pick(&rules, &mut answered, ms(9), |script| *script == "none").is_none());
        assert_eq!(answered, [2, 3], "what does not match does not count");
    }

    #[test]
    fn contradictions_are_refused() {
        let wait = Some(Wait(ms(1)));
        assert!(Pace::new(wait, Some(Vec::new()), None).unwrap_err().contains("either"));
        assert!(Pace::new(None, Some(Vec::new()), None).unwrap_err().contains("empty"));
    }
}
