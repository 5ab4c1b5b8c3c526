//! Plugins linked natively: the same code without wasm, for unit tests, Miri and heap profilers.
//!
//! The plugin's host calls are ordinary symbols, and this module defines them. Which VM a call
//! belongs to is known by the thread: a VM stays on the thread that calls it, and any number of
//! VMs and threads can be at work at once.

#![expect(unsafe_code, reason = "the host's functions are symbols that take pointers")]

mod caller;
mod exports;
mod symbols;

use std::fmt;
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use chunkwise::abi::Guest as Exports;
use chunkwise::memory::Ending;
use chunkwise::{Driver, Plugin};

use super::{Callback, Fault, Guest, Heap, StartError};
use crate::host::Host;
use crate::measure::Gauge;
use caller::{Active, enter};
pub use exports::NativeExports;

#[doc(hidden)]
pub use chunkwise::abi::Guest as __Guest;

/// A plugin of this process, as one VM.
pub struct NativeGuest {
    exports: Rc<dyn Exports>,
    // `None` only while a callback runs: then it lies where host calls find it.
    host: Option<Box<Host>>,
}

impl NativeGuest {
    /// A VM with the plugin `P`.
    pub fn new<P: Plugin>(host: Host) -> Self {
        Self::from_exports(Rc::new(Driver::<P>::new()), host)
    }

    /// A VM with a plugin whose callbacks somebody else dispatches; see [`NativeExports`].
    pub fn from_exports(exports: Rc<dyn Exports>, host: Host) -> Self {
        Self { exports, host: Some(Box::new(host)) }
    }
}

/// The plugin `P` of this process, of which VMs are made.
pub struct NativePlugin<P>(PhantomData<fn() -> P>);

impl<P: Plugin> NativePlugin<P> {
    /// Names the plugin.
    pub const fn new() -> Self {
        Self(PhantomData)
    }
}

impl<P> Clone for NativePlugin<P> {
    fn clone(&self) -> Self {
        Self(PhantomData)
    }
}

impl<P: Plugin> Default for NativePlugin<P> {
    fn default() -> Self {
        Self::new()
    }
}

impl<P> fmt::Debug for NativePlugin<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NativePlugin")
    }
}

impl<P: Plugin> super::Plugin for NativePlugin<P> {
    fn guest(&self, host: Host) -> Result<Box<dyn Guest>, StartError> {
        Ok(Box::new(NativeGuest::new::<P>(host)))
    }
}

impl fmt::Debug for NativeGuest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NativeGuest").field("host", &self.host).finish_non_exhaustive()
    }
}

impl Guest for NativeGuest {
    fn call(&mut self, callback: Callback) -> Result<Option<u32>, Fault> {
        let exports = Rc::clone(&self.exports);
        let active = Active { host: self.host.take().expect(HOST), exports: Rc::clone(&exports) };
        let (answer, active) = enter(active, || {
            // A panic in a module would trap; here it must not take the test's host along.
            catch_unwind(AssertUnwindSafe(|| dispatch(&*exports, callback)))
        });
        self.host = Some(active.host);
        answer.map_err(|panic| {
            let fault = Fault {
                plugin: self.host().settings.plugin_name.clone(),
                callback: callback.export(),
                host_call: None,
                reason: format!("it panicked: {}", message(&*panic)),
                stack: Vec::new(),
                more_frames: 0,
                on_purpose: false,
            };
            if panic.is::<Ending>() { fault.on_purpose() } else { fault }
        })
    }

    fn gauge(&mut self) -> Gauge {
        Gauge::default()
    }

    fn heap(&mut self) -> Heap {
        Heap::default()
    }

    fn host(&mut self) -> &mut Host {
        self.host.as_mut().expect(HOST)
    }

    fn into_host(self: Box<Self>) -> Host {
        *self.host.expect(HOST)
    }
}

const HOST: &str = "the host is lent out during a callback only, and callbacks borrow the guest";

fn dispatch(exports: &dyn Exports, callback: Callback) -> Option<u32> {
    Some(match callback {
        Callback::ContextCreate { context, parent } => {
            exports.on_context_create(context, parent);
            1
        }
        Callback::VmStart { context, size } => exports.on_vm_start(context, size as usize).into(),
        Callback::Configure { context, size } => {
            exports.on_configure(context, size as usize).into()
        }
        Callback::RequestHeaders { context, count, end } => {
            exports.on_request_headers(context, count as usize, end)
        }
        Callback::RequestBody { context, size, end } => {
            exports.on_request_body(context, size as usize, end)
        }
        Callback::RequestTrailers { context, count } => {
            exports.on_request_trailers(context, count as usize)
        }
        Callback::ResponseHeaders { context, count, end } => {
            exports.on_response_headers(context, count as usize, end)
        }
        Callback::ResponseBody { context, size, end } => {
            exports.on_response_body(context, size as usize, end)
        }
        Callback::ResponseTrailers { context, count } => {
            exports.on_response_trailers(context, count as usize)
        }
        Callback::Tick { context } => {
            exports.on_tick(context);
            1
        }
        Callback::HttpCallResponse { context, token, headers, size, trailers } => {
            let (headers, size, trailers) = (headers as usize, size as usize, trailers as usize);
            exports.on_http_call_response(context, token, headers, size, trailers);
            1
        }
        Callback::Log { context } => {
            exports.on_log(context);
            1
        }
        Callback::Done { context } => exports.on_done(context).into(),
        Callback::Delete { context } => {
            exports.on_delete(context);
            1
        }
        // The SDK exports no other.
        _ => return None,
    })
}

fn message(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no message".into())
}
