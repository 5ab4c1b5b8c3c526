//! How much a guest may make the host keep.

use super::abi::Status;

/// Bytes that one VM may make the host keep, unless a run says otherwise: 256 MiB.
///
/// A module of 32 bits addresses 4 GiB at most, and Higress gives a VM 1 GiB; a plugin that leaves
/// a quarter of that in the proxy as well is not one that a proxy survives for long.
pub const DEFAULT_QUOTA: u64 = 256 * 1024 * 1024;

/// A budget of bytes for what a guest makes the host keep: filter state, span tags, metrics,
/// appended headers and bodies, pending callouts.
///
/// A real proxy has no such limit; it runs out of memory. A bench host that loads plugins of
/// unknown origin answers `InternalFailure` instead, and says so in its result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quota {
    limit: u64,
    used: u64,
    refused: Option<(&'static str, u64)>,
}

impl Default for Quota {
    fn default() -> Self {
        Self::new(DEFAULT_QUOTA)
    }
}

impl Quota {
    /// A budget of so many bytes.
    pub const fn new(bytes: u64) -> Self {
        Self { limit: bytes, used: 0, refused: None }
    }

    /// Takes bytes for what is going to be kept; `what` names it if they are refused.
    ///
    /// # Errors
    /// [`Status::InternalFailure`] when fewer are left. Then nothing is taken.
    pub fn charge(&mut self, what: &'static str, bytes: u64) -> Result<(), Status> {
        match self.used.checked_add(bytes).filter(|used| *used <= self.limit) {
            Some(used) => {
                self.used = used;
                Ok(())
            }
            None => {
                self.refuse(what, bytes);
                Err(Status::InternalFailure)
            }
        }
    }

    /// Notes that something was refused which has a limit of its own.
    pub fn refuse(&mut self, what: &'static str, bytes: u64) {
        self.refused.get_or_insert((what, bytes));
    }

    /// Takes bytes for what takes the place of something else, whose bytes are given back.
    ///
    /// # Errors
    /// As [`charge`](Self::charge), for what it has more.
    pub fn exchange(&mut self, what: &'static str, old: u64, new: u64) -> Result<(), Status> {
        self.charge(what, new.saturating_sub(old))?;
        self.release(old.saturating_sub(new));
        Ok(())
    }

    /// Gives bytes back.
    pub fn release(&mut self, bytes: u64) {
        self.used = self.used.saturating_sub(bytes);
    }

    /// Bytes that are taken.
    pub const fn used(&self) -> u64 {
        self.used
    }

    /// What was refused first, and how many bytes it asked for.
    pub const fn refused(&self) -> Option<(&'static str, u64)> {
        self.refused
    }
}

/// What an entry of a table is charged for: its key, its value, and what the table adds.
pub(super) fn entry_size(key: &[u8], value: &[u8]) -> u64 {
    /// About what a key and a value in a map cost beside their bytes.
    const ENTRY: u64 = 64;
    (key.len() as u64).saturating_add(value.len() as u64).saturating_add(ENTRY)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_refuses_what_does_not_fit_and_remembers_the_first() {
        let mut quota = Quota::new(10);
        assert_eq!(quota.charge("metrics", 6), Ok(()));
        assert_eq!(quota.charge("filter state", 5), Err(Status::InternalFailure));
        assert_eq!(quota.charge("span tags", u64::MAX), Err(Status::InternalFailure));
        assert_eq!((quota.used(), quota.refused()), (6, Some(("filter state", 5))));
        quota.release(2);
        assert_eq!(quota.charge("filter state", 6), Ok(()));
        quota.release(u64::MAX);
        assert_eq!(quota.used(), 0);
    }
}
