//! `explain`

use serde::Serialize;

use super::{Outcome, completion};
use crate::{
    error::{Code, Error, Result},
    output::{Column, Human, Table, View},
};

/// Explain an error code, offline; without a code, list them all.
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:\n  weftctl explain E0100\n  weftctl explain -o json")]
pub struct Explain {
    /// The code, for example E0100
    #[arg(add = completion::codes())]
    code: Option<String>,
}

/// Explanations of error codes.
#[derive(Serialize, schemars::JsonSchema)]
pub struct ExplanationList {
    items: Vec<Explanation>,
    #[serde(skip)]
    all: bool,
}

#[derive(Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Explanation {
    /// The code.
    code: String,
    /// One line.
    title: &'static str,
    /// A few sentences.
    text: &'static str,
    /// What to type or change.
    hint: &'static str,
    /// A command or input.
    example: &'static str,
    /// The exit code of a command that fails with it.
    exit_code: i32,
    /// Whether the same call may succeed later.
    retryable: bool,
}

impl View for ExplanationList {
    const KIND: &'static str = "ExplanationList";

    fn human(&self) -> Human {
        if let (false, [one]) = (self.all, self.items.as_slice()) {
            return Human::Page(format!(
                "{}: {}\n\n{}\n\nWhat to do: {}\n\nExample:\n  {}\n\nExit code {}.\n",
                one.code, one.title, one.text, one.hint, one.example, one.exit_code
            ));
        }
        let mut table = Table::new([
            Column::new("CODE"),
            Column::new("EXIT"),
            Column::new("TITLE"),
            Column::new("HINT").wide(),
        ]);
        for item in &self.items {
            table.row([
                item.code.as_str(),
                &item.exit_code.to_string(),
                item.title,
                item.hint,
            ]);
        }
        Human::Table(table)
    }

    fn names(&self) -> Vec<String> {
        self.items
            .iter()
            .map(|item| format!("code/{}", item.code))
            .collect()
    }
}

impl Explain {
    /// Looks the code up.
    pub fn run(self) -> Result<Outcome> {
        let codes = match &self.code {
            None => Code::ALL.to_vec(),
            Some(id) => vec![Code::from_id(id).ok_or_else(|| {
                Error::new(Code::CodeUnknown, format!("no error code {id:?}"))
                    .hint("list them: weftctl explain")
            })?],
        };
        let items = codes
            .into_iter()
            .map(|code| {
                let entry = code.entry();
                Explanation {
                    code: code.id(),
                    title: entry.title,
                    text: entry.text,
                    hint: entry.hint,
                    example: entry.example,
                    exit_code: entry.kind.exit_code(),
                    retryable: entry.retryable,
                }
            })
            .collect();
        let all = self.code.is_none();
        Ok(ExplanationList { items, all }.into())
    }
}
