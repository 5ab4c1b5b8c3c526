//! What a module without the standard library has to bring itself.

#![expect(unsafe_code, reason = "a symbol of the C library")]

use core::panic::PanicInfo;

// `memcmp`, which slices are compared with; the linker takes nothing else from it. The target
// without WASI has its own.
#[cfg_attr(target_os = "wasi", link(name = "c"))]
unsafe extern "C" {}

/// Traps, which the host reports with the guest's stack. Saying more takes the formatting and the
/// output of the standard library, which are larger than this whole module.
#[panic_handler]
fn on_panic(_info: &PanicInfo<'_>) -> ! {
    core::arch::wasm32::unreachable()
}
