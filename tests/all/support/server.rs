//! The server of a sandbox, in a process of its own, which ends with the test.

use std::{
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use super::{Run, Sandbox};

/// A running server.
pub struct Server {
    /// Its URL.
    pub url: String,
    /// Address and port.
    pub address: String,
    /// Its process.
    pub pid: u32,
    /// The token, as its file has it.
    pub token: String,
}

impl Sandbox {
    /// Starts this sandbox's server on a free port. The sandbox stops it when it is dropped.
    pub fn start_server(&self) -> Server {
        self.run(["system", "start", "--listen", "127.0.0.1:0"])
            .succeeds();
        self.server().expect("a server that runs")
    }

    /// The server that the sandbox's files tell of.
    pub fn server(&self) -> Option<Server> {
        let text = std::fs::read_to_string(self.home().join("state/server.json")).ok()?;
        let file: serde_json::Value = serde_json::from_str(&text).ok()?;
        let address = file["address"].as_str()?.to_owned();
        Some(Server {
            url: format!("http://{address}"),
            address,
            pid: u32::try_from(file["pid"].as_u64()?).ok()?,
            token: file["token"].as_str()?.to_owned(),
        })
    }

    /// Runs a command over the sandbox's server.
    pub fn run_remote(&self, arguments: &[&str]) -> Run {
        let mut all = arguments.to_vec();
        all.extend(["--server", "local"]);
        self.run(all)
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        if let Some(server) = self.server() {
            end(server.pid);
        }
    }
}

/// Sends a signal to a process.
pub fn signal(pid: u32, name: &str) {
    let _ = Command::new("kill")
        .args([format!("-{name}"), pid.to_string()])
        .output();
}

/// Whether a process still runs; one that only waits to be noticed does not.
pub fn is_alive(pid: u32) -> bool {
    let path = format!("/proc/{pid}/stat");
    if !Path::new("/proc/self/stat").exists() {
        let asked = Command::new("kill").args(["-0", &pid.to_string()]).output();
        return asked.is_ok_and(|output| output.status.success());
    }
    let ended = std::fs::read_to_string(path).map_or(true, |stat| {
        let state = stat.rsplit(") ").next().unwrap_or_default();
        state.starts_with('Z')
    });
    // The first thread may have ended before the others, which still hold files and ports.
    let threads = std::fs::read_dir(format!("/proc/{pid}/task"));
    !ended || threads.is_ok_and(|threads| threads.count() > 1)
}

/// Waits for the end of a process.
pub fn wait_for_end(pid: u32, limit: Duration) -> bool {
    let deadline = Instant::now() + limit;
    while is_alive(pid) {
        if Instant::now() > deadline {
            return false;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    true
}

/// Ends a process: asks first, then insists.
fn end(pid: u32) {
    signal(pid, "TERM");
    if !wait_for_end(pid, Duration::from_secs(5)) {
        signal(pid, "KILL");
    }
}
