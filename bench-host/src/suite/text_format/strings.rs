//! Escape sequences.

/// What a string stands for, or the offset at which it goes wrong and why.
pub(super) fn unescape(text: &str) -> Result<Vec<u8>, (usize, String)> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        bytes.extend_from_slice(&rest.as_bytes()[..at]);
        let offset = text.len() - rest.len() + at;
        rest = escape(&rest[at + 1..], &mut bytes).map_err(|what| (offset, what))?;
    }
    bytes.extend_from_slice(rest.as_bytes());
    Ok(bytes)
}

/// Takes one sequence, which stands behind its backslash, and gives what follows.
fn escape<'a>(text: &'a str, into: &mut Vec<u8>) -> Result<&'a str, String> {
    let mut letters = text.chars();
    let Some(letter) = letters.next() else { return Err("a backslash at the end".to_owned()) };
    let rest = letters.as_str();
    let plain = match letter {
        'a' => 0x07,
        'b' => 0x08,
        'f' => 0x0c,
        'n' => b'\n',
        'r' => b'\r',
        't' => b'\t',
        'v' => 0x0b,
        '\\' => b'\\',
        '\'' => b'\'',
        '"' => b'"',
        '?' => b'?',
        '0'..='7' => {
            let (number, rest) = number(text, 8, 1, 3).ok_or("bad octal escape")?;
            into.push(u8::try_from(number).map_err(|_| "octal escape above \\377")?);
            return Ok(rest);
        }
        'x' | 'X' => {
            let (number, rest) = number(rest, 16, 1, 2).ok_or("\\x needs hexadecimal digits")?;
            into.push(u8::try_from(number).map_err(|_| "bad hexadecimal escape")?);
            return Ok(rest);
        }
        'u' | 'U' => return unicode(letter, rest, into),
        other => return Err(format!("unknown escape sequence \\{other}")),
    };
    into.push(plain);
    Ok(rest)
}

fn unicode<'a>(kind: char, text: &'a str, into: &mut Vec<u8>) -> Result<&'a str, String> {
    let digits = if kind == 'u' { 4 } else { 8 };
    let needs = || format!("\\{kind} needs {digits} hexadecimal digits");
    let (mut number_, mut rest) = number(text, 16, digits, digits).ok_or_else(needs)?;
    // Two of four digits may stand for one character, as in JSON.
    if (0xd800..0xdc00).contains(&number_)
        && let Some(second) = rest.strip_prefix("\\u")
        && let Some((low, after)) = number(second, 16, 4, 4)
        && (0xdc00..0xe000).contains(&low)
    {
        number_ = 0x10000 + ((number_ - 0xd800) << 10) + (low - 0xdc00);
        rest = after;
    }
    let letter = char::from_u32(number_)
        .ok_or_else(|| format!("{number_:04x} is not the number of a character"))?;
    into.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes());
    Ok(rest)
}

/// Takes between `least` and `most` digits.
fn number(text: &str, radix: u32, least: usize, most: usize) -> Option<(u32, &str)> {
    let digits = text.chars().take(most).take_while(|letter| letter.is_digit(radix)).count();
    let (digits, rest) = text.split_at_checked(digits)?;
    (digits.len() >= least).then_some(())?;
    Some((u32::from_str_radix(digits, radix).ok()?, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequences_stand_for_bytes() {
        for (text, bytes) in [
            (r"plain ü", "plain ü".as_bytes()),
            (r"\a\b\f\n\r\t\v\\\'\x22\?", b"\x07\x08\x0c\n\r\t\x0b\\'\"?"),
            (r"\0\18\1234\377", b"\0\x018\x534\xff"),
            (r"\x1\xAbc\XfF", b"\x01\xabc\xff"),
            (r"\u00e9\U0001F600x", "é😀x".as_bytes()),
            (r"\ud83d\ude00", "😀".as_bytes()),
        ] {
            assert_eq!(unescape(text).unwrap(), bytes, "{text}");
        }
    }

    #[test]
    fn what_stands_for_nothing_is_refused() {
        for (text, offset) in
            [(r"ab\q", 2), (r"\400", 0), (r"\x", 0), (r"x\u12", 1), (r"\ud83d", 0), ("a\\", 1)]
        {
            assert_eq!(unescape(text).unwrap_err().0, offset, "{text}");
        }
    }
}
