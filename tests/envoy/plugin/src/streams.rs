//! The interpreter: streams, their scripts, and what is logged of them.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::host::Host;
use crate::script::{Op, Script};

/// How long a tick takes, in milliseconds. Longer than any traffic that does not wait for it.
pub const TICK: u32 = 120;

/// All streams of the VM.
#[derive(Debug, Default)]
pub struct Streams {
    open: BTreeMap<u32, Stream>,
    /// Streams by the calls that they wait for.
    calls: BTreeMap<u32, u32>,
    /// Streams that wait for a tick.
    ticks: Vec<u32>,
}

#[derive(Debug, Default)]
struct Stream {
    key: String,
    script: Script,
    /// How often each callback has been made.
    turns: BTreeMap<&'static str, u32>,
    /// What the plugin holds of request and response.
    held: [Held; 2],
    /// It has answered the stream itself, or cut it off.
    replied: bool,
    /// It waits for an answer or a tick.
    waits: bool,
}

/// What the plugin last said of a direction.
#[derive(Clone, Copy, Debug, Default)]
struct Held {
    /// It has stopped it and not let it go since.
    stopped: bool,
    /// The answer to its last frame.
    frame: u32,
}

impl Streams {
    /// A stream begins: with its request headers it gets its script.
    pub fn begin(&mut self, host: &mut impl Host, context: u32) {
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        let script = Script::parse(&text(host.get_header(0, "x-do").1));
        let key = text(host.get_header(0, "x-exchange").1);
        self.open.insert(context, Stream { key, script, ..Stream::default() });
    }

    /// A stream ends.
    pub fn end(&mut self, host: &mut impl Host, context: u32) {
        if let Some(stream) = self.open.remove(&context) {
            host.log(&format!("@{} delete", stream.key));
        }
    }

    /// Runs the script of a callback, and gives the answer.
    pub fn run(
        &mut self,
        host: &mut impl Host,
        context: u32,
        name: &'static str,
        told: &str,
    ) -> u32 {
        let Some(stream) = self.open.get_mut(&context) else { return 0 };
        stream.waits &= direction(name).is_some();
        let turn = stream.turns.entry(name).or_insert(0);
        let ops = stream.script.of(name, *turn).to_vec();
        *turn += 1;
        let mut line = format!("@{} {name}{told}", stream.key);
        let mut answer = 0;
        for op in ops {
            match op.name.parse() {
                Ok(number) => answer = number,
                Err(_) => self.one(host, context, name, &op, &mut line),
            }
        }
        if let (Some(stream), Some(direction)) = (self.open.get_mut(&context), direction(name)) {
            let held = &mut stream.held[direction];
            // Of headers, 2 is no answer that stops.
            held.stopped = answer != 0 && (answer != 2 || name.ends_with('b'));
            if name.ends_with('b') {
                held.frame = answer;
            }
        }
        let _ = write!(line, " -> {answer}");
        host.log(&line);
        answer
    }

    /// Lets go what the plugin holds: the response where it has begun. Anything else would be a
    /// mistake that gateways do not check.
    fn let_go(&mut self, host: &mut impl Host, context: u32) -> Option<u32> {
        let stream = self.open.get_mut(&context).filter(|stream| !stream.replied)?;
        let direction = (0..2).rev().find(|direction| stream.held[*direction].stopped)?;
        stream.held[direction].stopped = false;
        Some(host.resume(u32::from(direction == 1)))
    }

    /// Whether a body is there to be looked at, or is surely not there. In between, gateways look
    /// at memory that was the body once.
    fn is_safe(&self, context: u32, callback: &str, buffer: u32) -> bool {
        let own = if buffer == 0 { "qb" } else { "sb" };
        let held = |stream: &Stream| stream.held.get(buffer as usize).copied().unwrap_or_default();
        callback == own
            || self.open.get(&context).is_none_or(|stream| match held(stream) {
                Held { frame: 0, .. } => true,
                Held { frame: 1, stopped } => stopped && !stream.replied,
                Held { .. } => false,
            })
    }

    /// An HTTP call was answered: its stream's turn.
    pub fn answered(&mut self, host: &mut impl Host, token: u32, told: &str) {
        if let Some(context) = self.calls.remove(&token)
            && self.open.contains_key(&context)
        {
            host.act_on(context);
            self.run(host, context, "call", told);
        }
    }

    /// A tick: the turn of all streams that wait for one.
    pub fn tick(&mut self, host: &mut impl Host) {
        host.tick(0);
        for context in std::mem::take(&mut self.ticks) {
            if self.open.contains_key(&context) {
                host.act_on(context);
                self.run(host, context, "tick", "");
            }
        }
    }

    fn one(
        &mut self,
        host: &mut impl Host,
        context: u32,
        callback: &str,
        op: &Op,
        line: &mut String,
    ) {
        let _ = write!(line, " | {}", op.name);
        let ends = ["reply", "close"].contains(&op.name.as_str());
        if ends
            && let Some(stream) = self.open.get_mut(&context)
            && std::mem::replace(&mut stream.replied, true)
        {
            // Gateways do not check that a stream is ended once.
            line.push_str(" -");
            return;
        }
        let waits = ["call", "tick"].contains(&op.name.as_str());
        if waits
            && let Some(stream) = self.open.get_mut(&context)
            && std::mem::replace(&mut stream.waits, true)
        {
            // Of two things that are due, either may come first.
            line.push_str(" -");
            return;
        }
        let is_of_body = ["buf", "put"].contains(&op.name.as_str());
        if is_of_body && !self.is_safe(context, callback, op.number(0)) {
            line.push_str(" -");
            return;
        }
        let status = match op.name.as_str() {
            "add" => host.add(op.number(0), op.text(1), op.text(2)),
            "set" => host.set(op.number(0), op.text(1), op.text(2)),
            "del" => host.remove(op.number(0), op.text(1)),
            "get" => told(line, host.get_header(op.number(0), op.text(1))),
            "pairs" => {
                let (status, wire) = host.pairs(op.number(0));
                let _ = write!(line, " {}", names(&wire));
                status
            }
            "buf" => told(line, host.buffer(op.number(0), op.number(1), op.number(2))),
            "put" => host.put(op.number(0), op.number(1), op.number(2), op.text(3)),
            "reply" => {
                let header = (op.text(3), op.text(4));
                let headers = if header.0.is_empty() { &[][..] } else { &[header][..] };
                host.reply(op.number(0), op.text(1), op.text(2), headers)
            }
            "go" => match self.let_go(host, context) {
                Some(status) => status,
                None => {
                    line.push_str(" -");
                    return;
                }
            },
            "cont" => host.resume(op.number(0)),
            "close" => host.close(op.number(0)),
            "call" => {
                let (status, token) = host.call();
                if status == 0 {
                    self.calls.insert(token, context);
                }
                status
            }
            "tick" => {
                self.ticks.push(context);
                host.tick(TICK)
            }
            "prop" => told(line, host.property(op.text(0))),
            "setprop" => host.set_property(op.text(0), op.text(1)),
            "foreign" => host.foreign(op.text(0)),
            _ => u32::MAX,
        };
        let _ = write!(line, " {}", status.cast_signed());
    }
}

/// The direction that a callback is about.
fn direction(callback: &str) -> Option<usize> {
    match callback {
        "qh" | "qb" | "qt" => Some(0),
        "sh" | "sb" | "st" => Some(1),
        _ => None,
    }
}

/// Writes what was read, and gives the status.
fn told(line: &mut String, (status, bytes): (u32, Vec<u8>)) -> u32 {
    /// As much as is worth reading.
    const MOST: usize = 40;
    let shown = &bytes[..bytes.len().min(MOST)];
    let _ = write!(line, " [{}:{}]", bytes.len(), shown.escape_ascii());
    status
}

/// The names and values of the wire format that a test brought in: those that begin with `x-t`.
fn names(wire: &[u8]) -> String {
    let word = |at: usize| -> Option<usize> {
        let word = wire.get(at..at + 4)?.first_chunk()?;
        usize::try_from(u32::from_le_bytes(*word)).ok()
    };
    let mut text = String::new();
    let Some(count) = word(0) else { return text };
    let mut at = 4 + count * 8;
    for pair in 0..count {
        let (Some(name), Some(value)) = (word(4 + pair * 8), word(8 + pair * 8)) else { break };
        let end = at + name + 1 + value;
        let (Some(key), Some(field)) = (wire.get(at..at + name), wire.get(at + name + 1..end))
        else {
            break;
        };
        if key.starts_with(b"x-t") {
            let _ = write!(text, "{}={},", key.escape_ascii(), field.escape_ascii());
        }
        at = end + 1;
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Fake {
        script: &'static str,
        log: Vec<String>,
    }

    impl Host for Fake {
        fn get_header(&mut self, _: u32, name: &str) -> (u32, Vec<u8>) {
            (0, if name == "x-do" { self.script.into() } else { b"7".to_vec() })
        }
        fn pairs(&mut self, _: u32) -> (u32, Vec<u8>) {
            (0, b"\x01\0\0\0\x04\0\0\0\x01\0\0\0x-ta\x001\0".to_vec())
        }
        fn add(&mut self, _: u32, _: &str, _: &str) -> u32 {
            0
        }
        fn set(&mut self, _: u32, _: &str, _: &str) -> u32 {
            2
        }
        fn remove(&mut self, _: u32, _: &str) -> u32 {
            0
        }
        fn buffer(&mut self, _: u32, _: u32, _: u32) -> (u32, Vec<u8>) {
            (0, b"ab".to_vec())
        }
        fn put(&mut self, _: u32, _: u32, _: u32, _: &str) -> u32 {
            0
        }
        fn reply(&mut self, _: u32, _: &str, _: &str, _: &[(&str, &str)]) -> u32 {
            0
        }
        fn resume(&mut self, _: u32) -> u32 {
            0
        }
        fn close(&mut self, _: u32) -> u32 {
            0
        }
        fn call(&mut self) -> (u32, u32) {
            (0, 4)
        }
        fn tick(&mut self, _: u32) -> u32 {
            0
        }
        fn property(&mut self, _: &str) -> (u32, Vec<u8>) {
            (1, Vec::new())
        }
        fn set_property(&mut self, _: &str, _: &str) -> u32 {
            0
        }
        fn foreign(&mut self, _: &str) -> u32 {
            0
        }
        fn act_on(&mut self, _: u32) -> u32 {
            0
        }
        fn log(&mut self, line: &str) {
            self.log.push(line.to_owned());
        }
    }

    #[test]
    fn each_callback_is_a_line() {
        let mut host = Fake { script: "qh=set:0:a:b,call,pairs:0,1;call=cont:0", log: Vec::new() };
        let mut streams = Streams::default();
        streams.begin(&mut host, 2);
        assert_eq!(streams.run(&mut host, 2, "qh", " 5 end"), 1);
        streams.answered(&mut host, 4, " 1 2 0");
        streams.answered(&mut host, 4, " 1 2 0");
        streams.end(&mut host, 2);
        let lines = [
            "@7 qh 5 end | set 2 | call 0 | pairs x-ta=1, 0 -> 1",
            "@7 call 1 2 0 | cont 0 -> 0",
            "@7 delete",
        ];
        assert_eq!(host.log, lines);
    }
}
