//! Docker Compose projects as Kubernetes manifests.
//!
//! Reads the Compose specification and its older forms (versions 2 and 3) from a value tree and answers with
//! ordinary objects: Secrets, `ConfigMap`s, claims, Services, workloads. Whatever has no equivalent becomes a
//! [`Note`] that names its place; nothing is dropped silently. Files beside the project and the variables of
//! its `.env` file are passed in: this module reads nothing by itself. Other compose files (`include`,
//! `extends.file`) are not followed, and no image is looked at, so ports that only an image knows stay unknown.

mod health;
mod interpolate;
mod merge;
mod mounts;
mod ports;
mod project;
mod read;
mod service;
mod units;
mod words;
mod workload;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

/// The largest text that a `ConfigMap` or a Secret can hold.
const LARGEST_FILE: usize = 1 << 20;

/// The most items that one list may have.
const MOST_ITEMS: usize = 10_000;

/// The most ports that one service may have, ranges counted out.
const MOST_PORTS: usize = 1_000;

/// Where something could not be mapped, and why.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub struct Note {
    /// The place in the compose file, such as `services.web.cap_add`.
    pub path: String,
    /// What became of it.
    pub message: String,
}

/// What a compose project became.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Conversion {
    /// Secrets, `ConfigMap`s, claims, Services and workloads, each in the order of the file.
    pub manifests: Vec<Value>,
    /// Everything that could not be mapped or was assumed, in the order in which it was found.
    pub notes: Vec<Note>,
}

/// Why a compose project could not be converted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The tree has no `services` mapping.
    #[error("not a compose project: no services mapping")]
    NotCompose,
    /// A value that the place does not allow.
    #[error("{path}: expected {expected}, found {value}")]
    Invalid {
        /// The place in the compose file.
        path: String,
        /// What belongs there.
        expected: &'static str,
        /// What is there, shortened.
        value: String,
    },
    /// A service without an image and without a build.
    #[error("services.{service}: neither image nor build")]
    NoImage {
        /// The service's name.
        service: String,
    },
    /// A name that is used but not declared.
    #[error("{path}: {kind} '{name}' is not declared")]
    Undeclared {
        /// The place that uses it.
        path: String,
        /// Service, volume, secret or config.
        kind: &'static str,
        /// The name used.
        name: String,
    },
    /// A file that the project refers to was not passed in.
    #[error("{path}: file '{file}' is missing")]
    MissingFile {
        /// The place that refers to it.
        path: String,
        /// The file as written there.
        file: String,
    },
    /// A file too large for a `ConfigMap` or a Secret.
    #[error("{path}: '{file}' is larger than {limit} bytes")]
    TooLarge {
        /// The place that refers to it.
        path: String,
        /// The file as written there.
        file: String,
        /// The most that fits.
        limit: usize,
    },
    /// A variable that has to be set is not (`${NAME:?message}`, a secret's `environment`).
    #[error("{path}: variable {variable} is not set{}", suffix(.message))]
    Required {
        /// The place that needs it.
        path: String,
        /// The variable's name.
        variable: String,
        /// The project's own message; may be empty.
        message: String,
    },
    /// A `$` that starts no variable.
    #[error("{path}: invalid variable in '{value}' (a literal dollar sign is written $$)")]
    Interpolation {
        /// The place in the compose file.
        path: String,
        /// The part that starts with the dollar sign; the rest may be secret.
        value: String,
    },
    /// A chain of `extends` that comes back to its start.
    #[error("services.{service}.extends: goes in a circle through {}", .through.join(", "))]
    ExtendsCycle {
        /// The service where it was noticed.
        service: String,
        /// The services of the chain.
        through: Vec<String>,
    },
    /// Something without which the project cannot be understood.
    #[error("{path}: {what} is not supported")]
    Unsupported {
        /// The place in the compose file.
        path: String,
        /// What was found there.
        what: &'static str,
    },
    /// Two things of the project would become the same object.
    #[error("{first} and {second} both become {kind} '{name}'")]
    Collision {
        /// The object's kind.
        kind: &'static str,
        /// The object's name.
        name: String,
        /// The place that took the name first.
        first: String,
        /// The place that wants it too.
        second: String,
    },
    /// More ports than one service may have.
    #[error("{path}: more than {limit} ports")]
    TooManyPorts {
        /// The place that is too much.
        path: String,
        /// The most that is allowed.
        limit: usize,
    },
}

/// Returns the text as a trailing part of a message.
fn suffix(message: &str) -> String {
    if message.is_empty() {
        String::new()
    } else {
        format!(": {message}")
    }
}

/// Says whether the document is a compose project, by its content alone.
///
/// A project has a `services` mapping, at least one of whose entries names an image, a build or a base. The
/// old services map of a Meshery design looks alike and is told apart by its `type` and `settings`.
pub fn is_compose(document: &Value) -> bool {
    let Some(top) = document.as_object() else {
        return false;
    };
    if ["apiVersion", "kind", "schemaVersion"]
        .iter()
        .any(|key| top.contains_key(*key))
    {
        return false;
    }
    let Some(services) = top.get("services").and_then(Value::as_object) else {
        return false;
    };
    let has = |keys: &[&str]| {
        services.values().any(|service| {
            service
                .as_object()
                .is_some_and(|service| keys.iter().any(|key| service.contains_key(*key)))
        })
    };
    services.values().all(Value::is_object)
        && has(&["image", "build", "extends", "provider"])
        && !has(&["type", "apiVersion", "settings", "traits"])
}

/// Reads a `.env` file: the variables that a project is interpolated with, in the way of Compose.
///
/// A value may use the variables of the lines before it; a name alone sets nothing.
///
/// # Errors
/// With a line that can't be read, or a variable that must be set and isn't.
pub fn environment(text: &str, notes: &mut Vec<Note>) -> Result<BTreeMap<String, String>, Error> {
    const FILE: &str = ".env";
    let lines = words::env_file(text, false).map_err(|line| Error::Invalid {
        path: FILE.to_owned(),
        expected: "lines of NAME=value",
        value: format!("line {line}"),
    })?;
    let mut found = Notes::default();
    let mut environment = BTreeMap::new();
    for (name, value) in lines {
        let value = match value {
            Some((text, words::Quoting::Open)) => {
                let path = format!("{FILE}:{name}");
                interpolate::text(&text, &path, &environment, &mut found)?
            }
            Some((text, words::Quoting::Literal)) => text,
            None => continue,
        };
        environment.insert(name, value);
    }
    let count = environment.len();
    let plural = if count == 1 { "" } else { "s" };
    found.add(FILE, format!("{count} variable{plural} read from it"));
    notes.append(&mut found.list);
    Ok(environment)
}

/// Converts a compose project to Kubernetes manifests.
///
/// `name` becomes the value of `app.kubernetes.io/part-of`. `files` holds the text of files beside the
/// project by relative path; `environment` the variables for interpolation, usually from its `.env` file.
pub fn convert(
    project: &Value,
    name: &str,
    files: &BTreeMap<String, String>,
    environment: &BTreeMap<String, String>,
) -> Result<Conversion, Error> {
    project::convert(project, name, files, environment)
}

/// Collects the notes of a conversion.
#[derive(Debug, Default)]
struct Notes {
    list: Vec<Note>,
    seen: BTreeSet<Note>,
}

impl Notes {
    /// Adds a note unless the same one is there.
    fn add(&mut self, path: impl Into<String>, message: impl Into<String>) {
        let note = Note {
            path: path.into(),
            message: message.into(),
        };
        if self.seen.insert(note.clone()) {
            self.list.push(note);
        }
    }
}
