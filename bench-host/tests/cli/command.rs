//! Running the binary.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use tempfile::TempDir;

/// A folder in which the binary runs; files are named without it, so messages are the same
/// everywhere.
pub struct Folder(TempDir);

/// What came of a command.
#[derive(Debug)]
pub struct Output {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Folder {
    /// A folder with `edit.wasm` and `traffic.jsonl` in it, which go well together.
    pub fn new() -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        folder.write("edit.wasm", super::plugins::edit());
        folder.write("traffic.jsonl", TRAFFIC);
        folder
    }

    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        fs::write(self.path(name), content).unwrap();
    }

    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// The binary with these arguments, split at blank space.
    pub fn command(&self, arguments: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_bench-host"));
        command.args(arguments.split_whitespace()).current_dir(self.0.path()).stdin(Stdio::null());
        command
    }

    /// Runs the binary. Whatever happens, it must not panic.
    pub fn run(&self, arguments: &str) -> Output {
        let output = self.command(arguments).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        let stderr = text(output.stderr);
        assert!(!stderr.contains("panicked"), "{arguments}: {stderr}");
        Output { code: output.status.code().unwrap(), stdout: text(output.stdout), stderr }
    }

    /// The message of a command that has to fail with this code, and with nothing on stdout.
    pub fn fails(&self, code: i32, arguments: &str) -> String {
        let output = self.run(arguments);
        assert_eq!(output.code, code, "{arguments}: {output:?}");
        assert_eq!(output.stdout, "", "{arguments}");
        message(&output)
    }
}

/// The one message of a command.
pub fn message(output: &Output) -> String {
    let message = output.stderr.strip_prefix("error: ").unwrap_or_else(|| panic!("{output:?}"));
    assert!(!message.contains("error: "), "{output:?}");
    message.to_owned()
}

/// Every shape of body: none, whole, in chunks, empty, with trailers; both protocols.
const TRAFFIC: &str = r#"# Five exchanges.
{"http": "2", "request": {"path": "/none"}, "response": {"status": 204}}
{"http": "2", "request": {"method": "POST", "path": "/whole", "body": "hello world"}, "response": {"body": "HELLO, you"}}
{"request": {"method": "POST", "path": "/chunks", "body": ["ab", "cde"]}, "response": {"body": ["fg", "", "h"]}}
{"request": {"method": "POST", "path": "/empty", "body": ""}, "response": {"headers": [["server", "x"]], "body": ""}}
{"http": "2", "request": {"path": "/trailers", "body": "ab", "trailers": [["t", "1"]]}, "response": {"body": "cd", "trailers": [["grpc-status", "0"]]}}
"#;
