//! The code in a page of documentation.

/// Each section (`## heading`) that has a block of Rust code, with its first such block.
pub fn plugins(page: &str) -> Vec<(&str, String)> {
    let mut found: Vec<(&str, String)> = Vec::new();
    let mut heading = "";
    let mut code: Option<String> = None;
    for line in page.lines() {
        match (&mut code, line) {
            (None, "```rust") => code = Some(String::new()),
            (None, _) => heading = line.strip_prefix("## ").unwrap_or(heading),
            (Some(_), "```") => {
                let code = code.take().unwrap_or_default();
                if found.last().is_none_or(|(before, _)| *before != heading) {
                    found.push((heading, code));
                }
            }
            (Some(code), _) => {
                code.push_str(line);
                code.push('\n');
            }
        }
    }
    found
}

/// A heading as the name of a file.
pub fn slug(heading: &str) -> String {
    let words = heading.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join("_").to_lowercase()
}
