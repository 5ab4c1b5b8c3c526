//! Calls to other services.

mod error;
mod pending;
mod reply;
mod request;

pub use error::CallError;
pub use pending::Call;
pub use reply::CallReply;
pub use request::Request;
