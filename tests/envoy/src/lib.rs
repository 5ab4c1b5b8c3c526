//! A real Envoy for tests: the plugin in the gateway that it is for, beside the bench host.
//!
//! [`Gateway`] runs Envoy with a bootstrap of [`Bootstrap`], [`Upstream`] answers its requests as a
//! trace says, [`Services`] answers the plugin's own calls with the script that the bench host
//! takes, and [`client`] is who asks. [`Load`] asks very often, and [`Origin`] answers that.

pub mod bootstrap;
pub mod client;
pub mod cpu;
pub mod figures;
mod frames;
pub mod gateway;
mod install;
pub mod load;
mod message;
pub mod origin;
pub mod parity;
pub mod plan;
pub mod ranks;
pub mod scripted;
pub mod services;
pub mod traffic;
pub mod upstream;
pub mod view;

use std::sync::OnceLock;

pub use bootstrap::Bootstrap;
pub use gateway::{Gateway, GatewayError};
pub use install::envoy;
pub use load::Load;
pub use origin::Origin;
pub use parity::Parity;
pub use plan::Plan;
pub use scripted::Scripted;
pub use services::Services;
use tokio::runtime::Runtime;
pub use upstream::Upstream;

/// The runtime of clients and upstreams. One for all tests of a process: they wait more than they
/// work.
pub fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| Runtime::new().expect("a machine that can make threads"))
}
