//! The tokens of an expression.

/// A token.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    Name(String),
    Int(u64),
    Uint(u64),
    Double(f64),
    String(String),
    Bytes(Vec<u8>),
    /// An operator or a bracket.
    Sign(&'static str),
}

/// Longer signs first.
const SIGNS: [&str; 25] = [
    "&&", "||", "==", "!=", "<=", ">=", "<", ">", "!", "+", "-", "*", "/", "%", "?", ":", ".", ",",
    "(", ")", "[", "]", "{", "}", "\0",
];

/// All tokens of a source, or `None` where it has anything else.
pub(super) fn tokens(source: &str) -> Option<Vec<Token>> {
    let mut rest = source;
    let mut tokens = Vec::new();
    loop {
        rest = rest.trim_start_matches([' ', '\t', '\n', '\r', '\x0c']);
        if let Some(comment) = rest.strip_prefix("//") {
            rest = comment.find('\n').map_or("", |end| &comment[end..]);
        } else if rest.is_empty() {
            return Some(tokens);
        } else {
            let (token, after) = token(rest)?;
            tokens.push(token);
            rest = after;
        }
    }
}

fn token(rest: &str) -> Option<(Token, &str)> {
    if let Some(found) = quoted(rest) {
        return found;
    }
    let first = rest.chars().next()?;
    if first.is_ascii_digit()
        || (first == '.' && rest[1..].starts_with(|c: char| c.is_ascii_digit()))
    {
        return number(rest);
    }
    if first.is_ascii_alphabetic() || first == '_' {
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
        return Some((Token::Name(rest[..end].to_owned()), &rest[end..]));
    }
    let sign = SIGNS.into_iter().find(|sign| rest.starts_with(sign) && *sign != "\0")?;
    Some((Token::Sign(sign), &rest[sign.len()..]))
}

fn number(rest: &str) -> Option<(Token, &str)> {
    let digits = |text: &str| text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, after) = if let Some(hex) = rest.strip_prefix("0x") {
        let end = hex.find(|c: char| !c.is_ascii_hexdigit()).unwrap_or(hex.len());
        (u64::from_str_radix(&hex[..end], 16).ok()?, &hex[end..])
    } else {
        let whole = digits(rest);
        let mut end = whole;
        if let Some(fraction) = rest[end..].strip_prefix('.')
            && fraction.starts_with(|c: char| c.is_ascii_digit())
        {
            end += 1 + digits(fraction);
        }
        if let Some(exponent) = rest[end..].strip_prefix(['e', 'E']) {
            let sign = usize::from(exponent.starts_with(['+', '-']));
            let count = digits(&exponent[sign..]);
            end += if count == 0 { 0 } else { 1 + sign + count };
        }
        if end > whole {
            return not_a_name(Token::Double(rest[..end].parse().ok()?), &rest[end..]);
        }
        (rest[..end].parse().ok()?, &rest[end..])
    };
    match after.strip_prefix(['u', 'U']) {
        Some(after) => not_a_name(Token::Uint(number), after),
        None => not_a_name(Token::Int(number), after),
    }
}

/// No letter or digit may follow a number.
fn not_a_name(token: Token, after: &str) -> Option<(Token, &str)> {
    let follows = after.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
    (!follows).then_some((token, after))
}

/// A string or bytes; `None` where none begins, `Some(None)` where one does not end.
fn quoted(rest: &str) -> Option<Option<(Token, &str)>> {
    // At most two prefixes stand in front; to look further would take a quadratic time in all.
    let start = rest.bytes().take(3).position(|byte| matches!(byte, b'\'' | b'"'))?;
    let (mut raw, mut bytes) = (false, false);
    for prefix in rest[..start].chars() {
        match prefix {
            'r' | 'R' if !raw => raw = true,
            'b' | 'B' if !bytes => bytes = true,
            _ => return None,
        }
    }
    let quote = ["'''", "\"\"\"", "'", "\""].into_iter().find(|q| rest[start..].starts_with(q))?;
    Some(content(&rest[start + quote.len()..], quote, raw, bytes))
}

fn content<'a>(text: &'a str, quote: &str, raw: bool, bytes: bool) -> Option<(Token, &'a str)> {
    let mut content = Vec::new();
    let mut rest = text;
    loop {
        if let Some(after) = rest.strip_prefix(quote) {
            let token = if bytes {
                Token::Bytes(content)
            } else {
                Token::String(String::from_utf8(content).ok()?)
            };
            return Some((token, after));
        }
        let next = rest.chars().next()?;
        rest = &rest[next.len_utf8()..];
        if next == '\\' && !raw {
            rest = escape(rest, bytes, &mut content)?;
        } else if next == '\n' && quote.len() == 1 {
            return None;
        } else {
            content.extend(next.encode_utf8(&mut [0; 4]).bytes());
        }
    }
}

/// What follows a backslash. In bytes, `\x` and octal numbers are bytes, otherwise code points.
fn escape<'a>(rest: &'a str, bytes: bool, content: &mut Vec<u8>) -> Option<&'a str> {
    let kind = rest.chars().next()?;
    let (radix, start, length) = match kind {
        'x' | 'X' => (16, 1, 2),
        'u' if !bytes => (16, 1, 4),
        'U' if !bytes => (16, 1, 8),
        '0'..='3' => (8, 0, 3),
        _ => {
            let plain = match kind {
                'a' => 7,
                'b' => 8,
                'f' => 12,
                'n' => b'\n',
                'r' => b'\r',
                't' => b'\t',
                'v' => 11,
                '\\' | '\'' | '"' | '`' | '?' => u8::try_from(kind).ok()?,
                _ => return None,
            };
            content.push(plain);
            return Some(&rest[1..]);
        }
    };
    let digits = rest.get(start..start + length)?;
    if !digits.chars().all(|digit| digit.is_digit(radix)) {
        return None;
    }
    let number = u32::from_str_radix(digits, radix).ok()?;
    if bytes {
        content.push(u8::try_from(number).ok()?);
    } else {
        content.extend(char::from_u32(number)?.encode_utf8(&mut [0; 4]).bytes());
    }
    Some(&rest[start + length..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_are_read() {
        let text = |text: &str| Token::String(text.to_owned());
        let cases = [
            ("12", Token::Int(12)),
            ("0xfFu", Token::Uint(255)),
            ("1.5e-1", Token::Double(0.15)),
            (".5", Token::Double(0.5)),
            ("'a\"\\''", text("a\"'")),
            ("r'\\n'", text("\\n")),
            ("\"\"\"a\n\"b\"\"\"", text("a\n\"b")),
            ("'\\101\\u00e4'", text("A\u{e4}")),
            ("b'\\xff\\377'", Token::Bytes(vec![255, 255])),
            ("rb", Token::Name("rb".to_owned())),
        ];
        for (source, token) in cases {
            assert_eq!(tokens(source), Some(vec![token]), "{source}");
        }
        let wrong =
            ["1x", "'a\n'", "'\\400'", "'\\ud800'", "#", "\0", "b'\\u0041'", "'\\x4'", "rr''"];
        for wrong in wrong {
            assert!(tokens(wrong).is_none_or(|tokens| tokens.len() > 1), "{wrong}");
        }
    }
}
