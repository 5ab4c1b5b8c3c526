//! What is left of VMs that are gone.

use std::collections::BTreeMap;

use super::proxy::Proxy;
use super::{Host, Log};
use crate::engine::Heap;
use crate::measure::Ledger;

/// What a VM leaves behind.
#[derive(Debug)]
pub struct Ended {
    /// What its callbacks cost.
    pub ledger: Ledger,
    /// What the plugin logged.
    pub log: Log,
    /// Calls to imports that do nothing here.
    pub stubbed: BTreeMap<String, u64>,
    /// What the plugin wanted the host to keep beyond its budget.
    pub refused: Option<&'static str>,
    /// Memory at the end.
    pub heap: Heap,
}

/// VMs that are remembered one by one. A plugin that fails every second leaves thousands behind:
/// of the later ones the costs are added up, and the logs are only counted.
const REMEMBERED: usize = 16;

impl Ended {
    /// Ends a VM.
    pub(super) fn of(mut proxy: Proxy) -> Self {
        let heap = proxy.guest().heap();
        let Host { ledger, log, stubbed, quota, .. } = proxy.into_host();
        Self { ledger, log, stubbed, refused: quota.refused().map(|(what, _)| what), heap }
    }
}

/// Adds what a VM left behind to what is remembered; the last one of all counts with its memory.
pub(super) fn remember(all: &mut Vec<Ended>, one: Ended) {
    if all.len() < REMEMBERED {
        return all.push(one);
    }
    let Some(last) = all.last_mut() else { return };
    last.ledger.add(&one.ledger);
    last.log.forget(&one.log);
    for (name, count) in one.stubbed {
        *last.stubbed.entry(name).or_insert(0) += count;
    }
    last.refused = last.refused.or(one.refused);
    last.heap = one.heap;
}
