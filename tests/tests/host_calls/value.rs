//! What calls are given and what they are to hand over, as tables write it.

use std::iter::Peekable;
use std::str::Chars;

/// One argument of a call, or one thing that it hands over.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// `12`, `-1`, `0x10`.
    Number(i64),
    /// `'text\0'`, or `pairs(a=b, c=d)` in the wire format.
    Bytes(Vec<u8>),
    /// `raw(address, length)`.
    Raw(i64, i64),
    /// `name`: what an earlier call handed over; as something handed over: it gets this name.
    Name(String),
    /// `nil`: address 0, length 0.
    Nil,
    /// `kept`: nothing was written.
    Kept,
    /// `_`: anything.
    Any,
}

/// Reads values off a line.
pub struct Reader<'a> {
    rest: Peekable<Chars<'a>>,
}

impl<'a> Reader<'a> {
    pub fn new(line: &'a str) -> Self {
        Self { rest: line.chars().peekable() }
    }

    fn skip(&mut self) {
        while self.rest.next_if(|c| c.is_whitespace() || *c == ',').is_some() {}
    }

    /// Whether the next thing is this character, which is then gone.
    pub fn take(&mut self, sign: char) -> bool {
        self.skip();
        self.rest.next_if_eq(&sign).is_some()
    }

    pub fn is_empty(&mut self) -> bool {
        self.skip();
        self.rest.peek().is_none()
    }

    pub fn word(&mut self) -> String {
        self.skip();
        let mut word = String::new();
        while let Some(c) = self.rest.next_if(|c| c.is_alphanumeric() || "_-".contains(*c)) {
            word.push(c);
        }
        word
    }

    fn until(&mut self, ends: &str) -> String {
        let mut text = String::new();
        while let Some(c) = self.rest.next_if(|c| !ends.contains(*c)) {
            text.push(c);
        }
        text
    }

    pub fn value(&mut self) -> Value {
        if self.take('\'') {
            let text = self.until("'");
            assert!(self.take('\''), "a text has no end");
            return Value::Bytes(unescaped(&text));
        }
        let word = self.word();
        match word.as_str() {
            "" => panic!("a value is missing"),
            "nil" => Value::Nil,
            "kept" => Value::Kept,
            "_" => Value::Any,
            "pairs" => {
                assert!(self.rest.next_if_eq(&'(').is_some());
                let inside = self.until(")");
                assert!(self.take(')'));
                Value::Bytes(pairs(&inside))
            }
            "raw" => {
                assert!(self.rest.next_if_eq(&'(').is_some());
                let at = number(&self.word()).unwrap();
                let len = number(&self.word()).unwrap();
                assert!(self.take(')'));
                Value::Raw(at, len)
            }
            word => number(word).map_or_else(|| Value::Name(word.to_owned()), Value::Number),
        }
    }
}

fn number(word: &str) -> Option<i64> {
    match word.strip_prefix("0x") {
        Some(hex) => i64::from_str_radix(hex, 16).ok(),
        None => word.parse().ok(),
    }
}

/// `\0`, `\n`, `\\` and `\xHH`.
fn unescaped(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        if c != '\\' {
            bytes.extend(c.to_string().as_bytes());
            continue;
        }
        match rest.next() {
            Some('0') => bytes.push(0),
            Some('n') => bytes.push(b'\n'),
            Some('\\') => bytes.push(b'\\'),
            Some('x') => {
                let hex: String = rest.by_ref().take(2).collect();
                bytes.push(u8::from_str_radix(&hex, 16).unwrap());
            }
            other => panic!("\\{other:?} is no escape"),
        }
    }
    bytes
}

/// `a=b, c=d` in the wire format of header maps.
pub fn pairs(text: &str) -> Vec<u8> {
    let split = |pair: &str| {
        let (name, value) = pair.split_once('=').unwrap();
        (unescaped(name.trim()), unescaped(value.trim()))
    };
    let pairs: Vec<_> = text.split(',').filter(|pair| !pair.trim().is_empty()).map(split).collect();
    wire(&pairs)
}

/// The wire format of header maps: the count, all lengths, then names and values with a NUL each.
pub fn wire(pairs: &[(Vec<u8>, Vec<u8>)]) -> Vec<u8> {
    let word = |n: usize| u32::try_from(n).unwrap().to_le_bytes();
    let mut bytes = word(pairs.len()).to_vec();
    for (name, value) in pairs {
        bytes.extend(word(name.len()));
        bytes.extend(word(value.len()));
    }
    for (name, value) in pairs {
        bytes.extend([name, &[0][..], value, &[0]].concat());
    }
    bytes
}
