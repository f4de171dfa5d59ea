//! `system store`: the database. `check` asks the chosen server; `backup` and `recover` are local
//! commands, because they write files on this machine.

mod backup;
mod check;
mod recover;

use crate::{
    commands::{Outcome, schema},
    context::Context,
    error::Result,
};

/// The store: check, back up, recover.
#[derive(clap::Args, Debug)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub(super) struct Store {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(clap::Subcommand, Debug)]
enum Verb {
    Check(check::Check),
    Backup(backup::Backup),
    Recover(recover::Recover),
}

impl Store {
    /// Whether it acts on this machine only: on the user's own store.
    pub(super) fn is_local(&self) -> bool {
        !matches!(self.verb, Verb::Check(_))
    }

    /// Runs the verb.
    pub(super) async fn run(self, cx: &Context) -> Result<Outcome> {
        match self.verb {
            Verb::Check(verb) => verb.run(cx).await,
            Verb::Backup(verb) => verb.run(cx).await,
            Verb::Recover(verb) => verb.run(cx).await,
        }
    }
}

impl Store {
    /// Whether the verb is a check, which answers a question.
    pub(super) fn is_check(&self) -> bool {
        matches!(self.verb, Verb::Check(_))
    }
}

/// What the commands of this noun print.
pub(super) fn kinds() -> Vec<schema::Kind> {
    vec![
        schema::kind::<crate::api::system::CheckList>(),
        schema::kind::<backup::BackupResult>(),
        schema::kind::<recover::RecoverResult>(),
    ]
}
