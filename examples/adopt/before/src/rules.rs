//! What is replaced by what, in one chunk at a time.

use memchr::memmem::Finder;

/// The rules, prepared once for all chunks.
pub(crate) struct Rules {
    rules: Vec<(Finder<'static>, String)>,
}

impl Rules {
    pub(crate) fn new(rules: Vec<(String, String)>) -> Result<Self, &'static str> {
        if rules.iter().any(|(find, _)| find.is_empty()) {
            return Err("a rule needs a text to look for");
        }
        let rules = rules.into_iter();
        let rules = rules.map(|(find, replace)| (Finder::new(&find).into_owned(), replace));
        Ok(Self { rules: rules.collect() })
    }

    /// The chunk with everything replaced; `None` when nothing was found.
    pub(crate) fn apply(&self, chunk: &[u8]) -> Option<Vec<u8>> {
        let mut changed = None;
        for (finder, replacement) in &self.rules {
            let text = changed.as_deref().unwrap_or(chunk);
            if let Some(output) = replace(text, finder, replacement.as_bytes()) {
                changed = Some(output);
            }
        }
        changed
    }
}

fn replace(text: &[u8], finder: &Finder<'_>, replacement: &[u8]) -> Option<Vec<u8>> {
    let mut output = Vec::new();
    let mut from = 0;
    for at in finder.find_iter(text) {
        output.extend_from_slice(&text[from..at]);
        output.extend_from_slice(replacement);
        from = at + finder.needle().len();
    }
    if from == 0 {
        return None;
    }
    output.extend_from_slice(&text[from..]);
    Some(output)
}
