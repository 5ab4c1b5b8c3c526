//! What came of a replay, for programs ([`ResultFile`]) and for people ([`table`]).
//!
//! Everything that people read is made from the [`ResultFile`] alone, so that an old result prints
//! as a new one does.

mod collect;
mod comparison;
#[cfg(test)]
pub(crate) mod fixture;
mod layout;
mod machine;
pub mod numbers;
mod read;
mod result;
#[cfg(feature = "cli")]
mod summary;
#[cfg(feature = "cli")]
pub mod table;
#[cfg(feature = "cli")]
mod warnings;

pub use collect::Context;
pub use comparison::comparison;
pub use machine::cpu;
pub use read::ResultError;
pub use result::{
    Fuel, GuestBooks, HeapUse, HostInfo, LogExcerpt, PhaseCosts, PluginInfo, ReplayOptions,
    RequestCounts, ResultFile, SdkInfo, TrafficInfo, UnmatchedCalls, VmCrash, VmInfo,
};

#[cfg(feature = "cli")]
pub(crate) use layout::json;
#[cfg(feature = "cli")]
pub(crate) use warnings::plain;

/// Bytes in a page of linear memory.
#[cfg(feature = "cli")]
const PAGE: u64 = 64 * 1024;
