//! How exchanges that are open at once take turns, and how time passes.

use std::time::Duration;

use super::active::{Active, Step};
use crate::host::{GivenUp, Slot};

/// Time that passes on the virtual clock while every open stream has its turn.
const TURN: Duration = Duration::from_micros(100);

/// How long a stream may stand still: Envoy's default for `stream_idle_timeout`.
const IDLE: u64 = 300 * 1_000_000_000;

/// Timers and answers that a stream may stand still for: a plugin that is told of something every
/// millisecond would keep a run busy for the whole of the time above.
const MOST_WAITS: u32 = 100_000;

/// How long a run waits at its end for answers to calls that no stream waits for.
const LAST_ANSWERS: u64 = 60 * 1_000_000_000;

/// Gives one exchange its turn, and notes whether the plugin failed with it.
pub(crate) fn step(slot: &mut Slot<'_>, active: &mut Active) -> Step {
    let step = active.step(slot);
    if step == Step::Moved {
        active.waits = 0;
    }
    slot.note_faults(Some(active.number));
    step
}

/// All exchanges have had their turn: lets happen what is due meanwhile. True if that was something,
/// after which those that waited may go on.
#[must_use]
pub(crate) fn pass_turn(slot: &mut Slot<'_>) -> bool {
    slot.clock().pass(TURN);
    let now = slot.now();
    let is_due = slot.next_due().is_some_and(|due| due <= now);
    slot.run_until(now);
    slot.note_faults(None);
    is_due
}

/// All exchanges wait: lets time pass until the next timer or answer. Those that nothing moves any
/// more are given up.
pub(crate) fn wait<'a>(slot: &mut Slot<'_>, open: impl Iterator<Item = &'a mut Active>) {
    let due = slot.next_due();
    let now = slot.now();
    // When the first of those that still wait has waited long enough.
    let mut patience = None;
    for active in open {
        let moved = slot.stream(active.stream).map_or(0, |stream| stream.moved);
        let end = moved.saturating_add(IDLE);
        active.waits += 1;
        let given_up = if due.is_none() {
            Some(GivenUp::NothingDue)
        } else if now >= end {
            Some(GivenUp::Idle)
        } else {
            (active.waits > MOST_WAITS).then_some(GivenUp::Busy)
        };
        if let Some(given_up) = given_up {
            active.give_up(slot, given_up);
        } else {
            patience = Some(patience.map_or(end, |patience: u64| patience.min(end)));
        }
    }
    if let (Some(due), Some(patience)) = (due, patience) {
        slot.run_until(due.min(patience));
        slot.note_faults(None);
    }
}

/// Gives all exchanges their turns until they have finished.
pub(crate) fn to_the_end(slot: &mut Slot<'_>, open: &mut [Active]) {
    while open.iter().any(|active| !active.is_finished()) {
        let mut moved = false;
        for active in open.iter_mut().filter(|active| !active.is_finished()) {
            moved |= step(slot, active) == Step::Moved;
        }
        moved |= pass_turn(slot);
        if !moved {
            wait(slot, open.iter_mut().filter(|active| !active.is_finished()));
        }
    }
}

/// Waits for answers to calls that are under way, though no stream is open any more.
pub(crate) fn last_answers(slot: &mut Slot<'_>) {
    let end = slot.now().saturating_add(LAST_ANSWERS);
    let mut waits = 0;
    while slot.awaits_answers()
        && waits < MOST_WAITS
        && let Some(due) = slot.next_due().filter(|due| *due <= end)
    {
        waits += 1;
        slot.run_until(due);
        slot.note_faults(None);
    }
}
