//! A series in blocks, and whether it goes up from one to the next.
//!
//! The interval of a fitted line takes points for independent of each other, which those of a heap
//! are not: memory that wanders without aim fits some line very well. What tells a leak from it is
//! that it goes up in block after block.

use super::theil_sen::median;

/// Blocks that a series is cut into.
pub(super) const BLOCKS: usize = 16;

/// The medians of the blocks, in their order.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Blocks([f64; BLOCKS]);

impl Blocks {
    /// Cuts a series of at least [`BLOCKS`] points.
    pub fn of(points: &[(f64, f64)]) -> Self {
        Self(std::array::from_fn(|block| {
            let range = block * points.len() / BLOCKS..(block + 1) * points.len() / BLOCKS;
            median(&mut points[range].iter().map(|(_, y)| *y).collect::<Vec<_>>())
        }))
    }

    /// Whether the series goes up too often for chance: one in a thousand by the sign test, blocks
    /// that stay the same left out.
    pub fn go_up(&self) -> bool {
        let ups = self.steps().filter(|step| *step > 0.0).count();
        let moves = self.steps().filter(|step| *step != 0.0).count();
        chance(ups, moves) <= 0.001
    }

    /// Whether the end goes up about as steeply as the whole; what fills up does not.
    pub fn go_up_to_the_end(&self) -> bool {
        const LAST: usize = BLOCKS / 4;
        let Self(medians) = self;
        let rise = |from: usize| (medians[BLOCKS - 1] - medians[from]) / (BLOCKS - 1 - from) as f64;
        let whole = rise(0);
        let steady = rise(BLOCKS - 1 - LAST) >= whole / 2.0;
        // A leak that shows in every block shows in the last two as well, by a good half.
        let still = self.steps().filter(|step| *step == 0.0).count();
        let last = medians[BLOCKS - 1] - medians[BLOCKS - 3] >= 1.25 * whole;
        whole > 0.0 && steady && (last || still > BLOCKS / 4)
    }

    /// Whether it went up at all.
    pub fn rise(&self) -> bool {
        self.0[BLOCKS - 1] > self.0[0]
    }

    fn steps(&self) -> impl Iterator<Item = f64> {
        self.0.windows(2).map(|pair| pair[1] - pair[0])
    }
}

/// How likely a fair coin shows heads at least `heads` times of `tosses`.
fn chance(heads: usize, tosses: usize) -> f64 {
    let mut ways = 1.0;
    let mut sum = 0.0;
    for tails in 0..=tosses - heads.min(tosses) {
        sum += ways;
        ways = ways * (tosses - tails) as f64 / (tails + 1) as f64;
    }
    sum / 2_f64.powi(i32::try_from(tosses).unwrap_or(i32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blocks(of: impl Fn(f64) -> f64) -> Blocks {
        Blocks::of(&(0..100_u8).map(f64::from).map(|x| (x, of(x))).collect::<Vec<_>>())
    }

    #[test]
    fn chances_are_those_of_coins() {
        for (heads, tosses, likely) in [
            (0, 0, 1.0),
            (1, 1, 0.5),
            (2, 3, 0.5),
            (10, 10, 1.0 / 1024.0),
            (14, 15, 16.0 / 32768.0),
        ] {
            assert_eq!(chance(heads, tosses), likely, "{heads} of {tosses}");
        }
        assert!(chance(13, 15) > 0.001);
    }

    #[test]
    fn lines_go_up_and_what_fills_up_does_not() {
        let line = blocks(|x| 32.0 * x);
        assert!(line.go_up() && line.go_up_to_the_end() && line.rise());
        let full = blocks(|x| 32.0 * x.min(90.0));
        assert!(!full.go_up_to_the_end());
        let full = blocks(|x| 1000.0 * (1.0 - (-x / 30.0).exp()));
        assert!(full.go_up() && !full.go_up_to_the_end());
        let level = blocks(|_| 7.0);
        assert!(!level.go_up() && !level.go_up_to_the_end() && !level.rise());
        let down = blocks(|x| -x);
        assert!(!down.go_up() && !down.rise());
    }

    #[test]
    fn steps_that_are_rare_go_up_as_well() {
        let steps = blocks(|x| (x / 8.0).floor() * 4096.0);
        assert!(steps.go_up() && steps.go_up_to_the_end());
    }
}
