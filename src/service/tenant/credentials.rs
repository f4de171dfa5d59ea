//! Fetches what hubs refer to: values that the caller has given, and Secrets and `ConfigMaps` of a cluster,
//! which is asked only when a hub needs it.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::Duration,
};

use serde_json::Value;
use weft_domain::{
    base64,
    tenant::hub::{Reference, Source},
};

use super::{datasource::Credentials, read::Located};
use crate::{
    api::{deploy::Target, tenant::Given},
    cluster::{Cluster, KindRef},
    error::{Code, Error, Place, Result},
    secret::Secret,
};

/// How large a file with a credential may be.
const LARGEST: u64 = 1 << 20;

/// Reads the files and environment variables that hubs refer to, on the caller's machine.
///
/// # Errors
/// With all that can't be read.
pub(crate) fn give<'a>(
    hubs: impl IntoIterator<Item = &'a Located>,
    folder: &Path,
    variable: impl Fn(&str) -> Option<String>,
) -> Result<Given> {
    let mut given = Given::default();
    let mut errors = Vec::new();
    for located in hubs {
        for reference in located.hub.source.credentials() {
            let value = match reference {
                Reference::File(path) => file(&located.folder(folder).join(path)),
                Reference::Env(name) => variable(name).map(Secret::new).ok_or_else(|| {
                    Error::new(
                        Code::CredentialMissing,
                        format!("the environment variable {name} is not set"),
                    )
                }),
                Reference::Secret { .. } | Reference::ConfigMap { .. } => continue,
            };
            match value {
                Ok(value) => given.insert(key(located, reference), value),
                Err(error) => errors.push(super::in_hub(error, located)),
            }
        }
    }
    match Error::all(errors) {
        Some(error) => Err(error),
        None => Ok(given),
    }
}

/// What a value is given under: files are meant from the hub's own.
fn key(located: &Located, reference: &Reference) -> String {
    match reference {
        Reference::File(_) => format!("{reference} of {}", located.file),
        _ => reference.to_string(),
    }
}

/// A file with a credential. Editors end the last line, which is no part of a password.
fn file(path: &PathBuf) -> Result<Secret> {
    let failed = |error: std::io::Error| {
        let code = match error.kind() {
            std::io::ErrorKind::NotFound => Code::CredentialMissing,
            _ => Code::Unreadable,
        };
        Error::new(code, format!("cannot read the file {}", path.display())).because(error)
    };
    let about = std::fs::metadata(path).map_err(failed)?;
    if !about.is_file() || about.len() > LARGEST {
        let message = format!("{} is no file of at most 1 MiB", path.display());
        return Err(Error::new(Code::Unreadable, message));
    }
    let text = std::fs::read_to_string(path).map_err(failed)?;
    let text = zeroize::Zeroizing::new(text);
    let line = text.strip_suffix('\n').unwrap_or(&text);
    Ok(Secret::new(line.strip_suffix('\r').unwrap_or(line)))
}

/// Everything that hubs may refer to.
pub(crate) struct Vault {
    given: Given,
    target: Target,
    cluster: Option<Cluster>,
    read: BTreeMap<(&'static str, String, String), Value>,
}

impl Vault {
    /// What the caller has given, and the cluster to ask for the rest.
    pub(crate) fn new(given: Given, target: Target) -> Self {
        Self {
            given,
            target,
            cluster: None,
            read: BTreeMap::new(),
        }
    }

    /// The credentials of a hub.
    ///
    /// # Errors
    /// When one isn't there, or the cluster can't be asked.
    pub(crate) async fn credentials(&mut self, located: &Located) -> Result<Credentials> {
        let server = match &located.hub.source {
            Source::MySql(server) | Source::PostgreSql(server) => server,
            Source::Sqlite(_) => return Ok(Credentials::default()),
        };
        let tls = &server.tls;
        Ok(Credentials {
            password: self.value(located, server.password.as_ref()).await?,
            root: self.value(located, tls.root.as_ref()).await?,
            certificate: self.value(located, tls.certificate.as_ref()).await?,
            key: self.value(located, tls.key.as_ref()).await?,
        })
    }

    async fn value(
        &mut self,
        located: &Located,
        reference: Option<&Reference>,
    ) -> Result<Option<Secret>> {
        let Some(reference) = reference else {
            return Ok(None);
        };
        let (kind, name, entry) = match reference {
            Reference::Secret { name, key } => ("Secret", name, key),
            Reference::ConfigMap { name, key } => ("ConfigMap", name, key),
            Reference::File(_) | Reference::Env(_) => {
                let value = self.given.get(&key(located, reference)).cloned();
                return value.map(Some).ok_or_else(|| {
                    let message = format!("the {reference} was not given");
                    Error::new(Code::CredentialMissing, message)
                });
            }
        };
        let object = self.object(located, kind, name).await?;
        value_of(object, kind, name, entry).map(Some)
    }

    /// An object of the cluster, read once.
    async fn object(
        &mut self,
        located: &Located,
        kind: &'static str,
        name: &str,
    ) -> Result<&Value> {
        if self.cluster.is_none() {
            let kubeconfig = self.target.kubeconfig.as_deref().map(Path::new);
            let context = match self.target.contexts.as_slice() {
                [] => None,
                [context] => Some(context.as_str()),
                several => {
                    let message = format!("Secrets are read in one cluster, not in {several:?}");
                    let error = Error::new(Code::Usage, message);
                    return Err(error.hint("name one with --context"));
                }
            };
            let deadline = Duration::from_secs(30);
            self.cluster = Some(Cluster::connect(kubeconfig, context, deadline).await?);
        }
        let Some(cluster) = &self.cluster else {
            return Err(Error::internal("a cluster that is not there"));
        };
        let namespace = located.hub.namespace.as_deref();
        let namespace = namespace
            .or(self.target.namespace.as_deref())
            .unwrap_or(cluster.namespace());
        let key = (kind, namespace.to_owned(), name.to_owned());
        if !self.read.contains_key(&key) {
            let reference = KindRef {
                group: String::new(),
                version: "v1".to_owned(),
                kind: kind.to_owned(),
                plural: format!("{}s", kind.to_lowercase()),
                namespaced: true,
                verbs: vec!["get".to_owned()],
            };
            let reply = cluster
                .objects()
                .get(&reference, Some(namespace), name)
                .await;
            let reply = reply.map_err(Error::from)?;
            self.read.insert(key.clone(), reply.object);
        }
        let object = self.read.get(&key);
        object.ok_or_else(|| Error::internal("an object that was just read"))
    }
}

/// A value of a Secret, or of a `ConfigMap`, as it is: a line's end in it is a part of it.
fn value_of(object: &Value, kind: &str, name: &str, key: &str) -> Result<Secret> {
    let place = || Place::object(format!("{kind}/{name}"));
    let data = object.get("data").and_then(Value::as_object);
    let value = data.and_then(|data| data.get(key)).and_then(Value::as_str);
    let Some(value) = value else {
        let keys = data.into_iter().flat_map(|data| data.keys());
        return Err(Error::new(
            Code::CredentialMissing,
            format!("{kind}/{name} has no key {key:?}"),
        )
        .at(place())
        .did_you_mean(key, keys.map(String::as_str)));
    };
    if kind == "ConfigMap" {
        return Ok(Secret::new(value));
    }
    let unusable = || {
        let message = format!("the key {key:?} of {kind}/{name} is not text");
        Error::new(Code::CredentialUnusable, message).at(place())
    };
    let bytes = base64::decode(value).ok_or_else(unusable)?;
    let text = String::from_utf8(bytes).map_err(|_| unusable())?;
    Ok(Secret::new(text))
}
