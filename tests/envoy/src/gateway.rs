//! An Envoy process: started, asked, stopped.

use std::fs::{self, File};
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use bench_host::testing::Seen;
use bench_host::traffic::Exchange;
use serde_json::Value;
use tempfile::TempDir;

use crate::bootstrap::{BootstrapError, ports};
use crate::client::{self, ClientError};
use crate::{Bootstrap, envoy};

/// How long Envoy may take until it is ready, and how long its access log may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// Runs a program whose process id, and whose status once it has ended, lie in the folder `$0`,
/// until stdin is closed. So no Envoy outlives its test, whichever way that ends.
const KEEPER: &str = r#"
{ "$@" & echo $! > "$0/new"; mv "$0/new" "$0/pid"; wait $!; echo $? > "$0/status"; } &
cat > /dev/null
kill -KILL "$(cat "$0/pid")" 2> /dev/null
wait
"#;

/// A running Envoy; stopped when dropped.
#[derive(Debug)]
pub struct Gateway {
    keeper: Child,
    folder: TempDir,
    admin: SocketAddr,
    listener: SocketAddr,
}

/// Why Envoy does not run.
#[derive(Debug, thiserror::Error)]
pub enum GatewayError {
    /// It is not installed.
    #[error("there is no Envoy on this machine")]
    Absent,
    /// Its files cannot be written, or it cannot be started.
    #[error("cannot start Envoy: {0}")]
    Start(#[from] io::Error),
    /// The bootstrap does not name the ports that a test changes.
    #[error(transparent)]
    Bootstrap(#[from] BootstrapError),
    /// It ended, or was not ready in time.
    #[error("Envoy {what}; the end of its log:\n{log}")]
    Unready { what: String, log: String },
    /// Its admin interface does not answer.
    #[error("Envoy's admin interface: {0}")]
    Admin(#[from] ClientError),
}

impl Gateway {
    /// Starts Envoy with so many workers, from the root of the checkout, and waits until it is
    /// ready. Its listener and admin ports, [`ports::LISTENER`] and [`ports::ADMIN`], become free
    /// ones.
    ///
    /// # Errors
    /// [`GatewayError`] with the end of Envoy's log.
    pub fn start(bootstrap: Bootstrap, workers: u32) -> Result<Self, GatewayError> {
        let binary = envoy().ok_or(GatewayError::Absent)?;
        let bootstrap = bootstrap.port(ports::ADMIN, 0)?.port(ports::LISTENER, 0)?;
        let folder = tempfile::tempdir()?;
        let path = |name| folder.path().join(name);
        fs::write(path("envoy.yaml"), bootstrap.text())?;
        let keeper = Command::new("sh")
            .args(["-c", KEEPER])
            .arg(folder.path())
            .arg(binary)
            .arg("--config-path")
            .arg(path("envoy.yaml"))
            .arg("--admin-address-path")
            .arg(path("admin"))
            .args(["--concurrency", &workers.to_string()])
            // Several Envoys on one machine, and an access log that can be read at once.
            .args(["--use-dynamic-base-id", "--file-flush-interval-msec", "2"])
            .current_dir(chunkwise_tests::root())
            .stdin(Stdio::piped())
            .stdout(File::create(path("access.log"))?)
            .stderr(File::create(path("envoy.log"))?)
            .spawn()?;
        let nowhere = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut gateway = Self { keeper, folder, admin: nowhere, listener: nowhere };
        gateway.wait_until_ready()?;
        Ok(gateway)
    }

    fn wait_until_ready(&mut self) -> Result<(), GatewayError> {
        let start = Instant::now();
        loop {
            if let Some(status) = self.status() {
                return Err(self.unready(&format!("ended with status {status}")));
            }
            if let Ok(admin) = fs::read_to_string(self.path("admin"))
                && let Ok(admin) = admin.trim().parse()
            {
                self.admin = admin;
                let ready = client::get(admin, "/ready");
                if ready.is_ok_and(|ready| ready.status() == Some(200)) {
                    break;
                }
            }
            if start.elapsed() > PATIENCE {
                return Err(self.unready("was not ready in time"));
            }
            thread::sleep(Duration::from_millis(10));
        }
        let listeners: Value = self.admin_json("/listeners?format=json")?;
        let address = &listeners["listener_statuses"][0]["local_address"]["socket_address"];
        let port = address["port_value"].as_u64().and_then(|port| u16::try_from(port).ok());
        let port = port.ok_or_else(|| self.unready("says nothing of its listener"))?;
        self.listener = SocketAddr::from(([127, 0, 0, 1], port));
        Ok(())
    }

    /// Where it listens.
    pub fn listener(&self) -> SocketAddr {
        self.listener
    }

    /// Where it listens under a name.
    ///
    /// # Errors
    /// When the admin interface does not answer, or names no such listener.
    pub fn listener_named(&self, name: &str) -> Result<SocketAddr, GatewayError> {
        let listeners = self.admin_json("/listeners?format=json")?;
        let all = listeners["listener_statuses"].as_array().into_iter().flatten();
        let found = all
            .filter(|status| status["name"] == name)
            .find_map(|status| status["local_address"]["socket_address"]["port_value"].as_u64());
        let port = found.and_then(|port| u16::try_from(port).ok());
        let port = port.ok_or_else(|| self.unready(&format!("has no listener {name}")))?;
        Ok(SocketAddr::from(([127, 0, 0, 1], port)))
    }

    /// Sends one request through it, with a pause between its chunks.
    ///
    /// # Errors
    /// [`ClientError`] where not even response headers come back.
    pub fn send(&self, exchange: &Exchange, pause: Duration) -> Result<Seen, ClientError> {
        client::send(self.listener, exchange, pause)
    }

    /// Its process, while it runs.
    ///
    /// # Errors
    /// When it has just not started.
    pub fn pid(&self) -> io::Result<u32> {
        fs::read_to_string(self.path("pid"))?.trim().parse().map_err(io::Error::other)
    }

    /// The status with which it has ended, if it has.
    pub fn status(&self) -> Option<String> {
        let status = fs::read_to_string(self.path("status")).ok()?;
        Some(status.trim().to_owned()).filter(|status| !status.is_empty())
    }

    /// What the admin interface says at a path.
    ///
    /// # Errors
    /// When it does not answer.
    pub fn admin(&self, path: &str) -> Result<String, ClientError> {
        Ok(client::get(self.admin, path)?.text().into_owned())
    }

    /// As [`admin`](Self::admin), with a request that changes something.
    ///
    /// # Errors
    /// When it does not answer.
    pub fn admin_post(&self, path: &str) -> Result<String, ClientError> {
        Ok(client::method(self.admin, "POST", path)?.text().into_owned())
    }

    /// As [`admin`](Self::admin), read as JSON; null where it is none.
    ///
    /// # Errors
    /// When it does not answer.
    pub fn admin_json(&self, path: &str) -> Result<Value, ClientError> {
        Ok(serde_json::from_str(&self.admin(path)?).unwrap_or_default())
    }

    /// The counter or gauge of this name, 0 where there is none.
    ///
    /// # Errors
    /// When the admin interface does not answer.
    pub fn stat(&self, name: &str) -> Result<u64, ClientError> {
        let stats = self.admin(&format!("/stats?filter={}", name.replace('.', "\\.")))?;
        let values = stats.lines().filter_map(|line| line.split_once(": "));
        let value =
            values.filter(|(key, _)| *key == name).find_map(|(_, value)| value.parse().ok());
        Ok(value.unwrap_or_default())
    }

    /// The lines of the access log, once there are so many.
    ///
    /// # Errors
    /// When they do not come in time.
    pub fn access_log(&self, lines: usize) -> Result<Vec<Value>, GatewayError> {
        let start = Instant::now();
        loop {
            let text = fs::read_to_string(self.path("access.log"))?;
            if text.matches('\n').count() >= lines {
                let parsed =
                    text.lines().map(|line| serde_json::from_str(line).unwrap_or_default());
                return Ok(parsed.collect());
            }
            if start.elapsed() > PATIENCE {
                let what = format!("wrote {text:?} where {lines} lines of access log were due");
                return Err(self.unready(&what));
            }
            thread::sleep(Duration::from_millis(2));
        }
    }

    /// What Envoy and its plugins have logged.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn log(&self) -> io::Result<String> {
        Ok(String::from_utf8_lossy(&fs::read(self.path("envoy.log"))?).into_owned())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn unready(&self, what: &str) -> GatewayError {
        let log = self.log().unwrap_or_default();
        let lines: Vec<_> = log.lines().collect();
        let log = lines[lines.len().saturating_sub(20)..].join("\n");
        GatewayError::Unready { what: what.to_owned(), log }
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        // The keeper ends Envoy when its stdin closes.
        drop(self.keeper.stdin.take());
        let _ = self.keeper.wait();
    }
}
