//! The callbacks of the ABI.

use std::rc::Rc;

use super::Driver;
use super::stream::Stream;
use crate::abi::{Direction, Guest, host};
use crate::call::{CallError, CallReply};
use crate::config::{Config, ConfigError};
use crate::context::PluginContext;
use crate::error::Result;
use crate::http::{EndedStream, RequestHeaders, ResponseHeaders, Site, Trailers};
use crate::plugin::{Filter, Plugin, Rebuild};
use crate::used::{CALLS, TASKS};
use crate::vm::Vm;

/// Bytes of arena that a plugin starts with: a few chunks of 16 KiB, the usual frame.
const ARENA: usize = 64 * 1024;

impl<P: Plugin> Guest for Driver<P> {
    fn allocate(&self, size: usize) -> *mut u8 {
        self.vm.arena.grant(size)
    }

    fn on_context_create(&self, context: u32, parent: u32) {
        self.callback(context, || {
            if parent == 0 {
                self.vm.arena.reserve(ARENA);
                self.contexts.open_plugin(context);
            } else {
                self.contexts.open_stream(context, parent);
            }
        });
    }

    fn on_vm_start(&self, context: u32, configuration_size: usize) -> bool {
        if P::REBUILD != Rebuild::NEVER && configuration_size > 0 {
            self.callback(context, || self.read_failure_policy());
        }
        true
    }

    fn on_configure(&self, context: u32, configuration_size: usize) -> bool {
        self.callback(context, || match self.configure(context, configuration_size) {
            Ok(()) => true,
            Err(error) => {
                refuse_configuration(&error);
                false
            }
        })
    }

    fn on_tick(&self, context: u32) {
        if TASKS.is_set() {
            self.callback(context, || match host::now() {
                Ok(now) => self.vm.timers.fire(now),
                Err(error) => crate::error!("timers: {error}"),
            });
        }
        self.end_if_idle(context);
    }

    fn on_http_call_response(
        &self,
        context: u32,
        call: u32,
        headers: usize,
        body_size: usize,
        _trailers: usize,
    ) {
        if P::REBUILD != Rebuild::NEVER {
            self.vm.calls.ended();
        }
        if CALLS.is_set() && self.vm.calls.knows(call) {
            self.callback(context, || {
                let answer = self.answer(headers, body_size);
                self.vm.calls.answered(call, answer);
            });
        }
        self.end_if_idle(context);
    }

    fn on_request_headers(&self, context: u32, headers: usize, end_of_stream: bool) -> u32 {
        if P::REBUILD != Rebuild::NEVER {
            self.callback(context, || self.consider_rebuild());
        }
        let direction = Direction::Request;
        self.headers(
            direction,
            context,
            end_of_stream,
            "request_headers",
            |plugin, filter, site| {
                filter.request_headers(plugin, &RequestHeaders::new(site, headers, end_of_stream))
            },
        )
    }

    fn on_request_body(&self, context: u32, size: usize, end_of_stream: bool) -> u32 {
        let phase = "request_body";
        self.body(
            Direction::Request,
            context,
            size,
            end_of_stream,
            phase,
            |plugin, filter, chunk| filter.request_body(plugin, chunk),
        )
    }

    fn on_request_trailers(&self, context: u32, trailers: usize) -> u32 {
        self.trailers(
            Direction::Request,
            context,
            "request_trailers",
            |plugin, filter, chunk| filter.request_body(plugin, chunk),
            |plugin, filter, site| {
                let trailers = Trailers::new(site, Direction::Request, trailers);
                filter.request_trailers(plugin, &trailers)
            },
        )
    }

    fn on_response_headers(&self, context: u32, headers: usize, end_of_stream: bool) -> u32 {
        let direction = Direction::Response;
        self.headers(
            direction,
            context,
            end_of_stream,
            "response_headers",
            |plugin, filter, site| {
                filter.response_headers(plugin, &ResponseHeaders::new(site, headers, end_of_stream))
            },
        )
    }

    fn on_response_body(&self, context: u32, size: usize, end_of_stream: bool) -> u32 {
        let phase = "response_body";
        self.body(
            Direction::Response,
            context,
            size,
            end_of_stream,
            phase,
            |plugin, filter, chunk| filter.response_body(plugin, chunk),
        )
    }

    fn on_response_trailers(&self, context: u32, trailers: usize) -> u32 {
        self.trailers(
            Direction::Response,
            context,
            "response_trailers",
            |plugin, filter, chunk| filter.response_body(plugin, chunk),
            |plugin, filter, site| {
                let trailers = Trailers::new(site, Direction::Response, trailers);
                filter.response_trailers(plugin, &trailers)
            },
        )
    }

    fn on_log(&self, context: u32) {
        self.callback(context, || self.with_stream(context, (), |stream| self.done(stream)));
    }

    fn on_done(&self, context: u32) -> bool {
        // Hosts without an access log make this callback alone.
        self.callback(context, || self.with_stream(context, (), |stream| self.done(stream)));
        true
    }

    fn on_delete(&self, context: u32) {
        self.callback(context, || self.delete(context));
        self.end_if_idle(context);
    }
}

impl<P: Plugin> Driver<P> {
    fn configure(&self, context: u32, size: usize) -> Result<(), ConfigError> {
        let plugin = {
            let scope = self.vm.arena.scope();
            Rc::new(P::configure(&Config::new(&scope, size, &self.vm.last_good))?)
        };
        // Those of the configuration before.
        self.vm.close_tasks(context);
        if let Err(error) = plugin.start(&PluginContext::new(&self.vm, context, &plugin)) {
            self.vm.close_tasks(context);
            return Err(error.into());
        }
        self.contexts.configure_plugin(context, plugin);
        Ok(())
    }

    /// The answer to a call, which can be read in this callback alone.
    fn answer(&self, headers: usize, body_size: usize) -> Result<CallReply, CallError> {
        if headers == 0 {
            return Err(CallError::Reset);
        }
        let Vm { arena, pool, .. } = &*self.vm;
        let read = |part: Result<Vec<u8>>| part.map_err(|error| CallError::from_host(error, false));
        let headers = read(host::call_headers(arena, pool.take()))?;
        let body = match body_size {
            0 => Vec::new(),
            _ => read(host::call_body(arena, pool.take(), body_size))?,
        };
        CallReply::new(&self.vm, headers, body)
    }

    /// Forgets a context.
    pub(super) fn delete(&self, context: u32) {
        if P::REBUILD != Rebuild::NEVER && self.contexts.is_plugin(context) {
            self.vm.calls.plugin_ended();
        }
        // Tasks first: what they own may say that the stream has gone.
        self.vm.close_tasks(context);
        if TASKS.is_set() {
            self.vm.timers.close(context);
            self.vm.holds.close(context);
        }
        match self.contexts.close(context) {
            Some(stream) => self.retire(stream),
            None => self.vm.lookups.close(context),
        }
    }

    /// Ends a stream that has no context any more. Its filter may not know yet: a host that ended it
    /// in the middle of its own callback could not tell it.
    #[cold]
    pub(super) fn retire(&self, mut stream: Box<Stream<P>>) {
        self.done(&mut stream);
        self.contexts.retire(stream);
    }

    fn done(&self, stream: &mut Stream<P>) {
        if std::mem::replace(&mut stream.is_done, true) {
            return;
        }
        if let (Some(plugin), Some(filter)) = (stream.plugin.as_deref(), &mut stream.filter) {
            let scope = self.vm.arena.scope();
            let site = Site { vm: &self.vm, scope: &scope, control: &stream.control };
            filter.done(plugin, &EndedStream::new(site));
        }
    }
}

#[cold]
#[inline(never)]
fn refuse_configuration(error: &ConfigError) {
    crate::error!("configuration refused: {error}");
}
