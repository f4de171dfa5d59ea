//! `system context create`

use serde_json::{Map, Value};
use weft_domain::overlay::Choice;

use super::ContextChange;
use crate::{
    client::Remote,
    commands::{DryRun, Outcome, completion},
    config::{
        NamedContext,
        edit::{Edit, edit},
    },
    context::Context,
    error::{Code, Error, Result},
};

/// Create a named context. A --token-file given with it goes to its server, and to no other.
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
    /// An overlay that designs get there; CLUSTER=NAME for one of the clusters; may be repeated
    #[arg(long = "overlay", value_name = "[CLUSTER=]NAME", value_parser = clap::value_parser!(Choice))]
    overlays: Vec<Choice>,
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
        let exists = || Error::new(Code::ContextExists, format!("a context {name:?} exists"));
        if cx.config.contexts().contains_key(&name) {
            return Err(exists());
        }
        if let Some(url) = &self.url {
            Remote::new(url, None, cx.request_timeout())?;
        }
        NamedContext {
            clusters: self.clusters.clone(),
            overlays: self.overlays.clone(),
            ..NamedContext::default()
        }
        .check_overlays()?;
        let mut fields = Map::new();
        let texts = [
            ("server", self.url),
            ("token-file", cx.config.flag("token-file").map(absolute)),
            ("namespace", self.namespace),
            ("environment", self.environment),
        ];
        for (key, value) in texts {
            if let Some(value) = value {
                fields.insert(key.to_owned(), Value::from(value));
            }
        }
        if !self.clusters.is_empty() {
            fields.insert("clusters".to_owned(), Value::from(self.clusters));
        }
        if !self.overlays.is_empty() {
            let overlays = self.overlays.iter().map(ToString::to_string);
            fields.insert("overlays".to_owned(), overlays.collect());
        }
        if !self.dry_run.is_set() {
            edit(cx.config.file(), |root| {
                // Somebody may have been quicker.
                if root["contexts"].get(&name).is_some() {
                    return Err(exists());
                }
                let mut edits = vec![Edit::set(&["contexts", &name], Value::Object(fields))];
                if self.set {
                    edits.push(Edit::set(&["current-context"], name.as_str()));
                }
                Ok(edits)
            })?;
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

/// A path that is right wherever the next command runs.
fn absolute(path: &str) -> String {
    std::path::absolute(path).map_or_else(
        |_| path.to_owned(),
        |path| path.to_string_lossy().into_owned(),
    )
}
