//! What a profile adds up to, and what it may add up to.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use dhat::HeapStats;
use serde::{Deserialize, Serialize};

/// Allocations of a whole run, set-up included.
///
/// Counts, not times: they are the same in every run and in every build profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Totals {
    /// Allocations; one that grows counts again.
    pub total_blocks: u64,
    /// Bytes in them.
    pub total_bytes: u64,
    /// The most bytes that were allocated at one time.
    pub peak_bytes: u64,
}

impl From<HeapStats> for Totals {
    fn from(stats: HeapStats) -> Self {
        Self {
            total_blocks: stats.total_blocks,
            total_bytes: stats.total_bytes,
            peak_bytes: stats.max_bytes as u64,
        }
    }
}

impl Totals {
    /// Whether none of the numbers is past the baseline's.
    pub fn is_within(&self, baseline: &Self) -> bool {
        self.lines(baseline).iter().all(|(_, now, limit)| now <= limit)
    }

    /// One line for each number that differs from the baseline's.
    pub fn differences(&self, baseline: &Self) -> String {
        self.lines(baseline)
            .into_iter()
            .filter(|(_, now, limit)| now != limit)
            .map(|(name, now, limit)| format!("  {name}: {now}, baseline {limit}\n"))
            .collect()
    }

    /// Reads a baseline.
    ///
    /// # Errors
    /// When the file cannot be read, or does not hold exactly these numbers.
    pub fn read(path: &Path) -> io::Result<Self> {
        Ok(serde_json::from_slice(&fs::read(path)?)?)
    }

    /// Writes a baseline.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write(&self, path: &Path) -> io::Result<()> {
        let mut text = serde_json::to_string_pretty(self)?;
        text.push('\n');
        fs::write(path, text)
    }

    fn lines(&self, baseline: &Self) -> [(&'static str, u64, u64); 3] {
        [
            ("total_blocks", self.total_blocks, baseline.total_blocks),
            ("total_bytes", self.total_bytes, baseline.total_bytes),
            ("peak_bytes", self.peak_bytes, baseline.peak_bytes),
        ]
    }
}

/// Where the profile of this name goes unless a path is given: in the checkout's `target`.
pub fn profile_path(name: &str) -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = package.parent().unwrap_or(package);
    root.join("target/profiles").join(name).with_extension("json")
}

/// Where the baseline of this name lies.
pub fn baseline_path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("baselines").join(name).with_extension("json")
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASELINE: Totals = Totals { total_blocks: 10, total_bytes: 1000, peak_bytes: 500 };

    #[test]
    fn any_number_past_its_baseline_counts() {
        assert!(BASELINE.is_within(&BASELINE));
        assert!(Totals { total_blocks: 9, ..BASELINE }.is_within(&BASELINE));
        for past in [
            Totals { total_blocks: 11, ..BASELINE },
            Totals { total_bytes: 1001, ..BASELINE },
            Totals { total_blocks: 1, total_bytes: 1, peak_bytes: 501 },
        ] {
            assert!(!past.is_within(&BASELINE), "{past:?}");
        }
    }

    #[test]
    fn differences_name_the_numbers() {
        assert_eq!(BASELINE.differences(&BASELINE), "");
        let totals = Totals { total_blocks: 12, peak_bytes: 400, ..BASELINE };
        let expected = "  total_blocks: 12, baseline 10\n  peak_bytes: 400, baseline 500\n";
        assert_eq!(totals.differences(&BASELINE), expected);
    }

    #[test]
    fn a_baseline_comes_back_as_it_was_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.json");
        BASELINE.write(&path).unwrap();
        assert_eq!(Totals::read(&path).unwrap(), BASELINE);
        fs::write(&path, "{\"total_blocks\": 1}").unwrap();
        assert!(Totals::read(&path).is_err());
    }
}
