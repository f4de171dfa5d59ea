//! Use cases of `design`. Texts become manifests in [`read`], manifests are judged in
//! [`validate`] and ordered in [`plan`]; only import, list, view and delete touch the store.

mod fit;
mod import;
mod plan;
pub(super) mod read;
mod render;
mod validate;

pub use import::import;
pub use plan::plan;
pub use render::render;
pub use validate::validate;
pub(super) use validate::{Judged, catalog, set_by, sort};

use weft_domain::{diff::designs, secret, source::Form};

use super::{Services, compute};
use crate::{
    api::design::{
        DeleteDesign, DeleteResult, DesignDiff, DesignList, DesignSummary, DesignView, DiffDesigns,
        FieldChange, InspectDesign, ListDesigns, Reference, Sort, VersionSummary, ViewDesign,
    },
    error::{Code, Error, Result},
    store::{self, Store},
};

impl From<store::DesignSummary> for DesignSummary {
    fn from(stored: store::DesignSummary) -> Self {
        Self {
            id: stored.id.to_string(),
            name: stored.name,
            version: stored.version,
            form: stored.form,
            components: stored.components,
            created_at: stored.created_at,
            updated_at: stored.updated_at,
        }
    }
}

/// Lists stored designs.
///
/// # Errors
/// When the store can't be read.
pub async fn list(services: &Services, request: ListDesigns) -> Result<DesignList> {
    let list = store::ListDesigns {
        search: request.search,
        sort: match request.sort {
            Sort::Name => store::Sort::Name,
            Sort::Created => store::Sort::Created,
            Sort::Updated => store::Sort::Updated,
        },
        offset: request.offset,
        limit: request.limit,
    };
    let items = match services.existing_store().await? {
        Some(store) => store.list_designs(&list).await?.items,
        None => Vec::new(),
    };
    Ok(DesignList {
        items: items.into_iter().map(DesignSummary::from).collect(),
    })
}

/// Reads a stored design, Secrets masked.
///
/// # Errors
/// When it isn't there.
pub async fn view(services: &Services, request: ViewDesign) -> Result<DesignView> {
    let store = store_with(services, &request.design).await?;
    let record = store
        .find_design(&request.design, request.version.as_deref())
        .await?;
    let summary = record.summary;
    let versions = store.design_versions(summary.id).await?;
    // The values are not even decrypted.
    let mut design = record.document;
    if summary.has_secrets {
        secret::mask_taken(&mut design);
    } else {
        secret::mask(&mut design);
    }
    design["version"] = summary.version.clone().into();
    Ok(DesignView {
        id: summary.id.to_string(),
        name: summary.name,
        version: summary.version,
        form: summary.form,
        components: summary.components,
        created_at: Some(summary.created_at),
        updated_at: Some(summary.updated_at),
        origin: summary.origin,
        versions: versions
            .into_iter()
            .map(|version| VersionSummary {
                version: version.version,
                created_at: version.created_at,
                origin: version.origin,
            })
            .collect(),
        design,
        notes: Vec::new(),
    })
}

/// Reads a design of the caller's, Secrets masked; nothing is stored.
///
/// # Errors
/// When it can't be read.
pub async fn inspect(services: &Services, request: InspectDesign) -> Result<DesignView> {
    let mut loaded = read::design(services, Reference::Inline(request.source)).await?;
    compute(move || {
        secret::mask_design(&mut loaded.design);
        let design = loaded.design;
        Ok(DesignView {
            id: design.id.to_string(),
            name: design.name.clone(),
            version: design.version.clone(),
            form: loaded.form,
            components: u32::try_from(design.components.len()).unwrap_or(u32::MAX),
            created_at: None,
            updated_at: None,
            origin: loaded.origin,
            versions: Vec::new(),
            design: design.to_value(),
            notes: loaded.notes,
        })
    })
    .await
}

/// Removes a stored design with all its versions.
///
/// # Errors
/// When it isn't there.
pub async fn delete(services: &Services, request: DeleteDesign) -> Result<DeleteResult> {
    let store = store_with(services, &request.design).await?;
    let summary = store.find_design(&request.design, None).await?.summary;
    let id = summary.id.to_string();
    // What is shortened may mean another design tomorrow.
    if request.design != summary.name && !request.design.eq_ignore_ascii_case(&id) {
        return Err(Error::new(
            Code::DesignNotFound,
            format!("no design named {:?}", request.design),
        )
        .hint(format!(
            "it begins the id of {:?}: give the name, or the whole id {id}",
            summary.name
        )));
    }
    let versions = store.design_versions(summary.id).await?.len();
    if !request.dry_run {
        store.delete_design(summary.id).await?;
    }
    Ok(DeleteResult {
        action: "deleted".to_owned(),
        id,
        name: summary.name,
        versions: u32::try_from(versions).unwrap_or(u32::MAX),
        dry_run: request.dry_run,
    })
}

/// The store that may hold a design.
async fn store_with<'a>(services: &'a Services, design: &str) -> Result<&'a Store> {
    let store = services.existing_store().await?;
    store.ok_or_else(|| Error::new(Code::DesignNotFound, format!("no design named {design:?}")))
}

/// Compares two designs; values of Secrets are compared, and masked in the result. Designs are
/// compared as they are written, unless overlays or values are given.
///
/// # Errors
/// When one of them can't be read.
pub async fn diff(services: &Services, request: DiffDesigns) -> Result<DesignDiff> {
    let fitting = request.fitting;
    let from = read::read(services, request.from, &fitting).await?;
    let to = read::read(services, request.to, &fitting).await?;
    let services = services.clone();
    compute(move || {
        let side = |read: read::Read| {
            if fitting.is_empty() {
                read.into_design(&services)
            } else {
                read.fitted(&fitting.overlays_of(""))?
                    .into_design(&services)
            }
        };
        let (from, mut to) = (side(from)?, side(to)?);
        let labels = (from.label(), to.label());
        // Names and versions tell the two apart; they are no difference between them.
        to.design.name.clone_from(&from.design.name);
        to.design.version.clone_from(&from.design.version);
        let mut found = designs(&from.design, &to.design);
        // Manifests have no document of their own but values and overlays; what we make of them is no
        // difference either.
        if [&from.form, &to.form].map(String::as_str) != [Form::Design.name(); 2] {
            let of_user = |change: &FieldChange| {
                let first = change.path.split(['.', '[']).next().unwrap_or_default();
                fit::SECTIONS.contains(&first)
            };
            found.design.retain(of_user);
        }
        let mut notes = from.notes;
        notes.append(&mut to.notes);
        Ok(DesignDiff {
            from: labels.0,
            to: labels.1,
            differs: !found.is_empty(),
            changes: found.resources.into_iter().map(Into::into).collect(),
            document: found.design,
            notes,
            failures: Vec::new(),
        })
    })
    .await
}
