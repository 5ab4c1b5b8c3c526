//! Taking down what an allocator does.

use std::collections::{BTreeMap, HashMap};
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::frames::{Frame, Frames};
use super::points::Points;
use super::profile::{Growth, Profile};

/// Bytes in a page of linear memory.
const PAGE: u64 = 64 * 1024;

/// Blocks that are followed in a VM; of those beyond, only totals are known. More than fit into
/// memory, with what allocators need for each.
const MOST_LIVE: usize = 1 << 26;

/// What stands for a call stack of memory that no call made grow.
const INITIAL: &str = "[memory that the module begins with]";

/// The recording of a replay's first worker.
///
/// The first VM is left out: a replay tries the configuration in it, and throws it away.
#[derive(Clone, Debug)]
pub struct Recording(Arc<Mutex<Recorder>>);

impl Default for Recording {
    fn default() -> Self {
        Self::leaving_out(1)
    }
}

impl Recording {
    /// A recording that leaves out so many VMs at first.
    pub(crate) fn leaving_out(vms: u32) -> Self {
        Self(Arc::new(Mutex::new(Recorder { leave_out: vms, ..Recorder::default() })))
    }

    /// Ends the recording, once its VMs have ended. What is recorded later begins anew.
    #[must_use]
    pub fn finish(&self) -> Profile {
        let mut recorder = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        mem::take(&mut *recorder).finish()
    }

    /// A VM begins, with so many pages.
    pub(crate) fn vm(&self, pages: u64) -> VmRecorder {
        let mut recorder = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let vm = recorder.begin_vm(pages);
        VmRecorder { recorder: Arc::clone(&self.0), vm, clock: Clock::default() }
    }
}

/// A VM that is recorded; dropping it is the VM's end.
#[derive(Debug)]
pub(crate) struct VmRecorder {
    recorder: Arc<Mutex<Recorder>>,
    /// `None`: it is left out.
    vm: Option<u32>,
    clock: Clock,
}

/// Instructions of a VM.
#[derive(Debug, Default)]
struct Clock {
    /// Those before the current callback.
    before: u64,
    /// What the current callback may take.
    budget: u64,
    /// Those that only watching took.
    watching: u64,
    /// What the recorder knows of.
    told: u64,
}

impl VmRecorder {
    /// A callback begins, after so many instructions.
    pub fn begin(&mut self, used: u64, budget: u64) {
        self.clock = Clock { before: used, budget, ..self.clock };
    }

    /// A callback has ended, after so many instructions in all.
    pub fn end(&mut self, used: u64) {
        self.clock.budget = 0;
        self.clock.before = used;
        self.recorder(0, 0);
    }

    /// The recorder, its clock set: `left` is what the callback may still take, `watching` what has
    /// been and will be executed only because of this event. `None` in a VM that is left out.
    pub fn recorder(
        &mut self,
        left: u64,
        watching: u64,
    ) -> Option<(u32, MutexGuard<'_, Recorder>)> {
        let clock = &mut self.clock;
        clock.watching += watching;
        let used = clock.before + clock.budget.saturating_sub(left);
        let now = used.saturating_sub(clock.watching);
        let passed = now.saturating_sub(clock.told);
        clock.told += passed;
        let vm = self.vm?;
        let mut recorder = self.recorder.lock().unwrap_or_else(PoisonError::into_inner);
        recorder.end_others(vm);
        recorder.now += passed;
        Some((vm, recorder))
    }
}

impl Drop for VmRecorder {
    fn drop(&mut self) {
        if let Some(vm) = self.vm {
            let mut recorder = self.recorder.lock().unwrap_or_else(PoisonError::into_inner);
            recorder.ended.push(vm);
        }
    }
}

/// A block that lives.
#[derive(Clone, Copy, Debug)]
struct Block {
    point: usize,
    bytes: u64,
    since: u64,
}

/// What is known so far.
#[derive(Debug, Default)]
pub(crate) struct Recorder {
    leave_out: u32,
    vms: u32,
    /// VMs that are gone. The last ones are those that the run itself ends, whose memory counts as
    /// there; others show by what happens after them.
    ended: Vec<u32>,
    frames: Frames,
    points: Points,
    growth: Points,
    /// The frame that stands for what modules begin with.
    initial: Option<u32>,
    live: BTreeMap<u32, HashMap<u32, Block>>,
    now: u64,
    /// What lives now.
    bytes: u64,
    blocks: u64,
    /// The present is the peak, and points have not been told.
    at_peak: bool,
    profile: Profile,
}

impl Recorder {
    fn begin_vm(&mut self, pages: u64) -> Option<u32> {
        if let Some(left) = self.leave_out.checked_sub(1) {
            self.leave_out = left;
            return None;
        }
        self.vms += 1;
        self.end_others(self.vms);
        self.live.insert(self.vms, HashMap::new());
        self.profile.growth.initial_pages += pages;
        let frames = &mut self.frames;
        let frame = *self.initial.get_or_insert_with(|| frames.note(INITIAL));
        let number = self.growth.number(&[frame]);
        self.growth.all[number].allocate(pages * PAGE);
        Some(self.vms)
    }

    /// VMs that had ended before another one went on take their blocks with them.
    fn end_others(&mut self, vm: u32) {
        if self.ended.iter().all(|ended| *ended == vm) {
            return;
        }
        for ended in mem::take(&mut self.ended) {
            self.profile.ended_vms += 1;
            // In any order: it only adds up.
            for block in self.live.remove(&ended).unwrap_or_default().into_values() {
                self.profile.lost.0 += block.bytes;
                self.profile.lost.1 += 1;
                self.change(Some(block), None);
            }
        }
    }

    /// The number of a frame; `name` is that of its function.
    pub fn frame(&mut self, frame: Frame, name: Option<&str>) -> u32 {
        self.frames.number(frame, name)
    }

    /// The number of a frame that stands for those further out.
    pub fn cut(&mut self) -> u32 {
        let frame = Frame { function: u32::MAX, place: None };
        self.frames.number(frame, Some(super::frames::CUT))
    }

    /// A block was handed out in place of an old one, or of none (0); it is 0 if that failed.
    pub fn reallocated(&mut self, vm: u32, old: u32, new: u32, size: u32, stack: &[u32]) {
        if new == 0 {
            self.profile.failed += 1;
            return;
        }
        let point = self.points.number(self.frames.folded(stack));
        let bytes = u64::from(size);
        self.profile.total.0 += bytes;
        self.profile.total.1 += 1;
        let live = self.live.entry(vm).or_default();
        let before = live.remove(&old);
        let block = Block { point, bytes, since: self.now };
        if live.len() >= MOST_LIVE {
            let point = &mut self.points.all[point];
            point.total_bytes += bytes;
            point.total_blocks += 1;
            self.change(before, None);
            return;
        }
        let unseen = live.insert(new, block);
        if unseen.is_some() {
            self.profile.unseen_frees += 1;
            self.change(unseen, None);
        }
        self.change(before, Some(block));
    }

    /// A block was given back; inside of the allocator it may be one of its own.
    pub fn freed(&mut self, vm: u32, at: u32, inside: bool) {
        match self.live.entry(vm).or_default().remove(&at) {
            Some(block) => self.change(Some(block), None),
            None => self.profile.unknown_frees += u64::from(!inside && at != 0),
        }
    }

    /// Memory grew by so many pages; `None` if it was to and could not.
    pub fn grew(&mut self, pages: Option<u32>, stack: &[u32]) {
        let growth = &mut self.profile.growth;
        match pages.map(u64::from) {
            None => growth.refused += 1,
            // Who asks for nothing wants to know the size.
            Some(0) => {}
            Some(pages) => {
                growth.grown_pages += pages;
                growth.grows += 1;
                let point = self.growth.number(self.frames.folded(stack));
                self.growth.all[point].allocate(pages * PAGE);
            }
        }
    }

    fn change(&mut self, gone: Option<Block>, new: Option<Block>) {
        let bytes = |block: Option<Block>| block.map_or(0, |block| block.bytes);
        let after = self.bytes - bytes(gone) + bytes(new);
        if after <= self.profile.peak.0 {
            self.leave_peak();
        }
        if let Some(block) = gone {
            self.points.all[block.point].free(block.bytes, self.now - block.since);
            self.blocks -= 1;
        }
        if let Some(block) = new {
            self.points.all[block.point].allocate(block.bytes);
            self.blocks += 1;
        }
        self.bytes = after;
        if after > self.profile.peak.0 {
            self.profile.peak = (after, self.blocks);
            self.profile.peak_at = self.now;
            self.at_peak = true;
        }
    }

    /// Points are told what the peak was only when it is over, which is far less often.
    fn leave_peak(&mut self) {
        if mem::take(&mut self.at_peak) {
            for point in &mut self.points.all {
                point.peak_bytes = point.live_bytes;
                point.peak_blocks = point.live_blocks;
            }
        }
    }

    fn finish(mut self) -> Profile {
        self.leave_peak();
        for block in self.live.into_values().flat_map(HashMap::into_values) {
            self.points.all[block.point].lifetimes += self.now - block.since;
        }
        let growth = Growth { points: self.growth.all, ..self.profile.growth };
        Profile {
            frames: self.frames.into_names(),
            points: self.points.all,
            growth,
            end: self.now,
            left: (self.bytes, self.blocks),
            ..self.profile
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A recording of one VM whose clock is what a test says.
    fn recorded(
        events: impl FnOnce(&mut dyn FnMut(u64, &mut dyn FnMut(&mut Recorder))),
    ) -> Profile {
        let recording = Recording::leaving_out(0);
        let mut vm = recording.vm(2);
        vm.begin(0, 1_000);
        events(&mut |at, event| {
            let (_, mut recorder) = vm.recorder(1_000 - at, 0).unwrap();
            event(&mut recorder);
        });
        vm.end(1_000);
        drop(vm);
        recording.finish()
    }

    #[test]
    fn blocks_live_from_when_they_come_until_they_go() {
        let profile = recorded(|at| {
            at(100, &mut |heap| heap.reallocated(1, 0, 8, 50, &[1]));
            at(200, &mut |heap| heap.reallocated(1, 0, 64, 10, &[2]));
            at(300, &mut |heap| heap.freed(1, 8, false));
            at(400, &mut |heap| heap.reallocated(1, 0, 8, 20, &[1]));
            at(450, &mut |heap| heap.reallocated(1, 64, 96, 30, &[2]));
        });
        assert_eq!((profile.total, profile.peak, profile.left), ((110, 4), (60, 2), (50, 2)));
        assert_eq!((profile.peak_at, profile.end), (200, 1_000));
        let one = &profile.points[0];
        assert_eq!((one.max_bytes, one.peak_bytes, one.live_bytes), (50, 50, 20));
        assert_eq!(one.lifetimes, 200 + 600);
        let two = &profile.points[1];
        assert_eq!((two.max_bytes, two.peak_bytes, two.live_bytes), (30, 10, 30));
        assert_eq!(two.lifetimes, 250 + 550);
    }

    #[test]
    fn the_peak_is_the_first_time_of_the_most() {
        let profile = recorded(|at| {
            at(1, &mut |heap| heap.reallocated(1, 0, 8, 10, &[1]));
            at(2, &mut |heap| heap.reallocated(1, 0, 16, 0, &[1]));
            at(3, &mut |heap| heap.freed(1, 8, false));
            at(4, &mut |heap| heap.reallocated(1, 0, 24, 10, &[2]));
        });
        assert_eq!((profile.peak, profile.peak_at), ((10, 1), 1));
        assert_eq!(profile.points[0].peak_blocks, 1);
        assert_eq!(profile.points[1].peak_bytes, 0);
        assert_eq!(profile.left, (10, 2));
    }

    #[test]
    fn what_cannot_be_is_counted_and_not_believed() {
        let profile = recorded(|at| {
            at(1, &mut |heap| heap.freed(1, 8, false));
            at(2, &mut |heap| heap.freed(1, 8, true));
            at(3, &mut |heap| heap.freed(1, 0, false));
            at(4, &mut |heap| heap.reallocated(1, 0, 0, 8, &[1]));
            at(5, &mut |heap| heap.reallocated(1, 0, 8, 8, &[1]));
            at(6, &mut |heap| heap.reallocated(1, 0, 8, 9, &[1]));
            at(7, &mut |heap| heap.reallocated(1, 8, 0, 100, &[1]));
        });
        assert_eq!((profile.unknown_frees, profile.unseen_frees, profile.failed), (1, 1, 2));
        assert_eq!((profile.total, profile.left), ((17, 2), (9, 1)));
    }

    #[test]
    fn a_vm_that_ends_early_takes_its_blocks_with_it() {
        let recording = Recording::default();
        let mut tried = recording.vm(1);
        assert!(tried.recorder(0, 0).is_none());
        drop(tried);
        let mut first = recording.vm(1);
        first.begin(0, 100);
        first.recorder(40, 0).unwrap().1.reallocated(1, 0, 8, 5, &[1]);
        first.end(100);
        drop(first);
        let mut second = recording.vm(1);
        second.begin(0, 100);
        second.recorder(90, 0).unwrap().1.reallocated(2, 0, 8, 7, &[1]);
        second.end(50);
        drop(second);
        let profile = recording.finish();
        assert_eq!((profile.lost, profile.ended_vms, profile.left), ((5, 1), 1, (7, 1)));
        assert_eq!((profile.end, profile.peak_at), (150, 110));
        assert_eq!(profile.points[0].lifetimes, 40 + 40);
        assert_eq!((profile.growth.initial_pages, profile.growth.points.len()), (2, 1));
    }

    #[test]
    fn what_watching_takes_does_not_count() {
        let recording = Recording::leaving_out(0);
        let mut vm = recording.vm(1);
        vm.begin(0, 100);
        vm.recorder(50, 20).unwrap().1.reallocated(1, 0, 8, 1, &[1]);
        vm.recorder(45, 0).unwrap().1.freed(1, 8, false);
        vm.end(60);
        drop(vm);
        let profile = recording.finish();
        assert_eq!((profile.peak_at, profile.points[0].lifetimes, profile.end), (30, 5, 40));
    }

    #[test]
    fn growth_is_in_pages_and_refusals_are_counted() {
        let profile = recorded(|at| {
            at(1, &mut |heap| heap.grew(Some(3), &[7]));
            at(1, &mut |heap| heap.grew(Some(0), &[1]));
            at(1, &mut |heap| heap.grew(None, &[1]));
        });
        let Growth { points, initial_pages, grown_pages, grows, refused } = profile.growth;
        assert_eq!((initial_pages, grown_pages, grows, refused), (2, 3, 1, 1));
        assert_eq!(points.iter().map(|point| point.total_bytes / PAGE).collect::<Vec<_>>(), [2, 3]);
    }
}
