//! The one handle to a VM.

use std::ops::Deref;

use super::Vm;

/// A VM, for whatever outlives a callback.
///
/// Natively it ends with the last handle. A module is the VM: it ends as a whole, so there a handle
/// is a plain reference, nothing is counted, and nothing that would end a VM is in the module.
#[derive(Clone, Debug)]
pub(crate) struct SharedVm(Inner);

#[cfg(not(target_arch = "wasm32"))]
type Inner = std::rc::Rc<Vm>;

#[cfg(target_arch = "wasm32")]
type Inner = &'static Vm;

impl SharedVm {
    /// Makes the VM that handles are for; a module has one.
    pub fn new(vm: Vm) -> Self {
        #[cfg(not(target_arch = "wasm32"))]
        let inner = std::rc::Rc::new(vm);
        #[cfg(target_arch = "wasm32")]
        let inner = Box::leak(Box::new(vm));
        Self(inner)
    }

    /// How many handles there are.
    #[cfg(test)]
    pub fn handles(&self) -> usize {
        std::rc::Rc::strong_count(&self.0)
    }
}

impl Deref for SharedVm {
    type Target = Vm;

    #[inline]
    fn deref(&self) -> &Vm {
        &self.0
    }
}
