//! Finds the hubs among the manifests of a source.

use std::path::{Path, PathBuf};

use weft_domain::{
    check::{Finding, Severity},
    source::Bundle,
    tenant::hub::Hub,
};

use crate::{
    api::design::{Fitting, Reference},
    error::{Code, Error, Place, Result, from},
    service::{Services, compute, design::read},
};

/// The hubs of a source, and what looks wrong about them.
pub(crate) struct Hubs {
    /// The hubs, in their order.
    pub(crate) items: Vec<Located>,
    /// Warnings.
    pub(crate) findings: Vec<Finding>,
}

/// A hub with the file that it was read from.
pub(crate) struct Located {
    /// The hub.
    pub(crate) hub: Hub,
    /// The file, as the user named it.
    pub(crate) file: String,
}

impl Located {
    /// The folder of the file, from which the paths in the hub are.
    pub(crate) fn folder(&self, base: &Path) -> PathBuf {
        let file = Path::new(&self.file);
        match file.parent() {
            Some(parent) => base.join(parent),
            None => base.to_owned(),
        }
    }
}

/// Reads the hubs of a source. Other manifests are left alone.
///
/// # Errors
/// When the source can't be read, has no hub, or one that is wrong; all that is wrong is listed.
pub(crate) async fn hubs(services: &Services, source: Bundle) -> Result<Hubs> {
    let origin = source.origin.clone();
    let read = read::read(services, Reference::Inline(source), &Fitting::default()).await?;
    compute(move || {
        let manifests = read.into_manifests()?;
        let mut items = Vec::new();
        let mut findings = Vec::new();
        for (object, origin) in &manifests.objects {
            if !Hub::is_hub(object) {
                continue;
            }
            let (hub, found) = Hub::read(object, origin);
            findings.extend(found);
            let file = origin.file.to_string();
            items.extend(hub.map(|hub| Located { hub, file }));
        }
        manifests.places.locate(&mut findings);
        let errors = findings
            .iter()
            .filter(|finding| finding.severity == Severity::Error);
        if let Some(error) =
            Error::all(errors.map(|found| from::finding(found).coded(Code::BadHub)))
        {
            return Err(error);
        }
        if items.is_empty() {
            return Err(Error::new(Code::NothingThere, "the source holds no hub")
                .at(Place::file(origin, None))
                .hint("a hub is a LynqHub or, under its old name, a TenantRegistry"));
        }
        Ok(Hubs { items, findings })
    })
    .await
}
