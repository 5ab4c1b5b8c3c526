//! The Theil-Sen estimator: a line through points of which up to 29 % may be anywhere.

use serde::{Deserialize, Serialize};

/// How steep a line is, with its confidence interval of 99 %.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Slope {
    /// The median of the slopes between any two points.
    pub slope: f64,
    /// The lower end of the interval.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

/// The quantile of the normal distribution for 99 %, both sides.
const Z: f64 = 2.575_829_303_548_901;

/// Fits a line: the median slope between any two points (Theil 1950), and the interval of those
/// slopes by the distribution of Kendall's tau (Sen 1968, Hollander and Wolfe), which assumes that
/// points err independently of each other.
///
/// `None` without two points that differ in `x`. Points with equal `x` make no pair.
///
/// # Cost
/// Holds all pairs, 1 MiB for 512 points, and selects in linear time among them.
#[must_use]
pub fn theil_sen(points: &[(f64, f64)]) -> Option<Slope> {
    let mut slopes = Vec::with_capacity(points.len().saturating_mul(points.len()) / 2);
    for (at, (x, y)) in points.iter().enumerate() {
        let later = points[at + 1..].iter();
        slopes.extend(later.filter(|(other, _)| other != x).map(|(u, v)| (v - y) / (u - x)));
    }
    let count = slopes.len();
    if count == 0 {
        return None;
    }
    let n = points.len() as f64;
    // The standard deviation of Kendall's S. Ties make it smaller, and so the interval too wide,
    // which is the side to err on.
    let spread = Z * (n * (n - 1.0) * (2.0 * n + 5.0) / 18.0).sqrt();
    let pairs = count as f64;
    // Ranks from 1; an end beyond the pairs is the outermost one.
    let low = ((pairs - spread) / 2.0).floor().max(1.0) as usize;
    let high = ((pairs + spread) / 2.0 + 1.0).ceil().min(pairs) as usize;
    Some(Slope {
        slope: median(&mut slopes),
        low: ranked(&mut slopes, low - 1),
        high: ranked(&mut slopes, high - 1),
    })
}

/// The middle one, or the mean of the two in the middle; 0 of none.
pub(super) fn median(numbers: &mut [f64]) -> f64 {
    let count = numbers.len();
    match count {
        0 => 0.0,
        _ if count % 2 == 1 => ranked(numbers, count / 2),
        _ => f64::midpoint(ranked(numbers, count / 2 - 1), ranked(numbers, count / 2)),
    }
}

fn ranked(numbers: &mut [f64], rank: usize) -> f64 {
    *numbers.select_nth_unstable_by(rank, f64::total_cmp).1
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The definitions, word by word.
    fn oracle(points: &[(f64, f64)]) -> Option<Slope> {
        let mut slopes = Vec::new();
        for i in 0..points.len() {
            for j in 0..i {
                if points[i].0 != points[j].0 {
                    slopes.push((points[j].1 - points[i].1) / (points[j].0 - points[i].0));
                }
            }
        }
        slopes.sort_by(f64::total_cmp);
        let last = slopes.len().checked_sub(1)?;
        let n = points.len() as f64;
        let c = 2.575_829_303_548_901 * (n * (n - 1.0) * (2.0 * n + 5.0) / 18.0).sqrt();
        let m = slopes.len() as f64;
        let (m1, m2) = ((m - c) / 2.0, (m + c) / 2.0);
        // The M1-th smallest and the (M2 + 1)-th smallest, rounded outwards.
        let low = if m1 < 1.0 { 0 } else { m1.floor() as usize - 1 };
        let high = (m2.ceil() as usize).min(last);
        let middle = slopes.len() / 2;
        let slope = if slopes.len() % 2 == 1 {
            slopes[middle]
        } else {
            f64::midpoint(slopes[middle - 1], slopes[middle])
        };
        Some(Slope { slope, low: slopes[low], high: slopes[high] })
    }

    fn points(longest: usize) -> impl Strategy<Value = Vec<(f64, f64)>> {
        let number = || (-1_000_i32..1_000).prop_map(f64::from);
        prop::collection::vec((number(), number()), 0..longest)
    }

    proptest! {
        #[test]
        fn it_is_what_its_definition_says(points in points(60)) {
            prop_assert_eq!(theil_sen(&points), oracle(&points));
        }

        #[test]
        fn the_order_of_points_does_not_matter(
            (points, shuffled) in points(40).prop_flat_map(|points| {
                (Just(points.clone()), Just(points).prop_shuffle())
            }),
        ) {
            prop_assert_eq!(theil_sen(&points), theil_sen(&shuffled));
        }

        #[test]
        fn a_line_is_found_exactly(
            slope in -1_000_i32..1_000, base in -1_000_000_i32..1_000_000, n in 2_u16..200,
        ) {
            let (slope, base) = (f64::from(slope), f64::from(base));
            let line: Vec<_> = (0..n).map(|x| f64::from(x) * 7.0).map(|x| (x, base + slope * x)).collect();
            prop_assert_eq!(theil_sen(&line), Some(Slope { slope, low: slope, high: slope }));
        }

        #[test]
        fn a_fifth_of_outliers_changes_nothing(
            slope in -100_i32..100,
            outliers in prop::collection::vec((0_usize..100, -1_000_000_i32..1_000_000), 0..20),
        ) {
            let slope = f64::from(slope);
            let mut line: Vec<_> = (0..100_u8).map(f64::from).map(|x| (x, slope * x)).collect();
            for (at, y) in outliers {
                line[at].1 = f64::from(y);
            }
            // (0.8 * 0.8) of the pairs lie on the line.
            prop_assert_eq!(theil_sen(&line).unwrap().slope, slope);
        }
    }

    #[test]
    fn what_has_no_slope() {
        assert_eq!(theil_sen(&[]), None);
        assert_eq!(theil_sen(&[(1.0, 2.0)]), None);
        assert_eq!(theil_sen(&[(1.0, 2.0), (1.0, 5.0)]), None);
    }

    #[test]
    fn an_example_by_hand() {
        // Slopes 1, 2, 3, 3, 4 and 5; four points bound nothing but by the outermost pairs.
        let points = [(0.0, 0.0), (1.0, 1.0), (2.0, 4.0), (3.0, 9.0)];
        assert_eq!(theil_sen(&points), Some(Slope { slope: 3.0, low: 1.0, high: 5.0 }));
    }
}
