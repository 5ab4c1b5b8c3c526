//! The end of a JSON object, found without parsing it.

/// The line and column behind `taken`.
pub(super) fn position((line, column): (usize, usize), taken: &[u8]) -> (usize, usize) {
    let breaks = memchr::memchr_iter(b'\n', taken).count();
    let column =
        memchr::memrchr(b'\n', taken).map_or(column + taken.len(), |at| taken.len() - at - 1);
    (line + breaks, column)
}

/// Finds the end of a JSON object.
#[derive(Default)]
pub(super) struct Scan {
    depth: u64,
    in_string: bool,
    is_escaped: bool,
}

impl Scan {
    /// Where behind the object `bytes` go on; `None` when all of them belong to it.
    pub(super) fn end(&mut self, bytes: &[u8]) -> Option<usize> {
        for (at, byte) in bytes.iter().enumerate() {
            if self.in_string {
                match byte {
                    _ if self.is_escaped => self.is_escaped = false,
                    b'\\' => self.is_escaped = true,
                    b'"' => self.in_string = false,
                    _ => {}
                }
                continue;
            }
            match byte {
                b'"' => self.in_string = true,
                b'{' => self.depth += 1,
                b'}' => {
                    self.depth = self.depth.saturating_sub(1);
                    if self.depth == 0 {
                        return Some(at + 1);
                    }
                }
                _ => {}
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_ends_with_its_own_brace() {
        for (text, end) in [
            ("{}", Some(2)),
            ("{{}", None),
            ("{{}}}", Some(4)),
            (r#"{"}": "\""}}"#, Some(11)),
            (r#"{"\\": 1}{"#, Some(9)),
            (r#"{"\\\"}"#, None),
            ("[{}]", Some(3)),
            ("", None),
        ] {
            assert_eq!(Scan::default().end(text.as_bytes()), end, "{text}");
            let mut scan = Scan::default();
            let bytewise = text.as_bytes().iter().position(|byte| scan.end(&[*byte]).is_some());
            assert_eq!(bytewise.map(|at| at + 1), end, "{text}");
        }
    }

    #[test]
    fn lines_are_counted() {
        assert_eq!(position((1, 4), b"abc"), (1, 7));
        assert_eq!(position((1, 4), b"a\n\nbc"), (3, 2));
        assert_eq!(position((1, 4), b"\n"), (2, 0));
    }
}
