//! Turns a design into files: its own document, manifests, a chart, a kustomization, a package.

use serde_json::Value;
use weft_domain::{
    export::{self, Bundle, Package, Source},
    secret, yaml,
};

use super::read::{self, Loaded};
use crate::{
    api::design::{ExportForm, File, Files, RenderDesign},
    error::Result,
    service::{Services, compute},
};

/// Turns a design into files.
///
/// # Errors
/// When the design can't be read, or has no such form.
pub async fn render(services: &Services, request: RenderDesign) -> Result<Files> {
    let RenderDesign {
        design,
        fitting,
        form,
        include_secrets,
    } = request;
    let read = read::read(services, design, &fitting).await?;
    let services = services.clone();
    compute(move || {
        // A design itself keeps its overlays and values, unless some are chosen.
        let is_whole = matches!(form, ExportForm::Design | ExportForm::ArtifactHub);
        let read = if is_whole && fitting.is_empty() {
            read
        } else {
            read.fitted(&fitting.overlays_of(""))?
        };
        let loaded = read.into_design(&services)?;
        rendered(loaded, form, include_secrets, services.now())
    })
    .await
}

fn rendered(
    loaded: Loaded,
    form: ExportForm,
    include_secrets: bool,
    now: jiff::Timestamp,
) -> Result<Files> {
    let mut design = loaded.design;
    let version = loaded
        .version
        .clone()
        .unwrap_or_else(|| design.version.clone());
    design.version.clone_from(&version);
    let masked = !include_secrets && secret::design_holds_secrets(&design);
    if masked {
        secret::mask_design(&mut design);
    }
    let manifests: Vec<Value> = design.manifests();
    let description = format!("The design {} as exported by weftctl", design.name);
    let source = Source {
        name: &design.name,
        version: &version,
        description: &description,
        manifests: &manifests,
    };
    let bundle = match form {
        ExportForm::Design => Bundle::single("design.yaml", yaml::to_string(&design.to_value())),
        ExportForm::Manifest => export::manifest(&source)?,
        ExportForm::Chart => export::chart(&source)?,
        ExportForm::Kustomization => export::kustomization(&source)?,
        ExportForm::ArtifactHub => {
            let now = now.to_string();
            let package = Package {
                name: source.name,
                version: source.version,
                description: source.description,
                created_at: &now,
                ..Package::default()
            };
            export::package(
                &package,
                "design.yaml",
                &yaml::to_string(&design.to_value()),
            )?
        }
    };
    Ok(Files {
        design: design.name,
        version,
        masked,
        files: bundle
            .files
            .into_iter()
            .map(|file| File {
                path: file.path,
                text: file.content,
            })
            .collect(),
        notes: loaded.notes,
    })
}
