//! Properties: any path, any value, in any callback.

use std::sync::Arc;

use bench_host::engine::{Callback, Fault, Guest, Heap, Plugin, StartError};
use bench_host::host::calls::{self, Answer, Caller, Out, Refusal, Span};
use bench_host::host::{Host, Profile, Quota, Settings, Status};
use bench_host::measure::Gauge;
use bench_host::testing::{Call, TestHost};

use super::input::Input;

/// What the guest may make the host keep in these runs.
const QUOTA: u64 = 64 * 1024;

/// Host calls in one callback, and in a run.
const IN_A_CALLBACK: u8 = 16;
const IN_A_RUN: usize = 256;

/// Beginnings that lead somewhere, as no chance finds them.
const BEGINNINGS: [&[u8]; 16] = [
    b"",
    b"request\0headers\0",
    b"request\0",
    b"response\0",
    b"response.trailers.",
    b"connection\0",
    b"source.",
    b"upstream\0",
    b"node\0metadata\0",
    b"xds\0",
    b"metadata\0filter_metadata\0",
    b"filter_state\0wasm.",
    b"wasm.",
    b"trace_span_tag.",
    b"plugin_",
    b"route_",
];

/// Foreign functions that deal with properties.
const FUNCTIONS: [&[u8]; 6] = [
    b"declare_property",
    b"set_envoy_filter_state",
    b"expr_create",
    b"expr_evaluate",
    b"expr_delete",
    b"compress",
];

/// Whatever a path says, a guest gets a status; what it could set it can read, and all of what it
/// set stays within the quota.
pub fn check(data: &[u8]) {
    let mut input = Input::new(data);
    let flags = input.byte();
    let profile = if flags & 1 == 0 { Profile::Envoy } else { Profile::Higress };
    let mut settings = Settings::new(profile);
    settings.only_given_properties = flags & 2 != 0;
    if flags & 4 != 0 {
        settings.properties.insert(b"given".to_vec(), b"1".to_vec());
        settings.properties.insert(b"a\0b".to_vec(), b"2".to_vec());
        let metadata = serde_json::json!({"NAME": "n", "LABELS": {"a.b": [1, 2.5, null, true]}});
        settings.node.metadata = metadata.as_object().cloned().unwrap_or_default();
    }
    let script = Script(input.rest().into());
    let mut host = TestHost::start(&script, settings, "cfg").expect("the guest starts");
    let call = Call::post("/a?b=c").header("x.y", "1").chunks(["one", "two"]).trailer("t", "1");
    let call = if flags & 8 == 0 { call } else { call.http1() };
    host.send(call).expect("the guest does not fail");
    let quota = &host.proxy().host().quota;
    assert!(quota.used() <= QUOTA, "{} bytes are kept", quota.used());
}

/// A guest of this process whose callbacks do what a script says.
#[derive(Clone, Debug)]
struct Script(Arc<[u8]>);

impl Plugin for Script {
    fn guest(&self, mut host: Host) -> Result<Box<dyn Guest>, StartError> {
        host.quota = Quota::new(QUOTA);
        Ok(Box::new(Run { host, script: Arc::clone(&self.0), at: 0, calls: 0 }))
    }
}

struct Run {
    host: Host,
    script: Arc<[u8]>,
    /// Where the next callback goes on.
    at: usize,
    calls: usize,
}

impl Guest for Run {
    fn call(&mut self, _: Callback) -> Result<Option<u32>, Fault> {
        let script = Arc::clone(&self.script);
        let mut input = Input::new(&script[self.at..]);
        for _ in 0..input.byte() % IN_A_CALLBACK {
            if input.is_empty() || self.calls == IN_A_RUN {
                break;
            }
            self.calls += 1;
            step(&mut self.host, &mut input);
        }
        self.at = script.len() - input.rest().len();
        Ok(Some(1))
    }

    fn gauge(&mut self) -> Gauge {
        Gauge::default()
    }

    fn heap(&mut self) -> Heap {
        Heap::default()
    }

    fn host(&mut self) -> &mut Host {
        &mut self.host
    }

    fn into_host(self: Box<Self>) -> Host {
        self.host
    }
}

fn step(host: &mut Host, input: &mut Input<'_>) {
    let what = input.byte();
    let path = [BEGINNINGS[usize::from(what >> 4)], input.text()].concat();
    match what & 3 {
        0 => drop(get(host, &path)),
        1 | 2 => set(host, &path, input.text()),
        _ => {
            let name = FUNCTIONS[usize::from(what >> 4) % FUNCTIONS.len()];
            let mut memory = Memory::new(host, &[name, input.text()]);
            let [name, arguments] = [memory.spans[0], memory.spans[1]];
            answered(calls::call_foreign_function(&mut memory, name, arguments, RESULT));
        }
    }
}

fn get(host: &mut Host, path: &[u8]) -> Result<Vec<u8>, Status> {
    let mut memory = Memory::new(host, &[path]);
    let path = memory.spans[0];
    match answered(calls::get_property(&mut memory, path, RESULT)) {
        Status::Ok => Ok(memory.result()),
        status => Err(status),
    }
}

fn set(host: &mut Host, path: &[u8], value: &[u8]) {
    let before = host.quota.used();
    let mut memory = Memory::new(host, &[path, value]);
    let [at, text] = [memory.spans[0], memory.spans[1]];
    let status = answered(calls::set_property(&mut memory, at, text));
    if status != Status::Ok {
        assert_eq!(host.quota.used(), before, "what was refused is charged");
        return;
    }
    // Names of the proxy hide what was set, and span tags cannot be read; filter state can.
    let state = [b"filter_state\0wasm.", &joined(path)[..]].concat();
    let hidden = host.settings.profile == Profile::Higress
        && (path.starts_with(b"trace_span_tag.") || path == b"wasm_need_rebuild");
    if !hidden && !host.settings.only_given_properties {
        let read = get(host, &state);
        assert_eq!(read.as_deref(), Ok(value), "{:?}", String::from_utf8_lossy(&state));
    }
}

/// The status of a host call. There is nothing in here that could trap.
fn answered(answer: Answer<Memory<'_>>) -> Status {
    match answer {
        Ok(()) => Status::Ok,
        Err(Refusal::Status(status)) => status,
        Err(Refusal::Trap(never)) => match never {},
    }
}

/// Filter state is kept under the path with points.
fn joined(path: &[u8]) -> Vec<u8> {
    path.iter().map(|byte| if *byte == 0 { b'.' } else { *byte }).collect()
}

/// Where results are written to: a pointer and a length.
const RESULT: Out = Out(0, 8);

/// Guest memory for one host call: the result, and then the arguments.
struct Memory<'a> {
    host: &'a mut Host,
    bytes: Vec<u8>,
    spans: Vec<Span>,
}

#[derive(Debug)]
enum Never {}

impl<'a> Memory<'a> {
    fn new(host: &'a mut Host, arguments: &[&[u8]]) -> Self {
        let (mut bytes, mut spans) = (vec![0; 16], Vec::new());
        for argument in arguments {
            spans.push(Span(bytes.len() as u64, argument.len() as u64));
            bytes.extend_from_slice(argument);
        }
        Self { host, bytes, spans }
    }

    fn word(&self, at: usize) -> usize {
        let word = self.bytes[at..].first_chunk().expect("results lie in memory");
        usize::try_from(u64::from_le_bytes(*word)).expect("an address of this machine")
    }

    fn result(&self) -> Vec<u8> {
        let (at, len) = (self.word(0), self.word(8));
        self.bytes[at..at + len].to_vec()
    }
}

impl Caller for Memory<'_> {
    type Trap = Never;

    fn host(&mut self) -> &mut Host {
        self.host
    }

    fn read<R>(
        &mut self,
        at: u64,
        len: u64,
        read: impl FnOnce(&mut Host, &[u8]) -> R,
    ) -> Result<R, Status> {
        let (at, len) = (at as usize, len as usize);
        Ok(read(self.host, &self.bytes[at..at + len]))
    }

    fn write(
        &mut self,
        at: u64,
        len: usize,
        write: impl FnOnce(&mut Host, &mut [u8]),
    ) -> Result<(), Status> {
        let at = at as usize;
        write(self.host, &mut self.bytes[at..at + len]);
        Ok(())
    }

    fn write_word(&mut self, at: u64, word: u64) -> Result<(), Status> {
        self.write(at, 8, |_, memory| memory.copy_from_slice(&word.to_le_bytes()))
    }

    fn allocate(&mut self, size: usize) -> Result<u64, Refusal<Never>> {
        let at = self.bytes.len() as u64;
        self.bytes.resize(self.bytes.len() + size, 0);
        Ok(at)
    }
}
