//! `system stop`. A local command on the user's own server.

use std::time::{Duration, Instant};

use super::{
    server_file::ServerFile,
    status::{Change, ServerState},
};
use crate::{
    api::system::StopServer,
    client::{Client, Remote, Transport},
    commands::{DryRun, Outcome},
    context::Context,
    error::{Code, Error, Result},
};

const DOWN_WITHIN: Duration = Duration::from_secs(20);

/// Stop the server, after what is in flight.
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:\n  weftctl system stop\n  weftctl system stop -o json")]
pub(super) struct Stop {
    #[command(flatten)]
    dry_run: DryRun,
}

impl Stop {
    /// Tells it, and waits for its end.
    pub(super) async fn run(self, cx: &Context) -> Result<Outcome> {
        let Some(file) = ServerFile::read(&cx.home)? else {
            return Err(Error::new(Code::NotRunning, "no server runs"));
        };
        if self.dry_run.is_set() {
            return Ok(ServerState::dry_run(file.url(), true, Change::stopped(true)).into());
        }
        stop(cx, &file).await?;
        Ok(ServerState::stopped(file.url()).into())
    }
}

/// Tells a server to end, and waits until it has.
pub(super) async fn stop(cx: &Context, file: &ServerFile) -> Result<()> {
    let remote = Remote::new(&file.url(), Some(file.token()), Duration::from_secs(5))?;
    Client::new(Transport::Remote(remote))
        .call(&StopServer {})
        .await?;
    let deadline = Instant::now() + DOWN_WITHIN;
    while ServerFile::read(&cx.home)?.is_some() {
        if Instant::now() > deadline {
            return Err(Error::new(Code::TimedOut, "the server did not end in time")
                .hint("see what it does: weftctl system logs"));
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    Ok(())
}
