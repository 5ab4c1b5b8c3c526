//! The largest number that fits: doubled until one does not, then bisected.

/// What a search found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Largest {
    /// The largest that fits; `None` when the least does not.
    pub fits: Option<u64>,
    /// The search ended at `most`, which fits: larger ones may too.
    pub is_open: bool,
}

/// Looks for the largest multiple of `step` from `least` to `most` that fits, to an eighth.
///
/// What is larger than something that does not fit is taken not to fit.
pub(super) fn largest<E>(
    least: u64,
    most: u64,
    step: u64,
    mut fits: impl FnMut(u64) -> Result<bool, E>,
) -> Result<Largest, E> {
    if most < least || !fits(least)? {
        return Ok(Largest { fits: None, is_open: false });
    }
    let mut good = least;
    let mut bad = None;
    while bad.is_none() && good < most {
        let next = good.saturating_mul(2).min(most);
        if fits(next)? { good = next } else { bad = Some(next) }
    }
    let Some(mut bad) = bad else { return Ok(Largest { fits: Some(good), is_open: true }) };
    while bad - good > step.max(good / 8) {
        let middle = (good + (bad - good) / 2) / step * step;
        if middle <= good {
            break;
        }
        if fits(middle)? { good = middle } else { bad = middle }
    }
    Ok(Largest { fits: Some(good), is_open: false })
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use proptest::prelude::*;

    use super::*;

    fn search(least: u64, most: u64, step: u64, bound: u64) -> (Largest, Vec<u64>) {
        let mut tried = Vec::new();
        let found = largest(least, most, step, |number| {
            tried.push(number);
            Ok::<_, Infallible>(number <= bound)
        });
        let Ok(found) = found;
        (found, tried)
    }

    #[test]
    fn it_doubles_and_then_bisects() {
        let (found, tried) = search(16, 1024, 4, 100);
        assert_eq!(tried, [16, 32, 64, 128, 96, 112, 104]);
        assert_eq!(found, Largest { fits: Some(96), is_open: false });
    }

    #[test]
    fn ends_are_told() {
        assert_eq!(search(16, 1024, 4, 15).0, Largest { fits: None, is_open: false });
        assert_eq!(search(16, 1024, 4, 1024).0, Largest { fits: Some(1024), is_open: true });
        assert_eq!(search(16, 8, 4, 1024).0, Largest { fits: None, is_open: false });
        assert_eq!(search(16, 16, 4, 1024).0, Largest { fits: Some(16), is_open: true });
        assert_eq!(search(16, 100, 4, 99).0, Largest { fits: Some(92), is_open: false });
    }

    proptest! {
        #[test]
        fn what_is_found_fits_and_an_eighth_more_does_not(bound in 1_u64..100_000) {
            let (found, tried) = search(16, 65_536, 4, bound);
            prop_assert!(tried.len() < 24);
            match found {
                Largest { fits: None, .. } => prop_assert!(bound < 16),
                Largest { fits: Some(fits), is_open: true } => prop_assert_eq!(fits, 65_536),
                Largest { fits: Some(fits), .. } => {
                    prop_assert!(fits <= bound && bound < fits + (fits / 8).max(4));
                }
            }
        }
    }
}
