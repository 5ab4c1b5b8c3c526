//! A guest of this process: its callbacks do what a script says, without wasm in between.

use std::sync::Arc;

use bench_host::engine::{Callback, Fault, Guest, Heap, Plugin, StartError};
use bench_host::host::calls::{Answer, Caller, Out, Refusal, Span};
use bench_host::host::{Host, Profile, Quota, Settings, Status};
use bench_host::measure::Gauge;
use bench_host::testing::{Call, TestHost};

use super::input::Input;

/// What the guest may make the host keep in these runs.
const QUOTA: u64 = 256 * 1024;

/// Steps in a run.
const STEPS: usize = 256;

/// Does the next thing that the script says.
type Step = fn(&mut Host, &mut Input<'_>);

/// Sends a request through a guest that takes such steps in its callbacks, as the input says: a
/// byte says how many and what the callback answers.
pub fn run(settings: Settings, http1: bool, input: &mut Input<'_>, step: Step) {
    let plugin = Native { script: input.rest().into(), step };
    let mut host = TestHost::start(&plugin, settings, "cfg").expect("the guest starts");
    let call = Call::post("/a?b=c").header("x.y", "1").chunks(["one", "two"]).trailer("t", "1");
    let call = if http1 { call.http1() } else { call };
    host.send(call).expect("the guest does not fail");
    let quota = &host.proxy().host().quota;
    assert!(quota.used() <= QUOTA, "{} bytes are kept", quota.used());
}

/// A stock Envoy or Higress.
pub fn settings(higress: bool) -> Settings {
    Settings::new(if higress { Profile::Higress } else { Profile::Envoy })
}

#[derive(Clone, Debug)]
struct Native {
    script: Arc<[u8]>,
    step: Step,
}

impl Plugin for Native {
    fn guest(&self, mut host: Host) -> Result<Box<dyn Guest>, StartError> {
        host.quota = Quota::new(QUOTA);
        Ok(Box::new(Run { host, plugin: self.clone(), at: 0, steps: 0 }))
    }
}

struct Run {
    host: Host,
    plugin: Native,
    /// Where the next callback goes on.
    at: usize,
    steps: usize,
}

impl Guest for Run {
    fn call(&mut self, callback: Callback) -> Result<Option<u32>, Fault> {
        let script = Arc::clone(&self.plugin.script);
        let mut input = Input::new(&script[self.at..]);
        let head = input.byte();
        for _ in 0..head & 15 {
            if input.is_empty() || self.steps == STEPS {
                break;
            }
            self.steps += 1;
            (self.plugin.step)(&mut self.host, &mut input);
        }
        self.at = script.len() - input.rest().len();
        let starts = matches!(callback, Callback::VmStart { .. } | Callback::Configure { .. });
        Ok(Some(if starts { 1 } else { u32::from(head >> 6) }))
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

/// The status of a host call. There is nothing in here that could trap.
pub fn answered(answer: Answer<Memory<'_>>) -> Status {
    match answer {
        Ok(()) => Status::Ok,
        Err(Refusal::Status(status)) => status,
        Err(Refusal::Trap(never)) => match never {},
    }
}

/// Where results are written to: a pointer and a length. An address of 0 would be none.
pub const RESULT: Out = Out(8, 16);

/// Guest memory for one host call: the result, and then the arguments.
pub struct Memory<'a> {
    host: &'a mut Host,
    bytes: Vec<u8>,
    spans: Vec<Span>,
}

#[derive(Debug)]
pub enum Never {}

impl<'a> Memory<'a> {
    pub fn new(host: &'a mut Host, arguments: &[&[u8]]) -> Self {
        let (mut bytes, mut spans) = (vec![0; 24], Vec::new());
        for argument in arguments {
            spans.push(Span(bytes.len() as u64, argument.len() as u64));
            bytes.extend_from_slice(argument);
        }
        Self { host, bytes, spans }
    }

    /// Where an argument lies.
    pub fn span(&self, argument: usize) -> Span {
        self.spans[argument]
    }

    /// What the host has handed over.
    pub fn result(&self) -> Vec<u8> {
        let (at, len) = (self.word(8), self.word(16));
        self.bytes[at..at + len].to_vec()
    }

    fn word(&self, at: usize) -> usize {
        let word = self.bytes[at..].first_chunk().expect("results lie in memory");
        usize::try_from(u64::from_le_bytes(*word)).expect("an address of this machine")
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
