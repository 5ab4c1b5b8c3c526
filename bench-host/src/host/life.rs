//! The life of root contexts: configured, retired by a newer one, ended.

use bytes::Bytes;

use super::Level;
use super::proxy::Proxy;
use super::root::{Root, Stage};
use super::settings::Profile;
use crate::engine::{Callback, StartError};

impl Proxy {
    /// Gives the plugin a configuration, in a root context of its own. Streams that are opened from
    /// now on belong to it; the context before it ends with its last stream.
    ///
    /// # Errors
    /// [`StartError`] when the plugin traps or answers no; what was configured before stays.
    pub fn configure(&mut self, configuration: &Bytes) -> Result<(), StartError> {
        let root = self.next_context();
        let size = u32::try_from(configuration.len()).unwrap_or(u32::MAX);
        self.host().roots.insert(root, Root::new(configuration.clone()));
        let result = self.start_root(root, size);
        self.host().configuring = None;
        if let Err(error) = result {
            let host = self.host();
            host.roots.remove(&root);
            host.expressions.forget(root, &mut host.quota);
            host.events.clear_tick(root);
            host.callouts.cancel_of(root);
            return Err(error);
        }
        let before = std::mem::replace(&mut self.root, root);
        self.retire(before);
        Ok(())
    }

    fn start_root(&mut self, root: u32, size: u32) -> Result<(), StartError> {
        self.tell(Callback::ContextCreate { context: root, parent: 0 });
        let vm_size = self.host().settings.vm_configuration.len();
        let vm_size = u32::try_from(vm_size).unwrap_or(u32::MAX);
        // The configuration may be read from here on; on a stock Envoy, once the VM has started.
        let early = self.host().settings.profile == Profile::Higress;
        self.host().configuring = early.then_some(root);
        let started = self.tell(Callback::VmStart { context: root, size: vm_size });
        self.host().configuring = Some(root);
        let configured = match started {
            Some(0) => None,
            _ => Some(self.tell(Callback::Configure { context: root, size })),
        };
        if let Some(fault) = self.fault() {
            return Err(fault.clone().into());
        }
        match configured {
            None => Err(self.refused("to start the VM")),
            Some(Some(0)) => Err(self.refused(StartError::CONFIGURATION)),
            Some(_) => Ok(()),
        }
    }

    /// The root context of streams that are opened now.
    pub(super) fn current_root(&mut self) -> u32 {
        let root = self.root;
        if let Some(root) = self.host().roots.get_mut(&root) {
            root.open += 1;
        }
        root
    }

    /// A stream or connection of a root context has ended.
    pub(super) fn leave_root(&mut self, root: u32) {
        if let Some(of) = self.host().roots.get_mut(&root) {
            of.open = of.open.saturating_sub(1);
        }
        self.end_unused_root(root);
    }

    /// Lets a root context end with its last stream.
    fn retire(&mut self, root: u32) {
        if let Some(of) = self.host().roots.get_mut(&root).filter(|of| of.stage == Stage::Live) {
            of.stage = Stage::Retired;
        }
        self.end_unused_root(root);
    }

    fn end_unused_root(&mut self, root: u32) {
        let unused = |of: &Root| of.stage == Stage::Retired && of.open == 0;
        if !self.host().roots.get(&root).is_some_and(unused) {
            return;
        }
        // "Not yet" keeps the context until the plugin says `proxy_done`.
        let ended = self.tell(Callback::Done { context: root }) != Some(0);
        if ended {
            self.end_root(root);
        } else if let Some(of) = self.host().roots.get_mut(&root) {
            of.stage = Stage::AtWork;
        }
    }

    pub(super) fn end_root(&mut self, root: u32) {
        if let Some(of) = self.host().roots.get_mut(&root) {
            of.stage = Stage::Ending;
        }
        self.tell(Callback::Delete { context: root });
        let host = self.host();
        host.roots.remove(&root);
        host.expressions.forget(root, &mut host.quota);
        host.events.clear_tick(root);
        host.callouts.cancel_of(root);
    }

    /// Whether root contexts are left.
    pub fn has_roots(&mut self) -> bool {
        !self.host().roots.is_empty()
    }

    /// Ends all root contexts, as when the plugin is taken out or its VM replaced: those that have
    /// streams with the last one of them.
    pub fn shut_down(&mut self) {
        let roots: Vec<_> = self.host().roots.keys().copied().collect();
        for root in roots {
            self.retire(root);
        }
    }

    fn refused(&mut self, what: &'static str) -> StartError {
        let lines = self.host().log.lines().iter();
        let log = lines
            .filter(|line| line.level >= Level::Error)
            .map(|line| line.message.clone())
            .collect();
        StartError::Refused { what, log }
    }
}
