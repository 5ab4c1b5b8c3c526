//! Plugins of this process that export the ABI themselves, such as those on the crate `proxy-wasm`.

use std::fmt;
use std::panic;
use std::rc::Rc;
use std::sync::{Mutex, PoisonError};

use chunkwise::abi::Guest as Exports;

use super::NativeGuest;
use crate::engine::{Guest, Plugin, StartError};
use crate::host::Host;

/// The plugin whose exports are symbols of this process.
///
/// [`native_exports!`](crate::native_exports) makes it, in a test that is linked with the plugin.
/// There is one such plugin in a process, and what dispatches its callbacks usually has one state a
/// thread (the crate `proxy-wasm` has). So a thread must not have more than one VM of it, now or
/// later: start it in a test of its own, which `cargo test` gives a thread of its own, and give it
/// no second configuration, which a proxy first tries in a second VM.
///
/// A plugin that panics takes the process along: a panic cannot leave an export.
#[derive(Clone, Copy)]
pub struct NativeExports {
    initialize: fn(),
    exports: fn() -> Rc<dyn Exports>,
}

impl NativeExports {
    /// Takes what runs before anything else, once for each VM, and what makes a VM's exports.
    pub const fn new(initialize: fn(), exports: fn() -> Rc<dyn Exports>) -> Self {
        Self { initialize, exports }
    }

    fn initialize(&self) {
        // What a module does when it starts was never meant for several at a time in one process.
        static ONE_BY_ONE: Mutex<()> = Mutex::new(());
        let _guard = ONE_BY_ONE.lock().unwrap_or_else(PoisonError::into_inner);
        // A plugin may set a hook that tells its host of panics. Here other threads panic too, tests
        // that fail for example, and they have no host.
        let hook = panic::take_hook();
        (self.initialize)();
        panic::set_hook(hook);
    }
}

impl fmt::Debug for NativeExports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NativeExports")
    }
}

impl Plugin for NativeExports {
    fn guest(&self, host: Host) -> Result<Box<dyn Guest>, StartError> {
        self.initialize();
        Ok(Box::new(NativeGuest::from_exports((self.exports)(), host)))
    }
}

/// The plugin whose exports are symbols of this process, as a [`NativeExports`].
///
/// To be used in a test crate that links such a plugin (`use my_plugin as _;`); elsewhere the
/// symbols are missing, and the linker says so. Callbacks that `chunkwise` itself does not have are
/// not made.
///
/// ```no_run
/// # // Nothing is linked with this example that has the exports.
/// # macro_rules! native_exports {
/// #     () => { bench_host::engine::native::NativeExports::new(|| (), || unreachable!()) };
/// # }
/// use bench_host::host::{Profile, Settings};
/// use bench_host::testing::{Call, TestHost};
///
/// let plugin = native_exports!(); // use my_plugin as _;
/// let mut host = TestHost::start(&plugin, Settings::new(Profile::Envoy), "")?;
/// host.send(Call::get("/"))?;
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[macro_export]
macro_rules! native_exports {
    () => {{
        #[expect(unsafe_code, reason = "the plugin's exports are symbols")]
        mod exports {
            // Any value of an argument is fine for an export of the ABI: a plugin checks what the
            // host says. Only memory is handed over by address, and the native engine keeps that
            // part of the contract.
            unsafe extern "C" {
                safe fn _initialize();
                safe fn proxy_on_memory_allocate(size: usize) -> *mut u8;
                safe fn proxy_on_context_create(context: u32, parent: u32);
                safe fn proxy_on_vm_start(context: u32, size: usize) -> bool;
                safe fn proxy_on_configure(context: u32, size: usize) -> bool;
                safe fn proxy_on_request_headers(context: u32, count: usize, end: bool) -> u32;
                safe fn proxy_on_request_body(context: u32, size: usize, end: bool) -> u32;
                safe fn proxy_on_request_trailers(context: u32, count: usize) -> u32;
                safe fn proxy_on_response_headers(context: u32, count: usize, end: bool) -> u32;
                safe fn proxy_on_response_body(context: u32, size: usize, end: bool) -> u32;
                safe fn proxy_on_response_trailers(context: u32, count: usize) -> u32;
                safe fn proxy_on_tick(context: u32);
                safe fn proxy_on_http_call_response(
                    context: u32,
                    call: u32,
                    headers: usize,
                    size: usize,
                    trailers: usize,
                );
                safe fn proxy_on_log(context: u32);
                safe fn proxy_on_done(context: u32) -> bool;
                safe fn proxy_on_delete(context: u32);
            }

            struct Exports;

            pub(super) fn initialize() {
                _initialize();
            }

            pub(super) fn exports() -> ::std::rc::Rc<dyn $crate::engine::native::__Guest> {
                ::std::rc::Rc::new(Exports)
            }

            impl $crate::engine::native::__Guest for Exports {
                fn allocate(&self, size: usize) -> *mut u8 {
                    proxy_on_memory_allocate(size)
                }

                fn on_context_create(&self, context: u32, parent: u32) {
                    proxy_on_context_create(context, parent);
                }

                fn on_vm_start(&self, context: u32, size: usize) -> bool {
                    proxy_on_vm_start(context, size)
                }

                fn on_configure(&self, context: u32, size: usize) -> bool {
                    proxy_on_configure(context, size)
                }

                fn on_request_headers(&self, context: u32, count: usize, end: bool) -> u32 {
                    proxy_on_request_headers(context, count, end)
                }

                fn on_request_body(&self, context: u32, size: usize, end: bool) -> u32 {
                    proxy_on_request_body(context, size, end)
                }

                fn on_request_trailers(&self, context: u32, count: usize) -> u32 {
                    proxy_on_request_trailers(context, count)
                }

                fn on_response_headers(&self, context: u32, count: usize, end: bool) -> u32 {
                    proxy_on_response_headers(context, count, end)
                }

                fn on_response_body(&self, context: u32, size: usize, end: bool) -> u32 {
                    proxy_on_response_body(context, size, end)
                }

                fn on_response_trailers(&self, context: u32, count: usize) -> u32 {
                    proxy_on_response_trailers(context, count)
                }

                fn on_tick(&self, context: u32) {
                    proxy_on_tick(context);
                }

                fn on_http_call_response(
                    &self,
                    context: u32,
                    call: u32,
                    headers: usize,
                    size: usize,
                    trailers: usize,
                ) {
                    proxy_on_http_call_response(context, call, headers, size, trailers);
                }

                fn on_log(&self, context: u32) {
                    proxy_on_log(context);
                }

                fn on_done(&self, context: u32) -> bool {
                    proxy_on_done(context)
                }

                fn on_delete(&self, context: u32) {
                    proxy_on_delete(context);
                }
            }
        }
        $crate::engine::native::NativeExports::new(exports::initialize, exports::exports)
    }};
}
