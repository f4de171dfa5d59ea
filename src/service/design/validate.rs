//! Judges manifests: identities, schemas, and how they fit together.

use std::sync::Arc;

use serde_json::Value;
use weft_domain::{
    check::{self, Finding, Severity},
    model::{Catalog, CustomKinds, Model},
    overlay::{Provenance, Source},
    plan::{self, Observed},
    resource::{DEPENDS_ON, Origin, Resource, ResourceSet, Scope, subject},
    schema::Schema,
    yaml::{self, Limits},
};

use super::read::{self, Manifests};
use crate::{
    api::design::{FieldSource, Schemas, ValidateDesign, ValidationReport},
    error::{Code, Error, Place, Result, from},
    service::{Services, compute, model},
};

/// Checks a design.
///
/// # Errors
/// When it can't be read; what is wrong with it is in the report.
pub async fn validate(services: &Services, request: ValidateDesign) -> Result<ValidationReport> {
    let read = read::read(services, request.design, &request.fitting).await?;
    compute(move || {
        let manifests = read
            .fitted(&request.fitting.overlays_of(""))?
            .into_manifests()?;
        let name = manifests.name.clone();
        let judged = Judged::new(manifests, request.schemas, request.namespace.as_deref())?;
        let valid = judged.errors().next().is_none();
        Ok(ValidationReport {
            design: name,
            model: judged.model,
            valid,
            resources: u32::try_from(judged.set.len()).unwrap_or(u32::MAX),
            checked: judged
                .set
                .iter()
                .map(|resource| resource.id.to_string())
                .collect(),
            findings: judged.findings,
            notes: judged.notes,
        })
    })
    .await
}

/// Where resources live that name no namespace, unless the caller knows better: as with kubectl.
const NAMESPACE: &str = "default";

/// Manifests with all that was found about them.
pub(in crate::service) struct Judged {
    /// The resources.
    pub(in crate::service) set: ResourceSet,
    /// What was found, in the order of the texts.
    pub(in crate::service) findings: Vec<Finding>,
    /// Name and version of the model that was checked against.
    pub(super) model: String,
    /// What was left out when the design or the schemas were read.
    pub(in crate::service) notes: Vec<String>,
    /// What overlays and values have set.
    pub(in crate::service) provenance: Provenance,
    places: read::Places,
}

impl Judged {
    /// Judges manifests. All that judge share one default for the namespace, so that none accepts
    /// what another refuses.
    pub(super) fn new(
        manifests: Manifests,
        schemas: Schemas,
        namespace: Option<&str>,
    ) -> Result<Self> {
        Self::for_cluster(manifests, schemas, namespace, &|_, _| None)
    }

    /// The same for a cluster, whose word on where a kind lives counts.
    pub(in crate::service) fn for_cluster(
        manifests: Manifests,
        schemas: Schemas,
        namespace: Option<&str>,
        served: Scope<'_>,
    ) -> Result<Self> {
        let namespace = Some(namespace.unwrap_or(NAMESPACE));
        let mut notes = manifests.notes;
        let catalog = catalog(&manifests.objects, schemas, &mut notes)?;
        let scope = |api_version: &str, kind: &str| {
            served(api_version, kind).or_else(|| catalog.is_namespaced(api_version, kind))
        };
        let provenance = manifests.provenance;
        let mut findings = manifests.findings;
        let mut last: Option<(String, String, Option<Schema>)> = None;
        for (object, origin) in &manifests.objects {
            let (Some(api_version), Some(kind)) =
                (text(object, "apiVersion"), text(object, "kind"))
            else {
                continue;
            };
            // Objects of one kind mostly stand together.
            let same = matches!(&last, Some((a, k, _)) if a == api_version && k == kind);
            if !same {
                let found = catalog.find(api_version, kind).map(|(_, schema)| schema);
                last = Some((api_version.to_owned(), kind.to_owned(), found));
            }
            if let Some(schema) = last.as_ref().and_then(|(_, _, schema)| schema.as_ref()) {
                schema.check(object, &mut |mut violation| {
                    if !provenance.is_empty() {
                        let source = provenance.of(object, &violation.path.to_string());
                        // What is given beside the design may be a secret, wherever it goes.
                        if source.is_some_and(|source| source.overlay().is_none()) {
                            violation.problem.conceal();
                        }
                    }
                    if check::is_filled_in(api_version, &violation) {
                        return;
                    }
                    let subject = subject(object, &scope, namespace);
                    findings.push(Finding::of_violation(violation, &subject, origin));
                });
            } else {
                let unknown = catalog.explain(api_version, kind);
                let subject = subject(object, &scope, namespace);
                findings.push(Finding::of_unknown_kind(&unknown, &subject, origin));
            }
        }
        let (set, identity) = ResourceSet::from_manifests(manifests.objects, &scope, namespace);
        findings.extend(identity);
        findings.extend(check::check(&set));
        // Only explicit dependencies can go in a circle.
        if set.iter().any(|resource| depends_on(&resource.object))
            && let Err(cycle) = plan::plan(&set, &Observed::Nothing)
        {
            findings.extend(cycle.findings);
        }
        manifests.places.locate(&mut findings);
        if !provenance.is_empty() {
            blame(&mut findings, &set, &provenance);
        }
        sort(&mut findings);
        Ok(Self {
            set,
            findings,
            model: catalog.models().last().map_or_else(String::new, |model| {
                format!("{} {}", model.name(), model.version())
            }),
            notes,
            provenance,
            places: manifests.places,
        })
    }

    /// Findings that make the design unusable.
    pub(super) fn errors(&self) -> impl Iterator<Item = &Finding> {
        self.findings
            .iter()
            .filter(|finding| finding.severity == Severity::Error)
    }

    /// Fails with every finding of severity error.
    pub(super) fn refuse(&self) -> Result<()> {
        self.refuse_but(|_| false)
    }

    /// Fails with every finding of severity error, except those that are accepted.
    pub(in crate::service) fn refuse_but(&self, accepted: impl Fn(&Finding) -> bool) -> Result<()> {
        let errors = self.errors().filter(|finding| !accepted(finding));
        match Error::all(errors.map(from::finding)) {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }

    /// What overlays and values have set in a resource.
    pub(super) fn set_by(&self, resource: &Resource) -> Vec<FieldSource> {
        set_by(&self.provenance, resource)
    }

    /// Gives further findings their places.
    pub(super) fn locate(&self, findings: &mut [Finding]) {
        self.places.locate(findings);
    }
}

/// What overlays and values have set in a resource.
pub(in crate::service) fn set_by(provenance: &Provenance, resource: &Resource) -> Vec<FieldSource> {
    let fields = provenance.fields(&resource.object).into_iter();
    fields
        .map(|(path, source)| FieldSource::new(path, source))
        .collect()
}

/// Points at the overlay or the values, where these have set what a finding is about.
fn blame(findings: &mut [Finding], set: &ResourceSet, provenance: &Provenance) {
    for finding in findings {
        let resource = finding.resource.as_deref().and_then(|id| set.position(id));
        let source = resource.and_then(|index| {
            let path = finding.path.as_deref()?;
            provenance.of(&set.get(index)?.object, path)
        });
        if let Some(source) = source {
            finding.message = format!("{}, set by {}", finding.message, by(source));
            if let Some(origin) = source.origin() {
                finding.set_at(origin);
            }
        }
    }
}

/// What set a field, in few words.
fn by(source: &Source) -> String {
    FieldSource::new(String::new(), source).by()
}

/// Puts findings in the order of the texts.
pub(in crate::service) fn sort(findings: &mut [Finding]) {
    findings.sort_by(|a, b| {
        (&a.file, a.line, a.column, a.rule, &a.message)
            .cmp(&(&b.file, b.line, b.column, b.rule, &b.message))
    });
}

fn depends_on(object: &Value) -> bool {
    let annotations = object.get("metadata").and_then(|m| m.get("annotations"));
    annotations.is_some_and(|annotations| annotations.get(DEPENDS_ON).is_some())
}

fn text<'a>(object: &'a Value, key: &str) -> Option<&'a str> {
    object.get(key).and_then(Value::as_str)
}

/// The schemas that count: the design's own CRDs, then extra ones, then a cluster's or the
/// built-in model.
///
/// # Errors
/// When one of them can't be read.
pub(in crate::service) fn catalog(
    objects: &[(Value, Origin)],
    schemas: Schemas,
    notes: &mut Vec<String>,
) -> Result<Catalog> {
    let mut catalog = match &schemas.model {
        Some(archive) => {
            let bytes = model::decode(archive)?;
            Catalog::of(Arc::new(Model::from_archive(&bytes)?))
        }
        None => Catalog::builtin(),
    };
    let mut own = CustomKinds::default();
    for (object, origin) in objects {
        if CustomKinds::is_crd(object) {
            own.add_crd(object).map_err(|error| {
                Error::new(Code::Invalid, error.to_string()).at(Place::file(&*origin.file, None))
            })?;
        }
    }
    if !own.kinds().is_empty() {
        catalog.add_own(own);
    }
    for archive in schemas.archives {
        catalog.add_archive(&model::decode(&archive)?)?;
    }
    for bundle in schemas.extra {
        let limits = bundle.limits.over(Limits::DESIGN);
        for file in &bundle.files {
            let shown = read::shown(&bundle, &file.path);
            for document in yaml::split(&file.text) {
                let parsed =
                    yaml::parse(&document, &limits).map_err(|error| from::yaml(&error, &shown))?;
                let Some(value) = parsed else {
                    continue;
                };
                catalog.add_file(&file.path, &value).map_err(|error| {
                    let line = read::first_line(&document);
                    let at = yaml::Location { line, column: 1 };
                    Error::from(error).at(Place::file(&*shown, Some(at)))
                })?;
            }
        }
        notes.extend(bundle.notes);
    }
    Ok(catalog)
}
