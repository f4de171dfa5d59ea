//! `system restart`. A local command on the user's own server.

use super::{
    server_file::ServerFile,
    start,
    status::{Change, ServerState},
    stop,
};
use crate::{
    commands::{DryRun, Outcome},
    context::Context,
    error::Result,
};

/// Stop the server if it runs, then start it where it was.
#[derive(clap::Args, Debug)]
#[command(
    after_help = "Examples:\n  weftctl system restart --listen 127.0.0.1:0\n  weftctl system restart -o json"
)]
pub(super) struct Restart {
    /// Where to listen from now on: a loopback address; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<String>,
    #[command(flatten)]
    dry_run: DryRun,
}

impl Restart {
    /// Stops and starts.
    pub(super) async fn run(self, cx: &Context) -> Result<Outcome> {
        let before = ServerFile::read(&cx.home)?;
        // Clients know the server by its address: it keeps it.
        let kept = before.as_ref().map(|file| file.address().to_string());
        let listen = self.listen.or(kept);
        let address = start::address(cx, listen.as_deref())?;
        let change = Change::started(before.is_some(), self.dry_run.is_set());
        if self.dry_run.is_set() {
            let url = format!("http://{address}");
            return Ok(ServerState::dry_run(url, before.is_some(), change).into());
        }
        if let Some(file) = &before {
            stop::stop(cx, file).await?;
        }
        Ok(start::spawn(cx, address).await?.after(change).into())
    }
}
