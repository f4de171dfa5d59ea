//! `schema list`

use serde::Serialize;

use crate::{
    commands::Outcome,
    output::{Column, Human, Table, View},
};

/// List the kinds of documents that commands print.
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:\n  weftctl schema list\n  weftctl schema list -o name")]
pub(super) struct List {}

/// The kinds of documents.
#[derive(Serialize, schemars::JsonSchema)]
pub(super) struct SchemaList {
    items: Vec<SchemaEntry>,
}

#[derive(Serialize, schemars::JsonSchema)]
struct SchemaEntry {
    /// The value of `kind`.
    name: &'static str,
    /// What the document holds.
    description: String,
}

impl View for SchemaList {
    const KIND: &'static str = "SchemaList";

    fn human(&self) -> Human {
        let mut table = Table::new([Column::new("KIND"), Column::new("DESCRIPTION")]);
        for item in &self.items {
            table.row([item.name, &item.description]);
        }
        Human::Table(table)
    }

    fn names(&self) -> Vec<String> {
        self.items
            .iter()
            .map(|item| format!("schema/{}", item.name))
            .collect()
    }
}

impl List {
    /// Lists them by name.
    pub(super) fn run() -> Outcome {
        let items = super::kinds()
            .into_iter()
            .map(|kind| SchemaEntry {
                name: kind.name,
                description: kind.schema()["description"]
                    .as_str()
                    .unwrap_or_default()
                    .to_owned(),
            })
            .collect();
        SchemaList { items }.into()
    }
}
