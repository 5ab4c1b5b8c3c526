//! What the host calls: the exports of a plugin's module.

use crate::plugin::Host;

/// Content of the module's custom section `chunkwise`, by which tools recognise the SDK.
#[doc(hidden)]
pub const fn section(host: Host) -> &'static str {
    match host {
        Host::Envoy => concat!("version=", env!("CARGO_PKG_VERSION"), "\nabi=0.2.1\n"),
        Host::Higress => concat!("version=", env!("CARGO_PKG_VERSION"), "\nabi=0.2.100\n"),
    }
}

/// [`section`] as the array that a `static` in a custom section has to be.
#[doc(hidden)]
pub const fn section_bytes<const LEN: usize>(host: Host) -> [u8; LEN] {
    let mut bytes = [0; LEN];
    let mut at = 0;
    while at < LEN {
        bytes[at] = section(host).as_bytes()[at];
        at += 1;
    }
    bytes
}

/// Runs the constructors of what was linked into the module, C code for example.
///
/// Without an `_initialize` that does it, the linker would put it into every export.
#[cfg(target_arch = "wasm32")]
#[doc(hidden)]
pub fn initialize() {
    // SAFETY: the host calls `_initialize` once, before anything else (proxy-wasm C++ host,
    // `startVm`), which is when constructors are to run.
    unsafe { super::raw::__wasm_call_ctors() }
}

/// The callbacks of a plugin, in the numbers of the ABI.
///
/// [`Driver`](crate::Driver) implements it. In a module each method is an export; natively a host
/// calls the methods themselves. Nothing here panics on an id, a size or an order of calls.
pub trait Guest {
    /// Memory for `size` bytes that the host is about to write; null when there is none.
    fn allocate(&self, size: usize) -> *mut u8;
    /// A context begins: a plugin when `parent` is 0, else a stream of the plugin `parent`.
    fn on_context_create(&self, context: u32, parent: u32);
    /// The VM starts; false refuses.
    fn on_vm_start(&self, context: u32, configuration_size: usize) -> bool;
    /// A plugin is configured; false refuses.
    fn on_configure(&self, context: u32, configuration_size: usize) -> bool;
    /// Request headers arrived; the answer is a header action.
    fn on_request_headers(&self, context: u32, headers: usize, end_of_stream: bool) -> u32;
    /// A part of the request body arrived; the answer is a data action.
    fn on_request_body(&self, context: u32, size: usize, end_of_stream: bool) -> u32;
    /// Request trailers arrived; the answer is a trailer action.
    fn on_request_trailers(&self, context: u32, trailers: usize) -> u32;
    /// Response headers arrived; the answer is a header action.
    fn on_response_headers(&self, context: u32, headers: usize, end_of_stream: bool) -> u32;
    /// A part of the response body arrived; the answer is a data action.
    fn on_response_body(&self, context: u32, size: usize, end_of_stream: bool) -> u32;
    /// Response trailers arrived; the answer is a trailer action.
    fn on_response_trailers(&self, context: u32, trailers: usize) -> u32;
    /// The plugin's timer fired.
    fn on_tick(&self, context: u32);
    /// A call was answered, or failed if there are no headers; `context` is the plugin's.
    fn on_http_call_response(
        &self,
        context: u32,
        call: u32,
        headers: usize,
        body_size: usize,
        trailers: usize,
    );
    /// A stream is over, and written to the access log.
    fn on_log(&self, context: u32);
    /// A context is about to end; true lets it.
    fn on_done(&self, context: u32) -> bool;
    /// A context has ended.
    fn on_delete(&self, context: u32);
}

/// Makes the module of a plugin: the exports, the ABI marker and the accounting allocator.
///
/// Call it once, in the crate that becomes the module, with the type that implements
/// [`Plugin`](crate::Plugin), and with `Higress` behind it when that is its
/// [`HOST`](crate::Plugin::HOST); a mismatch does not compile. On other targets than wasm it does nothing, so that the same crate
/// can be tested natively.
///
/// ```
/// use chunkwise::{Config, ConfigError, Filter, Plugin};
///
/// struct Nothing;
/// struct NothingFilter;
///
/// impl Plugin for Nothing {
///     type Filter = NothingFilter;
///
///     fn configure(_config: &Config<'_>) -> Result<Self, ConfigError> {
///         Ok(Self)
///     }
///
///     fn filter(&self) -> NothingFilter {
///         NothingFilter
///     }
/// }
///
/// impl Filter<Nothing> for NothingFilter {}
///
/// chunkwise::plugin!(Nothing);
/// # fn main() {}
/// ```
///
/// A module says for which hosts it is, and its plugin says the same:
///
/// ```compile_fail,E0080
/// # use chunkwise::{Filter, Unconfigured};
/// #[derive(Default)]
/// struct Nothing;
///
/// impl Filter<Unconfigured<Self>> for Nothing {}
///
/// chunkwise::plugin!(Unconfigured<Nothing>, Higress);
/// # fn main() {}
/// ```
#[macro_export]
macro_rules! plugin {
    ($plugin:ty) => {
        $crate::plugin!($plugin, Envoy);
    };
    ($plugin:ty, $host:ident) => {
        const _: () = assert!(
            <$plugin as $crate::Plugin>::HOST as u8 == $crate::Host::$host as u8,
            concat!(
                "Plugin::HOST is another host than ",
                stringify!($host),
                ": write plugin!(",
                stringify!($plugin),
                ", Higress) for Host::Higress, and plugin!(",
                stringify!($plugin),
                ") for any host"
            )
        );

        #[cfg(target_arch = "wasm32")]
        #[expect(unsafe_code, reason = "exports need their names unmangled")]
        mod chunkwise_exports {
            #[allow(
                unused_imports,
                reason = "the plugin's type may be named by its full path"
            )]
            use super::*;
            use $crate::abi::Guest as _;

            $crate::__abi_marker!($host);

            #[global_allocator]
            static ALLOCATOR: $crate::memory::Accounting = $crate::memory::Accounting::new();

            #[used]
            #[unsafe(link_section = "chunkwise")]
            static SECTION: [u8; $crate::abi::section($crate::Host::$host).len()] =
                $crate::abi::section_bytes($crate::Host::$host);

            ::std::thread_local! {
                // Never dropped, and so the module has nothing that would.
                static DRIVER: ::std::mem::ManuallyDrop<$crate::Driver<$plugin>> =
                    ::std::mem::ManuallyDrop::new($crate::Driver::new());
            }

            $crate::__exports! {
                proxy_on_memory_allocate => allocate(size: usize) -> *mut u8;
                proxy_on_context_create => on_context_create(context: u32, parent: u32) -> ();
                proxy_on_vm_start => on_vm_start(context: u32, size: usize) -> bool;
                proxy_on_configure => on_configure(context: u32, size: usize) -> bool;
                proxy_on_request_headers
                    => on_request_headers(context: u32, count: usize, end: bool) -> u32;
                proxy_on_request_body
                    => on_request_body(context: u32, size: usize, end: bool) -> u32;
                proxy_on_request_trailers
                    => on_request_trailers(context: u32, count: usize) -> u32;
                proxy_on_response_headers
                    => on_response_headers(context: u32, count: usize, end: bool) -> u32;
                proxy_on_response_body
                    => on_response_body(context: u32, size: usize, end: bool) -> u32;
                proxy_on_response_trailers
                    => on_response_trailers(context: u32, count: usize) -> u32;
                proxy_on_tick => on_tick(context: u32) -> ();
                proxy_on_http_call_response
                    => on_http_call_response(
                        context: u32,
                        call: u32,
                        headers: usize,
                        size: usize,
                        trailers: usize
                    ) -> ();
                proxy_on_log => on_log(context: u32) -> ();
                proxy_on_done => on_done(context: u32) -> bool;
                proxy_on_delete => on_delete(context: u32) -> ();
            }

            #[unsafe(no_mangle)]
            extern "C" fn _initialize() {
                $crate::abi::initialize();
            }

            #[unsafe(no_mangle)]
            extern "C" fn chunkwise_books() -> *const $crate::memory::Books {
                $crate::memory::books()
            }
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __exports {
    ($($export:ident => $method:ident($($name:ident: $type:ty),*) -> $answer:ty;)*) => {$(
        #[unsafe(no_mangle)]
        extern "C" fn $export($($name: $type),*) -> $answer {
            DRIVER.with(|driver| driver.$method($($name),*))
        }
    )*};
}

#[doc(hidden)]
#[macro_export]
macro_rules! __abi_marker {
    (Envoy) => {
        #[unsafe(no_mangle)]
        extern "C" fn proxy_abi_version_0_2_1() {}
    };
    (Higress) => {
        #[unsafe(no_mangle)]
        extern "C" fn proxy_abi_version_0_2_100() {}
    };
}
