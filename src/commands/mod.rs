//! What a user can type: one folder per noun, one file per verb. A command returns what it
//! found as an [`Outcome`]; it never prints.

pub mod completion;
pub mod config;
pub mod design;
pub mod explain;
pub mod help;
pub mod model;
pub mod reference;
pub mod schema;
pub mod system;
pub mod version;

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

/// What a command found or did, and how it ends.
pub struct Outcome {
    view: Box<dyn Printable>,
    exit: i32,
    next: Option<String>,
}

impl<V: View + Send + 'static> From<V> for Outcome {
    fn from(view: V) -> Self {
        Self {
            view: Box::new(view),
            exit: 0,
            next: None,
        }
    }
}

impl Outcome {
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
    /// When standard output can't be written.
    pub fn print(
        &self,
        format: &Format,
        terminal: &Terminal,
    ) -> Result<Delivered, output::PrintError> {
        output::print(self.view.as_ref(), format, terminal)
    }
}
