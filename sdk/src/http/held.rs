//! What a task can do with a stream that waits for it.

use std::ops::Deref;

use bytes::Bytes;

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
/// [`Error::StreamGone`] when the stream has ended (its tasks are dropped then, so only a handle
/// that was given to another task can see it), and [`Error::HeadersReleased`] when the headers have
/// been sent on.
///
/// [`RequestHeaders::wait`]: super::RequestHeaders::wait
/// [`ResponseHeaders::wait`]: super::ResponseHeaders::wait
#[derive(Debug)]
pub struct HeldHeaders {
    handle: StreamHandle,
    map: Map,
    released: bool,
}

impl HeldHeaders {
    pub(crate) fn new(handle: StreamHandle, direction: Direction, released: bool) -> Self {
        Self { handle, map: Map::headers(direction), released }
    }

    /// The first value of a header. Names are lower case; pseudo headers begin with a colon.
    pub fn get(&self, name: &str) -> Result<Option<Bytes>> {
        self.check()?;
        self.handle
            .act(|scope| Ok(host::header(scope, self.map, name)?.map(Bytes::copy_from_slice)))
    }

    /// Sets a header and removes all others of that name.
    pub fn set(&self, name: &str, value: impl AsRef<[u8]>) -> Result<()> {
        self.check()?;
        self.handle.act(|_| host::set_header(self.map, name, value.as_ref()))
    }

    /// Adds a header behind those of the same name.
    pub fn add(&self, name: &str, value: impl AsRef<[u8]>) -> Result<()> {
        self.check()?;
        self.handle.act(|_| host::add_header(self.map, name, value.as_ref()))
    }

    /// Removes all headers of a name; there need not be any.
    pub fn remove(&self, name: &str) -> Result<()> {
        self.check()?;
        self.handle.act(|_| host::remove_header(self.map, name))
    }

    fn check(&self) -> Result<()> {
        if self.released { Err(Error::HeadersReleased) } else { Ok(()) }
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
/// As for [`HeldHeaders`].
#[derive(Debug)]
pub struct HeldBody {
    headers: HeldHeaders,
    buffer: Buffer,
}

impl HeldBody {
    pub(crate) fn new(handle: StreamHandle, direction: Direction, released: bool) -> Self {
        let headers = HeldHeaders::new(handle, direction, released);
        Self { headers, buffer: Buffer::body(direction) }
    }

    /// The whole body, to be kept.
    ///
    /// # Cost
    /// One host call, one allocation of the body's length; the host copies it there.
    pub fn bytes(&self) -> Result<Bytes> {
        let handle = &self.headers.handle;
        handle.act(|_| {
            let body = host::owned_buffer(&handle.vm.arena, self.buffer, 0, usize::MAX)?;
            Ok(Bytes::from(body))
        })
    }

    /// Replaces the whole body. A `content-length` is made right where the headers wait.
    ///
    /// # Errors
    /// [`Error::LengthSent`] when the headers have been sent with a `content-length` of another
    /// value.
    pub fn replace(&self, body: impl AsRef<[u8]>) -> Result<()> {
        let body = body.as_ref();
        self.headers.handle.act(|scope| {
            if self.headers.released {
                check_sent_length(scope, self.headers.map, body.len())?;
            }
            host::set_buffer(self.buffer, Place::All, body)?;
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

/// Refuses a length other than the one that was sent.
pub(crate) fn check_sent_length(scope: &Scope<'_>, headers: Map, length: usize) -> Result<()> {
    let path = match headers {
        Map::ResponseHeaders => "response\0headers\0content-length",
        _ => "request\0headers\0content-length",
    };
    let mut digits = [0; DIGITS];
    match host::property(scope, path)? {
        Some(sent) if sent != decimal(length, &mut digits) => Err(Error::LengthSent),
        _ => Ok(()),
    }
}

/// As many as the longest number of 64 bits has.
const DIGITS: usize = 20;

/// A number without the standard library's formatting, which every module would pay for.
fn decimal(mut number: usize, digits: &mut [u8; DIGITS]) -> &[u8] {
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
