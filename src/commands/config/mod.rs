//! `config`: settings on this machine. Local commands: they read and write the user's file.

mod set;
mod view;

use super::{Outcome, schema};
use crate::{context::Context, error::Result};

/// Show and change settings.
#[derive(clap::Args, Debug)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub struct Config {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(clap::Subcommand, Debug)]
enum Verb {
    View(view::ViewConfig),
    Set(set::Set),
}

impl Config {
    /// Whether it writes the configuration file, which need not be there yet.
    pub fn makes_config(&self) -> bool {
        matches!(self.verb, Verb::Set(_))
    }

    /// Runs the verb.
    pub fn run(self, cx: &Context) -> Result<Outcome> {
        cx.config.refuse_server()?;
        match self.verb {
            Verb::View(verb) => Ok(verb.run(cx)),
            Verb::Set(verb) => verb.run(cx),
        }
    }
}

impl Config {
    /// Whether the verb is there to mend settings.
    pub fn mends(&self) -> bool {
        matches!(self.verb, Verb::Set(_))
    }
}

/// What the commands of this noun print.
pub(super) fn kinds() -> Vec<schema::Kind> {
    vec![
        schema::kind::<view::ConfigView>(),
        schema::kind::<set::ConfigChange>(),
    ]
}
