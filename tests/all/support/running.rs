//! A command that goes on until it is told to stop.

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    sync::{
        Arc, Mutex,
        mpsc::{Receiver, channel},
    },
    time::{Duration, Instant},
};

use super::server;

/// A command that goes on.
pub struct Running {
    child: Child,
    lines: Receiver<String>,
    errors: Arc<Mutex<Vec<String>>>,
}

impl Running {
    /// Starts a prepared command.
    pub fn start(command: &mut Command) -> Self {
        let command = command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program starts");
        let (send, lines) = channel();
        let stdout = BufReader::new(child.stdout.take().expect("a pipe"));
        std::thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                if send.send(line).is_err() {
                    break;
                }
            }
        });
        let errors = Arc::new(Mutex::new(Vec::new()));
        let stderr = BufReader::new(child.stderr.take().expect("a pipe"));
        let kept = errors.clone();
        std::thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                kept.lock().expect("no panic").push(line);
            }
        });
        Self {
            child,
            lines,
            errors,
        }
    }

    /// The next line.
    #[track_caller]
    pub fn line(&mut self) -> String {
        let line = self.lines.recv_timeout(Duration::from_secs(30));
        line.unwrap_or_else(|_| panic!("no line; stderr: {:#?}", self.errors()))
    }

    /// The next line, if there is one within a time.
    pub fn line_within(&mut self, time: Duration) -> Option<String> {
        self.lines.recv_timeout(time).ok()
    }

    /// What it has written on stderr so far.
    pub fn errors(&self) -> Vec<String> {
        self.errors.lock().expect("no panic").clone()
    }

    /// How it ends by itself.
    pub fn end(&mut self) -> Option<i32> {
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            if let Some(status) = self.child.try_wait().expect("the program ends") {
                return status.code();
            }
            if Instant::now() > deadline {
                let _ = self.child.kill();
                panic!("it does not end");
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Interrupts it.
    pub fn interrupt(&mut self) -> Option<i32> {
        self.signal("INT")
    }

    /// Sends it a signal, and waits for its end.
    pub fn signal(&mut self, name: &str) -> Option<i32> {
        server::signal(self.child.id(), name);
        self.end()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
