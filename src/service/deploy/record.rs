//! What the cluster keeps of a set beside its members: revisions to go back to.

use futures::FutureExt;
use serde_json::Value;
use weft_domain::{
    inventory::{
        Confirmed, ContentHash, OUTCOME_LABEL, Outcome, Revision, RevisionEntry, RevisionOptions,
        SET_LABEL, SealedRevision, cause_of_rollback, history as entries_of, next_number, retire,
    },
    overlay::Provenance,
    resource::{Origin, ResourceSet},
};

use super::{
    Wanted,
    cipher::Key,
    several::on_each,
    site::{Site, is_missing, is_unclear},
};
use crate::{
    api::deploy::{DeployDesign, Goal, ListRevisions, RevisionList, RevisionSummary},
    cluster::{Delete, KindRef, ObjectError, Problem, Selector, Write},
    error::{Code, Error, Result},
    service::Services,
};

/// How often something is tried whose answer is lost.
const TRIES: usize = 5;

/// A revision that is being written.
pub(super) struct Begun {
    number: u64,
    content: ContentHash,
    secrets: Vec<Value>,
}

/// Prepares the revision of a run; nothing is written yet.
pub(super) async fn begin(
    services: &Services,
    site: &Site,
    wanted: &Wanted,
    request: &DeployDesign,
    content: ContentHash,
) -> Result<Begun> {
    let earlier = entries(site).await?;
    let parent = site.inventory();
    let number = next_number(&parent, &earlier)
        .ok_or_else(|| Error::internal("the numbers of revisions are used up"))?;
    let cause = match &request.goal {
        Goal::Revision { number, .. } => cause_of_rollback(*number),
        _ => request.goal.action().to_owned(),
    };
    let revision = Revision {
        number,
        created_at: services.now().to_string(),
        design: wanted.design.clone(),
        version: wanted.version.clone(),
        cause: Some(cause),
        options: RevisionOptions {
            namespace: Some(site.namespace().to_owned()),
            overlays: wanted.overlays.clone(),
            of_rows: wanted.rows.as_ref().map(|_| wanted.set.len()),
        },
        outcome: Outcome::Deployed,
        objects: match wanted.rows {
            Some(_) => Vec::new(),
            None => wanted.set.iter().map(|resource| &resource.object).collect(),
        },
    };
    let key = Key::of(site).await?;
    let failed = |error: &dyn std::error::Error| {
        Error::new(Code::OverLimit, "the revision cannot be kept").because(error)
    };
    let packed = revision
        .encode(&site.id, &|plain| key.seal(plain))
        .map_err(|error| failed(&error))?;
    let secrets = revision
        .secrets(&parent, &packed)
        .map_err(|error| failed(&error))?;
    Ok(Begun {
        number,
        content,
        secrets,
    })
}

/// Writes a revision with its outcome and what is known of the members now, and removes what is too
/// old. A run that is cut off here leaves a revision more, never one less.
pub(super) async fn end(
    site: &mut Site,
    begun: Begun,
    outcome: Outcome,
    confirmed: Confirmed,
) -> Result<u64> {
    let secrets = site.own("v1", "Secret")?;
    // The first one last: without it the revision isn't listed as complete.
    for (place, mut secret) in begun.secrets.into_iter().enumerate().rev() {
        if place == 0 {
            secret["metadata"]["labels"][OUTCOME_LABEL] = outcome.name().into();
        }
        create_once(site, &secrets, &secret).await?;
    }
    let content = (outcome == Outcome::Deployed).then_some(begun.content);
    let kept = site.inventory().shrink(confirmed);
    site.keep(kept.with_revision(begun.number, content)).await?;
    let all = entries(site).await?;
    let old = retire(&all);
    for entry in all.iter().filter(|entry| old.contains(&entry.number)) {
        drop_secrets(site, &entry.secrets).await?;
    }
    Ok(begun.number)
}

/// Repeats something that may be done twice, as long as its answer is lost.
async fn insist<T, F: Future<Output = Result<T, ObjectError>>>(
    deed: impl Fn() -> F,
) -> Result<T, ObjectError> {
    for _ in 1..TRIES {
        match deed().await {
            Err(error) if matches!(*error.problem, Problem::Unanswered { .. }) => {}
            done => return done,
        }
    }
    deed().await
}

/// Creates a Secret of ours. Where an answer is lost, or says that it is there, it is looked for first.
async fn create_once(site: &Site, kind: &KindRef, secret: &Value) -> Result<()> {
    let namespace = Some(site.parent_namespace.as_str());
    let name = secret["metadata"]["name"].as_str().unwrap_or_default();
    let write = Write::by("weftctl");
    let mut tries = 0;
    loop {
        tries += 1;
        let created = site.objects.create(kind, namespace, secret, &write).await;
        let Err(error) = created else {
            return Ok(());
        };
        if !is_unclear(&error) {
            return Err(error.into());
        }
        match site.objects.get(kind, namespace, name).await {
            Ok(live) if live.object["data"] == secret["data"] => return Ok(()),
            Ok(_) => {
                let message = "a revision of that number is there and is another one";
                let object = format!("Secret/{}/{name}", site.parent_namespace);
                return Err(Error::new(Code::ForeignSet, message).at(site.place(Some(&object))));
            }
            Err(missing) if is_missing(&missing) && tries < TRIES => {}
            Err(missing) if is_missing(&missing) => return Err(error.into()),
            Err(other) => return Err(other.into()),
        }
    }
}

async fn drop_secrets(site: &Site, names: &[String]) -> Result<()> {
    let secrets = site.own("v1", "Secret")?;
    let namespace = Some(site.parent_namespace.as_str());
    for name in names {
        let delete = Delete::default();
        match insist(|| site.objects.delete(&secrets, namespace, name, &delete)).await {
            Err(error) if is_missing(&error) => {}
            deleted => _ = deleted?,
        }
    }
    Ok(())
}

/// Removes what is kept of a set that has no members any more: the revisions, their key, and the
/// inventory last.
pub(super) async fn forget(site: &mut Site) -> Result<()> {
    let Some(parent) = &site.parent else {
        return Ok(());
    };
    if !parent.is_empty() {
        return Ok(());
    }
    for entry in entries(site).await? {
        drop_secrets(site, &entry.secrets).await?;
    }
    let rest = [super::cipher::name_of(site), site.parent_name.clone()];
    drop_secrets(site, &rest).await?;
    site.parent = None;
    Ok(())
}

/// The revisions, newest first; what they hold is not read.
pub(super) async fn entries(site: &Site) -> Result<Vec<RevisionEntry>> {
    let secrets = site.own("v1", "Secret")?;
    let selector = Selector::labels(format!("{SET_LABEL}={}", site.id.as_str()));
    let namespace = Some(site.parent_namespace.as_str());
    let listed = site
        .objects
        .list_metadata(&secrets, namespace, &selector)
        .await?;
    Ok(entries_of(&listed.objects, &site.id))
}

/// The number of the newest revision that is complete.
pub(super) async fn newest(site: &Site) -> Result<u64> {
    site.require_parent()?;
    let known = entries(site).await?;
    let numbers = known.iter().filter(|entry| entry.is_complete);
    numbers.map(|entry| entry.number).max().ok_or_else(|| {
        Error::new(
            Code::VersionNotFound,
            format!("{:?} has no revision here", site.design()),
        )
        .at(site.place(None))
    })
}

/// The resources of an earlier revision, with their secret values.
pub(super) async fn wanted(site: &Site, number: u64) -> Result<Wanted> {
    site.require_parent()?;
    let known = entries(site).await?;
    let mut complete = known.iter().filter(|entry| entry.is_complete);
    let Some(entry) = complete.find(|entry| entry.number == number) else {
        let numbers: Vec<String> = known.iter().map(|entry| entry.number.to_string()).collect();
        return Err(Error::new(
            Code::VersionNotFound,
            format!("{:?} has no revision {number} here", site.design()),
        )
        .at(site.place(None))
        .hint(format!("there are {}", numbers.join(", "))));
    };
    let summary = entry.summary.as_ref();
    if summary.is_some_and(|summary| summary.options.of_rows.is_some()) {
        let message = format!("revision {number} was made of rows, and only the database has them");
        return Err(Error::new(Code::Usage, message)
            .at(site.place(None))
            .hint("mend the rows or the forms, and apply again: weftctl tenant apply"));
    }
    let (kind, namespace) = (site.own("v1", "Secret")?, site.parent_namespace.as_str());
    let mut secrets = Vec::new();
    for name in &entry.secrets {
        let reply = site.objects.get(&kind, Some(namespace), name).await?;
        secrets.push(reply.object);
    }
    let damaged = |error: &dyn std::error::Error| {
        Error::new(Code::ForeignSet, "the revision cannot be read").because(error)
    };
    let sealed = SealedRevision::from_secrets(&secrets, &site.id, number)
        .map_err(|error| damaged(&error))?;
    let revision = if sealed.has_secrets() {
        let key = Key::find(site).await?;
        sealed
            .open(&|sealed| key.open(sealed))
            .map_err(|error| damaged(&error))?
    } else {
        sealed.masked()
    };
    let origin = Origin {
        file: format!("revision {number}").into(),
        line: None,
        inside: weft_domain::path::Path::root(),
        part: None,
    };
    let objects = revision
        .objects
        .into_iter()
        .map(|object| (object, origin.clone()));
    let kinds = site.kinds();
    let scope = |api_version: &str, kind: &str| {
        let kind = kinds.find(api_version, kind);
        kind.map(|kind| kind.namespaced)
    };
    let namespace = revision.options.namespace.as_deref();
    let namespace = namespace.unwrap_or(site.namespace());
    let (set, findings) = ResourceSet::from_manifests(objects.collect(), &scope, Some(namespace));
    Ok(Wanted {
        set,
        design: revision.design,
        version: revision.version,
        findings,
        notes: Vec::new(),
        overlays: revision.options.overlays,
        provenance: Provenance::default(),
        rows: None,
    })
}

/// Lists the revisions of a set.
///
/// # Errors
/// When none of the clusters tells them: it isn't deployed there, or they can't be asked. What only
/// some don't tell is among the failures.
pub async fn history(services: &Services, request: ListRevisions) -> Result<RevisionList> {
    let ask = |context| revisions_of(services, &request, context).boxed();
    let (parts, failures) = on_each(&request.target, ask).await?;
    Ok(RevisionList {
        items: parts.into_iter().flatten().collect(),
        failures: failures.into_iter().map(Into::into).collect(),
    })
}

/// The revisions in one cluster.
async fn revisions_of(
    services: &Services,
    request: &ListRevisions,
    context: Option<String>,
) -> Result<Vec<RevisionSummary>> {
    let site = Site::at(services, &request.target, context, &request.name, true).await?;
    site.require_parent()?;
    let revisions = entries(&site).await?.into_iter().map(|entry| {
        let summary = entry.summary;
        let of = |read: &dyn Fn(&weft_domain::inventory::RevisionSummary) -> String| {
            summary.as_ref().map(read).unwrap_or_default()
        };
        RevisionSummary {
            context: site.context().to_owned(),
            number: entry.number,
            created_at: of(&|summary| summary.created_at.clone()),
            version: of(&|summary| summary.version.clone().unwrap_or_default()),
            outcome: entry
                .outcome
                .map(|o| o.name().to_owned())
                .unwrap_or_default(),
            resources: summary.as_ref().map_or(0, |summary| summary.objects),
            cause: of(&|summary| summary.cause.clone().unwrap_or_default()),
            overlays: summary
                .as_ref()
                .map(|summary| summary.options.overlays.clone())
                .unwrap_or_default(),
        }
    });
    Ok(revisions.collect())
}
