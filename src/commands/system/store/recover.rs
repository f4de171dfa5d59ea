//! `system store recover`

use std::path::PathBuf;

use serde::Serialize;

use crate::{
    commands::{Outcome, confirm},
    context::Context,
    error::Result,
    output::{Answers, Human, Severity, View},
    store::{RecoverFrom, recover},
};

/// Build the store anew from what can still be read, or from a backup. Nothing is deleted.
#[derive(clap::Args, Debug)]
#[command(
    after_help = "Examples:\n  weftctl system store recover --yes\n  weftctl system store recover --from weft-backup.db --yes"
)]
pub(super) struct Recover {
    /// A backup to restore instead
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    from: Option<PathBuf>,
    /// Don't ask
    #[arg(short, long)]
    yes: bool,
}

/// What was recovered.
#[derive(Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct RecoverResult {
    /// Always `created`: the store is a new one.
    action: &'static str,
    /// Where the old files are now.
    moved: Vec<String>,
    /// Rows by table.
    tables: Vec<TableResult>,
}

#[derive(Serialize, schemars::JsonSchema)]
struct TableResult {
    name: &'static str,
    recovered: u64,
    lost: u64,
}

impl View for RecoverResult {
    const KIND: &'static str = "RecoverResult";

    fn human(&self) -> Human {
        use std::fmt::Write;
        let mut text = String::new();
        for table in &self.tables {
            let _ = writeln!(
                text,
                "{}: {} recovered, {} lost",
                table.name, table.recovered, table.lost
            );
        }
        for file in &self.moved {
            let _ = writeln!(text, "the old file is {file}");
        }
        Human::Text(text)
    }

    fn names(&self) -> Vec<String> {
        self.tables
            .iter()
            .map(|table| format!("table/{}", table.name))
            .collect()
    }
}

impl Recover {
    /// Asks, then moves the old files aside and builds a new store.
    pub(super) async fn run(self, cx: &Context) -> Result<Outcome> {
        let answers = Answers {
            yes: self.yes,
            confirm: None,
        };
        let path = cx.home.store();
        let question = format!(
            "Replace the store {} by what can be recovered?",
            path.display()
        );
        confirm(cx, &answers, &question, Severity::Destructive)?;
        let from = match self.from {
            Some(file) => RecoverFrom::Backup(file),
            None => RecoverFrom::Salvage,
        };
        let recovered = recover(&cx.services().await.store_options(), &from).await?;
        Ok(RecoverResult {
            action: "created",
            moved: recovered
                .moved
                .iter()
                .map(|path| path.display().to_string())
                .collect(),
            tables: recovered
                .tables
                .iter()
                .map(|table| TableResult {
                    name: table.table,
                    recovered: table.recovered,
                    lost: table.lost,
                })
                .collect(),
        }
        .into())
    }
}
