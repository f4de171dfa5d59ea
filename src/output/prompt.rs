//! Questions, and the flags that answer them.
//!
//! A question is put only if a person is there (see [`Terminal::may_prompt`]); otherwise it is
//! refused at once, naming the flag. `--yes` answers confirmations and nothing else: it never
//! chooses, and it never stands in for a name that must be typed.

use std::io;

use dialoguer::console::Term;
use dialoguer::{Confirm, FuzzySelect, Input, Password};

use super::escape;
use super::terminal::{Style, Terminal, Text};

/// How much a change can hurt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity<'a> {
    /// It adds or can be undone: not asked.
    Mild,
    /// It deletes, overwrites or takes down: asked, and no is the default.
    Destructive,
    /// It deletes a namespace, a context or very much: this name must be typed.
    Severe(&'a str),
}

/// What flags answered beforehand.
#[derive(Clone, Debug, Default)]
pub struct Answers {
    /// `--yes`.
    pub yes: bool,
    /// `--confirm=NAME`.
    pub confirm: Option<String>,
}

/// What kind of answer was missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Question {
    /// A yes or a name: exit code 12.
    Confirmation,
    /// One of several things: exit code 2.
    Choice,
    /// A secret: exit code 2.
    Secret,
}

/// A question that was not answered as needed.
#[derive(Debug, thiserror::Error)]
pub enum PromptError {
    /// Nobody is there to answer.
    #[error("{} needed, but this is not interactive", match .question {
        Question::Confirmation => "confirmation",
        Question::Choice => "a choice is",
        Question::Secret => "a secret is",
    })]
    Refused {
        /// The flag that answers.
        flag: String,
        /// What was asked.
        question: Question,
    },
    /// The answer was no.
    #[error("declined")]
    Declined,
    /// Another name was given than the one to be confirmed.
    #[error("{given:?} is not {expected:?}")]
    Mismatch {
        /// What was typed or given by `--confirm`.
        given: String,
        /// What had to be confirmed.
        expected: String,
    },
    /// Ctrl-C.
    #[error("interrupted")]
    Interrupted,
    /// The terminal failed.
    #[error("cannot ask")]
    Io(#[source] io::Error),
}

impl From<dialoguer::Error> for PromptError {
    fn from(dialoguer::Error::IO(error): dialoguer::Error) -> Self {
        match error.kind() {
            io::ErrorKind::Interrupted => Self::Interrupted,
            io::ErrorKind::UnexpectedEof => Self::Declined,
            _ => Self::Io(error),
        }
    }
}

/// Something to choose from.
#[derive(Clone, Copy, Debug)]
pub struct Choice<'a> {
    /// The question, as in `which design?`.
    pub question: &'a str,
    /// What there is.
    pub items: &'a [String],
    /// The flag or argument that answers it, as in `NAME` or `--design`.
    pub flag: &'a str,
}

/// Asks.
pub struct Prompt<'a> {
    terminal: &'a Terminal,
    answers: &'a Answers,
    person: Box<dyn Person + 'a>,
}

/// Whoever answers: a person at a terminal, or a test's script. Text arrives escaped.
trait Person {
    fn confirm(&self, question: &str) -> dialoguer::Result<bool>;
    fn type_in(&self, question: &str) -> dialoguer::Result<String>;
    fn choose(&self, question: &str, items: &[String]) -> dialoguer::Result<Option<usize>>;
    fn secret(&self, question: &str) -> dialoguer::Result<String>;
}

impl<'a> Prompt<'a> {
    /// Asks on the process's own terminal.
    pub fn new(terminal: &'a Terminal, answers: &'a Answers) -> Self {
        Self {
            terminal,
            answers,
            person: Box::new(AtTerminal),
        }
    }

    /// Returns if the change may be made.
    pub fn confirm(&self, question: &str, severity: Severity<'_>) -> Result<(), PromptError> {
        match severity {
            Severity::Mild => Ok(()),
            Severity::Destructive if self.answers.yes => Ok(()),
            Severity::Destructive => {
                self.must_be_possible("--yes", Question::Confirmation)?;
                let question = escape::line(question);
                let yes = self.terminal.suspend(|| self.person.confirm(&question))?;
                if yes {
                    Ok(())
                } else {
                    Err(PromptError::Declined)
                }
            }
            Severity::Severe(name) => {
                let given = if let Some(given) = &self.answers.confirm {
                    given.clone()
                } else {
                    self.must_be_possible(&format!("--confirm={name}"), Question::Confirmation)?;
                    let question = format!(
                        "{} Type {} to confirm",
                        escape::line(question),
                        escape::line(name)
                    );
                    self.terminal.suspend(|| self.person.type_in(&question))?
                };
                match given.trim() {
                    "" => Err(PromptError::Declined),
                    given if given == name => Ok(()),
                    given => Err(PromptError::Mismatch {
                        given: given.to_owned(),
                        expected: name.to_owned(),
                    }),
                }
            }
        }
    }

    /// Lets a person pick one, filtering as they type, and shows the command that would have made
    /// the question unnecessary. Returns the index; a single item is not picked by itself.
    pub fn choose(
        &self,
        choice: Choice<'_>,
        command: impl FnOnce(&str) -> String,
    ) -> Result<usize, PromptError> {
        self.must_be_possible(choice.flag, Question::Choice)?;
        let items: Vec<String> = choice
            .items
            .iter()
            .map(|item| escape::line(item).into_owned())
            .collect();
        if items.is_empty() {
            return Err(PromptError::Declined);
        }
        let question = escape::line(choice.question);
        let index = self
            .terminal
            .suspend(|| self.person.choose(&question, &items))?;
        let Some((index, item)) = index.and_then(|index| Some((index, choice.items.get(index)?)))
        else {
            return Err(PromptError::Declined);
        };
        self.terminal.note(
            Text::new()
                .styled(Style::Dim, "same as: ")
                .plain(command(item)),
        );
        Ok(index)
    }

    /// Lets a person type a secret that is not shown. `flag` names the way to give it otherwise, as
    /// in `--password-stdin`. The caller wraps the result at once.
    pub fn secret(&self, question: &str, flag: &str) -> Result<String, PromptError> {
        self.must_be_possible(flag, Question::Secret)?;
        Ok(self
            .terminal
            .suspend(|| self.person.secret(&escape::line(question)))?)
    }

    fn must_be_possible(&self, flag: &str, question: Question) -> Result<(), PromptError> {
        if self.terminal.may_prompt() {
            Ok(())
        } else {
            Err(PromptError::Refused {
                flag: flag.to_owned(),
                question,
            })
        }
    }
}

/// The person at the process's own terminal.
struct AtTerminal;

impl AtTerminal {
    /// Asks on stderr, and shows the cursor again whatever happened.
    fn ask<T>(ask: impl FnOnce(&Term) -> dialoguer::Result<T>) -> dialoguer::Result<T> {
        let term = Term::stderr();
        let answer = ask(&term);
        _ = term.show_cursor();
        answer
    }
}

impl Person for AtTerminal {
    fn confirm(&self, question: &str) -> dialoguer::Result<bool> {
        let confirm = Confirm::new()
            .with_prompt(question)
            .default(false)
            .wait_for_newline(true);
        Self::ask(|term| confirm.interact_on_opt(term)).map(Option::unwrap_or_default)
    }

    fn type_in(&self, question: &str) -> dialoguer::Result<String> {
        Self::ask(|term| {
            Input::new()
                .with_prompt(question)
                .allow_empty(true)
                .interact_text_on(term)
        })
    }

    fn choose(&self, question: &str, items: &[String]) -> dialoguer::Result<Option<usize>> {
        let select = FuzzySelect::new()
            .with_prompt(question)
            .items(items)
            .default(0)
            .max_length(12)
            .report(false);
        Self::ask(|term| select.interact_on_opt(term))
    }

    fn secret(&self, question: &str) -> dialoguer::Result<String> {
        Self::ask(|term| Password::new().with_prompt(question).interact_on(term))
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;
    use crate::output::terminal::tests::{Captured, captured, person};
    use crate::output::terminal::{ColorChoice, Options, Surroundings};

    /// Gives one answer and remembers what was asked.
    struct Script<'a> {
        answer: &'a str,
        asked: &'a RefCell<Vec<String>>,
    }

    impl Script<'_> {
        fn hear(&self, question: &str) -> dialoguer::Result<String> {
            self.asked.borrow_mut().push(question.to_owned());
            match self.answer {
                "^C" => Err(io::Error::from(io::ErrorKind::Interrupted).into()),
                answer => Ok(answer.to_owned()),
            }
        }
    }

    impl Person for Script<'_> {
        fn confirm(&self, question: &str) -> dialoguer::Result<bool> {
            Ok(self.hear(question)? == "y")
        }

        fn type_in(&self, question: &str) -> dialoguer::Result<String> {
            self.hear(question)
        }

        fn choose(&self, question: &str, items: &[String]) -> dialoguer::Result<Option<usize>> {
            let answer = self.hear(&format!("{question} {}", items.join("|")))?;
            Ok(items.iter().position(|item| *item == answer))
        }

        fn secret(&self, question: &str) -> dialoguer::Result<String> {
            self.hear(question)
        }
    }

    /// Asks in the given surroundings; returns the outcome, what the person was asked, and stderr.
    fn ask<T>(
        surroundings: Surroundings,
        answers: &Answers,
        answer: &str,
        ask: impl FnOnce(&Prompt<'_>) -> Result<T, PromptError>,
    ) -> (Result<T, PromptError>, Vec<String>, Captured) {
        let (terminal, _, err) = captured(
            surroundings,
            Options {
                color: ColorChoice::Never,
                ..Options::default()
            },
        );
        let asked = RefCell::new(Vec::new());
        let prompt = Prompt {
            terminal: &terminal,
            answers,
            person: Box::new(Script {
                answer,
                asked: &asked,
            }),
        };
        let outcome = ask(&prompt);
        drop(prompt);
        (outcome, asked.into_inner(), err)
    }

    fn yes() -> Answers {
        Answers {
            yes: true,
            confirm: None,
        }
    }

    fn confirm(name: &str) -> Answers {
        Answers {
            yes: false,
            confirm: Some(name.to_owned()),
        }
    }

    #[test]
    fn flags_answer_confirmations_by_their_severity() {
        use Severity::{Destructive, Mild, Severe};
        let none = Answers::default();
        // Severity, flags, what happens without a person.
        let cases = [
            (Mild, &none, "ok"),
            (Destructive, &none, "refused --yes"),
            (Destructive, &yes(), "ok"),
            (Destructive, &confirm("shop"), "refused --yes"),
            (Severe("shop"), &none, "refused --confirm=shop"),
            (Severe("shop"), &yes(), "refused --confirm=shop"),
            (Severe("shop"), &confirm("shop"), "ok"),
            (Severe("shop"), &confirm("shoe"), "mismatch"),
            (Severe("shop"), &confirm(""), "declined"),
        ];
        for (severity, answers, expected) in cases {
            let (outcome, asked, _) = ask(Surroundings::default(), answers, "y", |prompt| {
                prompt.confirm("delete shop?", severity)
            });
            let outcome = match outcome {
                Ok(()) => "ok".to_owned(),
                Err(PromptError::Refused {
                    flag,
                    question: Question::Confirmation,
                }) => format!("refused {flag}"),
                Err(PromptError::Mismatch { .. }) => "mismatch".to_owned(),
                Err(PromptError::Declined) => "declined".to_owned(),
                Err(other) => panic!("{other}"),
            };
            assert_eq!(outcome, expected, "{severity:?} {answers:?}");
            assert!(asked.is_empty());
        }
    }

    #[test]
    fn a_person_is_asked_and_may_decline() {
        let none = Answers::default();
        let delete =
            |prompt: &Prompt<'_>| prompt.confirm("delete sh\u{1b}op?", Severity::Destructive);
        let (outcome, asked, _) = ask(person(80), &none, "y", delete);
        assert!(outcome.is_ok());
        assert_eq!(asked, ["delete sh\\u{1b}op?"]);
        assert!(matches!(
            ask(person(80), &none, "n", delete).0,
            Err(PromptError::Declined)
        ));
        assert!(matches!(
            ask(person(80), &none, "^C", delete).0,
            Err(PromptError::Interrupted)
        ));

        let severe = |prompt: &Prompt<'_>| {
            prompt.confirm("Delete namespace shop?", Severity::Severe("shop"))
        };
        let (outcome, asked, _) = ask(person(80), &yes(), " shop ", severe);
        assert!(outcome.is_ok());
        assert_eq!(asked, ["Delete namespace shop? Type shop to confirm"]);
        assert!(matches!(
            ask(person(80), &yes(), "y", severe).0,
            Err(PromptError::Mismatch { .. })
        ));
        assert!(matches!(
            ask(person(80), &yes(), "", severe).0,
            Err(PromptError::Declined)
        ));
    }

    #[test]
    fn a_choice_shows_the_command_without_it() {
        let items = ["shop".to_owned(), "web\u{1b}".to_owned()];
        let choice = Choice {
            question: "which design?",
            items: &items,
            flag: "NAME",
        };
        let view = |prompt: &Prompt<'_>| {
            prompt.choose(choice, |item| format!("weftctl design view {item}"))
        };
        let (outcome, asked, err) = ask(person(80), &yes(), "shop", view);
        assert_eq!(outcome.unwrap(), 0);
        assert_eq!(asked, ["which design? shop|web\\u{1b}"]);
        assert_eq!(err.text(), "same as: weftctl design view shop\n");

        let (outcome, _, err) = ask(person(80), &yes(), "web\\u{1b}", view);
        assert_eq!(outcome.unwrap(), 1);
        assert_eq!(err.text(), "same as: weftctl design view web\\u{1b}\n");

        assert!(matches!(
            ask(person(80), &yes(), "", view).0,
            Err(PromptError::Declined)
        ));
        let refused = ask(Surroundings::default(), &yes(), "shop", view)
            .0
            .unwrap_err();
        assert_eq!(
            refused.to_string(),
            "a choice is needed, but this is not interactive"
        );
        assert!(
            matches!(refused, PromptError::Refused { flag, question: Question::Choice } if flag == "NAME")
        );
    }

    #[test]
    fn a_secret_is_never_said() {
        let secret = |prompt: &Prompt<'_>| prompt.secret("password", "--password-stdin");
        let (outcome, _, err) = ask(person(80), &yes(), "hunter2", secret);
        assert_eq!(outcome.unwrap(), "hunter2");
        assert_eq!(err.text(), "");
        let refused = ask(Surroundings::default(), &yes(), "hunter2", secret).0;
        assert!(
            matches!(refused, Err(PromptError::Refused { flag, .. }) if flag == "--password-stdin")
        );
    }
}
