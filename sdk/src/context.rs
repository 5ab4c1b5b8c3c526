//! The plugin as a whole, outside of any stream.

use std::fmt;
use std::future::Future;
use std::rc::{Rc, Weak};
use std::time::Duration;

use crate::abi::host;
use crate::error::{Error, Result};
use crate::lease::{self, Candidate, Leader, Lease};
use crate::plugin::Plugin;
use crate::shared::SharedData;
use crate::time;
use crate::vm::{Owner, SharedVm, Tasks};

/// The plugin as a whole: where timers and tasks begin that belong to no stream.
///
/// They end when the proxy ends this configuration of the plugin, and are begun again by the next.
pub struct PluginContext<P> {
    vm: SharedVm,
    root: u32,
    plugin: Weak<P>,
}

impl<P: Plugin> PluginContext<P> {
    pub(crate) fn new(vm: &SharedVm, root: u32, plugin: &Rc<P>) -> Self {
        Self { vm: vm.clone(), root, plugin: Rc::downgrade(plugin) }
    }

    /// Calls `tick` once in every period, for the first time when one has passed.
    ///
    /// No period drifts: the n-th call is due n periods after the first, however late the host was
    /// before. Calls that a host has missed are not made up for. A tick that fails is logged, and
    /// the next one is made. Any number of timers share the one that a host has. A clock that is set
    /// back puts them off by as much. Hosts count whole milliseconds: a shorter period, zero too, is a
    /// call in each of them.
    ///
    /// ```
    /// # use chunkwise::{Plugin, PluginContext, Result};
    /// # use std::time::Duration;
    /// # fn start<P: Plugin>(context: &PluginContext<P>) -> Result<()> {
    /// context.every(Duration::from_secs(1), |_plugin| chunkwise::info!("1s tick"));
    /// context.every(Duration::from_secs(5), |_plugin| {
    ///     let time = chunkwise::time::now()?;
    ///     chunkwise::info!("it is {time:?} now");
    ///     Ok(())
    /// });
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Cost
    /// One allocation. A tick: three host calls that read the clock, and now and then one that sets
    /// the timer.
    pub fn every<T: Ticked>(&self, period: Duration, mut tick: impl FnMut(&P) -> T + 'static) {
        let plugin = self.plugin.clone();
        self.spawn(async move {
            let mut ticks = time::interval(period)?;
            loop {
                ticks.tick().await?;
                let Some(plugin) = plugin.upgrade() else { return Ok(()) };
                if let Err(error) = tick(&plugin).into_result() {
                    crate::error!("tick every {period:?}: {error}");
                }
            }
        });
    }

    /// Starts a task; an error that it ends with is logged.
    ///
    /// # Cost
    /// One allocation, for the task.
    pub fn spawn(&self, task: impl Future<Output = Result<()>> + 'static) {
        Tasks::spawn(&self.vm, Owner { context: self.root, root: self.root }, task);
    }

    /// Stands for [leadership](crate::lease) among all workers that run the plugin, for a
    /// [term](Lease::TERM) of 15 s that is renewed by itself.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use chunkwise::{Plugin, PluginContext, Result};
    /// # fn start<P: Plugin>(context: &PluginContext<P>) -> Result<()> {
    /// let leader = context.lead();
    /// context.every(Duration::from_secs(10), move |_| {
    ///     if leader.is_leader()? {
    ///         chunkwise::info!("leader task");
    ///     }
    ///     Ok(())
    /// });
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Cost
    /// A few allocations when it begins, and host calls as [there](crate::lease). The host's errors
    /// are logged when they begin, and the worker does not lead while they last.
    pub fn lead(&self) -> Leader {
        self.lead_with(Lease::new())
    }

    /// As [`lead`](Self::lead), for another [term](Lease::term).
    pub fn lead_for(&self, term: Duration) -> Leader {
        self.lead_with(Lease::new().term(term))
    }

    /// As [`lead`](Self::lead), for one of several things that a plugin leads in.
    pub fn lead_with(&self, lease: Lease) -> Leader {
        let candidate = Rc::new(Candidate::new(&self.vm, lease));
        self.spawn(lease::run(Rc::downgrade(&candidate)));
        Leader::new(candidate)
    }

    /// Does something with the values that all workers share.
    ///
    /// # Errors
    /// Those of `work`, and [`Error::StreamGone`] when the proxy has ended this configuration.
    pub fn shared_data<R>(&self, work: impl FnOnce(SharedData<'_>) -> Result<R>) -> Result<R> {
        self.vm.on_context(self.root, |scope| work(SharedData::new(scope)))
    }

    /// Limits how many requests a worker takes in one round of its event loop, so that the answers
    /// to calls are seen before they time out. A host keeps the lowest number that it was ever told.
    ///
    /// # Errors
    /// [`Error::NeedsHost`] where the host is not Higress.
    pub fn limit_requests_per_io_cycle(&self, requests: u64) -> Result<()> {
        self.vm.on_context(self.root, |scope| {
            let function = "set_global_max_requests_per_io_cycle";
            match host::foreign_function(scope, function, &requests.to_le_bytes())? {
                Some(_) => Ok(()),
                None => Err(Error::NeedsHost {
                    what: "limit of requests in one IO cycle",
                    host: "Higress",
                }),
            }
        })
    }
}

/// What a [tick](PluginContext::every) returns: nothing, or a [`Result`] if it can fail.
pub trait Ticked {
    #[doc(hidden)]
    fn into_result(self) -> Result<()>;
}

impl Ticked for () {
    fn into_result(self) -> Result<()> {
        Ok(())
    }
}

impl Ticked for Result<()> {
    fn into_result(self) -> Result<()> {
        self
    }
}

impl<P> Clone for PluginContext<P> {
    fn clone(&self) -> Self {
        Self { vm: self.vm.clone(), root: self.root, plugin: self.plugin.clone() }
    }
}

impl<P> fmt::Debug for PluginContext<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PluginContext").field("root", &self.root).finish_non_exhaustive()
    }
}
