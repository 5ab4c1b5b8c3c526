//! Where the results are.

use std::path::Path;
use std::{fs, io};

use super::{Row, page, print};

const MARKS: (&str, &str) = ("<!-- envoy -->\n", "<!-- /envoy -->");

/// Writes `results/envoy.csv` and `results/envoy.md` of a checkout, and puts the tables into
/// `docs/gateway.md`, which quotes them.
///
/// # Errors
/// When one of them cannot be written, or the page has no marks to put tables between.
pub fn publish(root: &Path, rows: &[Row]) -> io::Result<()> {
    fs::write(root.join("results/envoy.csv"), print(rows))?;
    fs::write(root.join("results/envoy.md"), page(rows))?;
    let text = fs::read_to_string(root.join("docs/gateway.md"))?;
    let Some((before, _, after)) = parts(&text) else {
        return Err(io::Error::other("docs/gateway.md has no marks to put tables between"));
    };
    let (begin, end) = MARKS;
    fs::write(root.join("docs/gateway.md"), format!("{before}{begin}{}\n{end}{after}", page(rows)))
}

/// The tables that a page quotes.
pub fn quoted(page: &str) -> Option<&str> {
    parts(page).map(|(_, tables, _)| tables)
}

fn parts(page: &str) -> Option<(&str, &str, &str)> {
    let (before, rest) = page.split_once(MARKS.0)?;
    let (tables, after) = rest.split_once(MARKS.1)?;
    Some((before, tables, after))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::row::tests::example;
    use super::*;

    #[test]
    fn a_page_keeps_what_is_around_its_tables() {
        let root = tempfile::tempdir().unwrap();
        for folder in ["results", "docs"] {
            fs::create_dir(root.path().join(folder)).unwrap();
        }
        let docs = root.path().join("docs/gateway.md");
        fs::write(&docs, "before\n<!-- envoy -->\nold\n<!-- /envoy -->\nafter\n").unwrap();
        let rows = [example(super::super::NONE, 50.0, None)];
        publish(root.path(), &rows).unwrap();
        let text = fs::read_to_string(&docs).unwrap();
        assert!(text.starts_with("before\n") && text.ends_with("-->\nafter\n"), "{text}");
        assert_eq!(quoted(&text).unwrap().trim(), page(&rows).trim());
        fs::write(&docs, "no marks").unwrap();
        assert!(publish(root.path(), &rows).is_err());
    }
}
