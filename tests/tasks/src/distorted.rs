//! Hosts that call a plugin otherwise than they should.

use std::fmt;
use std::rc::Rc;

use bench_host::engine::native::NativeGuest;
use bench_host::engine::{self, Plugin, StartError};
use bench_host::host::Host;
use chunkwise::abi::Guest;

/// A plugin whose host is not as it should be.
#[derive(Clone)]
pub(crate) struct Distorted {
    pub make: fn() -> Rc<dyn Guest>,
    pub how: How,
}

/// What is wrong with a host.
#[derive(Clone, Copy, Debug)]
pub(crate) enum How {
    /// Bodies, at their end, and answers to calls are announced with so many bytes more.
    Announces(usize),
    /// The end of a request's body is given while its headers are, so that there is no body.
    EndsTooEarly,
}

impl fmt::Debug for Distorted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Distorted").field("how", &self.how).finish_non_exhaustive()
    }
}

impl Plugin for Distorted {
    fn guest(&self, host: Host) -> Result<Box<dyn engine::Guest>, StartError> {
        let exports = Rc::new(Exports { inner: (self.make)(), how: self.how });
        Ok(Box::new(NativeGuest::from_exports(exports, host)))
    }
}

struct Exports {
    inner: Rc<dyn Guest>,
    how: How,
}

impl Exports {
    fn announced(&self, size: usize, end: bool) -> usize {
        match self.how {
            How::Announces(more) if end => size + more,
            How::Announces(_) | How::EndsTooEarly => size,
        }
    }
}

impl Guest for Exports {
    fn allocate(&self, size: usize) -> *mut u8 {
        self.inner.allocate(size)
    }

    fn on_context_create(&self, context: u32, parent: u32) {
        self.inner.on_context_create(context, parent);
    }

    fn on_vm_start(&self, context: u32, configuration_size: usize) -> bool {
        self.inner.on_vm_start(context, configuration_size)
    }

    fn on_configure(&self, context: u32, configuration_size: usize) -> bool {
        self.inner.on_configure(context, configuration_size)
    }

    fn on_request_headers(&self, context: u32, headers: usize, end: bool) -> u32 {
        let answer = self.inner.on_request_headers(context, headers, end);
        match self.how {
            How::EndsTooEarly if !end => self.inner.on_request_body(context, 0, true),
            _ => answer,
        }
    }

    fn on_request_body(&self, context: u32, size: usize, end: bool) -> u32 {
        self.inner.on_request_body(context, self.announced(size, end), end)
    }

    fn on_request_trailers(&self, context: u32, trailers: usize) -> u32 {
        self.inner.on_request_trailers(context, trailers)
    }

    fn on_response_headers(&self, context: u32, headers: usize, end: bool) -> u32 {
        self.inner.on_response_headers(context, headers, end)
    }

    fn on_response_body(&self, context: u32, size: usize, end: bool) -> u32 {
        self.inner.on_response_body(context, self.announced(size, end), end)
    }

    fn on_response_trailers(&self, context: u32, trailers: usize) -> u32 {
        self.inner.on_response_trailers(context, trailers)
    }

    fn on_tick(&self, context: u32) {
        self.inner.on_tick(context);
    }

    fn on_http_call_response(
        &self,
        context: u32,
        call: u32,
        headers: usize,
        body_size: usize,
        trailers: usize,
    ) {
        let body_size = self.announced(body_size, true);
        self.inner.on_http_call_response(context, call, headers, body_size, trailers);
    }

    fn on_log(&self, context: u32) {
        self.inner.on_log(context);
    }

    fn on_done(&self, context: u32) -> bool {
        self.inner.on_done(context)
    }

    fn on_delete(&self, context: u32) {
        self.inner.on_delete(context);
    }
}
