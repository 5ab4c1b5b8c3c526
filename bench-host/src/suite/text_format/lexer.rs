//! Tokens of the text format.

use super::super::place::{Place, Problem};
use super::strings::unescape;

/// A token and where it begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Token {
    pub at: Place,
    pub kind: Kind,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A name or a number without its sign.
    Word(String),
    /// A string, unescaped.
    Text(Vec<u8>),
    /// Punctuation.
    Sign(char),
    /// The end of the file.
    End,
}

/// Cuts a text into tokens; the last one is the end.
pub(super) fn tokens(text: &str) -> Result<Vec<Token>, Problem> {
    let mut lexer = Lexer { rest: text, at: Place::default() };
    let mut tokens = Vec::new();
    loop {
        lexer.skip_blank();
        let at = lexer.at;
        let kind = lexer.next()?;
        let end = kind == Kind::End;
        tokens.push(Token { at, kind });
        if end {
            return Ok(tokens);
        }
    }
}

struct Lexer<'a> {
    rest: &'a str,
    at: Place,
}

impl<'a> Lexer<'a> {
    /// Blank space and comments.
    fn skip_blank(&mut self) {
        loop {
            let blank = self.rest.len() - self.rest.trim_start_matches(is_blank).len();
            self.take(blank);
            if !self.rest.starts_with('#') {
                return;
            }
            self.take(self.rest.find('\n').unwrap_or(self.rest.len()));
        }
    }

    fn next(&mut self) -> Result<Kind, Problem> {
        let Some(first) = self.rest.chars().next() else { return Ok(Kind::End) };
        match first {
            '"' | '\'' => self.string(first),
            '{' | '}' | '<' | '>' | '[' | ']' | ':' | ',' | ';' | '-' | '/' => {
                self.take(1);
                Ok(Kind::Sign(first))
            }
            _ if is_word(first) || first == '.' => {
                let number = first.is_ascii_digit() || first == '.';
                let mut before = first;
                let end = self.rest.find(|letter| {
                    // `1e+5` is one number.
                    let exponent = number && matches!(before, 'e' | 'E') && "+-".contains(letter);
                    before = letter;
                    !(is_word(letter) || (number && letter == '.') || exponent)
                });
                let word = self.take(end.unwrap_or(self.rest.len()));
                Ok(Kind::Word(word.to_owned()))
            }
            other => Err(Problem::new(self.at, format!("unexpected character {other:?}"))),
        }
    }

    fn string(&mut self, quote: char) -> Result<Kind, Problem> {
        let at = self.at;
        let mut escaped = false;
        let end = self.rest.char_indices().skip(1).find(|(_, letter)| {
            let ends = (*letter == quote && !escaped) || *letter == '\n';
            escaped = *letter == '\\' && !escaped;
            ends
        });
        let Some((end, _)) = end.filter(|(_, letter)| *letter == quote) else {
            let what = format!("this string has no closing {quote} on its line");
            return Err(Problem::new(at, what));
        };
        let inside = &self.rest[1..end];
        let text = unescape(inside).map_err(|(offset, what)| {
            let within = Place::of(inside, offset);
            Problem::new(Place { line: at.line, column: at.column + within.column }, what)
        })?;
        self.take(end + 1);
        Ok(Kind::Text(text))
    }

    fn take(&mut self, bytes: usize) -> &'a str {
        let (taken, rest) = self.rest.split_at(bytes);
        let after = Place::of(taken, taken.len());
        self.at = if after.line == 1 {
            Place { line: self.at.line, column: self.at.column + after.column - 1 }
        } else {
            Place { line: self.at.line + after.line - 1, column: after.column }
        };
        self.rest = rest;
        taken
    }
}

/// A byte order mark counts as blank.
fn is_blank(letter: char) -> bool {
    matches!(letter, ' ' | '\t' | '\r' | '\n' | '\x0b' | '\x0c' | '\u{feff}')
}

fn is_word(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || letter == '_'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_know_their_places() {
        let tokens = tokens("# é\n a: 'ü' -1.5e+3\r\n\t}").unwrap();
        let text: Vec<String> =
            tokens.iter().map(|token| format!("{} {:?}", token.at, token.kind)).collect();
        assert_eq!(
            text,
            [
                "2:2 Word(\"a\")",
                "2:3 Sign(':')",
                "2:5 Text([195, 188])",
                "2:9 Sign('-')",
                "2:10 Word(\"1.5e+3\")",
                "3:2 Sign('}')",
                "3:3 End",
            ]
        );
    }

    #[test]
    fn what_is_no_token_is_said_with_its_place() {
        for (text, said) in [
            ("a: ?", "1:4 unexpected character '?'"),
            ("\n  'abc", "2:3 this string has no closing ' on its line"),
            ("\"a\n\"", "1:1 this string has no closing \" on its line"),
            ("'\\'", "1:1 this string has no closing ' on its line"),
            ("  'aé\\q'", "1:6 unknown escape sequence \\q"),
        ] {
            let problem = tokens(text).unwrap_err();
            assert_eq!(format!("{} {}", problem.at, problem.what), said, "{text}");
        }
    }
}
