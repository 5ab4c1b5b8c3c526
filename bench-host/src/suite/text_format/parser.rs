//! From tokens to fields.

use super::super::place::{Place, Problem};
use super::lexer::{Kind, Token, tokens};
use super::{Field, Value};

/// Messages within messages: more than any schema has, and little for the stack.
const DEPTH: usize = 100;

/// Reads the fields of a file.
///
/// # Errors
/// The first place where the text is not in the format.
pub(in super::super) fn parse(text: &str) -> Result<Vec<Field>, Problem> {
    let mut parser = Parser { tokens: tokens(text)?, next: 0, depth: 0 };
    let fields = parser.fields()?;
    match parser.peek().kind {
        Kind::End => Ok(fields),
        _ => Err(parser.unexpected("a field name")),
    }
}

struct Parser {
    tokens: Vec<Token>,
    next: usize,
    depth: usize,
}

impl Parser {
    /// Fields up to something that is none.
    fn fields(&mut self) -> Result<Vec<Field>, Problem> {
        let mut fields = Vec::new();
        loop {
            let at = self.peek().at;
            let name = match &self.peek().kind {
                Kind::Word(name) => {
                    let name = name.clone();
                    self.advance();
                    name
                }
                Kind::Sign('[') => self.extension()?,
                _ => return Ok(fields),
            };
            self.values(&name, at, &mut fields)?;
            if !self.accept(',') {
                self.accept(';');
            }
        }
    }

    /// `[package.extension]` or `[domain/package.Message]`, brackets included.
    fn extension(&mut self) -> Result<String, Problem> {
        let mut name = String::new();
        loop {
            match &self.peek().kind {
                Kind::Word(part) => name.push_str(part),
                Kind::Sign(sign @ ('[' | ']' | '/' | '-')) => name.push(*sign),
                _ => return Err(self.unexpected("a name in [ ]")),
            }
            self.advance();
            if name.ends_with(']') {
                return Ok(name);
            }
        }
    }

    /// What a field is set to: one value, or a list of them.
    fn values(&mut self, name: &str, at: Place, into: &mut Vec<Field>) -> Result<(), Problem> {
        let colon = self.accept(':');
        let field = |value, listed| Field { name: name.to_owned(), at, value, listed };
        if !self.accept('[') {
            let value = self.value(colon)?;
            into.push(field(value, false));
            return Ok(());
        }
        if self.accept(']') {
            return Ok(());
        }
        loop {
            // Each value of a list is told by its own place.
            let at = self.peek().at;
            let value = self.value(colon)?;
            into.push(Field { at, ..field(value, true) });
            if self.accept(']') {
                return Ok(());
            }
            if !self.accept(',') {
                return Err(self.unexpected("`,` or `]`"));
            }
        }
    }

    fn value(&mut self, colon: bool) -> Result<Value, Problem> {
        match &self.peek().kind {
            Kind::Sign('{') => self.message('}'),
            Kind::Sign('<') => self.message('>'),
            _ if !colon => Err(self.unexpected("`:` or `{`")),
            Kind::Text(_) => Ok(Value::Text(self.text())),
            Kind::Sign('-') => {
                self.advance();
                Ok(Value::Word(format!("-{}", self.word()?)))
            }
            _ => Ok(Value::Word(self.word()?)),
        }
    }

    fn message(&mut self, end: char) -> Result<Value, Problem> {
        if self.depth == DEPTH {
            return Err(Problem::new(self.peek().at, "messages are nested too deeply"));
        }
        self.depth += 1;
        self.advance();
        let fields = self.fields()?;
        if !self.accept(end) {
            return Err(self.unexpected(&format!("a field name or `{end}`")));
        }
        self.depth -= 1;
        Ok(Value::Message(fields))
    }

    /// Strings that follow each other are one.
    fn text(&mut self) -> Vec<u8> {
        let mut all = Vec::new();
        while let Kind::Text(text) = &self.peek().kind {
            all.extend_from_slice(text);
            self.advance();
        }
        all
    }

    fn word(&mut self) -> Result<String, Problem> {
        let Kind::Word(word) = &self.peek().kind else { return Err(self.unexpected("a value")) };
        let word = word.clone();
        self.advance();
        Ok(word)
    }

    fn accept(&mut self, sign: char) -> bool {
        let found = self.peek().kind == Kind::Sign(sign);
        if found {
            self.advance();
        }
        found
    }

    fn peek(&self) -> &Token {
        &self.tokens[self.next]
    }

    /// The end stays where it is.
    fn advance(&mut self) {
        self.next = (self.next + 1).min(self.tokens.len() - 1);
    }

    fn unexpected(&self, expected: &str) -> Problem {
        let Token { at, kind } = self.peek();
        let found = match kind {
            Kind::Word(word) => format!("`{word}`"),
            Kind::Text(_) => "a string".to_owned(),
            Kind::Sign(sign) => format!("`{sign}`"),
            Kind::End => "the end of the file".to_owned(),
        };
        Problem::new(*at, format!("expected {expected}, found {found}"))
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use proptest::prelude::*;

    use super::*;

    fn show(fields: &[Field], into: &mut String) {
        for field in fields {
            write!(into, "{}=", field.name).unwrap();
            match &field.value {
                Value::Message(fields) => {
                    into.push('{');
                    show(fields, into);
                    into.push('}');
                }
                Value::Text(text) => write!(into, "'{}'", text.escape_ascii()).unwrap(),
                Value::Word(word) => into.push_str(word),
            }
            into.push(' ');
        }
    }

    fn read(text: &str) -> String {
        let mut shown = String::new();
        match parse(text) {
            Ok(fields) => show(&fields, &mut shown),
            Err(problem) => write!(shown, "{}: {}", problem.at, problem.what).unwrap(),
        }
        shown.trim_end().to_owned()
    }

    #[test]
    fn everything_that_the_format_has() {
        for (text, fields) in [
            ("", ""),
            ("# only a comment", ""),
            ("a: 1 b: -2, c: 0x1F; d: true", "a=1 b=-2 c=0x1F d=true"),
            ("a: - 5  e: 1.5e-3f", "a=-5 e=1.5e-3f"),
            ("a { } b: { } c < > d: < x: 1 >", "a={} b={} c={} d={x=1 }"),
            ("s: 'a' \"b\" # between\n 'c'", "s='abc'"),
            ("l: [1, 2] l: [] m [{ x: 1 }, < >]", "l=1 l=2 m={x=1 } m={}"),
            ("l: ['a' 'b', 'c']", "l='ab' l='c'"),
            ("[a.b/c.d]: 1 [x] { y: 2 }", "[a.b/c.d]=1 [x]={y=2 }"),
            ("a{b{c:1}}", "a={b={c=1 } }"),
        ] {
            assert_eq!(read(text), fields, "{text}");
        }
    }

    #[test]
    fn the_place_and_what_is_missing_there() {
        for (text, said) in [
            ("a", "1:2: expected `:` or `{`, found the end of the file"),
            ("a 1", "1:3: expected `:` or `{`, found `1`"),
            ("a: }", "1:4: expected a value, found `}`"),
            ("a {\n b: 1", "2:6: expected a field name or `}`, found the end of the file"),
            ("a < }", "1:5: expected a field name or `>`, found `}`"),
            ("}", "1:1: expected a field name, found `}`"),
            ("a: [1 2]", "1:7: expected `,` or `]`, found `2`"),
            ("a: 1 'x'", "1:6: expected a field name, found a string"),
        ] {
            assert_eq!(read(text), said, "{text}");
        }
        assert!(read(&"a{".repeat(5_000)).contains("nested too deeply"));
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_a_panic(text in "\\PC*", like in "[a-z:{}<>'\"\\\\\\[\\],;#\n -]*") {
            let _ = parse(&text);
            let _ = parse(&like);
        }
    }
}
