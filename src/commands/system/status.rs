//! `system status`. A local command: it looks for the user's own server, or asks the chosen one.

use std::time::Duration;

use serde::Serialize;

use super::server_file::ServerFile;
use crate::{
    api::system::{ReadStatus, ServerStatus},
    client::{Client, Remote, Transport},
    commands::Outcome,
    context::Context,
    error::{Code, Error, Result},
    output::{Column, Human, Table, View},
};

/// Show whether the server runs, and where.
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:\n  weftctl system status\n  weftctl system status -o json")]
pub(super) struct Status {}

/// The state of the server.
#[derive(Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ServerState {
    /// Whether it runs.
    running: bool,
    /// Its URL; of one that has ended, the one it had.
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<String>,
    /// What it says of itself.
    #[serde(flatten)]
    status: Option<ServerStatus>,
    /// What the command did; absent where it only looked.
    #[serde(flatten)]
    change: Option<Change>,
}

/// What `system start`, `stop` and `restart` did.
#[derive(Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Change {
    /// `created` or `replaced`; for a server that was stopped `deleted`.
    action: &'static str,
    /// Why, or what it means.
    reason: &'static str,
    /// Whether nothing was done because of `--dry-run`.
    dry_run: bool,
}

impl Change {
    /// A server was started, in the place of another one or of none.
    pub(super) fn started(instead: bool, dry_run: bool) -> Self {
        let (action, reason) = if instead {
            ("replaced", "the server before was stopped")
        } else {
            ("created", "none was running")
        };
        Self {
            action,
            reason,
            dry_run,
        }
    }

    /// A server was stopped.
    pub(super) fn stopped(dry_run: bool) -> Self {
        Self {
            action: "deleted",
            reason: "what was in flight is done",
            dry_run,
        }
    }
}

impl ServerState {
    /// A server that has ended.
    pub(super) fn stopped(address: String) -> Self {
        Self {
            running: false,
            address: Some(address),
            status: None,
            change: Some(Change::stopped(false)),
        }
    }

    /// A server that would be started or stopped.
    pub(super) fn dry_run(address: String, running: bool, change: Change) -> Self {
        Self {
            running,
            address: Some(address),
            status: None,
            change: Some(change),
        }
    }

    /// The same, with what was done to it.
    pub(super) fn after(self, change: Change) -> Self {
        Self {
            change: Some(change),
            ..self
        }
    }
}

impl View for ServerState {
    const KIND: &'static str = "ServerState";

    fn human(&self) -> Human {
        let (Some(address), Some(status)) = (&self.address, &self.status) else {
            let address = self.address.as_deref().unwrap_or_default();
            return Human::Text(match &self.change {
                Some(change) if change.dry_run => {
                    format!("server at {address} {} (dry run)\n", change.action)
                }
                _ => "the server has stopped\n".to_owned(),
            });
        };
        let mut table = Table::new([
            Column::new("ADDRESS"),
            Column::new("PID"),
            Column::new("VERSION"),
            Column::new("STARTED"),
            Column::new("OPERATIONS"),
        ]);
        table.row([
            address.clone(),
            status.pid.to_string(),
            status.version.clone(),
            status.started_at.to_string(),
            status.running_operations.to_string(),
        ]);
        Human::Table(table)
    }

    fn names(&self) -> Vec<String> {
        self.address
            .iter()
            .map(|address| format!("server/{address}"))
            .collect()
    }
}

/// Asks a server how it is.
pub(super) async fn of(file: &ServerFile) -> Result<ServerState> {
    let remote = Remote::new(&file.url(), Some(file.token()), Duration::from_secs(5))?;
    let client = Client::new(Transport::Remote(remote));
    Ok(ServerState {
        running: true,
        address: Some(file.url()),
        status: Some(client.call(&ReadStatus {}).await?),
        change: None,
    })
}

impl Status {
    /// Asks the server that is chosen, or else the user's own.
    pub(super) async fn run(self, cx: &Context) -> Result<Outcome> {
        if !cx.config.get("server").is_empty() {
            let status = cx.client().await?.call(&ReadStatus {}).await?;
            return Ok(ServerState {
                running: true,
                address: Some(cx.client().await?.address().to_owned()),
                status: Some(status),
                change: None,
            }
            .into());
        }
        match ServerFile::read(&cx.home)? {
            Some(file) => Ok(of(&file).await?.into()),
            None => Err(Error::new(Code::NotRunning, "no server runs")
                .hint("commands work without one; to start it: weftctl system start")),
        }
    }
}
