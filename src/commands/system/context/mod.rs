//! `system context`: named contexts in the user's configuration file. Local commands.

mod create;
mod delete;
mod list;
mod switch;
mod view;

use serde::Serialize;

use crate::{
    commands::{Outcome, schema},
    config::NamedContext,
    context::Context,
    error::Result,
    output::{Column, Human, Table, View},
};

/// Named contexts: a server, kubeconfig contexts, overlays, a namespace and an environment under one
/// name.
#[derive(clap::Args, Debug)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub(super) struct NamedContexts {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(clap::Subcommand, Debug)]
enum Verb {
    Create(create::Create),
    List(list::List),
    View(view::ViewOne),
    Switch(switch::Switch),
    Delete(delete::Delete),
}

impl NamedContexts {
    /// Whether it writes the configuration file, which need not be there yet.
    pub(super) fn makes_config(&self) -> bool {
        matches!(self.verb, Verb::Create(_))
    }

    /// Runs the verb.
    pub(super) fn run(self, cx: &Context) -> Result<Outcome> {
        match self.verb {
            Verb::Create(verb) => verb.run(cx),
            Verb::List(_) => Ok(list::List::run(cx)),
            Verb::View(verb) => verb.run(cx),
            Verb::Switch(verb) => verb.run(cx),
            Verb::Delete(verb) => verb.run(cx),
        }
    }
}

/// What the commands of this noun print.
pub(super) fn kinds() -> Vec<schema::Kind> {
    vec![
        schema::kind::<ContextList>(),
        schema::kind::<ContextView>(),
        schema::kind::<ContextChange>(),
    ]
}

/// A named context.
#[derive(Clone, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ContextView {
    /// Its name.
    name: String,
    /// Whether it is in use.
    current: bool,
    /// The server's URL; absent for the embedded one.
    #[serde(skip_serializing_if = "Option::is_none")]
    server: Option<String>,
    /// Kubeconfig contexts.
    clusters: Vec<String>,
    /// The overlays that designs get there, as `--overlay` takes them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    overlays: Vec<String>,
    /// The namespace of resources that name none.
    #[serde(skip_serializing_if = "Option::is_none")]
    namespace: Option<String>,
    /// The environment.
    #[serde(skip_serializing_if = "Option::is_none")]
    environment: Option<String>,
    /// File with the server's token.
    #[serde(skip_serializing_if = "Option::is_none")]
    token_file: Option<String>,
    /// The configuration file that it stands in.
    file: String,
}

impl ContextView {
    fn new(cx: &Context, name: &str, context: &NamedContext) -> Self {
        Self {
            name: name.to_owned(),
            current: cx.config.get("current-context") == name,
            server: context.server.clone(),
            clusters: context.clusters.clone(),
            overlays: context.overlays.iter().map(ToString::to_string).collect(),
            namespace: context.namespace.clone(),
            environment: context.environment.clone(),
            token_file: context.token_file.clone(),
            file: context.file.display().to_string(),
        }
    }
}

fn table(items: &[ContextView]) -> Human {
    let mut table = Table::new([
        Column::new("CURRENT"),
        Column::new("NAME"),
        Column::new("SERVER"),
        Column::new("CLUSTERS"),
        Column::new("NAMESPACE"),
        Column::new("ENVIRONMENT").wide(),
        Column::new("OVERLAYS").wide(),
        Column::new("FILE").wide(),
    ]);
    for item in items {
        table.row([
            if item.current { "*" } else { "" },
            &item.name,
            item.server.as_deref().unwrap_or("embedded"),
            &item.clusters.join(","),
            item.namespace.as_deref().unwrap_or(""),
            item.environment.as_deref().unwrap_or(""),
            &item.overlays.join(","),
            &item.file,
        ]);
    }
    Human::Table(table)
}

impl View for ContextView {
    const KIND: &'static str = "Context";

    fn human(&self) -> Human {
        table(std::slice::from_ref(self))
    }

    fn names(&self) -> Vec<String> {
        vec![format!("context/{}", self.name)]
    }
}

/// Named contexts.
#[derive(Serialize, schemars::JsonSchema)]
pub(super) struct ContextList {
    items: Vec<ContextView>,
}

impl View for ContextList {
    const KIND: &'static str = "ContextList";

    fn human(&self) -> Human {
        table(&self.items)
    }

    fn names(&self) -> Vec<String> {
        self.items
            .iter()
            .map(|item| format!("context/{}", item.name))
            .collect()
    }

    fn summary(&self) -> Option<String> {
        self.items.is_empty().then(|| "no contexts yet".to_owned())
    }
}

/// A change of the named contexts.
#[derive(Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ContextChange {
    /// `created`, `configured` or `unchanged`; for removals `deleted`.
    action: &'static str,
    /// The context.
    name: String,
    /// Why, or what it means.
    reason: String,
    /// Whether nothing was written because of `--dry-run`.
    dry_run: bool,
}

impl View for ContextChange {
    const KIND: &'static str = "ContextChange";

    fn human(&self) -> Human {
        let mark = if self.dry_run { " (dry run)" } else { "" };
        Human::Text(format!(
            "context {} {}: {}{mark}\n",
            self.name, self.action, self.reason
        ))
    }

    fn names(&self) -> Vec<String> {
        vec![format!("context/{}", self.name)]
    }
}
