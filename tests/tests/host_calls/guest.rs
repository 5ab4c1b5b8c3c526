//! Guests made of scripts: every call logs its answer and what it was handed.
//!
//! Memory: below 1024 cells and scratch, to 2048 variables, from 4096 on texts, the second page is
//! for the log line, and from the third on memory is handed out and never taken back.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use chunkwise_tests::guest::CALLBACKS;

use super::imports::{Answer, Import, Param, find};
use super::script::{Call, Step};
use super::value::Value;

/// What is in cells that nobody wrote to.
pub const UNWRITTEN: u32 = 0xaaaa_aaaa;

/// Where the first cell is; each has 16 bytes.
const CELLS: u32 = 64;
const VARIABLES: u32 = 1024;
const TEXTS: u32 = 4096;

/// Hexadecimal log lines.
const WRITING: &str = r#"
    (global $line (mut i32) (i32.const 65536))
    (func $char (param $c i32)
        (i32.store8 (global.get $line) (local.get $c))
        (global.set $line (i32.add (global.get $line) (i32.const 1))))
    (func $digit (param $n i32)
        (call $char (i32.add (local.get $n)
            (select (i32.const 87) (i32.const 48) (i32.gt_u (local.get $n) (i32.const 9))))))
    (func $hex (param $at i32) (param $len i32)
        (block $end (loop $next
            (br_if $end (i32.eqz (local.get $len)))
            (call $digit (i32.shr_u (i32.load8_u (local.get $at)) (i32.const 4)))
            (call $digit (i32.and (i32.load8_u (local.get $at)) (i32.const 15)))
            (local.set $at (i32.add (local.get $at) (i32.const 1)))
            (local.set $len (i32.sub (local.get $len) (i32.const 1)))
            (br $next))))
    (func $number (param $n i32)
        (i32.store (i32.const 32) (local.get $n))
        (call $hex (i32.const 32) (i32.const 4))
        (call $char (i32.const 32)))
    (func $data (param $cell i32) (local $at i32) (local $len i32)
        (call $hex (local.get $cell) (i32.const 8))
        (local.set $at (i32.load (local.get $cell)))
        (local.set $len (i32.load offset=4 (local.get $cell)))
        (if (i32.and
                (i32.and (i32.ge_u (local.get $at) (i32.const 1))
                    (i32.le_u (local.get $len) (i32.const 1500)))
                (i32.le_u (local.get $at) (i32.const 2000000)))
            (then (call $hex (local.get $at) (local.get $len))))
        (call $char (i32.const 32)))
    (func $flush
        (drop (call $proxy_log (i32.const 2) (i32.const 65536)
            (i32.sub (global.get $line) (i32.const 65536))))
        (global.set $line (i32.const 65536)))
"#;

const ALLOCATOR: &str = r#"
    (global $heap (mut i32) (i32.const 131072))
    (func (export "proxy_on_memory_allocate") (param $size i32) (result i32)
        (global.get $heap)
        (global.set $heap (i32.add (global.get $heap)
            (i32.and (i32.add (local.get $size) (i32.const 7)) (i32.const -8)))))"#;

/// A guest in the making.
#[derive(Default)]
pub struct Guest {
    imports: BTreeMap<&'static str, &'static Import>,
    data: Vec<u8>,
    variables: Vec<String>,
    /// The calls made so far: the number of one is its line's first word.
    pub calls: Vec<Call>,
    code: String,
}

/// A callback, which of its invocations, and the steps in it.
pub type Part = (String, Option<u32>, Vec<Step>);

impl Guest {
    /// The module whose callbacks do this.
    pub fn module(&mut self, abi: &str, extra: &str, parts: &[Part]) -> Vec<u8> {
        self.imports.insert("proxy_log", find("proxy_log"));
        for (name, ..) in parts {
            assert!(CALLBACKS.iter().any(|(known, ..)| known == name), "no callback {name}");
        }
        for (number, (name, params, answer)) in CALLBACKS.into_iter().enumerate() {
            let old = abi == "0_1_0" && name.ends_with("_headers");
            let params = if old { 2 } else { params };
            self.callback(number, (name, params, answer), parts);
        }
        let mut text = "(module\n".to_owned();
        text.extend(self.imports.values().map(|import| import.wat_import()));
        let data: String = self.data.iter().map(|byte| format!("\\{byte:02x}")).collect();
        write!(
            text,
            "(func (export \"proxy_abi_version_{abi}\"))\n\
             (memory (export \"memory\") 32)\n(data (i32.const {TEXTS}) \"{data}\")\n"
        )
        .unwrap();
        if !extra.contains("proxy_on_memory_allocate") {
            text.push_str(ALLOCATOR);
        }
        text.extend([WRITING, extra, &self.code, ")"]);
        wat::parse_str(&text).unwrap_or_else(|error| panic!("{error}\n{text}"))
    }

    /// Imports a call that code in WAT makes.
    pub fn import(&mut self, import: &Import) {
        self.imports.insert(import.name, find(import.name));
    }

    /// The texts so far, and their address.
    pub fn texts(&self) -> (u32, &[u8]) {
        (TEXTS, &self.data)
    }

    fn callback(
        &mut self,
        number: usize,
        (name, params, answer): (&str, usize, Option<u32>),
        parts: &[Part],
    ) {
        let signature = "i32 ".repeat(params);
        let result = if answer.is_some() { "(result i32)" } else { "" };
        let mut code = format!(
            "(global $times_{name} (mut i32) (i32.const 0))\n\
             (func (export \"proxy_on_{name}\") (param {signature}) {result}\n\
             (global.set $times_{name} (i32.add (i32.const 1) (global.get $times_{name})))\n\
             (call $char (i32.const 64)) (call $number (i32.const {number}))\n"
        );
        for param in 0..params {
            writeln!(code, "(call $number (local.get {param}))").unwrap();
        }
        code.push_str("(call $flush)\n");
        for (of, times, steps) in parts.iter().filter(|(of, ..)| of == name) {
            if let Some(times) = times {
                writeln!(code, "(if (i32.eq (global.get $times_{of}) (i32.const {times})) (then")
                    .unwrap();
            }
            for step in steps {
                match step {
                    Step::Wat(wat) => writeln!(code, "{wat}").unwrap(),
                    Step::Return(number) => {
                        writeln!(code, "(return (i32.const {number}))").unwrap();
                    }
                    Step::Call(call) => code.push_str(&self.call(call)),
                }
            }
            if times.is_some() {
                code.push_str("))\n");
            }
        }
        if let Some(answer) = answer {
            write!(code, "(i32.const {answer})").unwrap();
        }
        code.push_str(")\n");
        self.code.push_str(&code);
    }

    /// A call, after which its number, its answer and what it was handed are logged.
    fn call(&mut self, call: &Call) -> String {
        let import = call.import;
        self.imports.insert(import.name, import);
        let mut code = String::new();
        let mut operands = String::new();
        let mut logging = String::new();
        let mut given = call.arguments.iter();
        let mut cell = CELLS;
        let mut names = call.out.iter();
        for param in import.params {
            match param {
                Param::Number | Param::Wide | Param::In => {
                    let value = given.next().unwrap_or_else(|| panic!("too few: {}", call.line));
                    self.operand(&mut operands, *param, value);
                    continue;
                }
                Param::Out => {
                    write!(operands, "(i32.const {cell}) (i32.const {}) ", cell + 4).unwrap();
                    writeln!(logging, "(call $data (i32.const {cell}))").unwrap();
                }
                Param::Word | Param::Long => {
                    let len = if *param == Param::Long { 8 } else { 4 };
                    write!(operands, "(i32.const {cell}) ").unwrap();
                    writeln!(
                        logging,
                        "(call $hex (i32.const {cell}) (i32.const {len})) \
                         (call $char (i32.const 32))"
                    )
                    .unwrap();
                }
            }
            writeln!(code, "(i64.store (i32.const {cell}) (i64.const 0xaaaaaaaaaaaaaaaa))")
                .unwrap();
            if let Some(Value::Name(name)) = names.next() {
                let at = self.variable(name, true);
                writeln!(logging, "(i32.store (i32.const {at}) (i32.load (i32.const {cell})))")
                    .unwrap();
            }
            cell += 16;
        }
        assert!(given.next().is_none(), "too many: {}", call.line);
        let number = self.calls.len();
        self.calls.push(call.clone());
        let made = format!("(call ${} {operands})", import.name);
        let made = match import.result {
            Answer::Nothing => format!("{made} (i32.store (i32.const 40) (i32.const 0))"),
            _ => format!("(i32.store (i32.const 40) {made})"),
        };
        format!(
            "{code}{made}\n(call $char (i32.const 35)) (call $number (i32.const {number}))\n\
             (call $number (i32.load (i32.const 40)))\n{logging}(call $flush)\n"
        )
    }

    fn operand(&mut self, into: &mut String, param: Param, value: &Value) {
        match (param, value) {
            (Param::Number, Value::Number(n)) => write!(into, "(i32.const {n}) "),
            (Param::Wide, Value::Number(n)) => write!(into, "(i64.const {n}) "),
            (Param::Number, Value::Name(name)) => {
                write!(into, "(i32.load (i32.const {})) ", self.variable(name, false))
            }
            (Param::In, Value::Bytes(bytes)) => {
                let at = self.text(bytes);
                write!(into, "(i32.const {at}) (i32.const {}) ", bytes.len())
            }
            (Param::In, Value::Raw(at, len)) => {
                write!(into, "(i32.const {at}) (i32.const {len}) ")
            }
            (Param::In, Value::Nil) => write!(into, "(i32.const 0) (i32.const 0) "),
            _ => panic!("{value:?} is no {param:?}"),
        }
        .unwrap();
    }

    fn variable(&mut self, name: &str, new: bool) -> u32 {
        let known = self.variables.iter().position(|variable| variable == name);
        assert!(known.is_some() || new, "{name} has no value");
        let place = known.unwrap_or_else(|| {
            self.variables.push(name.to_owned());
            self.variables.len() - 1
        });
        VARIABLES + 4 * u32::try_from(place).unwrap()
    }

    /// The address of a text.
    pub fn text(&mut self, bytes: &[u8]) -> u32 {
        let known = self.data.windows(bytes.len().max(1)).position(|window| window == bytes);
        let at = known.unwrap_or_else(|| {
            self.data.extend(bytes);
            self.data.len() - bytes.len()
        });
        assert!(self.data.len() < 61_000, "texts reach into the log line");
        TEXTS + u32::try_from(at).unwrap()
    }
}
