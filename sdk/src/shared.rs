//! Values that plugins share across workers.

use crate::abi::{Status, host};
use crate::error::{Error, Result};
use crate::memory::Scope;

/// A version that no value has: hosts count versions from 1, all values together, and would have to
/// set four thousand million of them.
pub(crate) const NO_ONES: Version = Version(u32::MAX);

/// Values that all plugins with the same VM id share, in all workers of a proxy.
///
/// They live as long as any VM of that id does, and none can be removed. Several workers use them
/// at once, so read, decide and write with [`compare_and_swap`](Self::compare_and_swap), and try
/// again when that is lost.
///
/// # Cost
/// One host call for each method. Values are copied; [`get`](Self::get) borrows its copy from the
/// arena until the callback ends, and nothing is allocated.
///
/// # Errors
/// [`Error::Host`] when the host refuses.
#[derive(Clone, Copy, Debug)]
pub struct SharedData<'a> {
    scope: &'a Scope<'a>,
}

/// Which of all settings of shared values one is; no two settings have the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Version(pub(crate) u32);

/// A value, and the version that it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Versioned<'a> {
    /// The value; it may be empty.
    pub value: &'a [u8],
    /// Its version, for [`SharedData::compare_and_swap`].
    pub version: Version,
}

/// What became of a conditional write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Swap {
    /// The value is now the new one.
    Swapped,
    /// Somebody else was there first, and nothing was written.
    Lost,
}

impl<'a> SharedData<'a> {
    pub(crate) fn new(scope: &'a Scope<'a>) -> Self {
        Self { scope }
    }

    /// A value and its version; `None` when nobody has set it.
    pub fn get(&self, key: &str) -> Result<Option<Versioned<'a>>> {
        Ok(host::shared_data(self.scope, key)?.map(versioned))
    }

    /// Sets a value, whatever it was.
    pub fn set(&self, key: &str, value: impl AsRef<[u8]>) -> Result<()> {
        /// The host does not look at the version.
        const ANY: u32 = 0;
        host::set_shared_data(key, value.as_ref(), ANY)
    }

    /// Sets a value if it still has the version that was read.
    pub fn compare_and_swap(
        &self,
        key: &str,
        value: impl AsRef<[u8]>,
        version: Version,
    ) -> Result<Swap> {
        swap(host::set_shared_data(key, value.as_ref(), version.0))
    }

    /// Sets a value if nobody has: of several workers that do so at once exactly one has
    /// [`Swap::Swapped`].
    ///
    /// A host stores a value that is not there whatever version is asked for, and refuses one that
    /// is there under any version but its own; so a version that no value has does both in one
    /// step. Reading first, and setting what was not there, would let two workers win.
    pub fn create(&self, key: &str, value: impl AsRef<[u8]>) -> Result<Swap> {
        self.compare_and_swap(key, value, NO_ONES)
    }
}

impl Swap {
    /// Whether the value is now the new one.
    pub fn is_swapped(self) -> bool {
        self == Self::Swapped
    }
}

fn versioned((value, version): (&[u8], u32)) -> Versioned<'_> {
    // A host that counted from 0 would take a swap of that version for an unconditional one.
    let version = if version == 0 { NO_ONES } else { Version(version) };
    Versioned { value, version }
}

fn swap(set: Result<()>) -> Result<Swap> {
    match set {
        Ok(()) => Ok(Swap::Swapped),
        Err(Error::Host(refused)) if refused.status() == Status::CasMismatch => Ok(Swap::Lost),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::HostError;

    #[test]
    fn only_a_mismatch_is_a_lost_race() {
        let refused = |status| Err(Error::Host(HostError::new("proxy_set_shared_data", status)));
        assert_eq!(swap(Ok(())), Ok(Swap::Swapped));
        assert_eq!(swap(refused(Status::CasMismatch)), Ok(Swap::Lost));
        assert!(swap(refused(Status::InternalFailure)).is_err());
    }

    #[test]
    fn a_version_that_was_read_never_turns_a_swap_into_an_overwrite() {
        assert_eq!(versioned((b"v", 7)), Versioned { value: b"v", version: Version(7) });
        assert_eq!(versioned((b"v", 0)).version, NO_ONES);
    }
}
