//! Driving a proxy event by event.

use std::time::Duration;

use bytes::Bytes;

use bench_host::engine::Plugin as _;
use bench_host::host::{
    Clock, Direction, Ended, Level, Measure, Received, Settings, Shared, Slot, Stream, StreamId,
    World,
};
use bench_host::upstream::Upstreams;

use chunkwise_tests::guest::adapted;

pub use bench_host::host::Direction::{Request, Response};

/// A world with these upstreams, whose clock shows nothing but what a test lets pass.
pub fn world(upstreams: &str) -> World {
    let upstreams = Upstreams::parse(upstreams, "test").unwrap();
    World::new(Clock::default(), Shared::default(), &upstreams)
}

/// A worker of its own, whose VMs can be looked at when they have ended.
pub fn slot(body: &str, settings: Settings, world: World) -> Slot<'static> {
    let (plugin, settings) = adapted(body, settings);
    let settings = Settings { log_level: Level::Trace, ..settings };
    let make = move |host| plugin.guest(host);
    let measure = Measure { time: false, usage: true };
    Slot::start(make, settings, world, Bytes::from_static(b"cfg"), measure).unwrap()
}

/// What a VM that has ended had logged.
pub fn logged(ended: &Ended) -> String {
    let lines = ended.log.lines().iter();
    lines.map(|line| line.message.as_str()).collect::<Vec<_>>().join("\n")
}

/// Opens an HTTP/2 stream.
pub fn open(slot: &mut Slot<'_>) -> StreamId {
    slot.open("HTTP/2", Received::keeping(), Received::keeping())
}

/// Opens a stream and delivers a request's headers: four of them.
pub fn request(slot: &mut Slot<'_>, end: bool) -> StreamId {
    let id = open(slot);
    let method = if end { "GET" } else { "POST" };
    let fields =
        [(":method", method), (":scheme", "https"), (":authority", "example.com"), (":path", "/")];
    headers(slot, id, Request, &fields, end);
    id
}

/// Delivers the headers of a response: one of them.
pub fn response(slot: &mut Slot<'_>, id: StreamId, end: bool) {
    headers(slot, id, Response, &[(":status", "200")], end);
}

/// Delivers headers.
pub fn headers(
    slot: &mut Slot<'_>,
    id: StreamId,
    direction: Direction,
    fields: &[(&str, &str)],
    end: bool,
) {
    let fields = owned(fields).into();
    slot.proxy(id).unwrap().headers(id.context, direction, fields, end);
}

/// Delivers a frame.
pub fn data(slot: &mut Slot<'_>, id: StreamId, direction: Direction, frame: &str, end: bool) {
    let frame = Bytes::copy_from_slice(frame.as_bytes());
    slot.proxy(id).unwrap().data(id.context, direction, frame, end);
}

/// Delivers trailers: one.
pub fn trailers(slot: &mut Slot<'_>, id: StreamId, direction: Direction) {
    let fields = owned(&[("t", "1")]).into();
    slot.proxy(id).unwrap().trailers(id.context, direction, fields);
}

fn owned(fields: &[(&str, &str)]) -> Vec<(Bytes, Bytes)> {
    let bytes = |text: &str| Bytes::copy_from_slice(text.as_bytes());
    fields.iter().map(|(name, value)| (bytes(name), bytes(value))).collect()
}

/// Ends a stream.
pub fn close(slot: &mut Slot<'_>, id: StreamId) -> Stream {
    slot.close(id).unwrap()
}

/// Lets milliseconds pass.
pub fn pass(slot: &mut Slot<'_>, milliseconds: u64) {
    let time = Duration::from_millis(milliseconds).as_nanos();
    slot.run_until(slot.now() + u64::try_from(time).unwrap());
}

/// What the VM of a stream has logged.
pub fn log_of(slot: &mut Slot<'_>, id: StreamId) -> String {
    let lines = slot.proxy(id).unwrap().host().log.lines();
    lines.iter().map(|line| line.message.as_str()).collect::<Vec<_>>().join("\n")
}

/// The status that the client received.
pub fn status(slot: &mut Slot<'_>, id: StreamId) -> String {
    let stream = slot.stream(id).unwrap();
    let headers = stream.response.received.headers.as_ref().unwrap();
    String::from_utf8_lossy(headers.get(b":status").unwrap()).into_owned()
}

/// What has gone on to the upstream or to the client so far: whether headers, which bytes, and
/// whether its end.
pub fn received(slot: &mut Slot<'_>, id: StreamId, direction: Direction) -> String {
    let stream = slot.stream(id).unwrap();
    let half = stream.half(direction);
    let headers = if half.received.headers.is_some() { "headers" } else { "nothing" };
    let body = String::from_utf8_lossy(half.received.body()).into_owned();
    let end = if half.received.ended { " end" } else { "" };
    format!("{headers} [{body}]{end}")
}
