//! Scripts: what a guest calls in a callback, and what it is to be answered.
//!
//! A line is a call, `name(arguments) -> Status handed over…`, where the parameters that the host
//! writes to are left out; or `return number`; or WAT in parentheses.

use super::imports::{Answer, Import, find};
use super::value::{Reader, Value};

/// The names of statuses, by number.
pub const STATUSES: [&str; 13] = [
    "Ok",
    "NotFound",
    "BadArgument",
    "SerializationFailure",
    "ParseFailure",
    "BadExpression",
    "InvalidMemoryAccess",
    "Empty",
    "CasMismatch",
    "ResultMismatch",
    "InternalFailure",
    "BrokenConnection",
    "Unimplemented",
];

/// One line of a script.
#[derive(Clone, Debug)]
pub enum Step {
    Call(Call),
    Return(i64),
    Wat(String),
}

/// A call, and what it is to be answered.
#[derive(Clone, Debug)]
pub struct Call {
    pub import: &'static Import,
    pub arguments: Vec<Value>,
    /// The number that it returns.
    pub answer: u32,
    /// What it hands over; nothing is said about what is missing.
    pub out: Vec<Value>,
    pub line: String,
}

/// The steps of a script.
pub fn parse(script: &str) -> Vec<Step> {
    script.lines().map(str::trim).filter(|line| !line.is_empty()).map(step).collect()
}

fn step(line: &str) -> Step {
    if line.starts_with('(') {
        return Step::Wat(line.to_owned());
    }
    let mut reader = Reader::new(line);
    let name = reader.word();
    if name == "return" {
        let Value::Number(number) = reader.value() else { panic!("{line}") };
        return Step::Return(number);
    }
    let import = find(&name);
    assert!(reader.take('('), "{line}");
    let mut arguments = Vec::new();
    while !reader.take(')') {
        arguments.push(reader.value());
    }
    let mut answer = 0;
    let mut out = Vec::new();
    if import.result != Answer::Nothing {
        assert!(reader.take('-') && reader.take('>'), "{line}");
        let word = reader.word();
        let status = STATUSES.iter().position(|status| *status == word);
        answer = match status {
            Some(status) => u32::try_from(status).unwrap(),
            None => word.parse().unwrap_or_else(|_| panic!("{word} is no status: {line}")),
        };
    }
    while !reader.is_empty() {
        out.push(reader.value());
    }
    Step::Call(Call { import, arguments, answer, out, line: line.to_owned() })
}
