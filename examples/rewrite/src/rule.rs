//! One rule: which paths are rewritten, and how.

use serde::Deserialize;

/// Two templates, each with one `*` at most, which stands for the same text in both.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    from: Template,
    to: Template,
}

#[derive(Debug, Deserialize)]
#[serde(try_from = "String")]
struct Template {
    before: String,
    /// What stands behind the `*`; `None` without one.
    after: Option<String>,
}

impl Rule {
    /// The rewritten path with the query that it had, if the path is one that this rule is for.
    ///
    /// # Cost
    /// One allocation for a path that is rewritten.
    pub fn rewrite(&self, path: &[u8]) -> Option<Vec<u8>> {
        let end = path.iter().position(|byte| *byte == b'?').unwrap_or(path.len());
        let (path, query) = path.split_at(end);
        // `OPTIONS *` asks for the server as a whole.
        let star = self.from.find_star(path).filter(|_| path.starts_with(b"/"))?;
        let star = if self.to.after.is_some() { star } else { b"" };
        let (before, after) = (self.to.before.as_bytes(), self.to.after.as_deref());
        let rewritten = [before, star, after.unwrap_or_default().as_bytes()].concat();
        let root: &[u8] = if rewritten.starts_with(b"/") { b"" } else { b"/" };
        Some([root, &rewritten, query].concat())
    }

    /// Whether the templates fit together; otherwise which one does not, and why.
    pub fn check(&self) -> Result<(), (&'static str, &'static str)> {
        if self.from.after.is_none() && self.to.after.is_some() {
            return Err(("to", "has a `*`, and `from` has none"));
        }
        Ok(())
    }
}

impl Template {
    /// What the `*` stands for, if the path is one of the template's; nothing without a `*`.
    fn find_star<'a>(&self, path: &'a [u8]) -> Option<&'a [u8]> {
        let rest = path.strip_prefix(self.before.as_bytes())?;
        match &self.after {
            Some(after) => rest.strip_suffix(after.as_bytes()),
            None => rest.is_empty().then_some(rest),
        }
    }
}

impl TryFrom<String> for Template {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, &'static str> {
        if !text.starts_with(['/', '*']) {
            return Err("a path begins with `/`, or with `*`");
        }
        if text.bytes().any(|byte| !byte.is_ascii_graphic() || matches!(byte, b'?' | b'#')) {
            return Err("a path has neither `?` nor `#`, and what is not in ASCII is escaped");
        }
        let Some((before, after)) = text.split_once('*') else {
            return Ok(Self { before: text, after: None });
        };
        if after.contains('*') {
            return Err("a path has one `*` at most");
        }
        Ok(Self { before: before.into(), after: Some(after.into()) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(from: &str, to: &str) -> Rule {
        let [from, to] = [from, to].map(|text| Template::try_from(text.to_owned()).unwrap());
        Rule { from, to }
    }

    fn rewritten(from: &str, to: &str, path: &str) -> Option<String> {
        let path = rule(from, to).rewrite(path.as_bytes())?;
        Some(String::from_utf8(path).unwrap())
    }

    #[test]
    fn templates_are_paths_beginnings_and_ends() {
        for (from, to, path, wanted) in [
            ("/a", "/b", "/a", Some("/b")),
            ("/a", "/b", "/a?x=/a", Some("/b?x=/a")),
            ("/a", "/b", "/a/", None),
            ("/a", "/b", "/aa", None),
            ("/v1/*", "/v2/*", "/v1/", Some("/v2/")),
            ("/v1/*", "/v2/*", "/v1/x/v1/", Some("/v2/x/v1/")),
            ("/v1/*", "/v2/*", "/v1", None),
            ("/v1/*", "/gone", "/v1/x?y", Some("/gone?y")),
            ("*.php", "*", "/x.php?a", Some("/x?a")),
            ("*.php", "*", "/x?a=.php", None),
            ("*/x", "*", "/x", Some("/")),
            ("*/x", "*y", "/x", Some("/y")),
            ("/ab*", "*", "/abc", Some("/c")),
            ("/a*a", "/<*>", "/aa", Some("/<>")),
            ("/a*a", "/<*>", "/a", None),
            ("*", "/all*", "/", Some("/all/")),
            ("*", "/all*", "*", None),
            ("*", "/all*", "", None),
        ] {
            assert_eq!(rewritten(from, to, path).as_deref(), wanted, "{from} {to} {path}");
        }
    }

    #[test]
    fn paths_need_not_be_text() {
        let path = rule("/a/*", "/b/*").rewrite(b"/a/\xff?\xfe");
        assert_eq!(path.as_deref(), Some(&b"/b/\xff?\xfe"[..]));
    }

    #[test]
    fn templates_that_are_no_paths_are_refused() {
        for wrong in ["", "a", "/a?b", "/a#b", "/a b", "/ä", "/a\r\n", "/*/*", "**"] {
            Template::try_from(wrong.to_owned()).unwrap_err();
        }
        assert_eq!(rule("/a", "/*").check().unwrap_err().0, "to");
        assert_eq!(rule("/*", "/a").check(), Ok(()));
    }
}
