//! `design render`

use serde::Serialize;

use super::source::DesignArgs;
use crate::{
    api::design::{ExportForm, RenderDesign},
    commands::Outcome,
    context::Context,
    error::{Code, Error, Result},
    output::{Human, View},
};

/// Print the Kubernetes manifests of a design: with its values filled in, and with the overlays that
/// --overlay names.
#[derive(clap::Args, Debug)]
#[command(
    after_help = "Examples:\n  weftctl design render shop.yaml\n  weftctl design render shop -o json"
)]
pub(super) struct Render {
    /// Values of Secrets in plain text instead of masked
    #[arg(long)]
    include_secrets: bool,
    #[command(flatten)]
    design: DesignArgs,
}

/// Manifests of a design.
#[derive(Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Rendered {
    /// The design.
    design: String,
    /// Its version.
    version: String,
    /// The manifests.
    items: Vec<serde_json::Value>,
    /// What could not be mapped, or was left out.
    notes: Vec<String>,
    #[serde(skip)]
    text: String,
}

impl View for Rendered {
    const KIND: &'static str = "ManifestList";

    fn human(&self) -> Human {
        Human::Text(self.text.clone())
    }

    fn names(&self) -> Vec<String> {
        names_of(&self.items)
    }
}

/// What `-o name` prints of manifests.
pub(in crate::commands) fn names_of(items: &[serde_json::Value]) -> Vec<String> {
    let text = |item: &serde_json::Value, path: &str| {
        let found = item.pointer(path).and_then(serde_json::Value::as_str);
        found.unwrap_or_default().to_lowercase()
    };
    let names = items
        .iter()
        .map(|item| format!("{}/{}", text(item, "/kind"), text(item, "/metadata/name")));
    names.collect()
}

impl Render {
    /// Asks for the manifests.
    pub(super) async fn run(self, cx: &Context) -> Result<Outcome> {
        let design = self.design.resolve(cx).await?;
        let request = RenderDesign {
            fitting: self.design.fitting(cx, &design, None).await?,
            design,
            form: ExportForm::Manifest,
            include_secrets: self.include_secrets,
        };
        let files = cx.client().await?.call(&request).await?;
        super::tell(cx, &files.notes);
        let text: String = files.files.into_iter().map(|file| file.text).collect();
        let mut items = Vec::new();
        for document in weft_domain::yaml::split(&text) {
            let limits = weft_domain::yaml::Limits::DESIGN;
            let value = weft_domain::yaml::parse(&document, &limits).map_err(|error| {
                Error::new(Code::Internal, "a manifest can't be read back").because(error)
            })?;
            items.extend(value);
        }
        Ok(Rendered {
            design: files.design,
            version: files.version,
            items,
            notes: files.notes,
            text,
        }
        .into())
    }
}
