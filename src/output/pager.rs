//! A pager for help: only on a terminal that is too small for the text, only when one is chosen by
//! `WEFT_PAGER` or `PAGER`, and without a shell.

use std::{
    io::Write,
    process::{Command, Stdio},
};

use super::Terminal;

/// Shows a text through the pager; false when there's none to be used, or it can't be started.
pub(super) fn show(text: &str, terminal: &Terminal) -> bool {
    let height = terminal.height().unwrap_or(u16::MAX);
    if !terminal.stdout_is_terminal() || text.lines().count() < usize::from(height) {
        return false;
    }
    let Some(pager) = terminal.pager() else {
        return false;
    };
    let mut words = pager.split_whitespace();
    let Some(program) = words.next().filter(|program| *program != "cat") else {
        return false;
    };
    let child = Command::new(program)
        .args(words)
        .stdin(Stdio::piped())
        .spawn();
    let Ok(mut child) = child else {
        return false;
    };
    if let Some(mut pipe) = child.stdin.take() {
        // A pager that is left early doesn't read to the end.
        let _ = pipe.write_all(text.as_bytes());
    }
    child.wait().is_ok()
}
