//! `model`: what is known of a technology. So far only what needs no registry: `generate kubernetes` and
//! `validate`.

mod generate;
mod validate;

use super::{Outcome, findings, schema};
use crate::{context::Context, error::Result, output::Report};

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
    Validate(validate::Validate),
}

impl Model {
    /// Runs the verb.
    pub async fn run(self, cx: &Context) -> Result<Outcome> {
        cx.config.refuse_server()?;
        match self.verb {
            Verb::Generate(verb) => verb.run(cx).await,
            Verb::Validate(verb) => verb.run(cx).await,
        }
    }

    /// Whether the verb answers a question.
    pub const fn is_predicate(&self) -> bool {
        matches!(self.verb, Verb::Validate(_))
    }

    /// The report formats that the verb has beside the common ones.
    pub const fn reports(&self) -> &'static [Report] {
        match self.verb {
            Verb::Validate(_) => findings::REPORTS,
            Verb::Generate(_) => &[],
        }
    }
}

/// What the commands of this noun print.
pub(super) fn kinds() -> Vec<schema::Kind> {
    vec![
        schema::kind::<generate::GenerateResult>(),
        schema::kind::<crate::api::model::ModelReport>(),
    ]
}
