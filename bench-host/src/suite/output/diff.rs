//! Expected and actual text, line by line.

use std::fmt::Write as _;

use similar::{ChangeTag, TextDiff};

use super::terminal::Paint;

/// Lines around a change that are shown.
const AROUND: usize = 3;
/// Lines that are shown at most.
const MOST: usize = 200;
/// Characters of a line that are shown at most.
const WIDEST: usize = 2_000;

/// `-` is expected, `+` is what came; single lines stand below each other. Ends with a line feed.
pub(super) fn diff(expected: &str, actual: &str, paint: Paint) -> String {
    if !expected.contains('\n') && !actual.contains('\n') {
        let (expected, actual) = (cut(expected), cut(actual));
        let (expected, actual) = (paint.bad(expected), paint.good(actual));
        return format!("  expected: {expected}\n    actual: {actual}\n");
    }
    let mut out = String::from("  - expected\n  + actual\n");
    let diff = TextDiff::from_lines(expected, actual);
    let mut left = MOST;
    for (at, group) in diff.grouped_ops(AROUND).iter().enumerate() {
        if at > 0 {
            out.push_str("  ...\n");
        }
        for change in group.iter().flat_map(|operation| diff.iter_changes(operation)) {
            let Some(rest) = left.checked_sub(1) else {
                out.push_str("  ... (more lines differ)\n");
                return out;
            };
            left = rest;
            let text = cut(change.value().trim_end_matches('\n'));
            let line = match change.tag() {
                ChangeTag::Equal => format!("    {text}"),
                ChangeTag::Delete => paint.bad(&format!("  - {text}")),
                ChangeTag::Insert => paint.good(&format!("  + {text}")),
            };
            let _ = writeln!(out, "{}", line.trim_end());
            if change.missing_newline() && expected.contains('\n') != actual.contains('\n') {
                out.push_str("    (no line feed at the end)\n");
            }
        }
    }
    out
}

fn cut(line: &str) -> &str {
    line.char_indices().nth(WIDEST).map_or(line, |(end, _)| &line[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_shown_with_what_is_around_them() {
        let expected = (1..20).map(|n| format!("line {n}\n")).collect::<String>();
        let actual = expected.replace("line 10\n", "line ten\nline more\n");
        insta::assert_snapshot!(diff(&expected, &actual, Paint(false)), @"
- expected
+ actual
  line 7
  line 8
  line 9
- line 10
+ line ten
+ line more
  line 11
  line 12
  line 13
");
    }

    #[test]
    fn a_missing_line_feed_is_said() {
        insta::assert_snapshot!(diff("a\n", "a", Paint(false)), @"
        - expected
        + actual
        - a
        + a
          (no line feed at the end)
        ");
        let coloured = diff("\n", "a", Paint(true));
        assert!(coloured.contains("\x1b[32m  + a\x1b[0m\n"), "{coloured}");
    }

    #[test]
    fn single_lines_stand_below_each_other() {
        insta::assert_snapshot!(diff("a", "b", Paint(false)), @"
        expected: a
          actual: b
        ");
    }

    #[test]
    fn much_is_cut() {
        let expected: String = (0..1_000).map(|n| format!("{n}\n")).collect();
        let text = diff(&expected, &"x".repeat(10_000), Paint(false));
        assert!(text.ends_with("more lines differ)\n"), "{text}");
    }
}
