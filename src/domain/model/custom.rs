//! Kinds from custom resource definitions, in their `v1` and `v1beta1` forms.
//!
//! Only what is needed to check custom resources is read; whether the definition itself is right is a question for
//! its own schema.

use serde_json::Value;

use super::{KindInfo, Model, ModelInfo, Scope, prose, version_rank};
use crate::schema::{Entry, Library};

/// Why a custom resource definition cannot be used.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum CrdError {
    /// It is an object of another kind.
    #[error("not a CustomResourceDefinition")]
    NotACrd,
    /// A field is absent or of another type.
    #[error("the CustomResourceDefinition {name:?} has no valid {field}")]
    Field {
        /// The definition's name.
        name: String,
        /// The field.
        field: &'static str,
    },
}

/// The kinds that one or several custom resource definitions bring.
#[derive(Debug, Clone, Default)]
pub struct CustomKinds {
    kinds: Vec<KindInfo>,
    entries: Vec<Entry>,
}

impl CustomKinds {
    /// Tells whether an object is a custom resource definition.
    pub fn is_crd(object: &Value) -> bool {
        object.get("kind").and_then(Value::as_str) == Some("CustomResourceDefinition")
            && object
                .get("apiVersion")
                .and_then(Value::as_str)
                .is_some_and(|version| version.starts_with("apiextensions.k8s.io/"))
    }

    /// Reads the served versions of a custom resource definition.
    pub fn from_crd(object: &Value) -> Result<Self, CrdError> {
        let mut kinds = Self::default();
        kinds.add_crd(object)?;
        Ok(kinds)
    }

    /// Adds the served versions of a custom resource definition. What was there before goes first.
    pub fn add_crd(&mut self, object: &Value) -> Result<(), CrdError> {
        if !Self::is_crd(object) {
            return Err(CrdError::NotACrd);
        }
        let missing = |field| CrdError::Field {
            name: text(object, "/metadata/name")
                .unwrap_or_default()
                .to_owned(),
            field,
        };
        let field =
            |pointer: &'static str, name| text(object, pointer).ok_or_else(|| missing(name));
        let group = field("/spec/group", "spec.group")?;
        let kind = field("/spec/names/kind", "spec.names.kind")?;
        let plural = field("/spec/names/plural", "spec.names.plural")?;
        let info = KindInfo {
            group: group.to_owned(),
            kind: kind.to_owned(),
            plural: plural.to_owned(),
            singular: text(object, "/spec/names/singular")
                .map_or_else(|| kind.to_lowercase(), str::to_owned),
            short_names: texts(object, "/spec/names/shortNames"),
            categories: texts(object, "/spec/names/categories"),
            scope: match text(object, "/spec/scope") {
                Some("Cluster") => Scope::Cluster,
                Some("Namespaced") => Scope::Namespaced,
                _ => return Err(missing("spec.scope")),
            },
            custom: true,
            ..KindInfo::default()
        };
        let Some(versions) = versions(object) else {
            return Err(missing("spec.versions"));
        };
        let names = versions.iter().map(|(version, _)| *version);
        let preferred = names
            .max_by_key(|version| version_rank(version))
            .unwrap_or_default();
        for (version, schema) in &versions {
            let definition = schema.map(|schema| {
                let name = format!("{group}/{version}/{kind}");
                let mut schema = prose::without(schema);
                if keeps_unknown(object)
                    && let Value::Object(fields) = &mut schema
                {
                    fields.insert(
                        "x-kubernetes-preserve-unknown-fields".to_owned(),
                        true.into(),
                    );
                }
                self.entries.push(Entry {
                    name: name.clone(),
                    text: schema.to_string(),
                    custom: true,
                });
                name
            });
            self.kinds.push(KindInfo {
                version: (*version).to_owned(),
                preferred: *version == preferred,
                definition,
                ..info.clone()
            });
        }
        Ok(())
    }

    /// Returns the kinds.
    pub fn kinds(&self) -> &[KindInfo] {
        &self.kinds
    }

    /// Makes a model of them.
    pub fn into_model(self, info: ModelInfo) -> Model {
        Model::new(info, self.kinds, Library::build(self.entries))
    }
}

/// Returns the served versions with their schemas; nothing when there are no versions at all.
fn versions(object: &Value) -> Option<Vec<(&str, Option<&Value>)>> {
    let shared = object.pointer("/spec/validation/openAPIV3Schema");
    let list = object.pointer("/spec/versions").and_then(Value::as_array);
    let Some(list) = list.filter(|list| !list.is_empty()) else {
        // The oldest form had one version.
        return Some(vec![(text(object, "/spec/version")?, shared)]);
    };
    let served = list
        .iter()
        .filter(|version| version.get("served") != Some(&Value::Bool(false)))
        .filter_map(|version| {
            let schema = version.pointer("/schema/openAPIV3Schema").or(shared);
            Some((text(version, "/name")?, schema))
        });
    Some(served.collect())
}

/// Tells whether unknown fields are kept everywhere: the default of `v1beta1`.
fn keeps_unknown(object: &Value) -> bool {
    match object.pointer("/spec/preserveUnknownFields") {
        Some(Value::Bool(keeps)) => *keeps,
        _ => text(object, "/apiVersion") == Some("apiextensions.k8s.io/v1beta1"),
    }
}

fn text<'a>(object: &'a Value, pointer: &str) -> Option<&'a str> {
    object
        .pointer(pointer)?
        .as_str()
        .filter(|text| !text.is_empty())
}

fn texts(object: &Value, pointer: &str) -> Vec<String> {
    object
        .pointer(pointer)
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(|text| text.as_str().map(str::to_owned))
        .collect()
}
