//! Protocol buffers' text format, read into fields with their places in the file.
//!
//! Written by hand because a suite's failures have to name the line that expected something else,
//! and because a file with three misspelt fields should say so in one go: parsers that fill
//! messages keep no places and stop at the first error. The grammar is that of the text format
//! specification (<https://protobuf.dev/reference/protobuf/textformat-spec/>).

mod lexer;
mod parser;
mod strings;

pub(super) use parser::parse;

use super::place::Place;

/// A field as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Field {
    /// Its name.
    pub name: String,
    /// Where the name stands.
    pub at: Place,
    /// What it was set to.
    pub value: Value,
    /// Whether it stood in a list, which only repeated fields may.
    pub listed: bool,
}

/// What a field was set to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    /// `{ … }` or `< … >`
    Message(Vec<Field>),
    /// `"…"`, adjacent strings put together.
    Text(Vec<u8>),
    /// A number or a name, with its sign.
    Word(String),
}
