//! The machine that a result was made on.

use std::env::consts::ARCH;
use std::fs;

/// The model of the processor, or its architecture where the system does not tell the model.
///
/// # Cost
/// Reads `/proc/cpuinfo`, which exists on Linux only.
#[must_use]
pub fn cpu() -> String {
    let facts = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    model(&facts).unwrap_or(ARCH).to_owned()
}

/// The first processor's model; Arm's kernels tell none.
fn model(facts: &str) -> Option<&str> {
    let mut pairs = facts.lines().filter_map(|line| line.split_once(':'));
    let (_, model) = pairs.find(|(key, _)| key.trim() == "model name")?;
    Some(model.trim()).filter(|model| !model.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_model_is_found_where_there_is_one() {
        let facts = "processor\t: 0\nmodel\t\t: 85\nmodel name\t: Intel(R) Xeon(R) CPU @ 2.60GHz\n";
        assert_eq!(model(facts), Some("Intel(R) Xeon(R) CPU @ 2.60GHz"));
        assert_eq!(model("processor\t: 0\nCPU part\t: 0xd40\n"), None);
        assert_eq!(model("model name\t:\n"), None);
        assert!(!cpu().is_empty());
    }
}
