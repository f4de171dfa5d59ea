//! `design`: what is to run, as one document.

pub(super) mod cluster;
pub(super) mod dated;
mod delete;
pub(super) mod deploy;
mod diff;
pub(super) mod events;
mod export;
mod history;
mod import;
mod list;
mod logs;
mod plan;
mod release;
pub(in crate::commands) mod render;
mod rollback;
mod search;
pub(super) mod source;
pub(super) mod status;
mod undeploy;
mod validate;
mod view;

use super::{Outcome, findings, schema};
use crate::{
    api::design::{
        DeleteResult, DeployResult, DesignDiff, DesignList, DesignView, ImportResult,
        ValidationReport,
    },
    context::Context,
    error::Result,
    output::Report,
};

pub(super) use source::ClusterArgs;

/// Import, check, compare, deploy and export designs.
#[derive(clap::Args, Debug)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub struct Design {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(clap::Subcommand, Debug)]
enum Verb {
    Import(import::Import),
    List(list::List),
    Search(search::Search),
    View(view::ViewOne),
    Validate(validate::Validate),
    Diff(diff::Diff),
    Plan(plan::Plan),
    Deploy(deploy::Deploy),
    Status(status::Status),
    Events(events::Events),
    Logs(logs::Logs),
    History(history::History),
    Rollback(rollback::Rollback),
    Undeploy(undeploy::Undeploy),
    Release(release::Release),
    Render(render::Render),
    Export(export::Export),
    Delete(delete::Delete),
}

impl Design {
    /// Runs the verb.
    pub async fn run(self, cx: &Context) -> Result<Outcome> {
        match self.verb {
            Verb::Import(verb) => verb.run(cx).await,
            Verb::List(verb) => verb.run(cx).await,
            Verb::Search(verb) => verb.run(cx).await,
            Verb::View(verb) => verb.run(cx).await,
            Verb::Validate(verb) => verb.run(cx).await,
            Verb::Diff(verb) => verb.run(cx).await,
            Verb::Plan(verb) => verb.run(cx).await,
            Verb::Deploy(verb) => verb.run(cx).await,
            Verb::Status(verb) => verb.run(cx).await,
            Verb::Events(verb) => verb.run(cx).await,
            Verb::Logs(verb) => verb.run(cx).await,
            Verb::History(verb) => verb.run(cx).await,
            Verb::Rollback(verb) => verb.run(cx).await,
            Verb::Undeploy(verb) => verb.run(cx).await,
            Verb::Release(verb) => verb.run(cx).await,
            Verb::Render(verb) => verb.run(cx).await,
            Verb::Export(verb) => verb.run(cx).await,
            Verb::Delete(verb) => verb.run(cx).await,
        }
    }

    /// Whether the verb answers a question.
    pub fn is_predicate(&self) -> bool {
        matches!(self.verb, Verb::Validate(_) | Verb::Diff(_) | Verb::Plan(_))
    }

    /// The report formats that the verb has beside the common ones.
    pub fn reports(&self) -> &'static [Report] {
        match self.verb {
            Verb::Validate(_) => findings::REPORTS,
            _ => &[],
        }
    }
}

/// Warns of what was left out when a design was read.
pub(super) fn tell(cx: &Context, notes: &[String]) {
    for note in notes {
        cx.terminal.warn(note.as_str());
    }
}

/// What the commands of this noun print.
pub(super) fn kinds() -> Vec<schema::Kind> {
    vec![
        schema::kind::<DesignList>(),
        schema::kind::<DesignView>(),
        schema::kind::<ImportResult>(),
        schema::kind::<DeleteResult>(),
        schema::kind::<ValidationReport>(),
        schema::kind::<DeployResult>(),
        schema::kind::<dated::Dated<crate::api::deploy::DesignStatus>>(),
        schema::kind::<dated::Dated<crate::api::deployed::EventList>>(),
        schema::kind::<logs::PodLog>(),
        schema::kind::<logs::PodLogLine>(),
        schema::kind::<crate::api::deploy::RevisionList>(),
        schema::kind::<DesignDiff>(),
        schema::kind::<render::Rendered>(),
        schema::kind::<export::ExportResult>(),
    ]
}
