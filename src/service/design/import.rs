//! Stores what was read, as a new design or a new version, whole or not at all.

use std::{
    cmp::Ordering,
    collections::{BTreeMap, HashMap, VecDeque},
};

use uuid::Uuid;
use weft_domain::{
    check::{Finding, Rule},
    component::Component,
    design::{self, Design, FIRST_VERSION},
    resource::is_built_in_group,
    secret,
    source::looks_like_path,
};

use super::{
    read::{self, Loaded, Read},
    validate::Judged,
};
use crate::{
    api::{
        design::{ImportAction, ImportDesign, ImportResult, Schemas},
        operation::Started,
    },
    error::{Code, Error, Result},
    service::{
        Services, compute,
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
    let worker = services.clone();
    Ok(operation::start(
        &services,
        "design import",
        subject,
        move |handle| run(worker, request, handle),
    ))
}

async fn run(services: Services, request: ImportDesign, handle: Handle) -> Result<ImportResult> {
    if request.dry_run {
        handle.leave_no_trace();
    }
    handle.step(format!("reading {}", request.source.origin));
    let origin = request.source.origin.clone();
    let dry_run = request.dry_run;
    let reader = services.clone();
    let loaded = compute(move || loaded(&reader, request)).await?;
    let mut design = loaded.design;
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
        dry_run,
        notes: loaded.notes,
    };
    let unchanged = current
        .as_ref()
        .is_some_and(|current| current.says_the_same(&design));
    let versions = current
        .as_ref()
        .map_or(&[][..], |current| &current.versions);
    let wanted = wanted_version(&design.version, versions, &mut result.notes);
    if unchanged || dry_run {
        result.version.clone_from(&wanted);
        if let Some(current) = current {
            result.action = ImportAction::Configured;
            if unchanged {
                result.action = ImportAction::Unchanged;
                "the newest version says the same".clone_into(&mut result.reason);
                result.version = current.version;
                handle.leave_no_trace();
            }
        }
        return Ok(result);
    }
    // Of several that are imported at once under a new name, the later ones are next versions.
    let version = if wanted == design::next_version(versions) {
        NewVersion::Next(design::next_version)
    } else {
        NewVersion::Explicit(wanted)
    };
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
    let new = NewDesign {
        id: design.id,
        name: design.name.clone(),
        version,
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
        Outcome::Unchanged => {
            handle.leave_no_trace();
            ImportAction::Unchanged
        }
    };
    result.id = saved.id.to_string();
    result.version = saved.version;
    Ok(result)
}

/// Reads what is imported, and refuses what could never be stored.
fn loaded(services: &Services, request: ImportDesign) -> Result<Loaded> {
    let source = Read::new(services, request.source)?;
    let namespace = request.namespace.as_deref();
    check_identities(&source, namespace, request.allow_unknown_kinds)?;
    let mut loaded = source.into_design(services)?;
    match request.name {
        Some(name) => {
            check_name(&name)?;
            loaded.design.name = name;
        }
        None => tame_name(&mut loaded)?,
    }
    Ok(loaded)
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
    let read = read::of_record(services, store, record).await?;
    let loaded = read.into_design(services)?;
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

/// The version of what is imported: its own where that is above all stored ones, else the next.
/// A step back is no version to go on from, so it is told.
fn wanted_version(own: &str, stored: &[String], notes: &mut Vec<String>) -> String {
    let next = design::next_version(stored);
    let Some(highest) = design::highest_version(stored) else {
        return own.to_owned();
    };
    match design::compare_versions(own, highest) {
        Ordering::Greater => return own.to_owned(),
        Ordering::Less if own != FIRST_VERSION && !stored.iter().any(|known| known == own) => {
            notes.push(format!(
                "the source says version {own}, which is before {highest}: taken as {next}"
            ));
        }
        _ => {}
    }
    next
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
/// are no whole objects yet, or never become any; deploying it is what finds them. What is stored
/// keeps its placeholders; where values must still be given, names with some are not judged.
fn check_identities(source: &Read, namespace: Option<&str>, allow_unknown: bool) -> Result<()> {
    let unfinished = source.is_design();
    let (filled, open) = match source.clone().fitted(&[]) {
        Ok(filled) => (filled, false),
        Err(error) if error.iter().all(|error| error.code() == Code::ValueMissing) => {
            (source.clone(), true)
        }
        Err(error) => return Err(error),
    };
    let judged = Judged::new(filled.into_manifests()?, Schemas::default(), namespace)?;
    judged.refuse_but(|finding| match finding.rule {
        Rule::MissingIdentity | Rule::GeneratedName if unfinished => true,
        Rule::InvalidName | Rule::InvalidIdentity | Rule::DuplicateIdentity if open => true,
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

/// Whether a design can have the name: it is typed where a path could stand, goes through `xargs`,
/// becomes part of paths and keys, and is shown.
fn is_name(name: &str) -> bool {
    let is_bad = |c: char| c.is_control() || c.is_whitespace() || matches!(c, '"' | '\'');
    !name.is_empty()
        && name.len() <= 255
        && !name.starts_with(['.', '-'])
        && !looks_like_path(name)
        && !name.contains(is_bad)
}

/// The nearest name that a design can have, if anything is left of this one.
fn better_name(name: &str) -> Option<String> {
    let words = name.split(|c: char| !c.is_alphanumeric());
    let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
    let better = words.join("-").to_lowercase();
    is_name(&better).then_some(better)
}

/// Refuses a name that a design can't have.
fn check_name(name: &str) -> Result<()> {
    if is_name(name) {
        return Ok(());
    }
    let error = Error::new(Code::BadName, format!("{name:?} cannot name a design"));
    Err(match better_name(name) {
        Some(better) => error.hint(format!("give another name, for example --name {better}")),
        None => error.hint("give another name with --name"),
    }
    .hint(
        "a name has no blanks, quotes or slashes, no extension of a file, no leading dot or \
         dash, and at most 255 bytes",
    ))
}

/// Other programs give designs names such as "Untitled Design", which nobody chose: those are
/// stored under the nearest name that a design can have, with a note.
fn tame_name(loaded: &mut Loaded) -> Result<()> {
    let name = &loaded.design.name;
    if !is_name(name)
        && let Some(better) = better_name(name)
    {
        let note = format!("named {better}, as {name:?} cannot name a design (--name chooses)");
        loaded.notes.push(note);
        loaded.design.name = better;
    }
    check_name(&loaded.design.name)
}
