//! `config view`

use serde::Serialize;

use crate::{
    commands::Outcome,
    config::KEYS,
    context::Context,
    output::{Column, Human, Table, View},
};

/// Show the settings in force.
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:\n  weftctl config view\n  weftctl config view --show-origin")]
pub(super) struct ViewConfig {
    /// Say where each value comes from
    #[arg(long)]
    show_origin: bool,
}

/// The settings in force.
#[derive(Serialize, schemars::JsonSchema)]
pub(super) struct ConfigView {
    items: Vec<Setting>,
    #[serde(skip)]
    show_origin: bool,
}

#[derive(Serialize, schemars::JsonSchema)]
struct Setting {
    /// The key.
    name: &'static str,
    /// Its value; empty when it has none.
    value: String,
    /// A flag, an environment variable, a file, or the built-in default.
    #[serde(skip_serializing_if = "Option::is_none")]
    origin: Option<String>,
    /// What it does.
    help: &'static str,
}

impl View for ConfigView {
    const KIND: &'static str = "ConfigView";

    fn human(&self) -> Human {
        let mut columns = vec![Column::new("KEY"), Column::new("VALUE")];
        if self.show_origin {
            columns.push(Column::new("ORIGIN"));
        }
        columns.push(Column::new("MEANING").wide());
        let mut table = Table::new(columns);
        for item in &self.items {
            let mut cells = vec![item.name, &item.value];
            cells.extend(item.origin.as_deref());
            cells.push(item.help);
            table.row(cells);
        }
        Human::Table(table)
    }

    fn names(&self) -> Vec<String> {
        self.items
            .iter()
            .map(|item| format!("config/{}", item.name))
            .collect()
    }
}

impl ViewConfig {
    /// Lists all keys.
    pub(super) fn run(self, cx: &Context) -> Outcome {
        let items = cx
            .config
            .entries()
            .map(|(name, value, origin)| Setting {
                name,
                value: value.to_owned(),
                origin: self.show_origin.then(|| origin.to_string()),
                help: KEYS
                    .iter()
                    .find(|key| key.name == name)
                    .map_or("", |key| key.help),
            })
            .collect();
        ConfigView {
            items,
            show_origin: self.show_origin,
        }
        .into()
    }
}
