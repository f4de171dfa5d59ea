//! Use cases of `design`. Texts become manifests in [`read`], manifests are judged in
//! [`validate`] and ordered in [`plan`]; only import, list, view and delete touch the store.

mod import;
mod plan;
mod read;
mod render;
mod validate;

pub use import::import;
pub use plan::plan;
pub use render::render;
pub use validate::validate;

use weft_domain::{diff::designs, secret};

use super::Services;
use crate::{
    api::design::{
        DeleteDesign, DeleteResult, DesignDiff, DesignList, DesignSummary, DesignView, DiffDesigns,
        ListDesigns, Sort, VersionSummary, ViewDesign,
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
        limit: request.limit,
        ..store::ListDesigns::default()
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
    let versions = store.design_versions(record.summary.id).await?;
    // The values are not even decrypted.
    let mut design = record.document;
    if record.summary.has_secrets {
        secret::mask_taken(&mut design);
    } else {
        secret::mask(&mut design);
    }
    design["version"] = record.summary.version.clone().into();
    Ok(DesignView {
        origin: record.summary.origin.clone(),
        versions: versions
            .into_iter()
            .map(|version| VersionSummary {
                version: version.version,
                created_at: version.created_at,
                origin: version.origin,
            })
            .collect(),
        summary: record.summary.into(),
        design,
    })
}

/// Removes a stored design with all its versions.
///
/// # Errors
/// When it isn't there.
pub async fn delete(services: &Services, request: DeleteDesign) -> Result<DeleteResult> {
    let store = store_with(services, &request.design).await?;
    let summary = store.find_design(&request.design, None).await?.summary;
    let versions = store.design_versions(summary.id).await?.len();
    if !request.dry_run {
        store.delete_design(summary.id).await?;
    }
    Ok(DeleteResult {
        action: "deleted".to_owned(),
        id: summary.id.to_string(),
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

/// Compares two designs; values of Secrets are compared, and masked in the result.
///
/// # Errors
/// When one of them can't be read.
pub async fn diff(services: &Services, request: DiffDesigns) -> Result<DesignDiff> {
    let from = read::design(services, request.from).await?;
    let to = read::design(services, request.to).await?;
    let found = designs(&from.design, &to.design);
    Ok(DesignDiff {
        from: from.label(),
        to: to.label(),
        differs: !found.resources.is_empty(),
        changes: found.resources,
    })
}
