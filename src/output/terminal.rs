//! The only owner of stdout and stderr.
//!
//! stdout carries data, stderr conversation. What the process knows of its surroundings (streams,
//! width, variables) is read once by the caller and passed in as [`Surroundings`], so that a test
//! says what the world looks like instead of changing it. Text is escaped here on its way out; a
//! reader who leaves (`| head`) ends output quietly, any other failed write is an error.

use std::fmt;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use dialoguer::console::Term;
use indicatif::{MultiProgress, ProgressDrawTarget, TermLike};

use super::escape;

/// The width used where none is known.
const DEFAULT_WIDTH: u16 = 80;

/// When to use colour: the value of `--color`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum ColorChoice {
    /// On a terminal, unless the environment objects.
    #[default]
    Auto,
    /// Even into a pipe.
    Always,
    /// Nowhere.
    Never,
}

/// What stands at the other end of a standard stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Stream {
    /// A person's terminal.
    Terminal,
    /// A pipe, a file, or nothing.
    #[default]
    Other,
}

impl Stream {
    fn of(stream: &impl IsTerminal) -> Self {
        if stream.is_terminal() {
            Self::Terminal
        } else {
            Self::Other
        }
    }
}

/// What the process was started in. The default is a pipe on every side and no variables.
#[derive(Clone, Debug, Default)]
pub struct Surroundings {
    /// Standard input.
    pub stdin: Stream,
    /// Standard output.
    pub stdout: Stream,
    /// Standard error.
    pub stderr: Stream,
    /// The terminal's width in columns, if there is one.
    pub width: Option<u16>,
    /// The terminal's height in lines, if there is one.
    pub height: Option<u16>,
    /// `WEFT_PAGER`, else `PAGER`.
    pub pager: Option<String>,
    /// `NO_COLOR`.
    pub no_color: Option<String>,
    /// `CLICOLOR_FORCE`.
    pub clicolor_force: Option<String>,
    /// `TERM`.
    pub term: Option<String>,
    /// `CI`.
    pub ci: Option<String>,
    /// The first of `LC_ALL`, `LC_CTYPE` and `LANG` that is not empty.
    pub locale: Option<String>,
}

impl Surroundings {
    /// Reads the process's own streams and variables.
    pub fn read() -> Self {
        let (stdout, stderr) = (io::stdout(), io::stderr());
        let size = Term::stdout()
            .size_checked()
            .or_else(|| Term::stderr().size_checked());
        Self {
            stdin: Stream::of(&io::stdin()),
            stdout: Stream::of(&stdout),
            stderr: Stream::of(&stderr),
            width: size.map(|(_, columns)| columns),
            height: size.map(|(lines, _)| lines),
            ..Self::default()
        }
        .with_variables(|name| std::env::var(name).ok())
    }

    /// Takes the variables that matter here from a lookup; an empty one counts as unset.
    #[must_use]
    pub fn with_variables(self, lookup: impl Fn(&str) -> Option<String>) -> Self {
        let get = |name| lookup(name).filter(|value| !value.is_empty());
        Self {
            pager: get("WEFT_PAGER").or_else(|| get("PAGER")),
            no_color: get("NO_COLOR"),
            clicolor_force: get("CLICOLOR_FORCE"),
            term: get("TERM"),
            ci: get("CI"),
            locale: get("LC_ALL")
                .or_else(|| get("LC_CTYPE"))
                .or_else(|| get("LANG")),
            ..self
        }
    }

    fn is_ci(&self) -> bool {
        self.ci
            .as_deref()
            .is_some_and(|ci| !matches!(ci, "" | "0" | "false"))
    }

    fn is_utf8(&self) -> bool {
        match &self.locale {
            Some(locale) => {
                let locale = locale.to_ascii_lowercase();
                locale.contains("utf-8") || locale.contains("utf8")
            }
            None => cfg!(windows),
        }
    }

    fn colour(&self, choice: ColorChoice, stream: Stream) -> bool {
        let set = |value: &Option<String>| value.as_deref().is_some_and(|v| !v.is_empty());
        match choice {
            ColorChoice::Always => true,
            ColorChoice::Never => false,
            ColorChoice::Auto if set(&self.no_color) => false,
            ColorChoice::Auto
                if set(&self.clicolor_force) && self.clicolor_force.as_deref() != Some("0") =>
            {
                true
            }
            ColorChoice::Auto => stream == Stream::Terminal && self.term.as_deref() != Some("dumb"),
        }
    }
}

/// What the user asked of the conversation by flags.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// `--color`.
    pub color: ColorChoice,
    /// `-q`: no notes, hints or progress; warnings and errors stay.
    pub quiet: bool,
    /// `-v`, counted.
    pub verbosity: u8,
    /// `--no-input`: never prompt.
    pub no_input: bool,
    /// `--no-headers`: tables without headings.
    pub no_headers: bool,
}

/// How a piece of text stands out. Meaning never depends on it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Style {
    /// Not at all.
    #[default]
    Plain,
    /// Bold.
    Bold,
    /// Faint.
    Dim,
    /// Green: it went well.
    Good,
    /// Yellow: look here.
    Warn,
    /// Red and bold: it failed.
    Bad,
    /// Cyan: something to type or to notice.
    Accent,
}

impl Style {
    const fn code(self) -> Option<&'static str> {
        match self {
            Self::Plain => None,
            Self::Bold => Some("1"),
            Self::Dim => Some("2"),
            Self::Good => Some("32"),
            Self::Warn => Some("33"),
            Self::Bad => Some("1;31"),
            Self::Accent => Some("36"),
        }
    }
}

/// One line of styled text. The text may come from anywhere: it is escaped when it is shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Text(Vec<(Style, String)>);

impl Text {
    /// Starts an empty line.
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends plain text.
    #[must_use]
    pub fn plain(self, text: impl Into<String>) -> Self {
        self.styled(Style::Plain, text)
    }

    /// Appends text in a style.
    #[must_use]
    pub fn styled(mut self, style: Style, text: impl Into<String>) -> Self {
        self.0.push((style, text.into()));
        self
    }

    fn render(&self, look: Look) -> String {
        let mut line = String::new();
        for (style, text) in &self.0 {
            let text = look.symbols(&escape::line(text));
            match style.code().filter(|_| look.colour) {
                Some(code) => line.extend(["\u{1b}[", code, "m", &text, "\u{1b}[0m"]),
                None => line.push_str(&text),
            }
        }
        line
    }
}

impl<T: Into<String>> From<T> for Text {
    fn from(text: T) -> Self {
        Self::new().plain(text)
    }
}

/// How text appears on one stream.
#[derive(Clone, Copy, Debug)]
struct Look {
    colour: bool,
    utf8: bool,
}

impl Look {
    /// Spells our symbols in ASCII where the locale may not show them.
    fn symbols(self, text: &str) -> String {
        if self.utf8 || text.is_ascii() {
            return text.to_owned();
        }
        [
            ("…", "..."),
            ("✓", "ok:"),
            ("✗", "failed:"),
            ("→", "->"),
            ("•", "*"),
            ("µs", "us"),
        ]
        .iter()
        .fold(text.to_owned(), |text, (symbol, ascii)| {
            text.replace(symbol, ascii)
        })
    }
}

/// How far data got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Delivered {
    /// All of it was written.
    All,
    /// The reader went away; nobody needs the rest, and a stream should end.
    ReaderLeft,
}

/// Data did not reach stdout.
#[derive(Debug, thiserror::Error)]
#[error("cannot write to standard output")]
pub struct WriteError(#[from] io::Error);

type Writer = Box<dyn Write + Send>;

/// A writer that several owners share.
struct Sink(Mutex<Writer>);

impl Sink {
    fn lock(&self) -> MutexGuard<'_, Writer> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Sink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sink")
    }
}

/// stdout, stderr, and what is known of the person or program behind them.
#[derive(Debug)]
pub struct Terminal {
    surroundings: Surroundings,
    options: Options,
    out: Sink,
    err: Arc<Sink>,
    bars: MultiProgress,
    hinted: AtomicBool,
}

impl Terminal {
    /// Takes the process's own streams.
    pub fn new(surroundings: Surroundings, options: Options) -> Self {
        Self::with_writers(
            surroundings,
            options,
            Box::new(io::stdout()),
            Box::new(io::stderr()),
        )
    }

    /// Takes any two writers, so that a test can read what was said.
    pub fn with_writers(
        surroundings: Surroundings,
        options: Options,
        out: Writer,
        err: Writer,
    ) -> Self {
        let err = Arc::new(Sink(Mutex::new(err)));
        let target = if surroundings.stderr == Stream::Terminal && !options.quiet {
            let width = surroundings.width.unwrap_or(DEFAULT_WIDTH);
            ProgressDrawTarget::term_like(Box::new(ErrTerm {
                err: Arc::clone(&err),
                width,
            }))
        } else {
            ProgressDrawTarget::hidden()
        };
        let bars = MultiProgress::with_draw_target(target);
        let hinted = AtomicBool::new(false);
        Self {
            surroundings,
            options,
            out: Sink(Mutex::new(out)),
            err,
            bars,
            hinted,
        }
    }

    /// Tells whether a person reads stdout.
    pub fn stdout_is_terminal(&self) -> bool {
        self.surroundings.stdout == Stream::Terminal
    }

    /// Tells whether a person reads stderr.
    pub fn stderr_is_terminal(&self) -> bool {
        self.surroundings.stderr == Stream::Terminal
    }

    /// Tells whether a person types into stdin.
    pub fn stdin_is_terminal(&self) -> bool {
        self.surroundings.stdin == Stream::Terminal
    }

    /// Tells whether questions may be asked: stdin and stderr are terminals, and neither
    /// `--no-input` nor `CI` is set.
    pub fn may_prompt(&self) -> bool {
        self.stdin_is_terminal()
            && self.stderr_is_terminal()
            && !self.options.no_input
            && !self.surroundings.is_ci()
    }

    /// Returns the width to fit tables into: none unless stdout is a terminal.
    pub fn table_width(&self) -> Option<u16> {
        self.stdout_is_terminal()
            .then(|| self.surroundings.width.unwrap_or(DEFAULT_WIDTH))
    }

    /// Returns the height of the terminal in lines, if there is one.
    pub fn height(&self) -> Option<u16> {
        self.surroundings.height
    }

    /// Returns the pager that the user chose.
    pub fn pager(&self) -> Option<&str> {
        self.surroundings.pager.as_deref()
    }

    /// Tells whether `-q` was given.
    pub fn is_quiet(&self) -> bool {
        self.options.quiet
    }

    /// Returns how often `-v` was given.
    pub fn verbosity(&self) -> u8 {
        self.options.verbosity
    }

    /// Tells whether tables have headings.
    pub fn shows_headers(&self) -> bool {
        !self.options.no_headers
    }

    /// Tells whether the locale shows more than ASCII.
    pub fn is_utf8(&self) -> bool {
        self.surroundings.is_utf8()
    }

    /// Tells whether stdout gets colour.
    pub fn colours_stdout(&self) -> bool {
        self.surroundings
            .colour(self.options.color, self.surroundings.stdout)
    }

    /// Tells whether stderr gets colour.
    pub fn colours_stderr(&self) -> bool {
        self.surroundings
            .colour(self.options.color, self.surroundings.stderr)
    }

    /// Writes data to stdout through a buffer and flushes it.
    ///
    /// A reader who left is no error; a full disk is. The closure must not speak through this
    /// terminal.
    pub fn data(
        &self,
        write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> Result<Delivered, WriteError> {
        let deliver = || {
            let mut out = self.out.lock();
            let mut buffer = BufWriter::with_capacity(64 * 1_024, &mut *out);
            let result = write(&mut buffer).and_then(|()| buffer.flush());
            if result.is_err() {
                // What is left must not be tried once more when the buffer is dropped.
                drop(buffer.into_parts());
            }
            result
        };
        let result = if self.stdout_is_terminal() {
            self.suspend(deliver)
        } else {
            deliver()
        };
        match result {
            Ok(()) => Ok(Delivered::All),
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(Delivered::ReaderLeft),
            Err(error) => Err(WriteError(error)),
        }
    }

    /// Says something in passing; `-q` leaves it out.
    pub fn note(&self, text: impl Into<Text>) {
        if !self.options.quiet {
            self.say(&text.into());
        }
    }

    /// Says something only when `-v` was given at least `level` times.
    pub fn detail(&self, level: u8, text: impl Into<Text>) {
        if self.options.verbosity >= level {
            self.say(&text.into());
        }
    }

    /// Warns.
    pub fn warn(&self, text: impl Into<Text>) {
        self.label(Style::Warn, "warning: ", text.into());
    }

    /// Suggests what to type next: once per run, and only to a person.
    pub fn hint(&self, text: impl Into<Text>) {
        if self.stderr_is_terminal()
            && !self.options.quiet
            && !self.hinted.swap(true, Ordering::Relaxed)
        {
            self.label(Style::Accent, "hint: ", text.into());
        }
    }

    /// Says several lines at once, whatever `-q` says: for rendered errors.
    pub fn lines(&self, lines: impl IntoIterator<Item = Text>) {
        let look = self.stderr_look();
        let text: String = lines
            .into_iter()
            .map(|line| line.render(look) + "\n")
            .collect();
        self.write_err(&text);
    }

    /// Hides progress while something else uses the terminal. The closure must not speak through
    /// this terminal: it is taken.
    pub fn suspend<R>(&self, action: impl FnOnce() -> R) -> R {
        if self.bars.is_hidden() {
            action()
        } else {
            self.bars.suspend(action)
        }
    }

    /// Returns text as it would be said on stderr, without colour.
    pub(super) fn shown(&self, text: &str) -> String {
        self.symbols(&escape::line(text))
    }

    /// Spells our symbols as the locale can show them.
    pub(super) fn symbols(&self, text: &str) -> String {
        Look {
            colour: false,
            utf8: self.is_utf8(),
        }
        .symbols(text)
    }

    pub(super) fn bars(&self) -> &MultiProgress {
        &self.bars
    }

    fn label(&self, style: Style, label: &str, text: Text) {
        let mut line = Text::new().styled(style, label);
        line.0.extend(text.0);
        self.say(&line);
    }

    fn say(&self, text: &Text) {
        self.write_err(&(text.render(self.stderr_look()) + "\n"));
    }

    /// Writes bytes that are harmless already to stderr.
    pub(super) fn raw_err(&self, bytes: &[u8]) {
        self.suspend(|| {
            let mut err = self.err.lock();
            _ = err.write_all(bytes).and_then(|()| err.flush());
        });
    }

    fn write_err(&self, text: &str) {
        self.suspend(|| {
            let mut err = self.err.lock();
            // Nobody is left to be told that stderr is gone.
            _ = err.write_all(text.as_bytes()).and_then(|()| err.flush());
        });
    }

    fn stderr_look(&self) -> Look {
        Look {
            colour: self.colours_stderr(),
            utf8: self.is_utf8(),
        }
    }
}

/// Lets indicatif draw through our stderr, so that drawing and talking share one writer.
#[derive(Debug)]
struct ErrTerm {
    err: Arc<Sink>,
    width: u16,
}

impl ErrTerm {
    fn steps(&self, count: usize, direction: char) -> io::Result<()> {
        if count == 0 {
            Ok(())
        } else {
            self.write_str(&format!("\u{1b}[{count}{direction}"))
        }
    }
}

impl TermLike for ErrTerm {
    fn width(&self) -> u16 {
        self.width
    }

    fn move_cursor_up(&self, n: usize) -> io::Result<()> {
        self.steps(n, 'A')
    }

    fn move_cursor_down(&self, n: usize) -> io::Result<()> {
        self.steps(n, 'B')
    }

    fn move_cursor_right(&self, n: usize) -> io::Result<()> {
        self.steps(n, 'C')
    }

    fn move_cursor_left(&self, n: usize) -> io::Result<()> {
        self.steps(n, 'D')
    }

    fn write_line(&self, text: &str) -> io::Result<()> {
        self.write_str(&format!("{text}\n"))
    }

    fn write_str(&self, text: &str) -> io::Result<()> {
        self.err.lock().write_all(text.as_bytes())
    }

    fn clear_line(&self) -> io::Result<()> {
        self.write_str("\r\u{1b}[2K")
    }

    fn flush(&self) -> io::Result<()> {
        self.err.lock().flush()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A writer whose content can be read afterwards.
    #[derive(Clone, Default)]
    pub(crate) struct Captured(Arc<Mutex<Vec<u8>>>);

    impl Captured {
        pub(crate) fn text(&self) -> String {
            String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
        }
    }

    impl Write for Captured {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// A terminal whose two streams are captured.
    pub(crate) fn captured(
        surroundings: Surroundings,
        options: Options,
    ) -> (Terminal, Captured, Captured) {
        let (out, err) = (Captured::default(), Captured::default());
        let terminal = Terminal::with_writers(
            surroundings,
            options,
            Box::new(out.clone()),
            Box::new(err.clone()),
        );
        (terminal, out, err)
    }

    /// Surroundings with a person on every side.
    pub(crate) fn person(width: u16) -> Surroundings {
        Surroundings {
            stdin: Stream::Terminal,
            stdout: Stream::Terminal,
            stderr: Stream::Terminal,
            width: Some(width),
            locale: Some("de_DE.UTF-8".to_owned()),
            ..Surroundings::default()
        }
    }

    struct Failing(io::ErrorKind);

    impl Write for Failing {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn colour_follows_flag_then_environment_then_stream() {
        use ColorChoice::{Always, Auto, Never};
        use Stream::{Other, Terminal};
        type Case = (
            ColorChoice,
            Stream,
            &'static [(&'static str, &'static str)],
            bool,
        );
        let cases: &[Case] = &[
            (Auto, Terminal, &[], true),
            (Auto, Other, &[], false),
            (Always, Other, &[("NO_COLOR", "1"), ("TERM", "dumb")], true),
            (Never, Terminal, &[("CLICOLOR_FORCE", "1")], false),
            (Auto, Terminal, &[("NO_COLOR", "1")], false),
            (Auto, Terminal, &[("NO_COLOR", "")], true),
            (Auto, Terminal, &[("TERM", "dumb")], false),
            (Auto, Other, &[("CLICOLOR_FORCE", "1")], true),
            (Auto, Other, &[("CLICOLOR_FORCE", "0")], false),
            (
                Auto,
                Terminal,
                &[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")],
                false,
            ),
        ];
        for (choice, stream, variables, expected) in cases {
            let surroundings = Surroundings::default().with_variables(|name| {
                variables
                    .iter()
                    .find(|(key, _)| *key == name)
                    .map(|(_, value)| (*value).to_owned())
            });
            assert_eq!(
                surroundings.colour(*choice, *stream),
                *expected,
                "{choice:?} {stream:?} {variables:?}"
            );
        }
    }

    #[test]
    fn the_locale_decides_the_symbols() {
        let cases: &[(&[(&str, &str)], bool)] = &[
            (&[("LANG", "en_US.UTF-8")], true),
            (&[("LC_ALL", "C"), ("LANG", "en_US.UTF-8")], false),
            (&[("LC_ALL", ""), ("LC_CTYPE", "de_DE.utf8")], true),
            (&[("LANG", "C")], false),
        ];
        for (variables, expected) in cases {
            let surroundings = Surroundings::default().with_variables(|name| {
                variables
                    .iter()
                    .find(|(key, _)| *key == name)
                    .map(|(_, value)| (*value).to_owned())
            });
            assert_eq!(surroundings.is_utf8(), *expected, "{variables:?}");
        }
        let ascii = Surroundings {
            locale: Some("C".to_owned()),
            ..Surroundings::default()
        };
        let (terminal, _, err) = captured(ascii, Options::default());
        terminal.note("✓ read a → b…");
        assert_eq!(err.text(), "ok: read a -> b...\n");
    }

    #[test]
    fn conversation_is_escaped_and_labelled() {
        let (terminal, out, err) = captured(Surroundings::default(), Options::default());
        terminal.note("imported \u{1b}[2Jshop\nerror: none");
        terminal.warn("old \u{202e}name");
        terminal.hint("weftctl design list");
        terminal.detail(1, "not at this level");
        assert_eq!(
            err.text(),
            "imported \\u{1b}[2Jshop\\nerror: none\nwarning: old \\u{202e}name\n"
        );
        assert_eq!(out.text(), "");
    }

    #[test]
    fn a_hint_is_given_once_and_only_to_a_person() {
        let (terminal, _, err) = captured(
            person(80),
            Options {
                color: ColorChoice::Never,
                ..Options::default()
            },
        );
        terminal.hint("first");
        terminal.hint("second");
        assert_eq!(err.text(), "hint: first\n");
    }

    #[test]
    fn quiet_leaves_warnings_and_errors() {
        let quiet = Options {
            quiet: true,
            color: ColorChoice::Never,
            ..Options::default()
        };
        let (terminal, _, err) = captured(person(80), quiet);
        terminal.note("note");
        terminal.hint("hint");
        terminal.warn("kept");
        terminal.lines([Text::from("error: x"), Text::from("  cause: y\nz")]);
        assert_eq!(err.text(), "warning: kept\nerror: x\n  cause: y\\nz\n");
    }

    #[test]
    fn colour_surrounds_escaped_text() {
        let (terminal, _, err) = captured(person(80), Options::default());
        terminal.note(Text::new().styled(Style::Bad, "a\u{1b}[0m").plain(" b"));
        assert_eq!(err.text(), "\u{1b}[1;31ma\\u{1b}[0m\u{1b}[0m b\n");
    }

    #[test]
    fn a_reader_who_left_is_no_error_but_a_failed_write_is() {
        let write = |kind: io::ErrorKind| {
            let out = Box::new(Failing(kind));
            let terminal = Terminal::with_writers(
                Surroundings::default(),
                Options::default(),
                out,
                Box::new(io::sink()),
            );
            terminal.data(|out| out.write_all(b"x"))
        };
        assert_eq!(
            write(io::ErrorKind::BrokenPipe).unwrap(),
            Delivered::ReaderLeft
        );
        let error = write(io::ErrorKind::StorageFull).unwrap_err();
        assert_eq!(error.to_string(), "cannot write to standard output");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_disk_is_an_error() {
        let full = std::fs::OpenOptions::new()
            .write(true)
            .open("/dev/full")
            .unwrap();
        let terminal = Terminal::with_writers(
            Surroundings::default(),
            Options::default(),
            Box::new(full),
            Box::new(io::sink()),
        );
        for size in [1, 1_000_000] {
            let error = terminal
                .data(|out| out.write_all(&vec![b'x'; size]))
                .unwrap_err();
            assert_eq!(error.0.kind(), io::ErrorKind::StorageFull, "{size}");
        }
    }

    #[test]
    fn prompting_needs_a_person_on_both_sides() {
        let no_input = Options {
            no_input: true,
            ..Options::default()
        };
        let ci = |value: &str| Surroundings {
            ci: Some(value.to_owned()),
            ..person(80)
        };
        let cases = [
            (person(80), Options::default(), true),
            (person(80), no_input, false),
            (ci("true"), Options::default(), false),
            (ci("false"), Options::default(), true),
            (
                Surroundings {
                    stdin: Stream::Other,
                    ..person(80)
                },
                Options::default(),
                false,
            ),
            (
                Surroundings {
                    stderr: Stream::Other,
                    ..person(80)
                },
                Options::default(),
                false,
            ),
            (
                Surroundings {
                    stdout: Stream::Other,
                    ..person(80)
                },
                Options::default(),
                true,
            ),
        ];
        for (number, (surroundings, options, expected)) in cases.into_iter().enumerate() {
            assert_eq!(
                captured(surroundings, options).0.may_prompt(),
                expected,
                "case {number}"
            );
        }
    }
}
