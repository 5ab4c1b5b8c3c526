//! The dispatcher: contexts, phases and bodies. It knows no ABI version.
//!
//! Rules that hold for every callback:
//! - the author's filter is taken out of the table while it runs, and no borrow is held;
//! - a callback for an id that nobody knows, or for a stream whose own callback is running (a host
//!   may re-enter), lets everything pass;
//! - what the host wrote during a callback is free again when the callback ends;
//! - tasks are polled at the end of the outermost callback, when every stream is back in its place;
//!   a host stops whatever its callback is about when a local reply is sent, so those of other
//!   streams than that wait for a timer.

mod answer;
mod body;
mod contexts;
mod exports;
mod headers;
mod rebuild;
mod relay;
mod resume;
mod stream;
mod trailers;

use std::cell::Cell;
use std::fmt;
use std::mem;

use crate::abi::Direction;
use crate::error::Result;
use crate::http::Site;
use crate::log;
use crate::plugin::{Host, Plugin};
use crate::used::TASKS;
use crate::vm::{Before, SharedVm, Tasks, Vm};
use answer::{PASS, Ran, failed, failed_for_good};
#[cfg(feature = "proxy-wasm")]
pub(crate) use body::{Verdict, settle};
use contexts::Contexts;
use stream::Stream;

/// Everything that one VM knows of one plugin.
///
/// [`plugin!`](crate::plugin) makes one in each module. Natively a host makes them, one for each
/// VM that it imitates.
pub struct Driver<P: Plugin> {
    vm: SharedVm,
    contexts: Contexts<P>,
    /// The callback that is about to be answered, and whether a task has let its stream go.
    answering: Cell<Option<(u32, Direction)>>,
    let_go: Cell<bool>,
    rebuild: rebuild::State,
}

impl<P: Plugin> fmt::Debug for Driver<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Filters are the author's and need not be printable.
        f.debug_struct("Driver").field("vm", &self.vm).finish_non_exhaustive()
    }
}

impl<P: Plugin> Drop for Driver<P> {
    fn drop(&mut self) {
        // They own handles to the VM that owns them. In a module nothing is ever dropped so.
        if TASKS.is_set() {
            self.vm.tasks.clear();
        }
    }
}

impl<P: Plugin> Default for Driver<P> {
    fn default() -> Self {
        Self::new()
    }
}

impl<P: Plugin> Driver<P> {
    /// A VM that has not been started.
    pub fn new() -> Self {
        let vm = Vm::default();
        if P::HOST == Host::Higress {
            vm.higress.set(Some(true));
        }
        Self {
            vm: SharedVm::new(vm),
            contexts: Contexts::new(),
            answering: Cell::new(None),
            let_go: Cell::new(false),
            rebuild: rebuild::State::default(),
        }
    }

    /// Runs a callback of a context, and then what it has woken.
    fn callback<A>(&self, context: u32, work: impl FnOnce() -> A) -> A {
        let before = self.vm.enter(context);
        let guard = WhenPanicking { driver: self, before };
        log::callback_begins();
        let answer = work();
        if before.is_outermost() && self.vm.has_work() {
            self.settle();
        }
        mem::forget(guard);
        self.vm.leave(before);
        answer
    }

    /// Runs a callback of a stream, whose answer says what becomes of one direction of it.
    fn stream_callback(
        &self,
        context: u32,
        direction: Direction,
        work: impl FnOnce(&mut Stream<P>) -> u32,
    ) -> u32 {
        let before = self.vm.enter(context);
        let guard = WhenPanicking { driver: self, before };
        if before.is_outermost() {
            self.vm.answering.set(context);
        }
        log::callback_begins();
        let mut answer = self.with_stream(context, PASS, work);
        if before.is_outermost() {
            if self.vm.has_work() {
                self.answering.set(Some((context, direction)));
                self.settle();
                self.answering.set(None);
                if self.let_go.take() {
                    answer = PASS;
                }
            }
            self.vm.answering.set(0);
        }
        mem::forget(guard);
        self.vm.leave(before);
        answer
    }

    fn with_stream<A>(&self, context: u32, pass: A, work: impl FnOnce(&mut Stream<P>) -> A) -> A {
        let Some((at, mut stream)) = self.contexts.take(context) else { return pass };
        let answer = work(&mut stream);
        if let Some(gone) = self.contexts.put_back(context, at, stream) {
            self.retire(gone);
        }
        answer
    }

    /// Asks the author's filter.
    fn run<A>(
        &self,
        stream: &mut Stream<P>,
        phase: &'static str,
        work: impl FnOnce(&P, &mut P::Filter, Site<'_>) -> Result<A>,
    ) -> Ran<A> {
        let (Some(plugin), Some(filter)) = (stream.plugin.as_deref(), stream.filter.as_mut())
        else {
            return Ran::Skipped;
        };
        let scope = self.vm.arena.scope();
        let site = Site { vm: &self.vm, scope: &scope, control: &stream.control };
        match work(plugin, filter, site) {
            Ok(action) => Ran::Answered(action),
            Err(error) => {
                // Whatever state the filter was in, it is not asked again.
                stream.filter = None;
                if stream.control.rewritten.get() {
                    // Nor is there anybody for the response in its other form.
                    drop(stream.control.on_reply.take());
                    return failed_for_good(phase, error);
                }
                failed::<P, A>(phase, error)
            }
        }
    }

    /// Polls the tasks that were woken, and sets the host's timers.
    #[cold]
    fn settle(&self) {
        Tasks::run_ready(&self.vm, |polled| self.polled(polled));
        if self.vm.timers.changed()
            && let Err(error) = self.vm.timers.arm(|root| self.vm.act_on(root))
        {
            crate::error!("timers: {error}");
        }
    }
}

/// Leaves a callback whose code has panicked, which a native host survives. Any other end forgets
/// it, and a module has no such end: there a panic aborts, and nothing of this is compiled.
struct WhenPanicking<'a, P: Plugin> {
    driver: &'a Driver<P>,
    before: Before,
}

impl<P: Plugin> Drop for WhenPanicking<'_, P> {
    #[cold]
    fn drop(&mut self) {
        let Driver { vm, answering, let_go, .. } = self.driver;
        if self.before.is_outermost() {
            vm.answering.set(0);
            answering.set(None);
            let_go.set(false);
        }
        vm.leave(self.before);
    }
}
