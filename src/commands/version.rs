//! `version`

use std::time::Duration;

use serde::Serialize;

use super::Outcome;
use crate::{
    api::system::{ReadVersion, ServerVersion},
    context::Context,
    error::Result,
    output::{Column, Human, Table, View},
    service::system::{COMMIT, VERSION},
};

/// Print versions of the program, the schemas it writes, and the server if one is chosen.
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:\n  weftctl version\n  weftctl version -o json")]
pub struct Version {}

/// Versions on both sides.
#[derive(Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct VersionView {
    /// This program.
    client: ClientVersion,
    /// The server that `--server` chooses, if it answers within a second.
    #[serde(skip_serializing_if = "Option::is_none")]
    server: Option<ServerVersion>,
    /// Schema versions that are written, by construct.
    schemas: std::collections::BTreeMap<&'static str, &'static str>,
}

#[derive(Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
struct ClientVersion {
    version: &'static str,
    commit: &'static str,
    build_date: &'static str,
    target: String,
}

impl View for VersionView {
    const KIND: &'static str = "Version";

    fn human(&self) -> Human {
        let mut table = Table::new([
            Column::new("SIDE"),
            Column::new("VERSION"),
            Column::new("COMMIT"),
            Column::new("BUILT").wide(),
            Column::new("TARGET").wide(),
        ]);
        let client = &self.client;
        table.row([
            "client",
            client.version,
            client.commit,
            client.build_date,
            &client.target,
        ]);
        if let Some(server) = &self.server {
            table.row(["server", &server.version, &server.commit, "", ""]);
        }
        Human::Table(table)
    }

    fn names(&self) -> Vec<String> {
        vec![format!("version/{}", self.client.version)]
    }
}

impl Version {
    /// Asks the server only when one is chosen.
    pub async fn run(self, cx: &Context) -> Result<Outcome> {
        let server = if cx.config.get("server").is_empty() {
            None
        } else {
            let client = cx.client().await?;
            let asked = client.call(&ReadVersion {});
            match tokio::time::timeout(Duration::from_secs(1), asked).await {
                Ok(Ok(server)) => {
                    if minor(&server.version) != minor(VERSION) {
                        cx.terminal.warn(format!(
                            "the server is version {}, this program {VERSION}: update the older side",
                            server.version
                        ));
                    }
                    Some(server)
                }
                Ok(Err(error)) => {
                    cx.terminal.warn(error.to_string());
                    None
                }
                Err(_) => {
                    cx.terminal
                        .warn("the server did not answer within a second");
                    None
                }
            }
        };
        let view = VersionView {
            client: ClientVersion {
                version: VERSION,
                commit: COMMIT,
                build_date: option_env!("WEFT_BUILD_DATE").unwrap_or("unknown"),
                target: format!("{}-{}", std::env::consts::ARCH, std::env::consts::OS),
            },
            server,
            schemas: [
                ("component", weft_domain::component::SCHEMA_VERSION),
                ("design", weft_domain::design::SCHEMA_VERSION),
                ("output", crate::api::API_VERSION),
            ]
            .into(),
        };
        Ok(view.into())
    }
}

/// Major and minor number: what must agree on both sides.
fn minor(version: &str) -> Option<&str> {
    version.rsplit_once('.').map(|(minor, _)| minor)
}
