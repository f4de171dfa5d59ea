//! `system store backup`

use std::path::PathBuf;

use serde::Serialize;

use crate::{
    commands::Outcome,
    context::Context,
    error::Result,
    output::{Human, View, human},
};

/// Copy the store into one file, while it is in use.
#[derive(clap::Args, Debug)]
#[command(
    after_help = "Examples:\n  weftctl system store backup --to weft-backup.db\n  weftctl system store backup --to other.db -o json"
)]
pub(super) struct Backup {
    /// The file to write
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    to: PathBuf,
    /// Overwrite the file
    #[arg(long)]
    force: bool,
}

/// A backup that was made.
#[derive(Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct BackupResult {
    /// Always `created`.
    action: &'static str,
    /// The file.
    file: String,
    /// Its size in bytes.
    size: u64,
    /// Its SHA-256, in hexadecimal.
    sha256: String,
}

impl View for BackupResult {
    const KIND: &'static str = "BackupResult";

    fn human(&self) -> Human {
        Human::Text(format!(
            "wrote {} ({}); Secrets in it need the store's key file to be read\n",
            self.file,
            human::size(self.size)
        ))
    }

    fn names(&self) -> Vec<String> {
        vec![format!("backup/{}", self.file)]
    }
}

impl Backup {
    /// Copies and checks.
    pub(super) async fn run(self, cx: &Context) -> Result<Outcome> {
        let store = cx.services().await.store().await?;
        let backup = store.backup(&self.to, self.force).await?;
        Ok(BackupResult {
            action: "created",
            file: backup.path.display().to_string(),
            size: backup.size,
            sha256: backup.sha256,
        }
        .into())
    }
}
