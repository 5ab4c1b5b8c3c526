//! What a recording comes to.

use super::points::Point;

/// Who allocated what, and who made memory grow.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Profile {
    /// Names of frames, by number; the first is the root.
    pub frames: Vec<String>,
    /// By call stack, in the order in which they came.
    pub points: Vec<Point>,
    /// Memory.
    pub growth: Growth,
    /// Instructions that the plugin executed.
    pub end: u64,
    /// When most bytes lived.
    pub peak_at: u64,
    /// Bytes and blocks that were allocated.
    pub total: (u64, u64),
    /// Bytes and blocks when most bytes lived.
    pub peak: (u64, u64),
    /// Bytes and blocks that live at the end.
    pub left: (u64, u64),
    /// Bytes and blocks that went with VMs that ended before the run did: freed then.
    pub lost: (u64, u64),
    /// VMs that did.
    pub ended_vms: u64,
    /// Blocks that were freed and never allocated, as far as is known: an allocator was not seen
    /// when it handed them out.
    pub unknown_frees: u64,
    /// Addresses that were handed out twice: an allocator was not seen when it took them back.
    pub unseen_frees: u64,
    /// Allocations that failed.
    pub failed: u64,
}

/// Who made memory grow.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Growth {
    /// By call stack; only totals count, a block is one growth. Memory that the module begins with
    /// is among them.
    pub points: Vec<Point>,
    /// Pages that VMs began with.
    pub initial_pages: u64,
    /// Pages that came later.
    pub grown_pages: u64,
    /// In how many steps.
    pub grows: u64,
    /// Growth that was refused.
    pub refused: u64,
}
