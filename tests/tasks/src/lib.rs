//! A plugin whose callbacks a test writes as closures, on each of the proxies.

#![expect(clippy::unwrap_used, reason = "a test fails where it does not hold")]

mod distorted;
pub mod message;

use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;

use bench_host::host::{Direction, HeaderMap, Received, StreamId};
use bench_host::testing::{Setup, TestHost};
use chunkwise::abi::Guest;
use chunkwise::call::{Client, TargetCluster};
use chunkwise::http::{
    BodyAction, EndedStream, HeadersAction, RequestHeaders, ResponseHeaders, Trailers,
    TrailersAction,
};
use chunkwise::{
    Chunk, Config, ConfigError, Driver, Filter, Host, OnError, Plugin, PluginContext, Result,
};

use distorted::{Distorted, How};

type OnStart = dyn Fn(Starting<'_>) -> Result<()>;
type OnRequest = dyn Fn(&RequestHeaders<'_>) -> Result<HeadersAction>;
type OnResponse = dyn Fn(&ResponseHeaders<'_>) -> Result<HeadersAction>;
type OnChunk = dyn Fn(&mut Chunk<'_>) -> Result<BodyAction>;
type OnTrailers = dyn Fn(&Trailers<'_>) -> Result<TrailersAction>;

/// What the callbacks do; those that are not given let everything pass.
#[derive(Default)]
pub struct Script {
    start: Option<Box<OnStart>>,
    request_headers: Option<Box<OnRequest>>,
    request_body: Option<Box<OnChunk>>,
    request_trailers: Option<Box<OnTrailers>>,
    response_headers: Option<Box<OnResponse>>,
    response_body: Option<Box<OnChunk>>,
    response_trailers: Option<Box<OnTrailers>>,
    done: Option<Box<dyn Fn()>>,
}

impl fmt::Debug for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Script")
    }
}

/// What starts tasks of the plugin itself.
#[derive(Clone, Copy)]
pub struct Starting<'a>(&'a dyn Fn(Background));

type Background = std::pin::Pin<Box<dyn Future<Output = Result<()>>>>;

impl Starting<'_> {
    /// Starts a task that belongs to no stream.
    pub fn spawn(self, task: impl Future<Output = Result<()>> + 'static) {
        (self.0)(Box::pin(task));
    }
}

impl fmt::Debug for Starting<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Starting")
    }
}

macro_rules! callbacks {
    ($($name:ident($($argument:ty),*) -> $result:ty;)*) => {
        $(
            /// Sets what this callback does.
            #[must_use]
            pub fn $name(mut self, does: impl Fn($($argument),*) -> $result + 'static) -> Self {
                self.$name = Some(Box::new(does));
                self
            }
        )*
    };
}

impl Script {
    /// A plugin that lets everything pass.
    pub fn new() -> Self {
        Self::default()
    }

    callbacks! {
        start(Starting<'_>) -> Result<()>;
        request_headers(&RequestHeaders<'_>) -> Result<HeadersAction>;
        request_body(&mut Chunk<'_>) -> Result<BodyAction>;
        request_trailers(&Trailers<'_>) -> Result<TrailersAction>;
        response_headers(&ResponseHeaders<'_>) -> Result<HeadersAction>;
        response_body(&mut Chunk<'_>) -> Result<BodyAction>;
        response_trailers(&Trailers<'_>) -> Result<TrailersAction>;
    }

    /// Sets what happens at the end of a stream.
    #[must_use]
    pub fn done(mut self, does: impl Fn() + 'static) -> Self {
        self.done = Some(Box::new(does));
        self
    }
}

thread_local! {
    static SCRIPT: RefCell<Rc<Script>> = RefCell::default();
}

/// The plugin, for a host and with an answer to errors.
#[derive(Debug)]
pub struct Scripted<const HIGRESS: bool, const REFUSE: bool>(Rc<Script>);

/// Its filter.
#[derive(Debug)]
pub struct ScriptedFilter(Rc<Script>);

impl<const HIGRESS: bool, const REFUSE: bool> Plugin for Scripted<HIGRESS, REFUSE> {
    type Filter = ScriptedFilter;

    const HOST: Host = if HIGRESS { Host::Higress } else { Host::Envoy };
    const ON_ERROR: OnError = if REFUSE { OnError::Refuse } else { OnError::Continue };

    fn configure(_: &Config<'_>) -> Result<Self, ConfigError> {
        Ok(Self(SCRIPT.with_borrow(Rc::clone)))
    }

    fn start(&self, context: &PluginContext<Self>) -> Result<()> {
        self.0.start.as_ref().map_or(Ok(()), |start| start(Starting(&|task| context.spawn(task))))
    }

    fn filter(&self) -> ScriptedFilter {
        ScriptedFilter(Rc::clone(&self.0))
    }
}

impl<const HIGRESS: bool, const REFUSE: bool> Filter<Scripted<HIGRESS, REFUSE>> for ScriptedFilter {
    fn request_headers(
        &mut self,
        _: &Scripted<HIGRESS, REFUSE>,
        headers: &RequestHeaders<'_>,
    ) -> Result<HeadersAction> {
        let does = self.0.request_headers.as_ref();
        does.map_or(Ok(HeadersAction::Continue), |does| does(headers))
    }

    fn request_body(
        &mut self,
        _: &Scripted<HIGRESS, REFUSE>,
        chunk: &mut Chunk<'_>,
    ) -> Result<BodyAction> {
        self.0.request_body.as_ref().map_or(Ok(BodyAction::Pass), |does| does(chunk))
    }

    fn request_trailers(
        &mut self,
        _: &Scripted<HIGRESS, REFUSE>,
        trailers: &Trailers<'_>,
    ) -> Result<TrailersAction> {
        let does = self.0.request_trailers.as_ref();
        does.map_or(Ok(TrailersAction::Continue), |does| does(trailers))
    }

    fn response_headers(
        &mut self,
        _: &Scripted<HIGRESS, REFUSE>,
        headers: &ResponseHeaders<'_>,
    ) -> Result<HeadersAction> {
        let does = self.0.response_headers.as_ref();
        does.map_or(Ok(HeadersAction::Continue), |does| does(headers))
    }

    fn response_body(
        &mut self,
        _: &Scripted<HIGRESS, REFUSE>,
        chunk: &mut Chunk<'_>,
    ) -> Result<BodyAction> {
        self.0.response_body.as_ref().map_or(Ok(BodyAction::Pass), |does| does(chunk))
    }

    fn response_trailers(
        &mut self,
        _: &Scripted<HIGRESS, REFUSE>,
        trailers: &Trailers<'_>,
    ) -> Result<TrailersAction> {
        let does = self.0.response_trailers.as_ref();
        does.map_or(Ok(TrailersAction::Continue), |does| does(trailers))
    }

    fn done(&mut self, _: &Scripted<HIGRESS, REFUSE>, _: &EndedStream<'_>) {
        if let Some(done) = &self.0.done {
            done();
        }
    }
}

/// A proxy, and what the plugin says of errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Case {
    /// The Envoy of Higress.
    pub higress: bool,
    /// [`OnError::Refuse`].
    pub refuse: bool,
}

impl Case {
    /// Every proxy, where errors refuse.
    pub const PROXIES: [Self; 2] =
        [Self { higress: false, refuse: true }, Self { higress: true, refuse: true }];

    /// Everything.
    pub const ALL: [Self; 4] = [
        Self { higress: false, refuse: true },
        Self { higress: true, refuse: true },
        Self { higress: false, refuse: false },
        Self { higress: true, refuse: false },
    ];

    /// Starts a plugin.
    pub fn start(self, setup: Setup, script: Script) -> TestHost {
        SCRIPT.set(Rc::new(script));
        match (self.higress, self.refuse) {
            (true, true) => setup.higress().native::<Scripted<true, true>>(""),
            (true, false) => setup.higress().native::<Scripted<true, false>>(""),
            (false, true) => setup.allow_stop_iteration().native::<Scripted<false, true>>(""),
            (false, false) => setup.allow_stop_iteration().native::<Scripted<false, false>>(""),
        }
        .unwrap()
    }

    /// A plugin as a host of the test's own calls it, with the context 1 configured. Its host calls
    /// go to the host in whose callback that happens, and every one of them is refused outside of
    /// any.
    pub fn bare(self, script: Script) -> Rc<dyn Guest> {
        let before = SCRIPT.replace(Rc::new(script));
        let guest = self.driver()();
        guest.on_context_create(1, 0);
        assert!(guest.on_configure(1, 0));
        SCRIPT.set(before);
        guest
    }

    /// Starts a plugin, whose calls these upstreams answer, on a host that announces bodies, at
    /// their end, and answers to calls with so many bytes more than they have.
    pub fn announcing(self, more: usize, upstreams: &str, script: Script) -> TestHost {
        self.distorted(How::Announces(more), upstreams, script)
    }

    /// Starts a plugin on a host that says that a request's body is over while its headers are given.
    pub fn too_early(self, script: Script) -> TestHost {
        self.distorted(How::EndsTooEarly, AUTH, script)
    }

    fn distorted(self, how: How, upstreams: &str, script: Script) -> TestHost {
        SCRIPT.set(Rc::new(script));
        let setup = Setup::new().upstreams(upstreams).unwrap();
        let setup = if self.higress { setup.higress() } else { setup.allow_stop_iteration() };
        let setup = setup.with(|settings| settings.stop_is_stop_all = !self.higress);
        setup.start(&Distorted { make: self.driver(), how }, "").unwrap()
    }

    fn driver(self) -> fn() -> Rc<dyn Guest> {
        match (self.higress, self.refuse) {
            (true, true) => || Rc::new(Driver::<Scripted<true, true>>::new()),
            (true, false) => || Rc::new(Driver::<Scripted<true, false>>::new()),
            (false, true) => || Rc::new(Driver::<Scripted<false, true>>::new()),
            (false, false) => || Rc::new(Driver::<Scripted<false, false>>::new()),
        }
    }

    /// Starts a plugin, whose calls these upstreams answer, on a host that loses frames which pass
    /// behind a body that it was told to let go, or on one that does not.
    pub fn forwarding(self, forwards: bool, upstreams: &str, script: Script) -> TestHost {
        let setup = Setup::new().upstreams(upstreams).unwrap();
        self.start(setup.with(|settings| settings.forwards_added_data = Some(forwards)), script)
    }

    /// Starts a plugin, whose calls these upstreams answer.
    pub fn with(self, upstreams: &str, script: Script) -> TestHost {
        self.start(Setup::new().upstreams(upstreams).unwrap(), script)
    }
}

/// A client of the cluster `auth`.
pub fn auth() -> Client {
    Client::new(TargetCluster::new("auth", "auth"))
}

/// What the cluster `auth` answers: `ok` after 2 ms.
pub const AUTH: &str = "[cluster.auth]\nlatency = \"2ms\"\n[[cluster.auth.http]]\nbody = \"ok\"\n";

/// A cluster `auth` that answers the path `/7` after 7 ms, and so on up to 19.
pub fn latencies() -> String {
    let mut script = String::from("[cluster.auth]\n");
    for latency in 1..20 {
        script.push_str(&format!(
            "[[cluster.auth.http]]\nmatch = {{ path = \"/{latency}\" }}\nlatency = \"{latency}ms\"\n"
        ));
    }
    script
}

/// The lines of the log, those of the host about its misuse included.
pub fn log(host: &mut TestHost) -> Vec<String> {
    host.log().iter().map(|line| line.message.clone()).collect()
}

/// Lines that say how the plugin misused the host.
pub fn misuse(host: &mut TestHost) -> Vec<String> {
    log(host).into_iter().filter(|line| line.starts_with("misuse")).collect()
}

/// Opens a stream that a test drives step by step.
pub fn open(host: &mut TestHost) -> StreamId {
    host.slot().open("HTTP/2", Received::keeping(), Received::keeping())
}

/// Delivers headers.
pub fn headers(
    host: &mut TestHost,
    stream: StreamId,
    direction: Direction,
    fields: &[(&str, &str)],
    end: bool,
) {
    let mut map: Vec<(bytes::Bytes, bytes::Bytes)> = Vec::new();
    let first: &[(&str, &str)] = match direction {
        Direction::Request => &[(":method", "POST"), (":authority", "a"), (":path", "/")],
        Direction::Response => &[(":status", "200")],
    };
    for (name, value) in first.iter().chain(fields) {
        map.push((name.to_string().into(), value.to_string().into()));
    }
    host.slot().proxy(stream).unwrap().headers(
        stream.context,
        direction,
        HeaderMap::from(map),
        end,
    );
}

/// Delivers a frame of a body.
pub fn data(host: &mut TestHost, stream: StreamId, direction: Direction, frame: &[u8], end: bool) {
    let frame = bytes::Bytes::copy_from_slice(frame);
    host.slot().proxy(stream).unwrap().data(stream.context, direction, frame, end);
}

/// A future that is ready when somebody else says so.
#[derive(Clone, Debug, Default)]
pub struct Signal(Rc<RefCell<(bool, Vec<std::task::Waker>)>>);

impl Signal {
    /// Says so.
    pub fn set(&self) {
        let wakers = {
            let mut state = self.0.borrow_mut();
            state.0 = true;
            std::mem::take(&mut state.1)
        };
        wakers.into_iter().for_each(std::task::Waker::wake);
    }
}

impl Future for Signal {
    type Output = ();

    fn poll(
        self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<()> {
        let mut state = self.0.borrow_mut();
        if state.0 {
            return std::task::Poll::Ready(());
        }
        state.1.push(context.waker().clone());
        std::task::Poll::Pending
    }
}

/// Counts its drops.
#[derive(Debug)]
pub struct Guard(pub Rc<std::cell::Cell<u32>>);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.set(self.0.get() + 1);
    }
}
