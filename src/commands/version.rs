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
            let asked = async { cx.client().await?.call(&ReadVersion {}).await };
            match tokio::time::timeout(Duration::from_secs(1), asked).await {
                Ok(Ok(server)) => {
                    if let Some(warning) = skew(&server.version, VERSION) {
                        cx.terminal.warn(warning);
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
                target: target(),
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
fn minor(version: &str) -> Option<(u64, u64)> {
    let mut numbers = version.split('.').map(|number| number.parse().ok());
    Some((numbers.next()??, numbers.next()??))
}

/// What to do when the two sides may not understand each other.
fn skew(server: &str, client: &str) -> Option<String> {
    let side = match (minor(server), minor(client)) {
        (Some(server), Some(client)) if server == client => return None,
        (Some(server), Some(client)) if server < client => "update the server",
        (Some(_), Some(_)) => "update this program",
        _ => "use the same version on both sides",
    };
    Some(format!(
        "the server is version {server}, this program {client}: {side}"
    ))
}

/// The triple that this program was built for, as compilers name it.
fn target() -> String {
    let architecture = std::env::consts::ARCH;
    let system = if cfg!(target_os = "macos") {
        "apple-darwin"
    } else if cfg!(all(windows, target_env = "gnu")) {
        "pc-windows-gnu"
    } else if cfg!(windows) {
        "pc-windows-msvc"
    } else if cfg!(target_env = "musl") {
        "unknown-linux-musl"
    } else if cfg!(target_os = "linux") {
        "unknown-linux-gnu"
    } else {
        return format!("{architecture}-unknown-{}", std::env::consts::OS);
    };
    format!("{architecture}-{system}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_skew_names_the_side_to_update() {
        assert_eq!(skew("0.1.9", "0.1.0"), None);
        let cases = [
            ("0.9.0", "0.10.0", "update the server"),
            ("1.0.0", "0.10.0", "update this program"),
            ("nightly", "0.10.0", "use the same version on both sides"),
        ];
        for (server, client, side) in cases {
            assert!(skew(server, client).unwrap().ends_with(side), "{server}");
        }
    }

    #[test]
    fn the_target_is_a_triple() {
        assert!(target().split('-').count() >= 3, "{}", target());
    }
}
