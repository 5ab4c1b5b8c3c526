//! What an author works with in the callbacks of an HTTP stream.

mod action;
mod chunk;
mod headers;
mod kind;
mod replace_body;
mod reply;

pub use action::{BodyAction, HeadersAction, Replied, TrailersAction};
pub use chunk::Chunk;
pub use headers::{Headers, RequestHeaders, ResponseHeaders, Trailers};
pub use kind::{BodyKind, ContentType};
pub use replace_body::ReplaceBody;
pub use reply::Reply;
