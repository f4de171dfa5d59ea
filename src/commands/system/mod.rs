//! `system`: the server, its store, its operations, and named contexts.

pub mod check;
mod context;
mod logs;
mod operation;
mod restart;
pub mod server_file;
mod start;
mod status;
mod stop;
mod store;

use super::{Outcome, schema};
use crate::{context::Context, error::Result};

/// The server, its store, and named contexts.
#[derive(clap::Args, Debug)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub struct System {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(clap::Subcommand, Debug)]
enum Verb {
    Start(start::Start),
    Stop(stop::Stop),
    Restart(restart::Restart),
    Status(status::Status),
    Logs(logs::Logs),
    Check(check::Check),
    Context(context::NamedContexts),
    Store(store::Store),
    Operation(operation::Operations),
}

impl Verb {
    /// Whether it acts on this machine only: on the user's own server, store or files.
    fn is_local(&self) -> bool {
        match self {
            Self::Start(_)
            | Self::Stop(_)
            | Self::Restart(_)
            | Self::Logs(_)
            | Self::Context(_) => true,
            Self::Store(noun) => noun.is_local(),
            Self::Status(_) | Self::Check(_) | Self::Operation(_) => false,
        }
    }
}

impl System {
    /// Whether it writes the configuration file, which need not be there yet, or tells of it.
    pub fn makes_config(&self) -> bool {
        match &self.verb {
            Verb::Context(noun) => noun.makes_config(),
            Verb::Check(_) => true,
            _ => false,
        }
    }

    /// Runs the verb.
    pub async fn run(self, cx: &Context) -> Result<Outcome> {
        if self.verb.is_local() {
            cx.config.refuse_server()?;
        }
        match self.verb {
            Verb::Start(verb) => verb.run(cx).await,
            Verb::Stop(verb) => verb.run(cx).await,
            Verb::Restart(verb) => verb.run(cx).await,
            Verb::Status(verb) => verb.run(cx).await,
            Verb::Logs(verb) => verb.run(cx).await,
            Verb::Check(verb) => verb.run(cx).await,
            Verb::Context(noun) => noun.run(cx),
            Verb::Store(noun) => noun.run(cx).await,
            Verb::Operation(noun) => noun.run(cx).await,
        }
    }
}

impl System {
    /// Whether the verb is a check, which answers a question.
    pub fn is_check(&self) -> bool {
        match &self.verb {
            Verb::Check(_) => true,
            Verb::Store(noun) => noun.is_check(),
            _ => false,
        }
    }
}

/// What the commands of this noun print.
pub(super) fn kinds() -> Vec<schema::Kind> {
    let mut kinds = vec![
        schema::kind::<status::ServerState>(),
        schema::kind::<logs::LogText>(),
        schema::kind::<logs::LogLine>(),
        schema::kind::<check::SystemCheck>(),
    ];
    kinds.extend(context::kinds());
    kinds.extend(store::kinds());
    kinds.extend(operation::kinds());
    kinds
}
