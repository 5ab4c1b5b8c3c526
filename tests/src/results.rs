//! Results that a test measures anew: the rows of a CSV, and the table of them in a page.
//!
//! A row is compared where its compiler is the one that it names: another one makes another module.
//! Allocations and host calls have to be the same; instructions and module bytes change with every
//! line of the SDK, so they may be a tenth off before the results have to be written anew, or a
//! fiftieth where they are what is watched.

#![expect(clippy::unwrap_used, reason = "a test fails where it does not hold")]

use std::env;
use std::ffi::OsString;
use std::fmt::Write as _;
use std::fs;
use std::io::{self, Write as _};
use std::path::PathBuf;

use bench_host::guest_build::build_from;
use bench_host::module::Module;

use crate::root;

const BEGIN: &str = "<!-- table -->\n";
const END: &str = "<!-- /table -->";

/// A file of results.
#[derive(Clone, Copy, Debug)]
pub struct Results {
    /// Where it is in the checkout.
    pub csv: &'static str,
    /// The page that shows it between its marks, if there is one.
    pub page: Option<&'static str>,
    /// The test that measures it.
    pub test: &'static str,
    /// The names of its columns. Those in front of `compiler` name a row; those that begin with
    /// `fuel` or `module` may be a tenth off, those that begin with `size` a fiftieth.
    pub columns: &'static [&'static str],
}

impl Results {
    /// Compares rows with the file, or with `UPDATE_BASELINES=1` writes the file and the page.
    ///
    /// # Panics
    /// When they differ, with what did.
    #[track_caller]
    pub fn check(&self, rows: &[String]) {
        let old = fs::read_to_string(root().join(self.csv)).unwrap_or_default();
        println!("{}", self.text(rows));
        if is_update() {
            fs::write(root().join(self.csv), self.text(rows)).unwrap();
            if let Some((page, now)) = self.pages(&self.text(rows)) {
                fs::write(root().join(page), now).unwrap();
            }
            return;
        }
        let differences = self.differences(&old, rows);
        assert!(differences.is_empty(), "{}:\n{differences}{}", self.csv, self.accept());
    }

    /// Checks that the page shows what the file says, unless both are being written.
    ///
    /// # Panics
    /// When it shows something else.
    #[track_caller]
    pub fn check_page(&self) {
        if is_update() {
            return;
        }
        let rows = fs::read_to_string(root().join(self.csv)).unwrap();
        let (page, wanted) = self.pages(&rows).expect("these results have a page");
        let now = fs::read_to_string(root().join(page)).unwrap();
        assert!(now == wanted, "{page} has another table; {}", self.accept());
    }

    fn accept(&self) -> String {
        format!(
            "to accept it: UPDATE_BASELINES=1 cargo test -p chunkwise-tests --test {}",
            self.test
        )
    }

    /// The text of the file.
    fn text(&self, rows: &[String]) -> String {
        let mut text = self.columns.join(",") + "\n";
        rows.iter().for_each(|row| writeln!(text, "{row}").unwrap());
        text
    }

    /// What rows say otherwise than a file does.
    fn differences(&self, file: &str, rows: &[String]) -> String {
        // Past what tests capture: a row that is not compared should be seen.
        let mut stderr = io::stderr();
        let mut differences = String::new();
        let mut lines = file.lines();
        let head = lines.next().unwrap_or_default();
        if head != self.columns.join(",") {
            writeln!(differences, "- {head}\n+ {}", self.columns.join(",")).unwrap();
        }
        let mut old: Vec<_> = lines.collect();
        for row in rows {
            let same = old.iter().position(|old| self.name(old) == self.name(row));
            let old = same.map(|at| old.remove(at)).unwrap_or_default();
            if self.agree(old, row) {
                continue;
            } else if old.is_empty() || self.compiler(old) == self.compiler(row) {
                writeln!(differences, "- {old}\n+ {row}").unwrap();
            } else {
                writeln!(stderr, "not compared, another compiler: {row}\n{old}").unwrap();
            }
        }
        old.iter().for_each(|row| writeln!(differences, "- {row}").unwrap());
        differences
    }

    /// The fields that name a row.
    fn name<'a>(&self, row: &'a str) -> Vec<&'a str> {
        row.split(',').take(self.names()).collect()
    }

    fn compiler<'a>(&self, row: &'a str) -> Option<&'a str> {
        row.split(',').nth(self.names())
    }

    fn names(&self) -> usize {
        let compiler = self.columns.iter().position(|column| *column == "compiler");
        compiler.expect("a module has a compiler")
    }

    /// Whether a row says what another one says.
    fn agree(&self, old: &str, new: &str) -> bool {
        let fields = || old.split(',').zip(new.split(','));
        fields().count() == self.columns.len()
            && old.split(',').count() == new.split(',').count()
            && self.columns.iter().zip(fields()).all(|(name, (old, new))| {
                let part = match name.split('_').next() {
                    Some("fuel" | "module") => 10,
                    Some("size") => 50,
                    _ => return old == new,
                };
                match (old.parse::<u64>(), new.parse::<u64>()) {
                    (Ok(old), Ok(new)) => old.abs_diff(new) <= old / part,
                    _ => old == new,
                }
            })
    }

    /// The page, and its text with the table that a file makes.
    fn pages(&self, file: &str) -> Option<(&'static str, String)> {
        let text = fs::read_to_string(root().join(self.page?)).unwrap();
        let (before, rest) = text.split_once(BEGIN).expect("the page has a table");
        let (_, after) = rest.split_once(END).expect("the table ends");
        let mut table = String::new();
        for (at, row) in file.lines().enumerate() {
            writeln!(table, "| {} |", row.replace('_', " ").replace(',', " | ")).unwrap();
            if at == 0 {
                let words = self.names() + 1;
                let numbers = self.columns.len() - words;
                writeln!(table, "|{}{}", "---|".repeat(words), "--:|".repeat(numbers)).unwrap();
            }
        }
        Some((self.page?, format!("{before}{BEGIN}{table}{END}{after}")))
    }
}

/// Whether results are to be written anew.
fn is_update() -> bool {
    env::var_os("UPDATE_BASELINES").is_some_and(|value| value == "1")
}

/// The compiler of a module's language, as rows name it.
pub fn compiler(module: &Module) -> String {
    let rustc = module.facts.producers.iter().find(|producer| producer.name == "rustc");
    let version = rustc.and_then(|rustc| rustc.version.split(' ').next());
    format!("rustc {}", version.unwrap_or_default())
}

/// Builds a plugin whose module bytes are a result. Panics carry the paths of sources, which must
/// not make a module longer on one machine than on another.
///
/// # Panics
/// When it cannot be built.
pub fn built(package: &str) -> PathBuf {
    let registry = env::var_os("CARGO_HOME").map(PathBuf::from);
    let registry = registry.or_else(|| Some(env::home_dir()?.join(".cargo"))).unwrap();
    let remap = format!("--remap-path-prefix={}=cargo", registry.display());
    let flags = format!("target.wasm32-wasip1.rustflags=[{remap:?}]");
    // The folder of other guests with these flags.
    let target = root().join("target/foreign/rust").into_os_string();
    let arguments: Vec<OsString> =
        vec!["--config".into(), flags.into(), "--target-dir".into(), target];
    build_from(&root(), package, &arguments).unwrap()
}

#[cfg(test)]
mod tests {
    use super::*;

    const RESULTS: Results = Results {
        csv: "",
        page: None,
        test: "",
        columns: &["plugin", "compiler", "module_bytes", "host_calls", "fuel", "size_bytes"],
    };

    fn differences(file: &str, row: &str) -> String {
        RESULTS.differences(&format!("{}\n{file}\n", RESULTS.columns.join(",")), &[row.to_owned()])
    }

    #[test]
    fn counters_are_exact_and_instructions_are_not() {
        let old = "a,rustc 1,1000,5,200,100";
        for same in [old, "a,rustc 1,1100,5,180,102", "a,rustc 2,9999,9,9999,9"] {
            assert_eq!(differences(old, same), "", "{same}");
        }
        let others = [
            "a,rustc 1,1000,6,200,100",
            "a,rustc 1,1101,5,200,100",
            "a,rustc 1,1000,5,179,100",
            "a,rustc 1,1000,5,200,103",
            "a,rustc 1,1000",
        ];
        for other in others {
            assert_eq!(differences(old, other), format!("- {old}\n+ {other}\n"));
        }
    }

    #[test]
    fn rows_and_columns_come_and_go_with_the_file() {
        let (one, other) = ("a,rustc 1,1,1,1,1", "b,rustc 1,1,1,1,1");
        assert_eq!(differences(one, other), format!("- \n+ {other}\n- {one}\n"));
        let differences = RESULTS.differences("plugin,compiler\n", &[]);
        assert_eq!(
            differences,
            "- plugin,compiler\n+ plugin,compiler,module_bytes,host_calls,fuel,size_bytes\n"
        );
    }
}
