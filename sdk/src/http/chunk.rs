//! A part of a body, borrowed.

use std::ops::{Bound, Deref, RangeBounds};

use std::future::Future;

use bytes::Bytes;

use super::action::{BodyAction, Resume, Task};
use super::control::{BodyMode, HeadersState, Side, Site};
use super::headers::Headers;
use super::held::{self, HeldBody};
use super::route::{OnReply, RouteCall, RouteReply};
use super::stream_view::Stream;
use super::windows::Windows;
use crate::abi::host::{self, Place};
use crate::abi::{Buffer, Direction, Map};
use crate::error::{Error, Result};
use crate::used::{EDITS, ROUTE_CALLS, TASKS, WHOLE_BODIES};

/// The part of a body that is passing now.
///
/// A chunk is lazy: nothing crosses the boundary until the author looks. It borrows from the arena
/// and cannot outlive its callback:
///
/// ```compile_fail
/// # use chunkwise::Chunk;
/// struct Keep {
///     bytes: &'static [u8],
/// }
///
/// fn request_body(keep: &mut Keep, chunk: &mut Chunk<'_>) -> chunkwise::Result<()> {
///     keep.bytes = chunk.bytes()?; // the arena takes these bytes back when the callback ends
///     Ok(())
/// }
/// ```
///
/// # Cost
/// | what | host calls | copied |
/// |---|---|---|
/// | [`len`](Self::len), [`is_last`](Self::is_last), [`held`](Self::held), leaving it alone | 0 | 0 |
/// | [`bytes`](Self::bytes) | 1, then 0 | the chunk, in |
/// | [`range`](Self::range) | 1; 0 within bytes read before | the range, in |
/// | [`bytes_mut`](Self::bytes_mut), [`prefix_mut`](Self::prefix_mut) | 1, and 1 when the callback ends | the bytes, in and out |
/// | [`replace`](Self::replace) and the other edits | 1 | the new bytes, out |
///
/// Nothing here allocates.
///
/// # Errors
/// [`Error::Host`] when the host refuses, and [`Error::BodyReleased`] for edits of a last chunk that
/// trailers brought after everything before it had been sent on.
#[derive(Debug)]
pub struct Chunk<'a> {
    stream: Stream<'a>,
    direction: Direction,
    buffer: Buffer,
    len: usize,
    held: usize,
    last: bool,
    released: bool,
    /// What was read last, and where in the chunk it begins.
    read: Option<(usize, &'a [u8])>,
    /// The first bytes, fetched for an edit in place and not written back yet.
    edit: Option<&'a mut [u8]>,
}

impl<'a> Chunk<'a> {
    /// A chunk of `len` bytes, the first `held` of which were given before.
    pub(crate) fn new(
        site: Site<'a>,
        direction: Direction,
        len: usize,
        held: usize,
        last: bool,
    ) -> Self {
        let buffer = Buffer::body(direction);
        let held = held.min(len);
        Self {
            stream: Stream(site),
            direction,
            buffer,
            len,
            held,
            last,
            released: false,
            read: None,
            edit: None,
        }
    }

    /// The end of a body that trailers brought, of which the host still holds `held` bytes.
    pub(crate) fn ended_by_trailers(site: Site<'a>, direction: Direction, held: usize) -> Self {
        Self { released: held == 0, ..Self::new(site, direction, held, held, true) }
    }

    /// Replaces everything.
    pub fn replace(&mut self, data: &[u8]) -> Result<()> {
        self.set(Place::All, data, data.len())
    }

    /// Replaces the first `length` bytes (0 puts `data` in front); the rest is not touched.
    pub fn replace_prefix(&mut self, length: usize, data: &[u8]) -> Result<()> {
        let length = length.min(self.len);
        self.set(Place::Prefix(length), data, (self.len - length).saturating_add(data.len()))
    }

    /// Puts `data` in front.
    pub fn prepend(&mut self, data: &[u8]) -> Result<()> {
        self.replace_prefix(0, data)
    }

    /// Puts `data` behind.
    pub fn append(&mut self, data: &[u8]) -> Result<()> {
        self.set(Place::End, data, self.len.saturating_add(data.len()))
    }

    /// Removes everything.
    pub fn clear(&mut self) -> Result<()> {
        self.replace(&[])
    }

    /// All bytes, to be changed in place; they are written back once, when the callback ends or
    /// something else is done with the chunk.
    pub fn bytes_mut(&mut self) -> Result<&mut [u8]> {
        self.prefix_mut(self.len)
    }

    /// The first `length` bytes, to be changed in place; only these are written back.
    pub fn prefix_mut(&mut self, length: usize) -> Result<&mut [u8]> {
        self.check(0, length)?;
        self.writable()?;
        self.commit()?;
        if length == 0 {
            return Ok(&mut []);
        }
        self.read = None;
        let bytes = self.fetch(0, length)?;
        Ok(self.edit.insert(bytes))
    }

    /// All bytes, those that were held included.
    pub fn bytes(&mut self) -> Result<&'a [u8]> {
        self.range(..)
    }

    /// Some bytes; only these cross the boundary.
    pub fn range(&mut self, range: impl RangeBounds<usize>) -> Result<&'a [u8]> {
        let start = match range.start_bound() {
            Bound::Included(start) => *start,
            Bound::Excluded(before) => before.saturating_add(1),
            Bound::Unbounded => 0,
        };
        let end = match range.end_bound() {
            Bound::Included(last) => last.saturating_add(1),
            Bound::Excluded(end) => *end,
            Bound::Unbounded => self.len,
        };
        self.check(start, end)?;
        self.commit()?;
        if let Some(known) = self.known(start, end) {
            return Ok(known);
        }
        if start == end {
            return Ok(&[]);
        }
        let bytes = &*self.fetch(start, end - start)?;
        self.read = Some((start, bytes));
        Ok(bytes)
    }

    /// The bytes, to be kept when the callback has ended.
    ///
    /// # Cost
    /// One host call and one allocation of the chunk's length; the host copies it there.
    pub fn to_bytes(&mut self) -> Result<Bytes> {
        self.commit()?;
        let bytes = host::owned_buffer(&self.stream.0.vm.arena, self.buffer, 0, self.len)?;
        Ok(bytes.into())
    }

    /// The bytes in windows of `size`, whose memory is that of one: so a body that the host has
    /// [buffered](BodyMode::Buffer) is read whole, however long it is.
    ///
    /// ```
    /// # use chunkwise::Chunk;
    /// # fn request_body(body: &mut Chunk<'_>) -> chunkwise::Result<()> {
    /// let mut newlines = 0;
    /// let mut windows = body.windows(64 * 1024)?;
    /// while let Some(window) = windows.next()? {
    ///     newlines += window.iter().filter(|byte| **byte == b'\n').count();
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// The windows borrow the chunk until they are dropped, so `drop(windows)` comes before
    /// [`headers`](Self::headers) or an edit.
    ///
    /// # Cost
    /// One host call for each window; nothing is allocated once the arena has the size of one.
    pub fn windows(&mut self, size: usize) -> Result<Windows<'_>> {
        self.commit()?;
        Ok(Windows::new(&self.stream.0.vm.arena, self.buffer, self.len, size))
    }

    /// The headers of this body, while they [wait](super::HeadersAction::Hold) for it; free.
    ///
    /// # Errors
    /// [`Error::HeadersReleased`] when they have been sent on.
    pub fn headers(&self) -> Result<Headers<'a>> {
        if self.side().headers.get() == HeadersState::Held {
            Ok(Headers::new(self.stream.0, Map::headers(self.direction), 0))
        } else {
            Err(Error::HeadersReleased)
        }
    }

    /// Holds the whole body until a task has ended, and the headers if they
    /// [wait](super::HeadersAction::Hold) for it.
    ///
    /// The task gets the body from the host, not the chunk, which ends with its callback:
    ///
    /// ```compile_fail,E0521
    /// # use chunkwise::Chunk;
    /// # use chunkwise::http::{BodyAction, Resume};
    /// fn request_body(chunk: &mut Chunk<'_>) -> chunkwise::Result<BodyAction> {
    ///     let bytes = chunk.bytes()?; // `to_bytes` keeps them
    ///     chunk.wait(async move |held| {
    ///         held.replace(bytes)?;
    ///         Ok(Resume::Continue)
    ///     })
    /// }
    /// ```
    ///
    /// # Cost
    /// As for [`RequestHeaders::wait`](super::RequestHeaders::wait).
    ///
    /// # Errors
    /// [`Error::BodyIncomplete`] before the last chunk, or when a part of it was sent on before:
    /// use [`BodyMode::Buffer`].
    pub fn wait<F>(&self, task: F) -> Result<BodyAction>
    where
        F: AsyncFnOnce(HeldBody) -> Result<Resume> + 'static,
    {
        let side = self.side();
        if !self.last || self.released || side.has_passed.get() {
            return Err(Error::BodyIncomplete);
        }
        let is_held = side.headers.get() == HeadersState::Held;
        let released = (!is_held).then_some(side.sent_length.get());
        let held = HeldBody::new(self.handle(), self.direction, released);
        Ok(BodyAction::Wait(Task::new(async move { task(held).await })))
    }

    /// Sends the request to its own route's upstream in another form, and gives the whole response
    /// to a task before any of it is sent to the client. The response callbacks of the filter are
    /// not called for it.
    ///
    /// The task gets whatever comes: a response without a body, an empty one, and a local reply of
    /// the proxy when the upstream cannot be reached. Headers that tell the upstream how the
    /// original request looked (`x-envoy-original-method`, `-path`, `-host`) are added, and a
    /// `content-length` is made right.
    ///
    /// # Cost
    /// Ten host calls and one for each header and for the body; two allocations for the task.
    ///
    /// # Errors
    /// [`Error::BodyIncomplete`] before the last chunk, [`Error::HeadersReleased`] when the request's
    /// headers did not [wait](super::HeadersAction::Hold), [`Error::BodyReleased`] for a new body
    /// where trailers end one of no bytes, and [`Error::Call`] for a method, URL or header that no
    /// [`Request`](crate::call::Request) may have either. Nothing has been changed then. The host's
    /// may come half-way, so a request whose callback fails behind this is refused, whatever
    /// [`ON_ERROR`](crate::Plugin::ON_ERROR) says.
    pub fn route<F>(&mut self, call: &RouteCall, task: F) -> Result<BodyAction>
    where
        F: AsyncFnOnce(RouteReply) -> Result<Resume> + 'static,
    {
        if self.direction != Direction::Request || !self.last {
            return Err(Error::BodyIncomplete);
        }
        let headers = self.headers()?;
        let checked = call.check()?;
        if call.body.is_some() {
            self.writable()?;
        }
        let originals = [
            ("x-envoy-original-method", headers.get(":method")?),
            ("x-envoy-original-path", headers.get(":path")?),
            ("x-envoy-original-host", headers.get(":authority")?),
        ];
        // From here on, the request is neither the one nor the other until all of this is done.
        self.stream.0.control.rewritten.set(true);
        for (name, value) in originals {
            if let Some(value) = value {
                headers.set(name, value)?;
            }
        }
        headers.remove("accept-encoding")?;
        headers.set(":method", checked.method)?;
        headers.set(":path", [checked.target.slash, checked.target.path].concat())?;
        if let Some(authority) = checked.target.authority {
            headers.set(":authority", authority)?;
        }
        for (name, value) in checked.headers {
            headers.set(&name.to_ascii_lowercase(), value)?;
        }
        if let Some(body) = &call.body {
            self.replace(body)?;
        }
        let task = |reply| -> std::pin::Pin<Box<dyn Future<Output = Result<Resume>>>> {
            Box::pin(async move { task(reply).await })
        };
        TASKS.set();
        ROUTE_CALLS.set();
        WHOLE_BODIES.set();
        self.stream.0.control.on_reply.replace(Some(OnReply(Box::new(task))));
        Ok(BodyAction::Pass)
    }

    fn side(&self) -> &'a Side {
        self.stream.0.control.side(self.direction)
    }

    /// Whether the headers may have been sent with the length of the body, which is all here.
    fn has_fixed_length(&self) -> bool {
        let side = self.side();
        side.mode.get() == BodyMode::Buffer && side.headers.get() == HeadersState::Sent
    }

    /// Length in bytes, those that were held included; free.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are no bytes, as in the empty frame that ends many bodies; free.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// How many of the first bytes were given before, and [held](crate::http::BodyAction::Hold);
    /// free.
    pub fn held(&self) -> usize {
        self.held
    }

    /// Whether the body ends here; free.
    pub fn is_last(&self) -> bool {
        self.last
    }

    /// Whether the host can still change anything: false for the end of a body that trailers
    /// brought after everything had been sent on. Free.
    pub fn is_released(&self) -> bool {
        self.released
    }

    /// Writes back what was changed in place.
    #[inline]
    pub(crate) fn commit(&mut self) -> Result<()> {
        match self.edit.take() {
            Some(bytes) => self.write_back(bytes),
            None => Ok(()),
        }
    }

    #[cold]
    fn write_back(&mut self, bytes: &'a mut [u8]) -> Result<()> {
        host::set_buffer(self.buffer, Place::Prefix(bytes.len()), bytes)?;
        self.read = Some((0, bytes));
        Ok(())
    }

    /// The bytes from `start` on, as [`range`](Self::range) has them, but to be written over where
    /// nobody has read them yet. Nothing is kept of them but what is [put back](Self::put_back).
    pub(crate) fn take(&mut self, start: usize) -> Result<Text<'a>> {
        self.check(start, self.len)?;
        self.commit()?;
        let known = self.known(start, self.len);
        if let Some(known) = known {
            return Ok(Text::Known(known));
        }
        if start == self.len {
            return Ok(Text::Known(&[]));
        }
        self.fetch(start, self.len - start).map(Text::Own)
    }

    /// Keeps what was [taken](Self::take) and is as it was.
    pub(crate) fn put_back(&mut self, start: usize, text: Text<'a>) {
        if let Text::Own(bytes) = text {
            self.read = Some((start, bytes));
        }
    }

    /// What was fetched before.
    fn known(&self, start: usize, end: usize) -> Option<&'a [u8]> {
        let (at, bytes) = self.read?;
        bytes.get(start.checked_sub(at)?..end - at)
    }

    fn fetch(&self, start: usize, wanted: usize) -> Result<&'a mut [u8]> {
        let bytes = host::buffer_bytes(self.stream.0.scope, self.buffer, start, wanted)?;
        match bytes.len() {
            // A guard must not take a part of a chunk for the whole of it.
            got if got != wanted => Err(Error::ShortRead { wanted, got }),
            _ => Ok(bytes),
        }
    }

    fn set(&mut self, place: Place, data: &[u8], len: usize) -> Result<()> {
        EDITS.set();
        self.writable()?;
        self.commit()?;
        if len != self.len && self.has_fixed_length() {
            let (headers, sent) = (Map::headers(self.direction), self.side().sent_length.get());
            held::check_sent_length(self.stream.0.scope, headers, sent, len)?;
        }
        host::set_buffer(self.buffer, place, data)?;
        self.read = None;
        self.len = len;
        Ok(())
    }

    fn writable(&self) -> Result<()> {
        if self.released { Err(Error::BodyReleased) } else { Ok(()) }
    }

    fn check(&self, start: usize, end: usize) -> Result<()> {
        if start <= end && end <= self.len {
            Ok(())
        } else {
            Err(Error::OutOfRange { start, end, len: self.len })
        }
    }
}

/// Bytes of a chunk.
#[derive(Debug)]
pub(crate) enum Text<'a> {
    /// Somebody may look at them still.
    Known(&'a [u8]),
    /// Nobody else has them.
    Own(&'a mut [u8]),
}

impl Text<'_> {
    #[inline]
    pub fn bytes(&self) -> &[u8] {
        match self {
            Self::Known(bytes) => bytes,
            Self::Own(bytes) => bytes,
        }
    }
}

impl<'a> Deref for Chunk<'a> {
    type Target = Stream<'a>;

    fn deref(&self) -> &Stream<'a> {
        &self.stream
    }
}
