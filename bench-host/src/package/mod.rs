//! What gateways want beside a module: an image and manifests.
//!
//! Everything is text and bytes in memory, made from a module's bytes and from what a command line
//! says; nothing is fetched, pushed or run. The same input makes the same bytes on every machine.

#[cfg(test)]
mod crd;
mod endpoint;
mod envoy;
mod fit;
mod image;
mod reference;
mod rules;
pub mod settings;
mod wasm_plugin;
mod yaml;

pub use endpoint::{Cluster, Endpoint, EndpointError};
pub use envoy::Bootstrap;
pub use fit::{HigressOnly, NotPackaged, runs_on_envoy, runs_somewhere};
pub use image::Image;
pub use reference::{ImageReference, ImageReferenceError};
pub use wasm_plugin::{WasmPlugin, resource_name};
