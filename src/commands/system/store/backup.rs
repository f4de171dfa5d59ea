//! `system store backup`

use std::path::PathBuf;

use serde::Serialize;

use crate::{
    commands::{DryRun, Outcome},
    context::Context,
    error::{Code, Error, Place, Result},
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
    #[command(flatten)]
    dry_run: DryRun,
}

/// A backup that was made.
#[derive(Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct BackupResult {
    /// `created` or `replaced`.
    action: &'static str,
    /// Why, or what it means.
    reason: &'static str,
    /// The file.
    file: String,
    /// Its size in bytes; absent in a dry run.
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<u64>,
    /// Its SHA-256, in hexadecimal; absent in a dry run.
    #[serde(skip_serializing_if = "Option::is_none")]
    sha256: Option<String>,
    /// Whether nothing was written because of `--dry-run`.
    dry_run: bool,
}

impl View for BackupResult {
    const KIND: &'static str = "BackupResult";

    fn human(&self) -> Human {
        Human::Text(match self.size {
            None => format!("backup {} {} (dry run)\n", self.file, self.action),
            Some(size) => format!(
                "wrote {} ({}); {}\n",
                self.file,
                human::size(size),
                self.reason
            ),
        })
    }

    fn names(&self) -> Vec<String> {
        vec![format!("backup/{}", self.file)]
    }
}

impl Backup {
    /// Copies and checks.
    pub(super) async fn run(self, cx: &Context) -> Result<Outcome> {
        let exists = self.to.symlink_metadata().is_ok();
        let dry_run = self.dry_run.is_set();
        let mut result = BackupResult {
            action: if exists { "replaced" } else { "created" },
            reason: "Secrets in it need the store's key file to be read",
            file: self.to.display().to_string(),
            size: None,
            sha256: None,
            dry_run,
        };
        if dry_run {
            if exists && !self.force {
                return Err(Error::new(Code::BackupExists, "the file exists already")
                    .at(Place::file(result.file, None)));
            }
            return Ok(result.into());
        }
        let store = cx.services().await.store().await?;
        let backup = store.backup(&self.to, self.force).await?;
        result.file = backup.path.display().to_string();
        result.size = Some(backup.size);
        result.sha256 = Some(backup.sha256);
        Ok(result.into())
    }
}
