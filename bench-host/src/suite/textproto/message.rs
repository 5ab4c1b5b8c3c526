//! A message whose fields are being taken out.

use std::mem;

use super::super::place::{Place, Problem};
use super::super::text_format::{Field, Value};

/// The fields of a message, and the list of what is wrong with them.
pub(super) struct Message<'a> {
    name: &'static str,
    at: Place,
    fields: Vec<Field>,
    seen: Vec<String>,
    problems: &'a mut Vec<Problem>,
}

impl<'a> Message<'a> {
    /// The message of a whole file.
    pub fn new(name: &'static str, fields: Vec<Field>, problems: &'a mut Vec<Problem>) -> Self {
        Self { name, at: Place::default(), fields, seen: Vec::new(), problems }
    }

    /// Says of which type it is, for messages about it.
    pub fn named(self, name: &'static str) -> Self {
        Self { name, ..self }
    }

    /// Where it begins.
    pub fn at(&self) -> Place {
        self.at
    }

    /// Hands out the fields in order.
    pub fn each(mut self, mut take: impl FnMut(&mut Self, Field)) {
        for field in mem::take(&mut self.fields) {
            take(&mut self, field);
        }
    }

    /// A field that the type does not have.
    pub fn unknown(&mut self, field: &Field) {
        let what = format!("unknown field {:?} in message {:?}", field.name, self.name);
        self.problem(field.at, what);
    }

    /// Says that a choice was made twice.
    pub fn one_of(&mut self, choice: &str, made: &mut Option<(String, Place)>, field: &Field) {
        match made.replace((field.name.clone(), field.at)) {
            Some((other, at)) if other != field.name => {
                let name = &field.name;
                let what = format!("{name:?} besides {other:?} at {at}: {choice} takes one");
                self.problem(field.at, what);
            }
            _ => {}
        }
    }

    /// A message of which there may be several.
    pub fn message(&mut self, field: Field) -> Message<'_> {
        let Field { name, at, value, .. } = field;
        let fields = match value {
            Value::Message(fields) => fields,
            Value::Text(_) | Value::Word(_) => {
                self.problem(at, format!("{name:?} takes a message, {{ … }}"));
                Vec::new()
            }
        };
        Message { name: self.name, at, fields, seen: Vec::new(), problems: self.problems }
    }

    /// A message of which there may be one.
    pub fn once(&mut self, field: Field) -> Message<'_> {
        self.singular(&field);
        self.message(field)
    }

    /// A string that has to be UTF-8.
    pub fn string(&mut self, field: Field) -> String {
        let (name, at) = (field.name.clone(), field.at);
        String::from_utf8(self.bytes(field)).unwrap_or_else(|_| {
            self.problem(at, format!("{name:?} takes text, and this is not UTF-8"));
            String::new()
        })
    }

    /// A string of any bytes.
    pub fn bytes(&mut self, field: Field) -> Vec<u8> {
        self.singular(&field);
        match field.value {
            Value::Text(text) => text,
            Value::Message(_) | Value::Word(_) => {
                self.problem(field.at, format!("{:?} takes a string in quotes", field.name));
                Vec::new()
            }
        }
    }

    /// `true` or `false`, in all the ways in which they are written.
    pub fn boolean(&mut self, field: &Field) -> bool {
        self.singular(field);
        match &field.value {
            Value::Word(word) if ["true", "True", "t"].contains(&word.as_str()) => true,
            Value::Word(word) if ["false", "False", "f"].contains(&word.as_str()) => false,
            Value::Word(word) if integer(word) == Some(1) => true,
            Value::Word(word) if integer(word) == Some(0) => false,
            _ => {
                self.problem(field.at, format!("{:?} takes true or false", field.name));
                false
            }
        }
    }

    /// A whole number, decimal, octal or hexadecimal; 0 where it is none.
    pub fn number<N: TryFrom<i128> + Default>(
        &mut self,
        field: &Field,
        low: i128,
        high: i128,
    ) -> N {
        self.singular(field);
        let number = match &field.value {
            Value::Word(word) => integer(word),
            Value::Message(_) | Value::Text(_) => None,
        };
        let number = number.filter(|number| (low..=high).contains(number));
        number.and_then(|number| N::try_from(number).ok()).unwrap_or_else(|| {
            let what = format!("{:?} takes a whole number from {low} to {high}", field.name);
            self.problem(field.at, what);
            N::default()
        })
    }

    /// One of some names, or the number of one.
    pub fn choice(&mut self, field: &Field, names: &[&str]) -> u32 {
        self.singular(field);
        let place = match &field.value {
            Value::Word(word) => {
                let named = names.iter().position(|name| name == word);
                let number = || usize::try_from(integer(word)?).ok();
                named.or_else(|| number().filter(|number| *number < names.len()))
            }
            Value::Message(_) | Value::Text(_) => None,
        };
        place.and_then(|place| u32::try_from(place).ok()).unwrap_or_else(|| {
            self.problem(field.at, format!("{:?} takes one of {}", field.name, names.join(", ")));
            0
        })
    }

    fn singular(&mut self, field: &Field) {
        if field.listed {
            self.problem(field.at, format!("{:?} takes one value, not a list", field.name));
        }
        if self.seen.contains(&field.name) {
            self.problem(field.at, format!("{:?} is set twice", field.name));
        }
        self.seen.push(field.name.clone());
    }

    fn problem(&mut self, at: Place, what: String) {
        self.problems.push(Problem::new(at, what));
    }
}

fn integer(word: &str) -> Option<i128> {
    let (sign, digits) = match word.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, word),
    };
    let hexadecimal = digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X"));
    let (radix, digits) = match hexadecimal {
        Some(digits) => (16, digits),
        None if digits.len() > 1 && digits.starts_with('0') => (8, &digits[1..]),
        None => (10, digits),
    };
    // `from_str_radix` would take a sign of its own.
    let digits = Some(digits).filter(|digits| !digits.starts_with(['+', '-']))?;
    Some(sign * i128::from_str_radix(digits, radix).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_in_every_base() {
        for (word, number) in [
            ("0", Some(0)),
            ("017", Some(15)),
            ("0xFf", Some(255)),
            ("-12", Some(-12)),
            ("09", None),
            ("1.5", None),
            ("0x", None),
            ("x", None),
            ("--1", None),
        ] {
            assert_eq!(integer(word), number, "{word}");
        }
    }
}
