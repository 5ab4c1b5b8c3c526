//! What gateways want beside a module: an image and manifests.

mod endpoint;
mod envoy;
mod yaml;

pub use endpoint::{Cluster, Endpoint, EndpointError};
pub use envoy::Bootstrap;
