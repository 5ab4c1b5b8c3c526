//! The binary as a recorder in a process of its own.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, ChildStderr, Command, Stdio};

use bench_host::traffic::{Exchange, Traffic};
use tempfile::TempDir;

/// A recorder that listens; it ends with the test.
pub struct Recorder {
    pub address: SocketAddr,
    child: Child,
    stderr: BufReader<ChildStderr>,
    folder: TempDir,
}

/// What a recorder leaves behind.
#[derive(Debug)]
pub struct Recording {
    pub code: i32,
    /// All that it said after where it listens.
    pub stderr: String,
    /// The file, if there is one.
    pub trace: Option<String>,
}

impl Recorder {
    /// Starts one in front of an upstream, with more options, split at blank space.
    pub fn start(upstream: SocketAddr, options: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut child = command(&folder)
            .args(["record", "--out", "trace.jsonl", "--upstream", &format!("http://{upstream}")])
            .args(options.split_whitespace())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        let mut first = String::new();
        stderr.read_line(&mut first).unwrap();
        let address = first.trim_end().strip_prefix("listening on http://").unwrap_or_else(|| {
            panic!("{first}");
        });
        Self { address: address.parse().unwrap(), child, stderr, folder }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Sends a signal.
    pub fn signal(&self, name: &str) {
        let kill = Command::new("kill").args([name, &self.child.id().to_string()]).status();
        assert!(kill.unwrap().success());
    }

    /// Ends it as a supervisor does.
    pub async fn stop(self) -> Recording {
        self.signal("-TERM");
        self.ended().await
    }

    /// Waits for its end; connections of the test go on meanwhile.
    pub async fn ended(mut self) -> Recording {
        let wait = move || {
            let mut stderr = String::new();
            self.stderr.read_to_string(&mut stderr).unwrap();
            let code = self.child.wait().unwrap().code().unwrap();
            assert!(!stderr.contains("panicked"), "{stderr}");
            let names = fs::read_dir(self.folder.path()).unwrap();
            let names: Vec<_> = names.map(|entry| entry.unwrap().file_name()).collect();
            assert!(names.iter().all(|name| name == "trace.jsonl"), "{names:?}");
            Recording { code, stderr, trace: fs::read_to_string(self.path("trace.jsonl")).ok() }
        };
        tokio::task::spawn_blocking(wait).await.unwrap()
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        // It has ended already where the test went well.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Recording {
    /// The exchanges, in the order of their paths.
    pub fn exchanges(&self) -> Vec<Exchange> {
        assert_eq!(self.code, 0, "{self:?}");
        let traffic = Traffic::parse("trace.jsonl", self.trace.clone().unwrap().into()).unwrap();
        let mut exchanges: Vec<_> = traffic.exchanges().map(Result::unwrap).collect();
        exchanges.sort_by(|one, other| one.label.cmp(&other.label));
        exchanges
    }
}

/// The binary in a folder.
pub fn command(folder: &TempDir) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bench-host"));
    command.current_dir(folder.path()).stdin(Stdio::null());
    command
}
