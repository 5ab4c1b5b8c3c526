//! Calls to other services: which cluster, which URL, and what is sent.
//!
//! A [`Client`] knows a cluster of the proxy, and makes [`Request`]s for it:
//!
//! ```
//! use std::time::Duration;
//!
//! use chunkwise::call::{Client, K8sCluster};
//!
//! let client = Client::new(K8sCluster::new("auth", 80).namespace("prod"));
//! let request = client
//!     .post("/check?x=1")
//!     .header("x-token", "secret")
//!     .body("hello")
//!     .timeout(Duration::from_millis(300));
//! # let _ = request;
//! ```

mod client;
mod cluster;
mod error;
mod pending;
mod reply;
mod request;
mod target;
mod wire;

pub use client::Client;
pub use cluster::{
    Cluster, ClusterError, ConsulCluster, DnsCluster, FqdnCluster, K8sCluster, NacosCluster,
    RouteCluster, StaticIpCluster, TargetCluster,
};
pub use error::CallError;
pub use pending::Call;
pub use reply::CallReply;
pub use request::Request;
pub(crate) use request::{check_header, check_method};
pub(crate) use target::Target;
pub use target::UrlError;
