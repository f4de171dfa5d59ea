//! `schema`: JSON Schemas of what the commands print.

mod list;
mod print;

use schemars::{JsonSchema, Schema as Document, generate::SchemaSettings};

use super::{Outcome, config, design, explain, help, model, system, tenant, version};
use crate::{api, error::Result, output::View};

/// JSON Schemas of what the commands print.
#[derive(clap::Args, Debug)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub struct Schema {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(clap::Subcommand, Debug)]
enum Verb {
    List(list::List),
    Print(print::Print),
}

impl Schema {
    /// Runs the verb.
    pub fn run(self) -> Result<Outcome> {
        match self.verb {
            Verb::List(_) => Ok(list::List::run()),
            Verb::Print(verb) => verb.run(),
        }
    }
}

/// An output kind and its schema.
pub struct Kind {
    /// The value of `kind` in the output.
    pub name: &'static str,
    make: fn() -> Document,
}

impl Kind {
    /// The schema, with the envelope that every document has.
    pub fn schema(&self) -> serde_json::Value {
        let mut schema = (self.make)().to_value();
        schema["properties"]["apiVersion"] = serde_json::json!({ "const": api::API_VERSION });
        schema["properties"]["kind"] = serde_json::json!({ "const": self.name });
        let mut required: Vec<serde_json::Value> = vec!["apiVersion".into(), "kind".into()];
        for field in schema["required"].as_array().into_iter().flatten() {
            if !required.contains(field) {
                required.push(field.clone());
            }
        }
        schema["required"] = required.into();
        schema
    }
}

fn make<T: JsonSchema>() -> Document {
    SchemaSettings::draft2020_12()
        .for_serialize()
        .into_generator()
        .into_root_schema_for::<T>()
}

/// A kind and its schema, for the list of a noun.
pub(super) fn kind<V: View + JsonSchema>() -> Kind {
    Kind {
        name: V::KIND,
        make: make::<V>,
    }
}

/// Every kind that a command can print, by name.
pub fn kinds() -> Vec<Kind> {
    let mut kinds = vec![
        kind::<version::VersionView>(),
        kind::<explain::ExplanationList>(),
        kind::<help::HelpText>(),
        kind::<list::SchemaList>(),
        kind::<print::SchemaView>(),
        kind::<super::completion::CompletionScript>(),
        Kind {
            name: "Error",
            make: make::<crate::error::Body>,
        },
    ];
    kinds.extend(config::kinds());
    kinds.extend(design::kinds());
    kinds.extend(model::kinds());
    kinds.extend(system::kinds());
    kinds.extend(tenant::kinds());
    kinds.sort_by_key(|kind| kind.name);
    kinds
}
