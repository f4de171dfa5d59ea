//! Errors on stderr: our form for people, one JSON object for programs.

use super::{Style, Terminal, Text, document};
use crate::error::{Body, Error};

impl Terminal {
    /// Prints an error and its siblings. With `structured` as one JSON object.
    pub fn error(&self, error: &Error, structured: bool) {
        if structured {
            let mut text = Vec::new();
            if document::write_json(&mut text, &Body::from(error.clone())).is_ok() {
                self.raw_err(&text);
                return;
            }
        }
        let verbose = self.verbosity() > 0;
        self.lines(error.render(verbose).lines().map(|line| {
            match line.split_once(": ") {
                Some((label, rest)) if label.starts_with("error[") => Text::new()
                    .styled(Style::Bad, format!("{label}:"))
                    .plain(format!(" {rest}")),
                _ => line.into(),
            }
        }));
    }
}
