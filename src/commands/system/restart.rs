//! `system restart`. A local command on the user's own server.

use super::{start::Start, stop::Stop};
use crate::{
    commands::Outcome,
    context::Context,
    error::{Code, Result},
};

/// Stop the server if it runs, then start it.
#[derive(clap::Args, Debug)]
#[command(
    after_help = "Examples:\n  weftctl system restart --listen 127.0.0.1:0\n  weftctl system restart -o json"
)]
pub(super) struct Restart {
    /// Where to listen: a loopback address; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<String>,
}

impl Restart {
    /// Stops and starts.
    pub(super) async fn run(self, cx: &Context) -> Result<Outcome> {
        match (Stop {}).run(cx).await {
            Err(error) if error.code() != Code::NotRunning => return Err(error),
            _ => {}
        }
        let start = Start {
            foreground: false,
            listen: self.listen,
        };
        start.run(cx).await
    }
}
