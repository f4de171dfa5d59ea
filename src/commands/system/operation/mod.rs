//! `system operation`: long work of the server, running and done.

mod cancel;
mod list;
mod view;

use crate::{
    api::{Operation, operation::OperationList},
    commands::{Outcome, schema},
    context::Context,
    error::Result,
    output::{Column, Human, Table, View},
};

/// Operations: long work, running and done.
#[derive(clap::Args, Debug)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub(super) struct Operations {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(clap::Subcommand, Debug)]
enum Verb {
    List(list::List),
    View(view::ViewOne),
    Cancel(cancel::Cancel),
}

impl Operations {
    /// Runs the verb.
    pub(super) async fn run(self, cx: &Context) -> Result<Outcome> {
        match self.verb {
            Verb::List(verb) => verb.run(cx).await,
            Verb::View(verb) => verb.run(cx).await,
            Verb::Cancel(verb) => verb.run(cx).await,
        }
    }
}

/// What the commands of this noun print.
pub(super) fn kinds() -> Vec<schema::Kind> {
    vec![
        schema::kind::<OperationList>(),
        schema::kind::<Operation>(),
        schema::kind::<cancel::OperationChange>(),
    ]
}

fn table(items: &[Operation]) -> Human {
    let mut table = Table::new([
        Column::new("ID"),
        Column::new("ACTION"),
        Column::new("SUBJECT"),
        Column::new("STATE"),
        Column::new("STARTED"),
        Column::new("ERROR").wide(),
    ]);
    for item in items {
        table.row([
            item.id.as_str(),
            &item.action,
            &item.subject,
            &item.state.to_string(),
            &item.started_at.to_string(),
            item.error.as_deref().unwrap_or(""),
        ]);
    }
    Human::Table(table)
}

impl View for OperationList {
    const KIND: &'static str = "OperationList";

    fn human(&self) -> Human {
        table(&self.items)
    }

    fn names(&self) -> Vec<String> {
        self.items
            .iter()
            .map(|item| format!("operation/{}", item.id))
            .collect()
    }

    fn summary(&self) -> Option<String> {
        self.items
            .is_empty()
            .then(|| "no operations yet".to_owned())
    }
}

impl View for Operation {
    const KIND: &'static str = "Operation";

    fn human(&self) -> Human {
        table(std::slice::from_ref(self))
    }

    fn names(&self) -> Vec<String> {
        vec![format!("operation/{}", self.id)]
    }
}
