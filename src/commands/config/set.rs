//! `config set`

use serde::Serialize;

use crate::{
    commands::{DryRun, Outcome, completion},
    config::{
        KEYS, Shape, check,
        edit::{Edit, edit},
    },
    context::Context,
    error::{Code, Error, Result},
    output::{Human, View},
};

/// Set or remove a value in your configuration file; comments in it stay.
#[derive(clap::Args, Debug)]
#[command(
    after_help = "Examples:\n  weftctl config set output yaml\n  weftctl config set output --unset"
)]
pub(super) struct Set {
    /// The key
    #[arg(add = completion::keys())]
    key: String,
    /// The value
    #[arg(required_unless_present = "unset", conflicts_with = "unset")]
    value: Option<String>,
    /// Remove the key, so that the next origin counts
    #[arg(long)]
    unset: bool,
    #[command(flatten)]
    dry_run: DryRun,
}

/// A change of a setting.
#[derive(Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ConfigChange {
    /// `configured` or `unchanged`.
    action: &'static str,
    /// Why, or what it means.
    reason: &'static str,
    /// The key.
    name: &'static str,
    /// Its value in the file before; absent where it had none.
    old: Option<String>,
    /// Its value now; absent where it was removed.
    new: Option<String>,
    /// The file.
    file: String,
    /// Whether nothing was written because of `--dry-run`.
    dry_run: bool,
}

impl View for ConfigChange {
    const KIND: &'static str = "ConfigChange";

    fn human(&self) -> Human {
        let value = match &self.new {
            Some(value) => format!("to {value:?}"),
            None => "to its default".to_owned(),
        };
        let mark = if self.dry_run { " (dry run)" } else { "" };
        Human::Text(match self.action {
            "unchanged" => format!("{} is set {value} already{mark}\n", self.name),
            _ => format!("set {} {value} in {}{mark}\n", self.name, self.file),
        })
    }

    fn names(&self) -> Vec<String> {
        vec![format!("config/{}", self.name)]
    }
}

impl Set {
    /// Checks the value, then edits the file.
    pub(super) fn run(self, cx: &Context) -> Result<Outcome> {
        let Some(key) = KEYS.iter().find(|key| key.name == self.key) else {
            return Err(
                Error::new(Code::Usage, format!("no configuration key {:?}", self.key))
                    .did_you_mean(&self.key, KEYS.iter().map(|key| key.name))
                    .hint("list them: weftctl config view"),
            );
        };
        if let Some(value) = &self.value {
            check(key, value)
                .map_err(|problem| Error::new(Code::Usage, format!("{} {problem}", key.name)))?;
            match key.name {
                "output" => {
                    crate::output::Format::parse(value, &[])
                        .map_err(|problem| Error::new(Code::Usage, format!("output: {problem}")))?;
                }
                "current-context" => {
                    cx.config.find_context(value)?;
                }
                "server" if value != "local" && !value.contains("://") => {
                    cx.config.find_context(value)?;
                }
                _ => {}
            }
        }
        let file = cx.config.file();
        let old = cx.config.file_value(key.name);
        let unchanged = old == self.value;
        if !unchanged && !self.dry_run.is_set() {
            let change = match &self.value {
                None => Edit::remove(&[key.name]),
                Some(value) if key.shape == Shape::Bool => {
                    Edit::set(&[key.name], matches!(value.as_str(), "true" | "1"))
                }
                Some(value) => Edit::set(&[key.name], value.as_str()),
            };
            edit(file, |_| Ok(vec![change]))?;
        }
        Ok(ConfigChange {
            action: if unchanged { "unchanged" } else { "configured" },
            reason: match (unchanged, &self.value) {
                (true, Some(_)) => "the file says so already",
                (true, None) => "the file doesn't set it",
                (false, Some(_)) => "the file sets it now",
                (false, None) => "the next origin counts now",
            },
            name: key.name,
            old,
            new: self.value,
            file: file.display().to_string(),
            dry_run: self.dry_run.is_set(),
        }
        .into())
    }
}
