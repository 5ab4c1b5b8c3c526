//! What the host calls, and what lives between the calls.

#![expect(unsafe_code, reason = "exports, and one buffer for all callbacks")]

use core::cell::{OnceCell, UnsafeCell};
use core::ops::Deref;
use core::ptr;

use crate::abi::{self, Buffer};
use crate::carries::Carries;
use crate::config;
use crate::memory::{LARGEST_CHUNK, Memory};
use crate::rewrite::{Chunk, Replacer};
use crate::rule::{Direction, Rule};

/// For headers, bodies and trailers alike: on they go.
const CONTINUE: u32 = 0;

/// What only one thread ever sees.
struct SingleThread<T>(T);

// SAFETY: a proxy runs a module's callbacks on one thread, one after another, and the module is
// built without shared memory; so no other thread can hold a reference to what is inside.
unsafe impl<T> Sync for SingleThread<T> {}

impl<T> Deref for SingleThread<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

static RULE: SingleThread<OnceCell<Rule>> = SingleThread(OnceCell::new());
static REPLACER: SingleThread<OnceCell<Replacer<'static>>> = SingleThread(OnceCell::new());
static CARRIES: SingleThread<Carries> = SingleThread(Carries::new());
static MEMORY: SingleThread<UnsafeCell<Memory>> = SingleThread(UnsafeCell::new(Memory::new()));

/// Lends the memory to `work`, which must not lend it again and in which nothing is fetched.
fn with_memory<T>(work: impl FnOnce(&mut Memory) -> T) -> T {
    // SAFETY: no other reference is alive. Callbacks do not nest, neither caller lends the memory
    // within `work`, and `proxy_on_memory_allocate`, which alone is called during a host call,
    // makes no reference.
    let memory = unsafe { &mut *MEMORY.get() };
    work(memory)
}

#[unsafe(no_mangle)]
extern "C" fn proxy_abi_version_0_2_1() {}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_memory_allocate(size: usize) -> *mut u8 {
    if size > LARGEST_CHUNK {
        // The host tells whoever asked for the data that there is no memory for it.
        return ptr::null_mut();
    }
    MEMORY.get().cast::<u8>().wrapping_add(Memory::CHUNK_OFFSET)
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_context_create(_context: u32, _parent: u32) {}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_vm_start(_context: u32, _size: usize) -> u32 {
    true.into()
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_configure(_context: u32, size: usize) -> u32 {
    let len = if size == 0 { Some(0) } else { abi::fetch(Buffer::PluginConfiguration, size) };
    let Some(len) = len else {
        abi::log_error("configuration: larger than 128 KiB");
        return false.into();
    };
    match with_memory(|memory| config::parse(&memory.chunk()[..len])) {
        Ok(rule) => adopt(rule).into(),
        Err(error) => {
            abi::log_error(error.as_str());
            false.into()
        }
    }
}

/// The rule is for the life of the VM: streams that are open have bytes of its needle kept back.
fn adopt(rule: Rule) -> bool {
    let adopted = RULE.get_or_init(|| rule);
    if *adopted != rule {
        abi::log_error("configuration: this VM has another rule already; give each a VM");
        return false;
    }
    REPLACER.get_or_init(|| Replacer::new(adopted.find.as_bytes(), adopted.replace.as_bytes()));
    true
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_request_headers(_context: u32, _count: usize, end_of_stream: u32) -> u32 {
    on_headers(Direction::Request, end_of_stream != 0)
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_request_body(context: u32, size: usize, end_of_stream: u32) -> u32 {
    on_body(Direction::Request, context, size, end_of_stream != 0)
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_request_trailers(context: u32, _count: usize) -> u32 {
    on_trailers(Direction::Request, context)
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_response_headers(_context: u32, _count: usize, end_of_stream: u32) -> u32 {
    on_headers(Direction::Response, end_of_stream != 0)
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_response_body(context: u32, size: usize, end_of_stream: u32) -> u32 {
    on_body(Direction::Response, context, size, end_of_stream != 0)
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_response_trailers(context: u32, _count: usize) -> u32 {
    on_trailers(Direction::Response, context)
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_done(_context: u32) -> u32 {
    true.into()
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_delete(context: u32) {
    CARRIES.forget(context);
}

fn on_headers(direction: Direction, end_of_stream: bool) -> u32 {
    if !end_of_stream
        && RULE.get().is_some_and(|rule| rule.covers(direction) && rule.changes_length())
    {
        abi::remove_content_length(direction);
    }
    CONTINUE
}

fn on_body(direction: Direction, context: u32, size: usize, end_of_stream: bool) -> u32 {
    let (Some(rule), Some(replacer)) = (RULE.get(), REPLACER.get()) else { return CONTINUE };
    let carry = CARRIES.len(context, direction);
    if !rule.covers(direction) || (size == 0 && (carry == 0 || !end_of_stream)) {
        return CONTINUE;
    }
    let mut body = Buffer::from(direction);
    // A chunk that cannot be fetched goes on as it is, behind what was kept back.
    let len = if size == 0 { None } else { abi::fetch(body, size) };
    let may_cut = !end_of_stream && len.is_some() && CARRIES.has_room(context);
    let chunk = Chunk { len: len.unwrap_or(0), carry, may_cut };
    let cut = with_memory(|memory| replacer.rewrite(memory, chunk, &mut body));
    if cut != carry {
        CARRIES.keep(context, direction, cut);
    }
    CONTINUE
}

/// The body is over and out of reach, so what was kept back of it is lost. Holding the last bytes
/// of every body until its end would cost every stream what only those with trailers need.
fn on_trailers(direction: Direction, context: u32) -> u32 {
    if CARRIES.len(context, direction) > 0 {
        CARRIES.keep(context, direction, 0);
        abi::log_error("trailers came while the end of the body was kept back; it is lost");
    }
    CONTINUE
}
