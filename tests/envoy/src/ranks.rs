//! Whether two measures put the same things into the same order.

/// The rank of each value, from 1 for the smallest; equal values share the mean of their ranks.
pub fn ranks(values: &[f64]) -> Vec<f64> {
    let rank = |value: &f64| {
        let below = values.iter().filter(|other| *other < value).count();
        let equal = values.iter().filter(|other| *other == value).count();
        below as f64 + (equal as f64 + 1.0) / 2.0
    };
    values.iter().map(rank).collect()
}

/// Spearman's coefficient: 1 where both orders are the same, -1 where one is the other reversed.
/// `None` for fewer than three pairs, and where all values of one measure are equal.
pub fn spearman(pairs: &[(f64, f64)]) -> Option<f64> {
    if pairs.len() < 3 {
        return None;
    }
    let (one, other): (Vec<_>, Vec<_>) = pairs.iter().copied().unzip();
    let (one, other) = (ranks(&one), ranks(&other));
    let mean = (pairs.len() as f64 + 1.0) / 2.0;
    let sum =
        |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| (a - mean) * (b - mean)).sum::<f64>();
    let spread = (sum(&one, &one) * sum(&other, &other)).sqrt();
    (spread > 0.0).then(|| sum(&one, &other) / spread)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ties_share_their_rank() {
        assert_eq!(ranks(&[5.0, 1.0, 5.0, 9.0]), [2.5, 1.0, 2.5, 4.0]);
    }

    #[test]
    fn the_coefficient_is_that_of_the_order_alone() {
        let same = [(1.0, 10.0), (2.0, 100.0), (3.0, 1000.0)];
        assert_eq!(spearman(&same), Some(1.0));
        assert_eq!(spearman(&same.map(|(a, b)| (a, -b))), Some(-1.0));
        // 1 - 6 Σd² / n(n² - 1), with d = 0, 1, -1, 0.
        let swapped = [(1.0, 1.0), (2.0, 3.0), (3.0, 2.0), (4.0, 4.0)];
        assert!((spearman(&swapped).unwrap() - 0.8).abs() < 1e-12);
        assert_eq!(spearman(&same[..2]), None);
        assert_eq!(spearman(&same.map(|(a, _)| (a, 7.0))), None);
    }
}
