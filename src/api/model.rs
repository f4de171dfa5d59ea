//! Models: what is known of technologies.

use serde::{Deserialize, Serialize};

pub use weft_domain::check::Finding;

/// What a check of models found.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ModelReport {
    /// The models, in the order of their files.
    pub models: Vec<CheckedModel>,
    /// Whether there is no finding of severity error.
    pub valid: bool,
    /// What was found, in the order of the files.
    pub findings: Vec<Finding>,
    /// All definitions, for reports that list what passed.
    #[serde(default)]
    pub checked: Vec<String>,
    /// What was left out.
    #[serde(default)]
    pub notes: Vec<String>,
}

/// A model, and how much there is in it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CheckedModel {
    /// Its name.
    pub name: String,
    /// The version of the technology.
    pub version: String,
    /// Its file.
    pub file: String,
    /// How many components it has.
    pub components: usize,
    /// How many relationships.
    pub relationships: usize,
    /// How many kinds of connections.
    pub connections: usize,
}
