//! Stores what was read, as a new design or a new version, whole or not at all.

use std::collections::{BTreeMap, HashMap, VecDeque};

use uuid::Uuid;
use weft_domain::{
    check::{Finding, Rule},
    component::Component,
    design::{Design, FIRST_VERSION, next_version},
    resource::is_built_in_group,
    secret,
    source::Form,
};

use super::{read, validate::Judged};
use crate::{
    api::{
        design::{ImportAction, ImportDesign, ImportResult, Schemas},
        operation::Started,
    },
    error::{Code, Error, Result},
    service::{
        Services,
        operation::{self, Handle},
    },
    store::{self, NewDesign, NewVersion, Outcome, SecretBytes},
};

/// Starts an import.
///
/// # Errors
/// Never by itself; what goes wrong is the operation's outcome.
pub async fn import(services: Services, request: ImportDesign) -> Result<Started<ImportResult>> {
    let subject = request.source.origin.clone();
    let record = !request.dry_run;
    let worker = services.clone();
    Ok(operation::start(
        &services,
        "design import",
        subject,
        record,
        move |handle| run(worker, request, handle),
    ))
}

async fn run(services: Services, request: ImportDesign, handle: Handle) -> Result<ImportResult> {
    handle.step(format!("reading {}", request.source.origin));
    let origin = request.source.origin.clone();
    let source = read::Inline::read(&services, request.source)?;
    check_identities(source.clone(), request.allow_unknown_kinds)?;
    let loaded = source.into_design(&services)?;
    let mut design = loaded.design;
    if let Some(name) = request.name {
        design.name = name;
    }
    check_name(&design.name)?;
    handle.check()?;
    let current = current(&services, &design.name).await?;
    if let Some(current) = &current {
        keep_ids(&mut design, &current.design);
    } else if is_taken(&services, design.id).await? {
        design.id = services.new_id();
    }
    let components = u32::try_from(design.components.len()).unwrap_or(u32::MAX);
    let mut kinds: BTreeMap<String, u32> = BTreeMap::new();
    for component in &design.components {
        *kinds.entry(component.kind().to_owned()).or_default() += 1;
    }
    let mut result = ImportResult {
        action: ImportAction::Created,
        reason: String::new(),
        id: design.id.to_string(),
        name: design.name.clone(),
        version: String::new(),
        form: loaded.form,
        components,
        dry_run: request.dry_run,
        notes: loaded.notes,
    };
    let unchanged = current
        .as_ref()
        .is_some_and(|current| current.says_the_same(&design));
    let wanted = wanted_version(&design, current.as_ref());
    if unchanged || request.dry_run {
        result.version.clone_from(&wanted);
        if let Some(current) = current {
            result.action = ImportAction::Configured;
            if unchanged {
                result.action = ImportAction::Unchanged;
                "the newest version says the same".clone_into(&mut result.reason);
                result.version = current.version;
            }
        }
        return Ok(result);
    }
    // What is stored carries its version beside it.
    FIRST_VERSION.clone_into(&mut design.version);
    let secrets = secret::take_design(&mut design);
    let secrets = if secrets.is_empty() {
        None
    } else {
        let bytes = serde_json::to_vec(&secrets)
            .map_err(|error| Error::internal("secrets have no JSON form").because(error))?;
        Some(SecretBytes::from(bytes))
    };
    let next =
        NewVersion::Next(|current| current.map_or_else(|| FIRST_VERSION.to_owned(), next_version));
    // Of several that are imported at once under a new name, the later ones are next versions.
    let explicit = match &current {
        None => wanted != FIRST_VERSION,
        Some(current) => wanted != next_version(&current.version),
    };
    let new = NewDesign {
        id: design.id,
        name: design.name.clone(),
        version: if explicit {
            NewVersion::Explicit(wanted)
        } else {
            next
        },
        form: result.form.clone(),
        origin,
        components,
        kinds,
        document: design.to_value(),
        secrets,
    };
    handle.step(format!("storing {}", design.name));
    handle.check()?;
    let saved = services.store().await?.save_design(new).await?;
    result.action = match saved.outcome {
        Outcome::Created => ImportAction::Created,
        Outcome::Updated => ImportAction::Configured,
        Outcome::Unchanged => ImportAction::Unchanged,
    };
    result.id = saved.id.to_string();
    result.version = saved.version;
    Ok(result)
}

/// The newest stored version of a design.
struct Current {
    design: Design,
    version: String,
    versions: Vec<String>,
}

impl Current {
    fn says_the_same(&self, design: &Design) -> bool {
        let mut design = design.clone();
        design.version.clone_from(&self.design.version);
        design == self.design
    }
}

async fn current(services: &Services, name: &str) -> Result<Option<Current>> {
    let Some(store) = services.existing_store().await? else {
        return Ok(None);
    };
    // By its whole name: the beginning of an id is no name.
    let found = store.find_design(name, None).await;
    let record = match found {
        Ok(record) if record.summary.name == name => record,
        Ok(_) | Err(store::Error::NotFound { .. } | store::Error::Ambiguous { .. }) => {
            return Ok(None);
        }
        Err(error) => return Err(error.into()),
    };
    let versions = store.design_versions(record.summary.id).await?;
    let version = record.summary.version.clone();
    let loaded = read::of_record(services, store, record).await?;
    Ok(Some(Current {
        design: loaded.design,
        version,
        versions: versions
            .into_iter()
            .map(|version| version.version)
            .collect(),
    }))
}

/// Tells whether a stored design has the id. What is imported under another name is a copy, which
/// needs an id of its own.
async fn is_taken(services: &Services, id: Uuid) -> Result<bool> {
    let Some(store) = services.existing_store().await? else {
        return Ok(false);
    };
    match store.find_design(&id.to_string(), None).await {
        Ok(record) => Ok(record.summary.id == id),
        Err(store::Error::NotFound { .. } | store::Error::Ambiguous { .. }) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// The version of what is imported: its own where it has one that is not taken, else the next.
fn wanted_version(design: &Design, current: Option<&Current>) -> String {
    match current {
        None => design.version.clone(),
        Some(current)
            if design.version != FIRST_VERSION && !current.versions.contains(&design.version) =>
        {
            design.version.clone()
        }
        Some(current) => next_version(&current.version),
    }
}

/// Gives what was imported again the ids that it had: the design's, and those of its components,
/// matched by what they are.
fn keep_ids(design: &mut Design, old: &Design) {
    design.id = old.id;
    let mut ids: HashMap<_, VecDeque<Uuid>> = HashMap::new();
    for component in &old.components {
        ids.entry(identity(component))
            .or_default()
            .push_back(component.id);
    }
    for component in &mut design.components {
        if let Some(id) = ids
            .get_mut(&identity(component))
            .and_then(VecDeque::pop_front)
        {
            component.id = id;
        }
    }
}

fn identity(component: &Component) -> (String, String, Option<String>, String) {
    (
        component.api_version().to_owned(),
        component.kind().to_owned(),
        component.namespace().map(str::to_owned),
        component.display_name.clone(),
    )
}

/// Refuses what no cluster could take, whatever its schemas: broken identities, names, and kinds
/// that nobody knows in groups that Kubernetes itself serves. A design may hold components that
/// are no whole objects yet, or never become any; deploying it is what finds them.
fn check_identities(source: read::Inline, allow_unknown: bool) -> Result<()> {
    let unfinished = source.form() == Form::Design;
    let judged = Judged::new(source.into_manifests()?, Schemas::default(), None)?;
    judged.refuse_but(|finding| match finding.rule {
        Rule::MissingIdentity | Rule::GeneratedName if unfinished => true,
        Rule::UnknownKind => allow_unknown || !is_of_kubernetes(finding),
        rule => !rule.is_identity(),
    })
}

/// Whether a finding is about an object of a group that Kubernetes itself serves. Groups of
/// others have a dot; the core group stands in no id.
fn is_of_kubernetes(finding: &Finding) -> bool {
    let id = finding.resource.as_deref().unwrap_or_default();
    let group = id.split('/').next().unwrap_or_default();
    !group.contains('.') || is_built_in_group(group)
}

/// A design's name is typed, becomes part of paths and keys, and is shown.
fn check_name(name: &str) -> Result<()> {
    let bad = name.is_empty()
        || name.len() > 255
        || name == "-"
        || name.starts_with('.')
        || name
            .chars()
            .any(|c| c.is_control() || c == '/' || c == '\\');
    if bad {
        return Err(
            Error::new(Code::BadName, format!("{name:?} cannot name a design"))
                .hint("give another name with --name: no slash, no leading dot, at most 255 bytes"),
        );
    }
    Ok(())
}
