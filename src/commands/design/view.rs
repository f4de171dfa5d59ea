//! `design view`

use super::source::ReferenceArgs;
use crate::{
    api::design::{DesignView, InspectDesign, Reference, ViewDesign},
    commands::Outcome,
    context::Context,
    error::Result,
    output::{Column, Human, Table, View},
};

/// Show a design as it is written, with its values and overlays as sections; values of Secrets are
/// masked.
#[derive(clap::Args, Debug)]
#[command(
    after_help = "Examples:\n  weftctl design view shop\n  weftctl design view shop --version 0.0.1 -o yaml\n  weftctl design view shop.yaml"
)]
pub(super) struct ViewOne {
    #[command(flatten)]
    design: ReferenceArgs,
}

impl View for DesignView {
    const KIND: &'static str = "Design";

    fn human(&self) -> Human {
        let mut table = Table::new([
            Column::new("KIND"),
            Column::new("NAMESPACE"),
            Column::new("NAME"),
            Column::new("API VERSION").wide(),
            Column::new("ID").wide(),
        ]);
        let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
        for component in self.design["components"].as_array().into_iter().flatten() {
            table.row([
                text(&component["component"]["kind"]),
                text(&component["configuration"]["metadata"]["namespace"]),
                text(&component["displayName"]),
                text(&component["component"]["version"]),
                text(&component["id"]),
            ]);
        }
        Human::Table(table)
    }

    fn names(&self) -> Vec<String> {
        vec![format!("design/{}", self.name)]
    }

    fn summary(&self) -> Option<String> {
        if self.versions.is_empty() {
            return Some(format!("design {}, read from {}", self.name, self.origin));
        }
        // Of many only the newest are named.
        let versions = self.versions.iter().rev();
        let versions: Vec<&str> = versions.map(|v| v.version.as_str()).collect();
        Some(format!(
            "design {}, version {} of {}",
            self.name,
            self.version,
            crate::output::human::list(&versions, 10)
        ))
    }
}

impl ViewOne {
    /// Asks for it.
    pub(super) async fn run(self, cx: &Context) -> Result<Outcome> {
        let client = cx.client().await?;
        let view = match self.design.resolve_plain(cx).await? {
            Reference::Stored {
                name: design,
                version,
            } => client.call(&ViewDesign { design, version }).await?,
            Reference::Inline(source) => client.hand_over(InspectDesign { source }).await?,
        };
        super::tell(cx, &view.notes);
        Ok(view.into())
    }
}
