//! Just enough YAML to write files that people read: scalars, and JSON values as blocks.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::net::Ipv4Addr;

use serde_json::Value;

/// A text as a scalar on one line: plain where nobody could read anything else in it, and in double
/// quotes otherwise.
pub(super) fn scalar(text: &str) -> Cow<'_, str> {
    let plain = text.starts_with(|c: char| c.is_ascii_alphabetic() || matches!(c, '_' | '/'))
        && text.bytes().all(|c| c.is_ascii_alphanumeric() || b"_-./".contains(&c))
        && !is_word(text);
    if plain || text.parse::<Ipv4Addr>().is_ok() {
        Cow::Borrowed(text)
    } else {
        Cow::Owned(quoted(text))
    }
}

/// A text that spans lines as a literal block, where that is the same text, and as [`scalar`]
/// otherwise. `indent` is that of the block's lines.
pub(super) fn text(text: &str, indent: usize) -> String {
    let (content, head) = match text.strip_suffix('\n') {
        Some(content) => (content, "|"),
        None => (text, "|-"),
    };
    let block = content.contains('\n')
        && !content.contains(|c: char| c != '\n' && needs_escape(c))
        && !content.starts_with([' ', '\n'])
        && !content.ends_with('\n')
        && content.lines().all(|line| line.is_empty() || !line.trim().is_empty());
    if !block {
        return scalar(text).into_owned();
    }
    let mut out = head.to_owned();
    for line in content.split('\n') {
        out.push('\n');
        if !line.is_empty() {
            out.extend(std::iter::repeat_n(' ', indent));
            out.push_str(line);
        }
    }
    out
}

/// A JSON value behind a key or a dash, with what has to stand before it: ` scalar`, or a block
/// whose lines have `indent`.
pub(super) fn value(value: &Value, indent: usize) -> String {
    let mut out = String::new();
    write_value(&mut out, value, indent);
    out
}

fn write_value(out: &mut String, value: &Value, indent: usize) {
    match value {
        Value::Object(map) if !map.is_empty() => {
            for (key, value) in map {
                line(out, indent);
                out.push_str(&scalar(key));
                out.push(':');
                write_value(out, value, indent + 2);
            }
        }
        Value::Array(list) if !list.is_empty() => {
            for value in list {
                line(out, indent);
                out.push('-');
                write_item(out, value, indent + 2);
            }
        }
        Value::String(content) => {
            out.push(' ');
            out.push_str(&text(content, indent));
        }
        Value::Number(number) => {
            out.push(' ');
            out.push_str(&self::number(&number.to_string()));
        }
        // Booleans, null and what is empty are the same in YAML.
        other => {
            // Writing to a string cannot fail.
            let _ = write!(out, " {other}");
        }
    }
}

/// The first line of a block stands behind its dash.
fn write_item(out: &mut String, value: &Value, indent: usize) {
    let mut item = String::new();
    write_value(&mut item, value, indent);
    match item.strip_prefix('\n') {
        Some(block) => {
            out.push(' ');
            out.push_str(block.trim_start_matches(' '));
        }
        None => out.push_str(&item),
    }
}

/// A number in digits: with an exponent, YAML 1.1 wants a point and a sign as well.
fn number(digits: &str) -> String {
    let Some((digits, exponent)) = digits.split_once('e') else { return digits.to_owned() };
    let point = if digits.contains('.') { "" } else { ".0" };
    let sign = if exponent.starts_with(['-', '+']) { "" } else { "+" };
    format!("{digits}{point}e{sign}{exponent}")
}

fn line(out: &mut String, indent: usize) {
    out.push('\n');
    out.extend(std::iter::repeat_n(' ', indent));
}

/// Words that are no text in YAML 1.1 or 1.2, in any case.
fn is_word(text: &str) -> bool {
    ["null", "true", "false", "yes", "no", "on", "off", "y", "n"]
        .iter()
        .any(|word| text.eq_ignore_ascii_case(word))
}

/// A text in double quotes, with escapes that YAML and JSON have in common.
pub(super) fn quoted(text: &str) -> String {
    let mut out = String::from('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            // None of those beyond the first plane needs to be escaped.
            c if needs_escape(c) => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// What a YAML file must not hold, and what some readers take for the end of a line.
fn needs_escape(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}')
}

#[cfg(test)]
pub(crate) mod tests;
