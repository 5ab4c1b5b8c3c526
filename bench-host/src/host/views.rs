//! What a guest may see and change now: buffers and header maps.

use super::abi::{BufferKind, Direction, MapKind, Status};
use super::buffer::Buffer;
use super::headers::HeaderMap;
use super::{Host, Profile};

/// A buffer as it lies in the host.
pub(super) enum BufferView<'a> {
    Flat(&'a [u8]),
    Body(&'a Buffer),
}

impl BufferView<'_> {
    pub fn len(&self) -> usize {
        match self {
            Self::Flat(bytes) => bytes.len(),
            Self::Body(buffer) => buffer.len(),
        }
    }

    pub fn copy_to(&self, start: usize, into: &mut [u8]) {
        match self {
            Self::Flat(bytes) => into.copy_from_slice(&bytes[start..start + into.len()]),
            Self::Body(buffer) => buffer.copy_to(start, into),
        }
    }
}

impl Host {
    /// The bytes of a buffer, for a guest that wants to read them.
    pub(super) fn buffer(&mut self, kind: BufferKind) -> Option<BufferView<'_>> {
        let body = match kind {
            BufferKind::RequestBody | BufferKind::ResponseBody => {
                let direction = body_of(kind);
                // Without a stream there is no body either, and a read of nothing is no mistake.
                self.half(direction).and_then(|half| half.visible_body())
            }
            BufferKind::DownstreamData => self.connection_buffer(Direction::Request),
            BufferKind::UpstreamData => self.connection_buffer(Direction::Response),
            BufferKind::PluginConfiguration => {
                let root = self.roots.get(&self.configuring?)?;
                return Some(BufferView::Flat(&root.configuration));
            }
            BufferKind::VmConfiguration => {
                return Some(BufferView::Flat(&self.settings.vm_configuration));
            }
            // Without a message there are no bytes, and a read of nothing is no mistake.
            BufferKind::GrpcMessage => {
                let message = self.delivery.buffer(kind).map(|bytes| &bytes[..]);
                return Some(BufferView::Flat(message.unwrap_or_default()));
            }
            BufferKind::HttpCallBody | BufferKind::RedisResponse | BufferKind::CallData => {
                return self.delivery.buffer(kind).map(|bytes| BufferView::Flat(bytes));
            }
        };
        Some(body.map_or(BufferView::Flat(&[]), |body| BufferView::Body(body)))
    }

    /// The buffer that a guest may change now.
    ///
    /// # Errors
    /// [`Status::NotFound`] for a buffer that is not there at all, and [`Status::BadArgument`] for
    /// one that cannot be changed.
    pub(super) fn open_buffer(&mut self, kind: BufferKind) -> Result<&mut Buffer, Status> {
        let buffer = match kind {
            BufferKind::RequestBody | BufferKind::ResponseBody => {
                self.half(body_of(kind)).and_then(|half| half.visible_body())
            }
            BufferKind::DownstreamData => self.connection_buffer(Direction::Request),
            BufferKind::UpstreamData => self.connection_buffer(Direction::Response),
            constant => {
                self.buffer(constant).ok_or(Status::NotFound)?;
                None
            }
        };
        buffer.ok_or(Status::BadArgument)
    }

    /// The map that a guest may change now.
    pub(super) fn open_map(&mut self, kind: MapKind) -> Option<&mut HeaderMap> {
        let (direction, trailers) = place(kind)?;
        let stream = self.stream()?;
        let end_shown = stream.end_shown;
        let half = stream.half(direction);
        if !trailers {
            return half.headers_open.then_some(&mut half.headers);
        }
        if !half.trailers_open && half.trailers.is_none() && half.frame_kept && end_shown {
            // A body that ends without trailers can still be given some, while its last frame is
            // in the filter's hands or stopped by it.
            half.trailers_open = true;
            half.trailers_seen = true;
            half.trailers = Some(HeaderMap::default());
        }
        let trailers = half.trailers.as_mut().or(half.trailers_sent.as_mut());
        trailers.filter(|_| half.trailers_open)
    }

    /// The map that a guest may read now. In Higress request headers stay readable for the whole
    /// stream.
    pub(super) fn readable_map(&mut self, kind: MapKind) -> Option<&HeaderMap> {
        let Some((direction, trailers)) = place(kind) else {
            return self.delivery.map(kind);
        };
        let logging = self.logging;
        let higress = self.settings.profile == Profile::Higress;
        let half = self.half(direction)?;
        if trailers && logging {
            // The log is written from what the stream has, and that is without request trailers.
            let kept = half.trailers.as_ref().or(half.trailers_sent.as_ref());
            return kept.filter(|_| direction == Direction::Response);
        }
        if trailers {
            return half.open_trailers();
        }
        let stays = (direction == Direction::Request && higress) || logging;
        (half.headers_open || (stays && half.begun)).then_some(&half.headers)
    }
}

/// The direction of a body.
fn body_of(kind: BufferKind) -> Direction {
    if kind == BufferKind::RequestBody { Direction::Request } else { Direction::Response }
}

/// Which message of a stream a map belongs to, and whether it is its trailers.
fn place(kind: MapKind) -> Option<(Direction, bool)> {
    match kind {
        MapKind::RequestHeaders => Some((Direction::Request, false)),
        MapKind::RequestTrailers => Some((Direction::Request, true)),
        MapKind::ResponseHeaders => Some((Direction::Response, false)),
        MapKind::ResponseTrailers => Some((Direction::Response, true)),
        MapKind::GrpcInitialMetadata
        | MapKind::GrpcTrailingMetadata
        | MapKind::HttpCallHeaders
        | MapKind::HttpCallTrailers => None,
    }
}
