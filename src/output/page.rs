//! Pages: text to be read at leisure. It is fitted to the terminal's width, and goes through a pager
//! only on a terminal that is too small for it, only when one is chosen by `WEFT_PAGER` or
//! `PAGER`, and without a shell.

use std::{
    borrow::Cow,
    io::Write,
    process::{Command, Stdio},
};

use dialoguer::console::measure_text_width;

use super::{Delivered, Terminal, WriteError, escape, table};

/// Prints a page.
pub(crate) fn print(text: &str, terminal: &Terminal) -> Result<Delivered, WriteError> {
    let text = terminal.symbols(&escape::block(text));
    let text = match terminal.table_width() {
        Some(width) => wrap(&text, usize::from(width)),
        None => text,
    };
    if through_pager(&text, terminal) {
        return Ok(Delivered::All);
    }
    terminal.data(|out| out.write_all(text.as_bytes()))
}

/// Breaks lines at blanks so that they fit; what follows a break is indented as its line was. Words
/// that are too long by themselves, an example to be copied for instance, stay whole.
fn wrap(text: &str, width: usize) -> String {
    text.split_inclusive('\n')
        .map(|line| fit(line, width))
        .collect()
}

fn fit(line: &str, width: usize) -> Cow<'_, str> {
    let text = line.trim_end();
    if measure_text_width(text) <= width {
        return line.into();
    }
    let words = text.trim_start_matches(' ');
    let indent = &text[..text.len() - words.len()];
    let lines = table::wrap(words, width.saturating_sub(indent.len()));
    let end = &line[text.len()..];
    format!("{indent}{}{end}", lines.join(&format!("\n{indent}"))).into()
}

/// Shows a text through the pager; false when there's none to be used, or it can't be started.
fn through_pager(text: &str, terminal: &Terminal) -> bool {
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
    child.wait().is_ok_and(|status| status.success())
}

#[cfg(test)]
mod tests {
    use super::wrap;

    #[test]
    fn long_lines_are_broken_at_blanks_and_keep_their_indent() {
        let cases = [
            ("short\n", "short\n"),
            ("one two three\n", "one two\nthree\n"),
            (
                "  one two three\n\nfour\n",
                "  one\n  two\n  three\n\nfour\n",
            ),
            (
                "unbreakable --long-option\n",
                "unbreakable\n--long-option\n",
            ),
            ("日本 日本 日本", "日本\n日本\n日本"),
        ];
        for (text, expected) in cases {
            assert_eq!(wrap(text, 8), expected, "{text:?}");
        }
    }
}
