//! The verdict on a run's timeline.

use serde::{Deserialize, Serialize};

use super::theil_sen::Slope;
use super::trend::{Course, FEWEST, NOTHING, Trend};
use crate::units::format_bytes;

/// Requests finished, pages, and live bytes where the plugin keeps books.
pub type Point = (u64, u64, Option<u64>);

/// Bytes in a page of linear memory.
const PAGE: f64 = 65_536.0;

/// Whether memory grows with requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Verdict {
    /// It does not, once warmed up.
    Flat,
    /// It does.
    Grows,
    /// There is too little to say either.
    CannotTell,
}

/// What the check found, and in what.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct LeakCheck {
    /// The answer.
    pub verdict: Verdict,
    /// Why, in a few words.
    pub reason: String,
    /// Requests that had finished at the first point that counts; those before are the warm-up.
    pub from_request: u64,
    /// And at the last one.
    pub to_request: u64,
    /// How many points count.
    pub points: usize,
    /// Live bytes against requests; `None` without books or points.
    pub live_per_request: Option<Slope>,
    /// Bytes of linear memory against requests; `None` without pages or points.
    pub memory_per_request: Option<Slope>,
}

/// Checks the timeline of one VM: points in the order of their requests, which differ.
///
/// The first quarter is the warm-up. Where memory still rose after it, the second half may show
/// that it has stopped.
///
/// # Cost
/// That of [`theil_sen`](super::theil_sen), up to four times.
#[must_use]
pub fn check(timeline: &[Point]) -> LeakCheck {
    let late = LeakCheck::of(&timeline[timeline.len() / 4..]);
    if late.verdict == Verdict::CannotTell && late.points >= FEWEST {
        let later = LeakCheck::of(&timeline[timeline.len() / 2..]);
        if later.verdict == Verdict::Flat {
            return later;
        }
    }
    late
}

impl LeakCheck {
    fn of(points: &[Point]) -> Self {
        let request = |point: Option<&Point>| point.map_or(0, |point| point.0);
        let series = |bytes: &dyn Fn(&Point) -> Option<f64>| -> Option<Trend> {
            let series = points.iter().map(|point| Some((point.0 as f64, bytes(point)?)));
            let series: Vec<_> = series.collect::<Option<_>>()?;
            (series.len() >= FEWEST).then(|| Trend::of(&series)).flatten()
        };
        let live = series(&|point| point.2.map(|live| live as f64));
        let memory = series(&|point| (point.1 > 0).then_some(point.1 as f64 * PAGE));
        let (verdict, reason) = if points.len() < FEWEST {
            let reason = "too few requests, 42 in one VM are needed: repeat more";
            (Verdict::CannotTell, reason.to_owned())
        } else {
            verdict(live, memory)
        };
        Self {
            verdict,
            reason,
            from_request: request(points.first()),
            to_request: request(points.last()),
            points: points.len(),
            live_per_request: live.map(|trend| rounded(trend.slope)),
            memory_per_request: memory.map(|trend| rounded(trend.slope)),
        }
    }
}

/// From what is known of a plugin's memory to the answer.
fn verdict(live: Option<Trend>, memory: Option<Trend>) -> (Verdict, String) {
    let grows = |what: &str, slope: Slope| {
        let Slope { slope, low, high } = rounded(slope);
        let sure = if low == high { String::new() } else { format!(" ({low} to {high})") };
        (Verdict::Grows, format!("{slope} bytes of {what} a request{sure}"))
    };
    let cannot_tell = |reason: &str| (Verdict::CannotTell, reason.to_owned());
    match (live, memory) {
        (Some(Trend { course: Course::Grows, slope }), _) => grows("live memory", slope),
        (_, Some(Trend { course: Course::Grows, slope })) => grows("linear memory", slope),
        (Some(Trend { course: Course::Slows, .. }), _) => cannot_tell(
            "live memory grew, but less and less, as of a cache that fills or a table that \
             doubles; repeat more",
        ),
        (Some(Trend { course: Course::Noise, .. }), _) => {
            cannot_tell("live memory goes up and down too much; repeat more")
        }
        (Some(Trend { course: Course::Flat, slope }), _) => {
            let reason = if slope.low == 0.0 && slope.high == 0.0 {
                "live memory stays the same".to_owned()
            } else {
                format!("live memory grows by less than {NOTHING} byte a request")
            };
            (Verdict::Flat, reason)
        }
        (None, Some(Trend { course: Course::Flat, .. })) => cannot_tell(&format!(
            "linear memory stays the same, but only whole pages of {} are known",
            format_bytes(PAGE as u64)
        )),
        (None, Some(_)) => cannot_tell("linear memory grew, but not steadily; repeat more"),
        (None, None) => cannot_tell("neither pages nor live bytes are known"),
    }
}

/// Three decimals are more than any use, and read back exactly; what is less has six.
fn rounded(slope: Slope) -> Slope {
    let round = |number: f64| {
        let scale = if number.abs() < 1.0 { 1_000_000.0 } else { 1_000.0 };
        // No negative zero.
        (number * scale).round() / scale + 0.0
    };
    Slope { slope: round(slope.slope), low: round(slope.low), high: round(slope.high) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn timeline(points: u64, of: impl Fn(u64) -> (u64, Option<u64>)) -> Vec<Point> {
        let points = (0..points).map(|request| (request, of(request)));
        points.map(|(request, (pages, live))| (request, pages, live)).collect()
    }

    fn verdict(timeline: &[Point]) -> Verdict {
        check(timeline).verdict
    }

    #[test]
    fn a_leak_is_found_with_its_slope() {
        let found = check(&timeline(400, |n| (2, Some(1_000 + 32 * n))));
        let exact = Slope { slope: 32.0, low: 32.0, high: 32.0 };
        assert_eq!((found.verdict, found.live_per_request), (Verdict::Grows, Some(exact)));
        assert_eq!(found.reason, "32 bytes of live memory a request");
        assert_eq!((found.from_request, found.to_request, found.points), (100, 399, 300));
        // Open streams come and go beside it.
        let found = check(&timeline(400, |n| (2, Some(1_000 + 32 * n + n * 7_919 % 5 * 300))));
        let live = found.live_per_request.unwrap();
        assert!(live.low <= 32.0 && live.high >= 32.0 && live.high - live.low < 2.0, "{live:?}");
        assert_eq!(found.verdict, Verdict::Grows);
    }

    #[test]
    fn what_stays_is_flat() {
        let found = check(&timeline(60, |n| (2, Some(1_000 + 500 * n.min(10)))));
        assert_eq!((found.verdict, found.from_request), (Verdict::Flat, 15));
        assert_eq!(found.reason, "live memory stays the same");
        // It took longer to fill than the first quarter.
        let found = check(&timeline(400, |n| (2, Some(1_000 + 50 * n.min(220)))));
        assert_eq!((found.verdict, found.from_request), (Verdict::Flat, 200));
    }

    #[test]
    fn a_cache_is_never_a_leak() {
        for full in (1..98).step_by(4) {
            let cache = timeline(400, |n| (2 + n.min(full * 4) / 40, Some(50 * n.min(full * 4))));
            let found = check(&cache);
            assert_ne!(found.verdict, Verdict::Grows, "full at {full} %: {found:?}");
            assert_eq!(found.verdict == Verdict::Flat, full < 62, "full at {full} %: {found:?}");
        }
    }

    #[test]
    fn pages_alone_never_say_flat() {
        let found = check(&timeline(400, |_| (2, None)));
        assert_eq!(found.verdict, Verdict::CannotTell);
        assert_eq!(found.memory_per_request, Some(Slope::default()));
        assert_eq!(
            found.reason,
            "linear memory stays the same, but only whole pages of 64.0 KiB are known"
        );
        let found = check(&timeline(400, |n| (2 + n / 4, None)));
        assert_eq!(found.verdict, Verdict::Grows, "{found:?}");
        let slope = found.memory_per_request.unwrap().slope;
        assert!((slope - 16_384.0).abs() < 200.0, "{slope}");
    }

    #[test]
    fn a_mild_leak_takes_long_to_show_by_pages() {
        let leak = |stride: u64| {
            let points = (0..=400).map(|n| (n * stride, 2 + n * stride * 32 / 65_536, None));
            verdict(&points.collect::<Vec<_>>())
        };
        // 10 000 requests, and 32 000.
        assert_eq!((leak(25), leak(80)), (Verdict::CannotTell, Verdict::Grows));
    }

    #[test]
    fn pages_grow_beside_books_that_do_not() {
        let found = check(&timeline(400, |n| (2 + n / 8, Some(1_000))));
        assert_eq!(found.verdict, Verdict::Grows);
        assert!(found.reason.contains("of linear memory a request"), "{}", found.reason);
    }

    #[test]
    fn too_little_is_too_little() {
        assert_eq!(verdict(&timeline(42, |n| (2, Some(32 * n)))), Verdict::Grows);
        for points in [0, 1, 2, 41] {
            let found = check(&timeline(points, |n| (2, Some(32 * n))));
            assert_eq!((found.verdict, found.live_per_request), (Verdict::CannotTell, None));
        }
        let native = check(&timeline(400, |_| (0, None)));
        assert_eq!(native.reason, "neither pages nor live bytes are known");
    }

    #[test]
    fn a_sampled_timeline_is_as_good() {
        // As a worker thins it: every 2048th of a million requests.
        let points = (0..=488_u64).map(|n| (n * 2_048, 3 + n, Some(32 * n * 2_048)));
        let found = check(&points.collect::<Vec<_>>());
        assert_eq!(found.reason, "32 bytes of live memory a request");
        assert_eq!(found.to_request, 999_424);
    }
}
