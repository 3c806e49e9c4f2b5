//! Another process, which a test kills and stops.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

/// A running process. One that is dropped is killed: a test that fails leaves nobody behind.
pub struct Process {
    child: Child,
    /// Which of those of the test it is.
    pub number: usize,
}

#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
impl Process {
    /// Starts a program. `hears` is given every line it says, until it answers that nobody listens any
    /// more.
    ///
    /// # Panics
    /// When the program can not be started.
    pub fn start(
        program: &str,
        arguments: &[&OsStr],
        number: usize,
        hears: impl FnMut(String) -> bool + Send + 'static,
    ) -> Self {
        let mut command = Command::new(program);
        let mut child = command.args(arguments).stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        std::thread::spawn(move || lines.map_while(Result::ok).all(hears));
        Self { child, number }
    }

    /// Sends it a signal, such as `-STOP`.
    ///
    /// # Panics
    /// When that fails.
    pub fn signal(&self, signal: &str) {
        let process = self.child.id().to_string();
        assert!(Command::new("kill").args([signal, &process]).status().unwrap().success());
    }

    /// Kills it, and waits until it is gone.
    ///
    /// # Panics
    /// When that fails.
    pub fn end(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
