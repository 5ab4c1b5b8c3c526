//! What an author works with in the callbacks of an HTTP stream.

mod action;
mod buffer_limit;
mod chunk;
mod control;
mod ended;
mod field;
mod headers;
mod held;
mod kind;
mod relay;
mod replace_body;
mod reply;
mod route;
mod stream_view;
mod windows;

pub use action::{BodyAction, HeadersAction, Relaying, Replied, Resume, Task, TrailersAction};
pub use chunk::Chunk;
pub use control::BodyMode;
pub(crate) use control::{Control, HeadersState, Site};
pub use ended::EndedStream;
pub(crate) use field::is_token;
pub use field::{HeaderError, HeaderName, HeaderValue};
pub use headers::{Headers, RequestHeaders, ResponseHeaders, Trailers};
pub use held::{HeldBody, HeldHeaders};
pub(crate) use held::{fix_length, sent_length};
pub use kind::{BodyKind, ContentType};
pub use relay::Relay;
pub(crate) use relay::{Inject, RelayBegin, RelayState};
pub use replace_body::ReplaceBody;
pub use reply::Reply;
pub use route::{RouteCall, RouteReply};
pub use stream_view::{Stream, StreamHandle};
pub use windows::Windows;
