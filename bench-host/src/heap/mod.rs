//! Profiles of a plugin's heap, by call stack, in the format of DHAT.
//!
//! [`instrument`] rewrites a module so that its allocator, and whatever else grows its memory,
//! tells the host; [`WasmPlugin::recording`](crate::engine::wasm::WasmPlugin::recording) runs it,
//! and a [`Recording`] notes who allocated what, and for how long. The clock is the plugin's own:
//! the instructions that it would have executed without being watched. So the profile of the same
//! module and traffic is the same in every run on every machine.

mod allocators;
mod dhat;
mod frames;
mod instrument;
mod points;
mod profile;
mod recorder;
#[cfg(feature = "cli")]
mod table;
mod wrappers;

pub use allocators::{Allocator, NotFound};
pub use dhat::{growth_json, heap_json};
pub use instrument::{InstrumentError, Instrumented, instrument};
pub use points::Point;
pub use profile::{Growth, Profile};
pub use recorder::Recording;
#[cfg(feature = "cli")]
pub use table::text;

pub(crate) use frames::Frame;
pub(crate) use instrument::Map;
pub(crate) use recorder::{Recorder, VmRecorder};
pub(crate) use wrappers::{ALLOCATED, FREED, GREW, MODULE, REALLOCATED};
