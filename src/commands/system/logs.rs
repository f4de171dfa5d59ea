//! `system logs`. A local command: it reads the log of the user's own server.

use std::{
    io::{Read, Seek, SeekFrom},
    time::Duration,
};

use serde::Serialize;

use crate::{
    commands::Outcome,
    context::Context,
    error::{Code, Error, Place, Result},
    output::{Delivered, Format, Human, Printable, View, escape},
};

/// Show what the server logged.
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:\n  weftctl system logs\n  weftctl system logs --tail 20")]
pub(super) struct Logs {
    /// Only the last lines
    #[arg(long, value_name = "LINES")]
    tail: Option<usize>,
    /// Go on until interrupted: lines, or with -o json a document per line
    #[arg(short = 'F', long)]
    follow: bool,
}

/// Lines of the server's log.
#[derive(Serialize, schemars::JsonSchema)]
pub(super) struct LogText {
    /// The lines, oldest first.
    items: Vec<String>,
}

impl View for LogText {
    const KIND: &'static str = "ServerLog";

    fn human(&self) -> Human {
        let lines = self.items.iter().map(|line| [line, "\n"].concat());
        Human::Text(lines.collect())
    }

    fn names(&self) -> Vec<String> {
        vec!["log/server".to_owned()]
    }

    fn summary(&self) -> Option<String> {
        self.items.is_empty().then(|| "the log is empty".to_owned())
    }
}

/// A line of the server's log, as `--follow` prints it.
#[derive(Serialize, schemars::JsonSchema)]
pub(super) struct LogLine {
    /// The line.
    line: String,
}

impl View for LogLine {
    const KIND: &'static str = "LogLine";

    fn human(&self) -> Human {
        Human::Text(format!("{}\n", self.line))
    }

    fn names(&self) -> Vec<String> {
        vec!["log/server".to_owned()]
    }
}

impl LogLine {
    fn print(&self, cx: &Context) -> Result<Delivered> {
        cx.print(|out| {
            if cx.format.is_json() {
                self.write_json_line(out)
            } else {
                writeln!(out, "{}", escape::line(&self.line))
            }
        })
    }
}

impl Logs {
    /// Reads the log; with `--follow` prints what comes until a signal.
    pub(super) async fn run(self, cx: &Context) -> Result<Outcome> {
        if self.follow && !matches!(cx.format, Format::Table | Format::Wide | Format::Json) {
            return Err(Error::new(
                Code::Usage,
                "--follow prints lines, or documents with -o json",
            )
            .hint("choose -o table or -o json, or leave --follow out"));
        }
        let path = cx.home.log_file();
        let fail = |error: std::io::Error| {
            let (code, text) = match error.kind() {
                std::io::ErrorKind::NotFound => (Code::NotRunning, "no server has run yet"),
                _ => (Code::Unreadable, "cannot read the log"),
            };
            Error::new(code, text)
                .at(Place::file(path.display().to_string(), None))
                .because(error)
        };
        let mut file = std::fs::File::open(&path).map_err(fail)?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(fail)?;
        let text = String::from_utf8_lossy(&bytes);
        let lines: Vec<&str> = text.lines().collect();
        let first = lines.len().saturating_sub(self.tail.unwrap_or(lines.len()));
        let view = LogText {
            items: lines
                .iter()
                .skip(first)
                .map(|line| (*line).to_owned())
                .collect(),
        };
        if !self.follow {
            return Ok(view.into());
        }
        let mut pending: Vec<String> = view.items;
        let mut read = bytes.len() as u64;
        loop {
            for line in pending.drain(..) {
                let line = LogLine { line };
                if line.print(cx)? == Delivered::ReaderLeft {
                    return Ok(Outcome::shown());
                }
            }
            tokio::select! {
                () = cx.cancel.cancelled() => {
                    return Err(cx.interrupted().unwrap_or_else(|| Error::internal("cancelled")));
                }
                () = tokio::time::sleep(Duration::from_millis(200)) => {}
            }
            let length = file.metadata().map_err(fail)?.len();
            if length > read {
                file.seek(SeekFrom::Start(read)).map_err(fail)?;
                let mut more = Vec::new();
                file.read_to_end(&mut more).map_err(fail)?;
                let whole = more
                    .iter()
                    .rposition(|b| *b == b'\n')
                    .map_or(0, |at| at + 1);
                more.truncate(whole);
                read += whole as u64;
                pending.extend(String::from_utf8_lossy(&more).lines().map(str::to_owned));
            }
        }
    }
}
