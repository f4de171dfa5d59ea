//! The registry of models. So far it only checks what could come into it.

use weft_domain::{
    check::{Finding, Rule, Severity},
    registry::{
        definition::{Definition, DefinitionKind},
        package::{Document, Package, packages},
    },
    source::Bundle,
};

use super::{
    compute,
    design::{read::parsed, sort},
};
use crate::{
    api::model::{CheckedModel, ModelReport},
    error::{Code, Error, Place, Result},
};

/// Checks the models of a source.
///
/// # Errors
/// When a text can't be parsed, or no definition is there.
pub async fn validate(bundle: Bundle) -> Result<ModelReport> {
    compute(move || report(bundle)).await
}

fn report(bundle: Bundle) -> Result<ModelReport> {
    let (origin, mut notes) = (bundle.origin.clone(), bundle.notes.clone());
    let (texts, places) = parsed(bundle)?;
    let (mut documents, mut findings) = (Vec::new(), Vec::new());
    for (value, origin) in texts {
        match Definition::read(value) {
            Ok(Some(definition)) => documents.push(Document { definition, origin }),
            Ok(None) => notes.push(format!("{origin} is no definition and was left out")),
            Err(unknown) => {
                let finding = Finding::new(Rule::UnknownSchemaVersion, unknown.to_string())
                    .from(&origin)
                    .at(&["schemaVersion"]);
                findings.push(finding.did_you_mean_text(unknown.near));
            }
        }
    }
    if documents.is_empty() && findings.is_empty() {
        return Err(
            Error::new(Code::NothingThere, "the source holds no definition")
                .at(Place::file(origin, None))
                .hint(
                    "definitions say in schemaVersion what they are, as models.meshery.io/v1beta2",
                ),
        );
    }
    let checked = documents
        .iter()
        .map(|document| document.definition.subject());
    let checked = checked.collect();
    let (packages, more) = packages(documents);
    findings.extend(more);
    findings.extend(packages.iter().flat_map(Package::check));
    if packages.is_empty() && findings.is_empty() {
        findings.push(Finding::new(Rule::NoModel, "the source holds no model"));
    }
    places.locate(&mut findings);
    sort(&mut findings);
    Ok(ModelReport {
        models: packages.iter().map(checked_model).collect(),
        valid: !findings
            .iter()
            .any(|finding| finding.severity == Severity::Error),
        findings,
        checked,
        notes,
    })
}

fn checked_model(package: &Package) -> CheckedModel {
    let count = |kind: DefinitionKind| {
        let parts = package.parts.iter();
        parts.filter(|part| part.definition.kind == kind).count()
    };
    let model = &package.model;
    CheckedModel {
        name: model.definition.text(&["name"]).to_owned(),
        version: model.definition.text(&["model", "version"]).to_owned(),
        file: model.origin.file.to_string(),
        components: count(DefinitionKind::Component),
        relationships: count(DefinitionKind::Relationship),
        connections: count(DefinitionKind::Connection),
    }
}
