//! The tasks of a VM: futures that wait for the host.

use std::cell::{Cell, OnceCell, RefCell};
use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use super::ready::{Doorbell, Ready};
use super::{Owner, SharedVm, Vm, while_current};
use crate::abi::Direction;
use crate::error::Result;
use crate::http::Resume;
use crate::used::TASKS;

/// A task as it is kept.
pub(crate) type BoxedTask = Pin<Box<dyn Future<Output = Result<Resume>>>>;

/// What waits for a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Headers, and everything behind them.
    Headers(Direction),
    /// A whole body, and the trailers behind it.
    Body(Direction),
    /// The chunks of a response.
    Relay,
    /// The end of a callback, to let a relayed response go.
    Nudge,
    /// Nothing.
    Nothing,
}

/// A task that was polled; the result is `None` while it waits.
#[derive(Debug)]
pub(crate) struct Polled {
    pub context: u32,
    pub purpose: Purpose,
    pub result: Option<Result<Resume>>,
}

/// What came of a task's first poll.
#[derive(Debug)]
pub(crate) enum Started {
    Ended(Result<Resume>),
    Waiting(TaskId),
}

/// A task; another one may be at the same place later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TaskId {
    place: u32,
    number: u64,
}

/// All tasks of a VM.
///
/// # Cost
/// A task is one allocation, made by whoever boxes it. Its place, its waker and the queue of those
/// that were woken are used again, so waiting and waking allocate nothing.
#[derive(Default)]
pub(crate) struct Tasks {
    places: RefCell<Vec<Place>>,
    free: RefCell<Vec<u32>>,
    open: Cell<usize>,
    started: Cell<u64>,
    /// Made with the first task.
    ready: OnceCell<Arc<Ready>>,
    /// Memory of the last round of polls.
    woken: RefCell<Vec<u32>>,
}

struct Place {
    bell: Arc<Doorbell>,
    waker: Waker,
    task: Option<Task>,
}

struct Task {
    number: u64,
    owner: Owner,
    purpose: Purpose,
    /// `None` while it is being polled.
    future: Option<BoxedTask>,
    /// It was woken while it was being polled inside of which this callback runs.
    again: bool,
}

/// A task while it is being polled.
struct TakenOut {
    future: BoxedTask,
    waker: Waker,
    number: u64,
    owner: Owner,
    purpose: Purpose,
}

impl Tasks {
    /// Polls a new task for the first time, and keeps it if it waits.
    pub fn start(vm: &SharedVm, owner: Owner, purpose: Purpose, task: BoxedTask) -> Started {
        let id = vm.tasks.insert(owner, purpose, task);
        // Whoever starts it goes on with a context of its own, which the poll may have left. That
        // one may have ended meanwhile.
        let before = vm.effective.get();
        let result = Self::poll_one(vm, id);
        let _ = vm.act_on(before);
        match result {
            Some(result) => Started::Ended(result),
            None => Started::Waiting(id),
        }
    }

    /// Starts a task that nothing waits for; an error that it ends with at once is logged, as one
    /// that it ends with later is.
    pub fn spawn(vm: &SharedVm, owner: Owner, task: impl Future<Output = Result<()>> + 'static) {
        TASKS.set();
        let task = Box::pin(async move { task.await.map(|()| Resume::Continue) });
        if let Started::Ended(Err(error)) = Self::start(vm, owner, Purpose::Nothing, task) {
            crate::error!("task: {error}");
        }
    }

    /// Polls one task, woken or not, until it waits for something else than itself. `None`: it
    /// still waits, or it is gone.
    pub fn poll_one(vm: &SharedVm, id: TaskId) -> Option<Result<Resume>> {
        let tasks = &vm.tasks;
        loop {
            if !tasks.is(id) {
                return None;
            }
            let polled = tasks.poll(vm, id.place)?;
            if polled.result.is_some() || !tasks.is_woken(id) {
                return polled.result;
            }
        }
    }

    /// Whether a task was woken; what every callback asks.
    #[inline]
    pub fn any_ready(&self) -> bool {
        self.ready.get().is_some_and(|ready| ready.any())
    }

    /// Polls what was woken until nothing is, but for what has to be put off; `polled` gets every
    /// task that was.
    pub fn run_ready(vm: &SharedVm, mut polled: impl FnMut(Polled)) {
        let tasks = &vm.tasks;
        let Some(ready) = tasks.ready.get() else { return };
        while ready.any() {
            // Taken, because a poll may make a host call, and the host may call back.
            let mut woken = mem::take(&mut *tasks.woken.borrow_mut());
            ready.drain_into(&mut woken);
            for place in woken.drain(..) {
                if tasks.put_off(vm, place) {
                    continue;
                }
                if let Some(task) = tasks.poll(vm, place) {
                    polled(task);
                }
            }
            *tasks.woken.borrow_mut() = woken;
        }
    }

    /// Drops all tasks of a context that has ended.
    pub fn close(&self, context: u32) {
        self.drop_those(|owner| owner.context == context);
    }

    /// Drops all tasks.
    pub fn clear(&self) {
        self.drop_those(|_| true);
    }

    fn drop_those(&self, of: impl Fn(Owner) -> bool) {
        let mut place = 0;
        while self.open.get() > 0 {
            let mut places = self.places.borrow_mut();
            let Some(slot) = places.get_mut(place) else { break };
            let task = slot.task.take_if(|task| of(task.owner));
            drop(places);
            if let Some(task) = task {
                self.freed(place);
                // Without the borrow: what the future owns may make host calls.
                drop(task);
            }
            place += 1;
        }
    }

    /// Drops one task, if it is still there.
    pub fn cancel(&self, id: TaskId) {
        let mut places = self.places.borrow_mut();
        let task = places
            .get_mut(id.place as usize)
            .and_then(|slot| slot.task.take_if(|task| task.number == id.number));
        drop(places);
        if task.is_some() {
            self.freed(id.place as usize);
        }
        drop(task);
    }

    fn is(&self, id: TaskId) -> bool {
        let places = self.places.borrow();
        let task = places.get(id.place as usize).and_then(|place| place.task.as_ref());
        task.is_some_and(|task| task.number == id.number)
    }

    fn is_woken(&self, id: TaskId) -> bool {
        self.places.borrow().get(id.place as usize).is_some_and(|place| place.bell.has_rung())
    }

    fn insert(&self, owner: Owner, purpose: Purpose, future: BoxedTask) -> TaskId {
        let number = self.started.get() + 1;
        self.started.set(number);
        self.open.set(self.open.get() + 1);
        let task = Task { number, owner, purpose, future: Some(future), again: false };
        let free = self.free.borrow_mut().pop();
        let mut places = self.places.borrow_mut();
        let place = free.unwrap_or_else(|| {
            // A plugin's memory ends long before there are 2^32 tasks.
            let place = u32::try_from(places.len()).unwrap_or(u32::MAX);
            let (bell, waker) = Doorbell::waker(place, self.ready.get_or_init(Arc::default));
            places.push(Place { bell, waker, task: None });
            place
        });
        if let Some(slot) = places.get_mut(place as usize) {
            slot.task = Some(task);
        }
        TaskId { place, number }
    }

    /// Has a timer wake the task of a stream that must not be answered in this callback.
    fn put_off(&self, vm: &Vm, place: u32) -> bool {
        let places = self.places.borrow();
        let Some(Place { bell, waker, task: Some(task) }) = places.get(place as usize) else {
            return false;
        };
        let Owner { context, root } = task.owner;
        let puts_off = context != root && vm.reply_would_stop_another(context);
        if puts_off {
            bell.answered();
            vm.timers.set(root, 0, waker.clone());
        }
        puts_off
    }

    /// `None`: there is no such task, or it is being polled already.
    fn poll(&self, vm: &SharedVm, place: u32) -> Option<Polled> {
        let TakenOut { mut future, waker, number, owner, purpose } = self.take_out(place)?;
        let context = owner.context;
        if vm.act_on(context).is_err() {
            // The host has ended the stream without saying so.
            self.cancel(TaskId { place, number });
            return None;
        }
        let poll =
            while_current(vm, owner, || future.as_mut().poll(&mut Context::from_waker(&waker)));
        let result = match poll {
            Poll::Ready(result) => {
                self.cancel(TaskId { place, number });
                Some(result)
            }
            Poll::Pending => {
                self.put_back(place, number, future);
                None
            }
        };
        Some(Polled { context, purpose, result })
    }

    fn take_out(&self, place: u32) -> Option<TakenOut> {
        let mut places = self.places.borrow_mut();
        let slot = places.get_mut(place as usize)?;
        slot.bell.answered();
        let task = slot.task.as_mut()?;
        let Some(future) = task.future.take() else {
            task.again = true;
            return None;
        };
        let Task { number, owner, purpose, .. } = *task;
        Some(TakenOut { future, waker: slot.waker.clone(), number, owner, purpose })
    }

    fn put_back(&self, place: u32, number: u64, future: BoxedTask) {
        let mut places = self.places.borrow_mut();
        let Some(slot) = places.get_mut(place as usize) else { return };
        match &mut slot.task {
            Some(task) if task.number == number => {
                task.future = Some(future);
                if mem::take(&mut task.again) {
                    slot.waker.wake_by_ref();
                }
            }
            // It was closed while it was being polled.
            _ => drop((places, future)),
        }
    }

    fn freed(&self, place: usize) {
        self.open.set(self.open.get().saturating_sub(1));
        self.free.borrow_mut().push(u32::try_from(place).unwrap_or(u32::MAX));
    }
}

impl std::fmt::Debug for Tasks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Futures are the author's and need not be printable.
        f.debug_struct("Tasks").field("open", &self.open).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::rc::Rc;

    use super::*;

    const OWNER: Owner = Owner { context: 2, root: 1 };

    /// Says when it is dropped.
    struct Dropped(Rc<Cell<u32>>);

    impl Drop for Dropped {
        fn drop(&mut self) {
            self.0.set(self.0.get() + 1);
        }
    }

    fn task(dropped: &Rc<Cell<u32>>) -> BoxedTask {
        let owned = Dropped(Rc::clone(dropped));
        Box::pin(async move {
            let _owned = owned;
            pending().await
        })
    }

    #[test]
    fn a_context_that_ends_takes_its_own_tasks_along() {
        let (tasks, dropped) = (Tasks::default(), Rc::default());
        for context in [2, 3, 2, 4] {
            tasks.insert(Owner { context, root: 1 }, Purpose::Nothing, task(&dropped));
        }
        tasks.close(2);
        assert_eq!((dropped.get(), tasks.open.get()), (2, 2));
        tasks.close(2);
        tasks.close(1);
        assert_eq!(tasks.open.get(), 2);
        // Their places are used again.
        tasks.insert(OWNER, Purpose::Nothing, task(&dropped));
        tasks.insert(OWNER, Purpose::Nothing, task(&dropped));
        assert_eq!((tasks.open.get(), tasks.places.borrow().len()), (4, 4));
    }

    #[test]
    fn a_task_that_ends_while_it_is_polled_stays_ended() {
        let (tasks, dropped) = (Tasks::default(), Rc::default());
        let first = tasks.insert(OWNER, Purpose::Nothing, task(&dropped));
        let TakenOut { future, number, .. } = tasks.take_out(first.place).unwrap();
        tasks.close(OWNER.context);
        // Another one is at its place before the poll returns.
        let second = tasks.insert(OWNER, Purpose::Nothing, task(&dropped));
        assert_eq!(second.place, first.place);
        tasks.put_back(first.place, number, future);
        assert_eq!((dropped.get(), tasks.open.get()), (1, 1));
        assert!(tasks.is(second) && !tasks.is(first));
        tasks.cancel(first);
        assert_eq!(tasks.open.get(), 1);
        assert!(tasks.take_out(second.place).is_some());
    }

    #[test]
    fn a_task_that_is_woken_while_it_is_polled_is_polled_again() {
        let (tasks, dropped) = (Tasks::default(), Rc::default());
        let id = tasks.insert(OWNER, Purpose::Nothing, task(&dropped));
        let TakenOut { future, waker, number, .. } = tasks.take_out(id.place).unwrap();
        waker.wake_by_ref();
        waker.wake_by_ref();
        // A callback inside of the poll finds it taken.
        assert!(tasks.take_out(id.place).is_none());
        let mut woken = Vec::new();
        tasks.ready.get().unwrap().drain_into(&mut woken);
        assert_eq!(woken, [id.place], "woken twice, it is there once");
        tasks.put_back(id.place, number, future);
        assert!(tasks.any_ready() && tasks.is_woken(id));
    }
}
