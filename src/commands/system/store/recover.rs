//! `system store recover`

use std::path::PathBuf;

use serde::Serialize;

use crate::{
    commands::{DryRun, Outcome, confirm},
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
    #[command(flatten)]
    dry_run: DryRun,
}

/// What was recovered.
#[derive(Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct RecoverResult {
    /// Always `replaced`: the store is a new one.
    action: &'static str,
    /// Why, or what it means.
    reason: &'static str,
    /// Where the old files are now; in a dry run the store that would be moved aside.
    moved: Vec<String>,
    /// Rows by table; none in a dry run.
    tables: Vec<TableResult>,
    /// Whether nothing was done because of `--dry-run`.
    dry_run: bool,
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
        if self.dry_run {
            let store = self.moved.join(", ");
            return Human::Text(format!(
                "store {store} replaced: {} (dry run)\n",
                self.reason
            ));
        }
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
        if self.dry_run {
            return self
                .moved
                .iter()
                .map(|file| format!("store/{file}"))
                .collect();
        }
        self.tables
            .iter()
            .map(|table| format!("table/{}", table.name))
            .collect()
    }
}

impl Recover {
    /// Asks, then moves the old files aside and builds a new store.
    pub(super) async fn run(self, cx: &Context) -> Result<Outcome> {
        let reason = match &self.from {
            Some(_) => "from the backup",
            None => "from what can still be read",
        };
        if self.dry_run.is_set() {
            return Ok(RecoverResult {
                action: "replaced",
                reason,
                moved: vec![cx.home.store().display().to_string()],
                tables: Vec::new(),
                dry_run: true,
            }
            .into());
        }
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
            action: "replaced",
            reason,
            dry_run: false,
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
