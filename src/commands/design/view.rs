//! `design view`

use crate::{
    api::design::{DesignView, ViewDesign},
    commands::{Outcome, completion},
    context::Context,
    error::Result,
    output::{Column, Human, Table, View},
};

/// Show a stored design; values of Secrets are masked.
#[derive(clap::Args, Debug)]
#[command(
    after_help = "Examples:\n  weftctl design view shop\n  weftctl design view shop --version 0.0.1 -o yaml"
)]
pub(super) struct ViewOne {
    /// Name, id, or beginning of an id
    #[arg(add = completion::stored())]
    design: String,
    /// A version other than the newest
    #[arg(long)]
    version: Option<String>,
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
        vec![format!("design/{}", self.summary.name)]
    }

    fn summary(&self) -> Option<String> {
        let versions: Vec<&str> = self.versions.iter().map(|v| v.version.as_str()).collect();
        Some(format!(
            "design {}, version {} of {}",
            self.summary.name,
            self.summary.version,
            crate::output::human::list(&versions, 10)
        ))
    }
}

impl ViewOne {
    /// Asks for it.
    pub(super) async fn run(self, cx: &Context) -> Result<Outcome> {
        let request = ViewDesign {
            design: self.design,
            version: self.version,
        };
        Ok(cx.client().await?.call(&request).await?.into())
    }
}
