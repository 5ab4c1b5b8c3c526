//! Regular expressions in the dialect of RE2, compiled by the crate `regex`.
//!
//! The two agree on nearly everything. What differs is rewritten: RE2's classes `\d`, `\s`, `\w`
//! and `\b` are ASCII, it takes braces that repeat nothing as they are, classes do not nest and
//! know no set operations, `\Q…\E` quotes, `\C` is any byte, and `\<` is no word boundary. As in
//! RE2 without options, `.` does not match a line feed, and `^` and `$` are the ends of the text.

use regex::bytes::{Regex, RegexBuilder};

/// Compiles an expression that has to match all of a text.
///
/// # Errors
/// What is wrong with the expression.
pub(super) fn full_match(pattern: &str) -> Result<Regex, String> {
    let translated = translate(pattern)?;
    // Checked alone first: "a)(b" must not become right within the group.
    compile(&translated)?;
    compile(&format!("^(?:{translated})$"))
}

fn compile(pattern: &str) -> Result<Regex, String> {
    RegexBuilder::new(pattern).octal(true).build().map_err(|error| error.to_string())
}

fn translate(pattern: &str) -> Result<String, String> {
    let mut out = String::with_capacity(pattern.len() + 16);
    let mut rest = pattern;
    while let Some(letter) = rest.chars().next() {
        rest = match letter {
            '\\' => escape(rest, false, &mut out)?,
            '[' => class(rest, &mut out)?,
            '{' if !repeats(rest) => literal('{', rest, &mut out),
            _ => copy(letter, rest, &mut out),
        };
    }
    Ok(out)
}

/// Takes an escape sequence, which stands at the start.
fn escape<'a>(text: &'a str, in_class: bool, out: &mut String) -> Result<&'a str, String> {
    let mut letters = text.chars();
    letters.next();
    let letter = letters.next().ok_or("a backslash at the end")?;
    let rest = letters.as_str();
    let ascii = match letter {
        'd' => "[0-9]",
        'D' => "[^0-9]",
        's' => r"[\t\n\f\r ]",
        'S' => r"[^\t\n\f\r ]",
        'w' => "[0-9A-Za-z_]",
        'W' => "[^0-9A-Za-z_]",
        'b' if !in_class => r"(?-u:\b)",
        'B' if !in_class => r"(?-u:\B)",
        'C' if !in_class => r"(?s-u:.)",
        'Q' if !in_class => {
            let (quoted, rest) = rest.split_once("\\E").unwrap_or((rest, ""));
            out.push_str(&regex::escape(quoted));
            return Ok(rest);
        }
        other if other.is_ascii() && !other.is_ascii_alphanumeric() => {
            return Ok(literal(other, rest_before(text, rest, other), out));
        }
        'p' if rest.starts_with("{^") => {
            out.push_str(r"\P{");
            return Ok(&rest[2..]);
        }
        other => {
            out.push('\\');
            out.push(other);
            // What stands in braces belongs to `\p`, `\P` and `\x`.
            let end = rest.find('}').filter(|_| "pPx".contains(other) && rest.starts_with('{'));
            let (group, rest) = rest.split_at(end.map_or(0, |end| end + 1));
            out.push_str(group);
            return Ok(rest);
        }
    };
    out.push_str(ascii);
    Ok(rest)
}

/// The text from `letter` on, which stands right before `rest`.
fn rest_before<'a>(text: &'a str, rest: &str, letter: char) -> &'a str {
    &text[text.len() - rest.len() - letter.len_utf8()..]
}

/// Takes a class in brackets.
fn class<'a>(text: &'a str, out: &mut String) -> Result<&'a str, String> {
    let mut rest = copy('[', text, out);
    if rest.starts_with('^') {
        rest = copy('^', rest, out);
    }
    // A bracket that comes first is one of the characters.
    if rest.starts_with(']') {
        rest = literal(']', rest, out);
    }
    while let Some(letter) = rest.chars().next() {
        rest = match letter {
            ']' => return Ok(copy(']', rest, out)),
            '\\' => escape(rest, true, out)?,
            '[' if rest.starts_with("[:") => match rest.find(":]") {
                Some(end) => {
                    let (name, after) = rest.split_at(end + 2);
                    out.push_str(name);
                    after
                }
                None => literal('[', rest, out),
            },
            // Set operations begin with these, doubled.
            '[' | '&' | '~' => literal(letter, rest, out),
            '-' if rest.starts_with("--") => literal('-', rest, out),
            _ => copy(letter, rest, out),
        };
    }
    Err("missing ]".to_owned())
}

fn copy<'a>(letter: char, text: &'a str, out: &mut String) -> &'a str {
    out.push(letter);
    &text[letter.len_utf8()..]
}

fn literal<'a>(letter: char, text: &'a str, out: &mut String) -> &'a str {
    if letter.is_ascii_punctuation() && letter != '<' && letter != '>' {
        out.push('\\');
    }
    copy(letter, text, out)
}

/// Whether braces say how often something is repeated.
fn repeats(text: &str) -> bool {
    let Some((inside, _)) = text[1..].split_once('}') else { return false };
    let (low, high) = inside.split_once(',').unwrap_or((inside, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    !low.is_empty() && digits(low) && digits(high)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn matches_as_re2_does() {
        for (pattern, text, matches) in [
            ("abc", "abc", true),
            ("b", "abc", false),
            ("a|bc", "bc", true),
            (".*", "a\nb", false),
            ("(?s).*", "a\nb", true),
            ("^a$", "a", true),
            ("a$", "a\n", false),
            (r"\d+", "12", true),
            (r"\d", "٣", false),
            (r"\w", "é", false),
            (r"[\w-]+", "a-b", true),
            (r"[^\s]", "\u{a0}", true),
            (r"a\b.*", "a b", true),
            ("(?i)É", "é", true),
            (r#"{"a": {.*}}"#, r#"{"a": {1}}"#, true),
            ("a{2}{,3}x{", "aa{,3}x{", true),
            (r"[[a]+", "[a", true),
            (r"[a&&b]+", "a&b", true),
            (r"[]a]+", "a]", true),
            (r"[a~~--]+", "a~-", true),
            (r"[[:alpha:]1]+", "a1", true),
            (r"[\]\-x]+", "x-]", true),
            (r"\Qa.b*\E+", "a.b***", true),
            (r"\<b\>\/\-\ ", "<b>/- ", true),
            (r"\x41\x{41}\101\pL\p{Greek}[\p{^Greek}]", "AAAbαb", true),
            (r"(?P<n>a)(?:b)", "ab", true),
        ] {
            let regex = full_match(pattern).unwrap_or_else(|error| panic!("{pattern}: {error}"));
            assert_eq!(regex.is_match(text.as_bytes()), matches, "{pattern} on {text}");
        }
        assert!(full_match(r"\C").unwrap().is_match(b"\xff"));
        assert!(!full_match(".").unwrap().is_match(b"\xff"));
    }

    #[test]
    fn what_is_no_expression_is_said() {
        for pattern in ["(", ")(", "a)(b", "[a", r"a\", "*", r"(a)\1x\g"] {
            assert!(full_match(pattern).is_err(), "{pattern}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_taken_without_a_panic(pattern in "[\\PC\\\\\\[\\]{}^&~QE-]*") {
            let _ = full_match(&pattern);
        }
    }
}
