//! `system context create`

use serde_json::{Map, Value};

use super::ContextChange;
use crate::{
    client::Remote,
    commands::{DryRun, Outcome, completion},
    config::edit,
    context::Context,
    error::{Code, Error, Result},
};

/// Create a named context.
#[derive(clap::Args, Debug)]
#[command(
    after_help = "Examples:\n  weftctl system context create production --url http://127.0.0.1:9081 --cluster dev\n  weftctl system context create local-only --namespace shop --set"
)]
pub(super) struct Create {
    /// Its name
    name: String,
    /// The server's URL; without one the embedded server is meant
    #[arg(short, long)]
    url: Option<String>,
    /// A kubeconfig context; may be repeated
    #[arg(long = "cluster", value_name = "CONTEXT", add = completion::kubeconfig_contexts())]
    clusters: Vec<String>,
    /// The namespace of resources that name none
    #[arg(short, long)]
    namespace: Option<String>,
    /// The environment
    #[arg(long)]
    environment: Option<String>,
    /// Use it from now on
    #[arg(long)]
    set: bool,
    #[command(flatten)]
    dry_run: DryRun,
}

impl Create {
    /// Checks name and URL, then writes.
    pub(super) fn run(self, cx: &Context) -> Result<Outcome> {
        let name = self.name;
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        if name.is_empty() || !name.chars().all(plain) || name == "local" {
            return Err(Error::new(Code::Usage, format!("{name:?} cannot name a context"))
                .hint("use letters, digits, '-', '_' and '.'; \"local\" is the server of system start"));
        }
        if cx.config.contexts().contains_key(&name) {
            return Err(Error::new(
                Code::ContextExists,
                format!("a context {name:?} exists"),
            ));
        }
        if let Some(url) = &self.url {
            Remote::new(url, None, cx.request_timeout())?;
        }
        let mut fields = Map::new();
        let texts = [
            ("server", &self.url),
            ("namespace", &self.namespace),
            ("environment", &self.environment),
        ];
        for (key, value) in texts {
            if let Some(value) = value {
                fields.insert(key.to_owned(), Value::from(value.as_str()));
            }
        }
        if !self.clusters.is_empty() {
            fields.insert("clusters".to_owned(), Value::from(self.clusters));
        }
        if !self.dry_run.is_set() {
            let file = cx.config.file();
            edit::set(file, &["contexts", &name], Some(&Value::Object(fields)))?;
            if self.set {
                edit::set(
                    file,
                    &["current-context"],
                    Some(&Value::from(name.as_str())),
                )?;
            }
        }
        Ok(ContextChange {
            action: "created",
            reason: if self.set {
                "it is in use now"
            } else {
                "use it with weftctl system context switch"
            }
            .to_owned(),
            name,
            dry_run: self.dry_run.is_set(),
        }
        .into())
    }
}
