//! What a task can do with a stream that waits for it.

use std::ops::Deref;

use bytes::Bytes;

use super::control::SentLength;
use super::field;
use super::stream_view::StreamHandle;
use crate::abi::host::{self, Place};
use crate::abi::{Buffer, Direction, Map};
use crate::error::{Error, Result};
use crate::memory::Scope;

/// Headers that wait for a task, see [`RequestHeaders::wait`] and [`ResponseHeaders::wait`].
///
/// # Cost
/// One host call each. Values that are read are copied once, by the host, into memory of their own,
/// for a task outlives the callbacks of its stream.
///
/// # Errors
/// [`Error::StreamGone`] when the stream has ended, and [`Error::HeadersReleased`] when the headers
/// have been sent on. A task is dropped before it could see either, so it is for handles that were
/// given to another one.
///
/// [`RequestHeaders::wait`]: super::RequestHeaders::wait
/// [`ResponseHeaders::wait`]: super::ResponseHeaders::wait
#[derive(Debug)]
pub struct HeldHeaders {
    handle: StreamHandle,
    direction: Direction,
    map: Map,
    released: bool,
}

impl HeldHeaders {
    pub(crate) fn new(handle: StreamHandle, direction: Direction, released: bool) -> Self {
        Self { handle, direction, map: Map::headers(direction), released }
    }

    /// The first value of a header. Names are lower case; pseudo headers begin with a colon.
    pub fn get(&self, name: &str) -> Result<Option<Bytes>> {
        self.change(|scope| Ok(host::header(scope, self.map, name)?.map(Bytes::copy_from_slice)))
    }

    /// Sets a header and removes all others of that name.
    ///
    /// # Errors
    /// [`Error::HeaderText`] for a line break or a NUL in name or value.
    pub fn set(&self, name: &str, value: impl AsRef<[u8]>) -> Result<()> {
        let value = field::checked(name.as_bytes(), value.as_ref())?;
        self.change(|_| host::set_header(self.map, name, value))
    }

    /// Adds a header behind those of the same name.
    ///
    /// # Errors
    /// [`Error::HeaderText`] for a line break or a NUL in name or value.
    pub fn add(&self, name: &str, value: impl AsRef<[u8]>) -> Result<()> {
        let value = field::checked(name.as_bytes(), value.as_ref())?;
        self.change(|_| host::add_header(self.map, name, value))
    }

    /// Removes all headers of a name; there need not be any.
    pub fn remove(&self, name: &str) -> Result<()> {
        self.change(|_| host::remove_header(self.map, name))
    }

    fn change<R>(&self, work: impl FnOnce(&Scope<'_>) -> Result<R>) -> Result<R> {
        if self.released {
            return Err(Error::HeadersReleased);
        }
        self.while_held(Error::HeadersReleased, work)
    }

    /// Does something while the task has not ended that the stream waits for.
    fn while_held<R>(
        &self,
        otherwise: Error,
        work: impl FnOnce(&Scope<'_>) -> Result<R>,
    ) -> Result<R> {
        let StreamHandle { vm, owner } = &self.handle;
        self.handle.act(|scope| {
            if vm.holds.has(owner.context, self.direction) { work(scope) } else { Err(otherwise) }
        })
    }
}

impl Deref for HeldHeaders {
    type Target = StreamHandle;

    fn deref(&self) -> &StreamHandle {
        &self.handle
    }
}

/// A whole body that waits for a task, and its headers if they [wait](super::HeadersAction::Hold)
/// too.
///
/// # Errors
/// As for [`HeldHeaders`], and [`Error::BodyReleased`] when the body has been sent on.
#[derive(Debug)]
pub struct HeldBody {
    headers: HeldHeaders,
    buffer: Buffer,
    sent_length: SentLength,
}

impl HeldBody {
    /// A body whose headers wait, or have been sent on with this length.
    pub(crate) fn new(
        handle: StreamHandle,
        direction: Direction,
        released: Option<SentLength>,
    ) -> Self {
        let headers = HeldHeaders::new(handle, direction, released.is_some());
        let sent_length = released.unwrap_or_default();
        Self { headers, buffer: Buffer::body(direction), sent_length }
    }

    /// The whole body, to be kept.
    ///
    /// # Cost
    /// One host call, one allocation of the body's length; the host copies it there. Nothing of
    /// that for an empty one.
    ///
    /// # Errors
    /// [`Error::ShortRead`] when the host gives another length than it has announced.
    pub fn bytes(&self) -> Result<Bytes> {
        let StreamHandle { vm, owner } = &self.headers.handle;
        self.headers.while_held(Error::BodyReleased, |_| {
            match vm.holds.length(owner.context, self.headers.direction) {
                0 => Ok(Bytes::new()),
                length => host::owned_buffer(&vm.arena, self.buffer, 0, length).map(Bytes::from),
            }
        })
    }

    /// Replaces the whole body. A `content-length` is made right where the headers wait.
    ///
    /// # Errors
    /// [`Error::LengthSent`] when the headers have been sent with a `content-length` of another
    /// value. No host tells the length of response headers that were sent, and Envoy not that of a
    /// request's, so what the filter held by itself, and not by
    /// [`BodyMode::Buffer`](super::BodyMode::Buffer), is not checked there.
    pub fn replace(&self, body: impl AsRef<[u8]>) -> Result<()> {
        let body = body.as_ref();
        self.headers.while_held(Error::BodyReleased, |scope| {
            if self.headers.released {
                check_sent_length(scope, self.headers.map, self.sent_length, body.len())?;
            }
            host::set_buffer(self.buffer, Place::All, body)?;
            let StreamHandle { vm, owner } = &self.headers.handle;
            vm.holds.set_length(owner.context, self.headers.direction, body.len());
            if self.headers.released {
                Ok(())
            } else {
                fix_length(scope, self.headers.map, body.len())
            }
        })
    }
}

impl Deref for HeldBody {
    type Target = HeldHeaders;

    fn deref(&self) -> &HeldHeaders {
        &self.headers
    }
}

/// Makes a `content-length` right, if there is one.
pub(crate) fn fix_length(scope: &Scope<'_>, headers: Map, length: usize) -> Result<()> {
    if host::header(scope, headers, "content-length")?.is_some() {
        let mut digits = [0; DIGITS];
        host::set_header(headers, "content-length", decimal(length, &mut digits))?;
    }
    Ok(())
}

/// The `content-length` of headers that are about to be sent on.
pub(crate) fn sent_length(scope: &Scope<'_>, headers: Map) -> Result<SentLength> {
    Ok(length_of(host::header(scope, headers, "content-length")?))
}

/// Refuses a length other than the one that was sent.
pub(crate) fn check_sent_length(
    scope: &Scope<'_>,
    headers: Map,
    sent: SentLength,
    length: usize,
) -> Result<()> {
    let sent = match sent {
        SentLength::Unknown if headers == Map::RequestHeaders => {
            length_of(host::property(scope, "request\0headers\0content-length")?)
        }
        known => known,
    };
    match sent {
        SentLength::Bytes(sent) if sent != length as u64 => Err(Error::LengthSent),
        _ => Ok(()),
    }
}

fn length_of(header: Option<&[u8]>) -> SentLength {
    let number = header.and_then(|digits| str::from_utf8(digits).ok()?.parse().ok());
    number.map_or(SentLength::None, SentLength::Bytes)
}

/// As many as the longest number of 64 bits has.
pub(super) const DIGITS: usize = 20;

/// A number without the standard library's formatting, which every module would pay for.
pub(super) fn decimal(mut number: usize, digits: &mut [u8; DIGITS]) -> &[u8] {
    let mut at = DIGITS;
    loop {
        at -= 1;
        digits[at] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 || at == 0 {
            return &digits[at..];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_they_are_read() {
        for number in [0, 9, 10, 1_234_567_890, usize::MAX] {
            assert_eq!(decimal(number, &mut [0; DIGITS]), number.to_string().as_bytes());
        }
    }
}
