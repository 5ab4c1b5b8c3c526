//! What can be done with a stream in any of its callbacks, and from outside of them.

use std::future::Future;

use bytes::Bytes;

use super::action::{Replied, Resume};
use super::control::Site;
use super::reply::Reply;
use crate::abi::host;
use crate::attributes::Attributes;
use crate::call::{Call, CallError, CallReply};
use crate::error::{Error, Result};
use crate::memory::Scope;
use crate::property::{self, Property};
use crate::shared::SharedData;
use crate::vm::{Naming, Owner, SharedVm, Tasks, Vm};

/// A stream in one of its callbacks: what headers, chunks and trailers have in common.
///
/// # Cost
/// Nothing before a method is called; each says what it costs.
#[derive(Debug)]
pub struct Stream<'a>(pub(crate) Site<'a>);

impl<'a> Stream<'a> {
    /// Answers the client with a reply of the plugin's own; a response that has begun is reset. What
    /// comes out is what the callback returns: `return headers.reply(&Reply::new(403))`.
    ///
    /// # Cost
    /// One host call.
    pub fn reply<A: From<Replied>>(&self, reply: &Reply<'_>) -> Result<A> {
        reply.send().map(A::from)
    }

    /// What the proxy knows of the stream besides, by the segments of its path; `None` when it does
    /// not know it. The names of route and cluster differ between proxies:
    /// [`route_name`](Self::route_name) and [`cluster_name`](Self::cluster_name) ask for the right
    /// ones.
    ///
    /// ```no_run
    /// # use chunkwise::http::RequestHeaders;
    /// # fn request_headers(headers: &RequestHeaders<'_>) -> chunkwise::Result<()> {
    /// if let Some(port) = headers.property(&["source", "port"])? {
    ///     chunkwise::info!("from port {}", port.i64()?);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Cost
    /// One host call.
    pub fn property(&self, path: &[&str]) -> Result<Option<Property<'a>>> {
        property::get(self.0.scope, path)
    }

    /// The name of the route that the proxy chose; `None` where there is no route. It may be empty.
    ///
    /// Envoy calls this property `xds.route_name` from 1.36 on, Higress and Envoy before `route_name`.
    ///
    /// # Cost
    /// One host call; for the first of a VM one or two more, to find out what this host calls it.
    pub fn route_name(&self) -> Result<Option<Property<'a>>> {
        property::at(self.0.scope, naming(self.0.vm).route())
    }

    /// The name of the cluster that the route leads to; `None` where it leads to none, such as one
    /// that redirects.
    ///
    /// Envoy calls this property `xds.cluster_name` from 1.36 on, Higress and Envoy before
    /// `cluster_name`.
    ///
    /// # Cost
    /// As for [`route_name`](Self::route_name).
    pub fn cluster_name(&self) -> Result<Option<Property<'a>>> {
        property::at(self.0.scope, naming(self.0.vm).cluster())
    }

    /// Sets a property of the stream: where the name is none of the proxy's own, for plugins behind
    /// this one and for the access log, which reads `%FILTER_STATE(wasm.<name>:PLAIN)%`.
    ///
    /// # Cost
    /// One host call.
    ///
    /// # Errors
    /// [`Error::Plugin`](crate::Error::Plugin) for a name with a NUL, and the host's.
    pub fn set_property(&self, path: &[&str], value: impl AsRef<[u8]>) -> Result<()> {
        property::set(path, value.as_ref())
    }

    /// Calls a function that the proxy has besides those of the ABI, such as `compress`; `None` when
    /// it has none of that name. What argument and answer are, the proxy's documentation says.
    ///
    /// # Cost
    /// One host call.
    ///
    /// # Errors
    /// The function's, as the host's.
    pub fn foreign_function(&self, name: &str, argument: &[u8]) -> Result<Option<&'a [u8]>> {
        host::foreign_function(self.0.scope, name, argument)
    }

    /// Values that all workers share.
    pub fn shared_data(&self) -> SharedData<'a> {
        SharedData::new(self.0.scope)
    }

    /// Writes attributes where the proxy's access log finds them, as
    /// `%FILTER_STATE(wasm.<key>:PLAIN)%`, over those that other plugins wrote there; the key is
    /// [`CUSTOM_LOG`](crate::attributes::CUSTOM_LOG) or [`AI_LOG`](crate::attributes::AI_LOG).
    ///
    /// # Cost
    /// Two host calls, one to read what is there and one to write; none without attributes.
    pub fn log_attributes(&self, key: &str, attributes: &Attributes) -> Result<()> {
        attributes.write_log(self.0.scope, key)
    }

    /// Writes attributes as tags of the request's trace span.
    ///
    /// # Cost
    /// One host call for each; on [`Host::Envoy`](crate::Host::Envoy) one more for the first stream
    /// of a VM.
    ///
    /// # Errors
    /// [`Error::NeedsHost`](crate::Error::NeedsHost) where the host is not Higress.
    pub fn trace_attributes(&self, attributes: &Attributes) -> Result<()> {
        self.higress_only(SPAN_TAGS)?;
        attributes.write_trace()
    }

    /// Goes on without what only another host can do: whether it was done. A warning says so once
    /// in each VM.
    ///
    /// ```no_run
    /// # use chunkwise::http::{HeadersAction, RequestHeaders};
    /// # fn request_headers(headers: &RequestHeaders<'_>) -> chunkwise::Result<HeadersAction> {
    /// headers.where_possible(headers.keep_route())?;
    /// headers.set(":path", "/new")?;
    /// # Ok(HeadersAction::Continue)
    /// # }
    /// ```
    ///
    /// # Errors
    /// That of `done`, if it is not [`Error::NeedsHost`](crate::Error::NeedsHost).
    pub fn where_possible(&self, done: Result<()>) -> Result<bool> {
        self.0.vm.where_possible(done)
    }

    /// Makes a call that nothing waits for; see [`StreamHandle::call`].
    pub fn call(
        &self,
        call: Call,
        on_reply: impl FnOnce(Result<CallReply, CallError>) -> Result<()> + 'static,
    ) {
        self.handle().call(call, on_reply);
    }

    /// Starts a task that ends with the stream and that nothing waits for.
    ///
    /// # Cost
    /// One allocation.
    pub fn spawn(&self, task: impl Future<Output = Result<()>> + 'static) {
        self.handle().spawn(task);
    }

    /// The stream, for tasks; free.
    pub fn handle(&self) -> StreamHandle {
        StreamHandle { vm: self.0.vm.clone(), owner: self.0.control.owner() }
    }

    /// What was fetched in this callback lies here until it ends.
    pub(crate) fn scope(&self) -> &'a Scope<'a> {
        self.0.scope
    }

    pub(crate) fn higress_only(&self, what: &'static str) -> Result<()> {
        self.0.vm.higress_only(what)
    }
}

/// The names to ask for; those of Higress where the host says nothing.
fn naming(vm: &Vm) -> Naming {
    vm.naming().unwrap_or(Naming::Plain)
}

/// What a stock host does not have.
const SPAN_TAGS: &str = "tags of a plugin for trace spans";

/// Whoever waits for an answer, who is told when there will be none.
struct Told<F: FnOnce(Result<CallReply, CallError>) -> Result<()>>(Option<F>);

impl<F: FnOnce(Result<CallReply, CallError>) -> Result<()>> Drop for Told<F> {
    fn drop(&mut self) {
        if let Some(on_reply) = self.0.take()
            && let Err(error) = on_reply(Err(CallError::StreamGone))
        {
            crate::error!("call: {error}");
        }
    }
}

/// A stream from outside of its callbacks, for tasks.
///
/// It stays in its VM, and so in the thread of that:
///
/// ```compile_fail,E0277
/// # use chunkwise::http::RequestHeaders;
/// fn request_headers(headers: &RequestHeaders<'_>) {
///     let handle = headers.handle();
///     std::thread::spawn(move || handle.property(&["request", "path"]));
/// }
/// ```
///
/// # Cost
/// One host call for each method, if nothing else is said; two more where the host is in the
/// callback of another context.
///
/// # Errors
/// [`Error::StreamGone`](crate::Error::StreamGone) when the stream has ended.
#[derive(Clone, Debug)]
pub struct StreamHandle {
    pub(crate) vm: SharedVm,
    pub(crate) owner: Owner,
}

impl StreamHandle {
    /// What the proxy knows of the stream, to be kept; see [`Stream::property`].
    pub fn property(&self, path: &[&str]) -> Result<Option<Bytes>> {
        self.act(|scope| {
            let value = property::get(scope, path)?;
            Ok(value.map(|value| Bytes::copy_from_slice(value.bytes())))
        })
    }

    /// The name of the route, to be kept; see [`Stream::route_name`].
    pub fn route_name(&self) -> Result<Option<Bytes>> {
        self.named(Naming::route)
    }

    /// The name of the route's cluster, to be kept; see [`Stream::cluster_name`].
    pub fn cluster_name(&self) -> Result<Option<Bytes>> {
        self.named(Naming::cluster)
    }

    fn named(&self, path: impl FnOnce(Naming) -> &'static str) -> Result<Option<Bytes>> {
        self.act(|scope| {
            let value = property::at(scope, path(naming(&self.vm)))?;
            Ok(value.map(|value| Bytes::copy_from_slice(value.bytes())))
        })
    }

    /// Writes attributes for the access log; see [`Stream::log_attributes`].
    pub fn log_attributes(&self, key: &str, attributes: &Attributes) -> Result<()> {
        self.act(|scope| attributes.write_log(scope, key))
    }

    /// Writes attributes for the trace; see [`Stream::trace_attributes`].
    pub fn trace_attributes(&self, attributes: &Attributes) -> Result<()> {
        self.act(|_| {
            self.vm.higress_only(SPAN_TAGS)?;
            attributes.write_trace()
        })
    }

    /// Does something with the values that all workers share.
    pub fn shared_data<R>(&self, work: impl FnOnce(SharedData<'_>) -> Result<R>) -> Result<R> {
        self.act(|scope| work(SharedData::new(scope)))
    }

    /// Answers the client with a reply of the plugin's own; the answer is what a task returns that
    /// the stream waits for.
    ///
    /// # Errors
    /// [`Error::Plugin`] in a callback of another stream, which hosts would stop for it. A
    /// task of this stream that is woken there is polled later; any other has to
    /// [sleep](crate::time::sleep) before.
    pub fn reply(&self, reply: &Reply<'_>) -> Result<Resume> {
        self.act(|_| {
            if self.vm.reply_would_stop_another(self.owner.context) {
                return Err(ELSEWHERE);
            }
            Ok(reply.send()?.into())
        })
    }

    /// Makes a call that nothing waits for, and gives its answer to `on_reply`, once: the reply, why
    /// there is none, or [`CallError::StreamGone`] when the stream has ended before.
    ///
    /// To have the stream wait for an answer, use [`wait`](super::RequestHeaders::wait).
    ///
    /// # Cost
    /// Two allocations, and those of the [`Call`].
    pub fn call(
        &self,
        call: Call,
        on_reply: impl FnOnce(Result<CallReply, CallError>) -> Result<()> + 'static,
    ) {
        let mut told = Told(Some(on_reply));
        self.spawn(async move {
            let answer = call.await;
            told.0.take().map_or(Ok(()), |on_reply| on_reply(answer))
        });
    }

    /// Starts a task that ends with the stream and that nothing waits for.
    ///
    /// # Cost
    /// One allocation.
    pub fn spawn(&self, task: impl Future<Output = Result<()>> + 'static) {
        if self.owner.root == 0 {
            crate::error!("task: nobody would poll it in a plugin that another crate dispatches");
            return;
        }
        Tasks::spawn(&self.vm, self.owner, task);
    }

    pub(crate) fn act<R>(&self, work: impl FnOnce(&Scope<'_>) -> Result<R>) -> Result<R> {
        self.vm.on_context(self.owner.context, work)
    }
}

const ELSEWHERE: Error =
    Error::Plugin("a reply cannot be sent in the callback of another stream, which it would stop");

/// The host's name of the response code details of an upstream's answer (Envoy,
/// `stream_info.h`: `ResponseCodeDetails`).
pub(crate) const VIA_UPSTREAM: &[u8] = b"via_upstream";
