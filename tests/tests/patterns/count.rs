//! Lines inside of functions.

/// Lines inside of the functions of formatted Rust: a body ends with a brace that stands where its
/// function's first line begins.
pub fn rust_lines(code: &str) -> usize {
    let mut count = 0;
    let mut lines = code.lines();
    while let Some(line) = lines.next() {
        let begins = line.trim_start();
        if !(begins.starts_with("fn ") || begins.contains(" fn ")) || begins.starts_with("//") {
            continue;
        }
        let indentation = &line[..line.len() - begins.len()];
        let mut signature = line;
        while !signature.ends_with(['{', '}', ';']) {
            signature = lines.next().expect("a signature ends");
        }
        if signature.ends_with('{') {
            let end = format!("{indentation}}}");
            let body = lines.by_ref().take_while(|line| *line != end);
            count += body.filter(|line| is_code(line)).count();
        }
    }
    count
}

/// Lines inside of the functions of Go, whose indentation need not be there: a body ends with the
/// brace that its first one is closed by.
pub fn go_lines(code: &str) -> usize {
    let mut count = 0;
    let mut depth = 0;
    for line in code.lines() {
        let change = braces(line);
        if depth == 0 {
            depth = if line.starts_with("func ") { change } else { 0 };
            continue;
        }
        depth += change;
        if depth > 0 && is_code(line) {
            count += 1;
        }
    }
    count
}

/// Braces opened less braces closed, outside of strings and comments.
fn braces(line: &str) -> i32 {
    let mut depth = 0;
    let mut in_string = false;
    let mut before = ' ';
    for c in line.chars() {
        match c {
            '"' if before != '\\' => in_string = !in_string,
            '/' if before == '/' && !in_string => break,
            '{' if !in_string => depth += 1,
            '}' if !in_string => depth -= 1,
            _ => {}
        }
        before = c;
    }
    depth
}

fn is_code(line: &str) -> bool {
    !line.trim().is_empty() && !line.trim_start().starts_with("//")
}

#[test]
fn lines_are_counted_inside_of_functions() {
    let rust = "impl A {\n    const B: u8 = 1;\n\n    fn c() -> u8 {\n        // No.\n        1\n\n    \
                }\n\n    pub fn d(\n        e: u8,\n    ) -> u8 {\n        f(|| {\n            \
                e\n        })\n    }\n\n    fn g() {}\n}\n";
    assert_eq!(rust_lines(rust), 4);
    let go = "package a\nfunc init() {\nb(\"{\", func() {\n// {\nc()\n}) // }\n\n}\nvar d = 1\nfunc e() \
              [][2]string {\nreturn nil\n}\n";
    assert_eq!(go_lines(go), 4);
}
