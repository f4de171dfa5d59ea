//! What a user can type: one folder per noun, one file per verb. A command returns what it
//! found as an [`Outcome`]; it never prints.

pub mod completion;
pub mod config;
pub mod design;
pub mod explain;
mod files;
mod findings;
pub mod help;
pub mod model;
pub mod reference;
pub mod schema;
pub mod system;
pub mod tenant;
pub mod version;
pub(crate) mod watch;

use crate::{
    context::Context,
    error::{Code, Error, Kind, Result},
    output::{
        self, Answers, Delivered, Format, Printable, Prompt, PromptError, Severity, Terminal, View,
    },
};

/// Asks before something is destroyed, or says which flag answers.
///
/// # Errors
/// When nobody can be asked, or the answer is no.
pub(crate) fn confirm(
    cx: &Context,
    answers: &Answers,
    question: &str,
    severity: Severity<'_>,
) -> Result<()> {
    Prompt::new(&cx.terminal, answers)
        .confirm(question, severity)
        .map_err(|error| match error {
            PromptError::Refused { flag, .. } => Error::new(
                Code::ConfirmationNeeded,
                format!("{question} Nobody can be asked here"),
            )
            .hint(format!("answer with {flag}")),
            PromptError::Interrupted => Error::new(Code::Interrupted, "interrupted"),
            other => Error::new(Code::ConfirmationNeeded, "nothing was changed").because(other),
        })
}

/// Reads a name, or `KIND/NAME` as `-o name` prints it.
pub(crate) fn name_of(
    kind: &'static str,
) -> impl Fn(&str) -> Result<String, std::convert::Infallible> + Clone {
    move |text| {
        let name = text
            .strip_prefix(kind)
            .and_then(|rest| rest.strip_prefix('/'));
        Ok(name.unwrap_or(text).to_owned())
    }
}

/// The flag of every command that changes something.
#[derive(clap::Args, Debug)]
pub(crate) struct DryRun {
    /// Only say what would happen
    #[arg(long, value_name = "WHERE", value_parser = ["client"])]
    dry_run: Option<String>,
}

impl DryRun {
    /// Whether nothing may be changed.
    pub(crate) fn is_set(&self) -> bool {
        self.dry_run.is_some()
    }
}

/// What a command found or did, and how it ends.
pub struct Outcome {
    view: Option<Box<dyn Printable>>,
    exit: i32,
    next: Option<String>,
    error: Option<Error>,
}

impl<V: View + Send + 'static> From<V> for Outcome {
    fn from(view: V) -> Self {
        Self {
            view: Some(Box::new(view)),
            exit: 0,
            next: None,
            error: None,
        }
    }
}

impl Outcome {
    /// Everything has been printed already.
    pub(crate) fn shown() -> Self {
        Self {
            view: None,
            exit: 0,
            next: None,
            error: None,
        }
    }

    /// Ends with "no": exit 1, when `yes` is false.
    #[must_use]
    pub fn answering(mut self, yes: bool) -> Self {
        self.exit = if yes { 0 } else { Kind::Failure.exit_code() };
        self
    }

    /// Suggests the next command, on a terminal.
    #[must_use]
    pub fn then(mut self, next: impl Into<String>) -> Self {
        self.next = Some(next.into());
        self
    }

    /// Ends with an error, though there is something to print: what was done all the same.
    #[must_use]
    pub fn but(mut self, error: Error) -> Self {
        self.error = Some(error);
        self
    }

    /// Ends with what failed of it, if anything did.
    #[must_use]
    pub(crate) fn short_of(self, failures: impl IntoIterator<Item = Error>) -> Self {
        match Error::all(failures) {
            Some(error) => self.but(error),
            None => self,
        }
    }

    /// The error that it ends with.
    pub fn error(&self) -> Option<&Error> {
        self.error.as_ref()
    }

    /// The exit code.
    pub fn exit_code(&self) -> i32 {
        self.exit
    }

    /// The suggestion.
    pub fn next(&self) -> Option<&str> {
        self.next.as_deref()
    }

    /// Prints it.
    ///
    /// # Errors
    /// When standard output can't be written, or a template doesn't fit.
    pub fn print(&self, format: &Format, terminal: &Terminal) -> Result<Delivered> {
        match &self.view {
            Some(view) => Ok(output::print(view.as_ref(), format, terminal)?),
            None => Ok(Delivered::All),
        }
    }
}
