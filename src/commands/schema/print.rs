//! `schema print`

use serde::Serialize;
use serde_json::Value;

use crate::{
    commands::{Outcome, completion},
    error::{Code, Error, Result},
    output::{Human, View},
};

/// Print the JSON Schema of a kind of document.
#[derive(clap::Args, Debug)]
#[command(
    after_help = "Examples:\n  weftctl schema print DesignList\n  weftctl schema print DeployResult -o yaml"
)]
pub(super) struct Print {
    /// The kind, as weftctl schema list names it
    #[arg(add = completion::schemas())]
    kind: String,
}

/// A JSON Schema.
#[derive(Serialize, schemars::JsonSchema)]
pub(super) struct SchemaView {
    /// The kind of document.
    name: &'static str,
    /// Its schema, JSON Schema 2020-12.
    schema: Value,
}

impl View for SchemaView {
    const KIND: &'static str = "Schema";

    fn human(&self) -> Human {
        let text = serde_json::to_string_pretty(&self.schema).unwrap_or_default();
        Human::Text(format!("{text}\n"))
    }

    fn names(&self) -> Vec<String> {
        vec![format!("schema/{}", self.name)]
    }
}

impl Print {
    /// Looks the kind up.
    pub(super) fn run(self) -> Result<Outcome> {
        let kinds = super::kinds();
        let Some(kind) = kinds
            .iter()
            .find(|kind| kind.name.eq_ignore_ascii_case(&self.kind))
        else {
            return Err(
                Error::new(Code::CodeUnknown, format!("no schema {:?}", self.kind))
                    .did_you_mean(&self.kind, kinds.iter().map(|kind| kind.name))
                    .hint("list them: weftctl schema list"),
            );
        };
        Ok(SchemaView {
            name: kind.name,
            schema: kind.schema(),
        }
        .into())
    }
}
