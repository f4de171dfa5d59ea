//! `model`: what is known of a technology. Only `generate kubernetes` so far; the registry of
//! models brings the other verbs.

mod generate;

use super::{Outcome, schema};
use crate::{context::Context, error::Result};

/// Models: what is known of a technology.
#[derive(clap::Args, Debug)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub struct Model {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(clap::Subcommand, Debug)]
enum Verb {
    Generate(generate::Generate),
}

impl Model {
    /// Runs the verb.
    pub async fn run(self, cx: &Context) -> Result<Outcome> {
        cx.config.refuse_server()?;
        match self.verb {
            Verb::Generate(verb) => verb.run(cx).await,
        }
    }
}

/// What the commands of this noun print.
pub(super) fn kinds() -> Vec<schema::Kind> {
    vec![schema::kind::<generate::GenerateResult>()]
}
