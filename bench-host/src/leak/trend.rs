//! What one series of a timeline does after its warm-up.

use super::blocks::{BLOCKS, Blocks};
use super::theil_sen::{Slope, theil_sen};

/// Points that a series has to have: two for each block.
pub(super) const FEWEST: usize = 2 * BLOCKS;

/// Growth, in bytes a request, that counts as none: a gigabyte in a billion requests.
pub(super) const NOTHING: f64 = 1.0;

/// What a series does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Course {
    /// It grows to the end.
    Grows,
    /// It does not grow by [`NOTHING`] or more.
    Flat,
    /// It has grown, but ever less.
    Slows,
    /// It goes up and down too much to say.
    Noise,
}

/// A series with the line through it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Trend {
    pub course: Course,
    pub slope: Slope,
}

impl Trend {
    /// Of at least [`FEWEST`] points whose `x` differ.
    pub fn of(points: &[(f64, f64)]) -> Option<Self> {
        let slope = theil_sen(points)?;
        let blocks = Blocks::of(points);
        let goes_up = blocks.go_up();
        let course = if slope.low > 0.0 && goes_up && blocks.go_up_to_the_end() && !stops(points) {
            Course::Grows
        } else if slope.high < NOTHING && !goes_up {
            Course::Flat
        } else if blocks.rise() && (slope.low > 0.0 || goes_up) {
            Course::Slows
        } else {
            Course::Noise
        };
        Some(Self { course, slope })
    }
}

/// Whether the end stands still for longer than the series has before: what is full does.
fn stops(points: &[(f64, f64)]) -> bool {
    let (mut longest, mut current) = (1, 1);
    for pair in points.windows(2) {
        if pair[1].1 == pair[0].1 {
            current += 1;
        } else {
            longest = longest.max(current);
            current = 1;
        }
    }
    current > 2 * longest + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers from a fixed seed (xorshift64).
    struct Numbers(u64);

    impl Numbers {
        /// Evenly from -1 to 1.
        fn next(&mut self) -> f64 {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            (self.0 >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
        }
    }

    fn course(points: usize, y: impl FnMut(f64) -> f64) -> Course {
        let mut y = y;
        let x = (0..points).map(|x| x as f64);
        Trend::of(&x.map(|x| (x, y(x))).collect::<Vec<_>>()).unwrap().course
    }

    /// How many of so many series take a course.
    fn of(series: usize, wanted: Course, mut one: impl FnMut(&mut Numbers) -> Course) -> usize {
        let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15);
        (0..series).filter(|_| one(&mut numbers) == wanted).count()
    }

    #[test]
    fn walks_without_aim_are_no_leaks() {
        for (points, walks) in [(FEWEST, 2_000), (96, 600), (256, 100)] {
            let grow = of(walks, Course::Grows, |numbers| {
                let mut at = 0.0;
                course(points, |_| {
                    at += 1000.0 * numbers.next();
                    at
                })
            });
            println!("{grow} of {walks} walks of {points} points");
            assert!(grow * 100 <= walks, "{grow} of {walks} walks of {points} points");
        }
    }

    #[test]
    fn noise_is_no_leak() {
        for (points, series) in [(FEWEST, 1_000), (96, 300)] {
            let noise = |numbers: &mut Numbers| course(points, |_| 5000.0 * numbers.next());
            assert_eq!(of(series, Course::Grows, noise), 0);
            let faint = |numbers: &mut Numbers| course(points, |_| 5.0 * numbers.next());
            assert!(of(series, Course::Flat, faint) * 100 >= series * 99);
        }
    }

    #[test]
    fn a_leak_is_seen_through_noise() {
        let leak = |numbers: &mut Numbers| course(256, |x| 32.0 * x + 400.0 * numbers.next());
        assert!(of(100, Course::Grows, leak) >= 98);
    }

    #[test]
    fn a_table_that_doubles_is_not_called_flat() {
        let doubles = |x: f64| 8.0 * 2_f64.powf((x + 1.0).log2().ceil());
        assert!(matches!(course(384, doubles), Course::Slows | Course::Noise));
    }

    #[test]
    fn a_cache_that_fills_up_is_no_leak() {
        for full in (5..99).step_by(3).map(|percent| f64::from(percent) / 100.0) {
            let cache = course(384, |x| 100.0 * x.min(full * 384.0));
            assert_ne!(cache, Course::Grows, "full at {full}");
            assert!(full > 0.25 || cache == Course::Flat, "{cache:?}, full at {full}");
        }
        // Keys by chance, of which fewer and fewer are new.
        for keys in [20.0, 50.0, 100.0, 200.0] {
            let cache = course(384, |x| 64.0 * (keys * (1.0 - (-x / keys).exp())).round());
            assert_ne!(cache, Course::Grows, "{keys} keys");
        }
    }
}
