//! The project as a whole: what it declares, which services are active, and how they need one another.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::mounts::{self, Declared};
use super::ports::Port;
use super::service::{self, Service};
use super::{
    Conversion, Error, LARGEST_FILE, MOST_PORTS, Notes, interpolate, merge, read, words, workload,
};

/// What every service may refer to.
pub(super) struct Project<'a> {
    /// The value of `app.kubernetes.io/part-of`.
    pub(super) part_of: String,
    /// The variables that were passed in.
    pub(super) environment: &'a BTreeMap<String, String>,
    /// The declared volumes.
    pub(super) volumes: BTreeMap<String, Declared>,
    /// The declared secrets.
    pub(super) secrets: BTreeMap<String, Declared>,
    /// The declared configs.
    pub(super) configs: BTreeMap<String, Declared>,
    files: BTreeMap<String, &'a str>,
}

impl Project<'_> {
    /// Returns the text of a file beside the project.
    pub(super) fn file(&self, path: &str, name: &str) -> Result<&str, Error> {
        self.files
            .get(&normal(name))
            .copied()
            .ok_or_else(|| Error::MissingFile {
                path: path.to_owned(),
                file: name.to_owned(),
            })
    }

    /// Refuses a file that no object of the cluster could hold.
    pub(super) fn check_size(&self, path: &str, name: &str) -> Result<(), Error> {
        if self.file(path, name)?.len() > LARGEST_FILE {
            return Err(Error::TooLarge {
                path: path.to_owned(),
                file: name.to_owned(),
                limit: LARGEST_FILE,
            });
        }
        Ok(())
    }

    /// Returns the files at or below a place, with their paths relative to it.
    ///
    /// The project's own folder has none: what the caller knows of it is not all that is in it.
    pub(super) fn below(&self, place: &str) -> Vec<(String, String)> {
        let place = normal(place);
        if place.is_empty() || place == "." {
            return Vec::new();
        }
        if self.files.contains_key(&place) {
            return vec![(String::new(), place)];
        }
        let folder = format!("{place}/");
        self.files
            .keys()
            .filter_map(|name| Some((name.strip_prefix(&folder)?.to_owned(), name.clone())))
            .collect()
    }
}

/// Writes a path without `.` and without steps back where there is something to step back from.
fn normal(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    let joined = parts.join("/");
    if path.starts_with('/') {
        format!("/{joined}")
    } else {
        joined
    }
}

/// Converts the whole project.
pub(super) fn convert(
    project: &Value,
    name: &str,
    files: &BTreeMap<String, String>,
    environment: &BTreeMap<String, String>,
) -> Result<Conversion, Error> {
    let mut notes = Notes::default();
    if !project.get("services").is_some_and(Value::is_object) {
        return Err(Error::NotCompose);
    }
    let tree = interpolate::tree(project, "", environment, &mut notes)?;
    let top = tree.as_object().ok_or(Error::NotCompose)?;
    let declared = top_level(top, &mut notes)?;
    let [volumes, secrets, configs] = declared;
    let order = [&volumes, &secrets, &configs].map(|section| {
        section
            .iter()
            .map(|(key, _)| key.clone())
            .collect::<Vec<_>>()
    });
    let project = Project {
        part_of: part_of(name),
        environment,
        volumes: volumes.into_iter().collect(),
        secrets: secrets.into_iter().collect(),
        configs: configs.into_iter().collect(),
        files: files
            .iter()
            .map(|(name, text)| (normal(name), text.as_str()))
            .collect(),
    };
    let mut services = active(top, &project, &mut notes)?;
    infer_ports(&mut services, &mut notes);
    workload::settle(&mut services, &mut notes)?;
    assemble(&project, &services, &order, notes)
}

/// Makes a label value of the project's name.
fn part_of(name: &str) -> String {
    if words::is_label_value(name) && !name.is_empty() {
        return name.to_owned();
    }
    words::object_name(name).unwrap_or_else(|| "compose".to_owned())
}

type Section = Vec<(String, Declared)>;

/// Reads everything but the services.
fn top_level(top: &Map<String, Value>, notes: &mut Notes) -> Result<[Section; 3], Error> {
    for (key, value) in top {
        match key.as_str() {
            "version" | "name" | "services" | "volumes" | "secrets" | "configs" => {}
            "networks" => {
                for (network, _) in value.as_object().into_iter().flatten() {
                    notes.add(
                        format!("networks.{network}"),
                        "left out; all pods reach one another unless a NetworkPolicy forbids it",
                    );
                }
            }
            "include" => notes.add(
                key,
                "other compose files are not followed; convert them too",
            ),
            key if key.starts_with("x-") => {}
            _ => notes.add(key, "not known here; left out"),
        }
    }
    Ok([
        mounts::declared("volumes", top.get("volumes"), notes)?,
        mounts::declared("secrets", top.get("secrets"), notes)?,
        mounts::declared("configs", top.get("configs"), notes)?,
    ])
}

/// Reads the services that no profile switches off.
fn active(
    top: &Map<String, Value>,
    project: &Project<'_>,
    notes: &mut Notes,
) -> Result<Vec<Service>, Error> {
    let all = top
        .get("services")
        .and_then(Value::as_object)
        .ok_or(Error::NotCompose)?;
    let mut services = Vec::new();
    let mut names: BTreeMap<String, String> = BTreeMap::new();
    for key in all.keys() {
        let path = format!("services.{key}");
        let fields = merge::resolve(key, all, &mut Vec::new())?;
        let profiles = match fields.get("profiles") {
            None | Some(Value::Null) => Vec::new(),
            Some(value) => read::texts(&format!("{path}.profiles"), value)?,
        };
        if !profiles.is_empty() {
            notes.add(
                path,
                format!("skipped: only for profile {}", profiles.join(", ")),
            );
            continue;
        }
        if fields.contains_key("provider") {
            notes.add(path, "skipped: a provider outside makes it");
            continue;
        }
        let name = words::object_name(key)
            .ok_or_else(|| read::invalid(&path, "a name with letters or digits", &json!(key)))?;
        if name != *key {
            notes.add(
                &path,
                format!(
                    "is named {name}; Kubernetes refuses '{key}', so others must use the new name"
                ),
            );
        }
        if let Some(first) = names.insert(name.clone(), path.clone()) {
            return Err(Error::Collision {
                kind: "Service",
                name,
                first,
                second: path,
            });
        }
        services.push(service::read(project, key, name, &fields, notes)?);
    }
    Ok(services)
}

/// Finds the ports of services that name none in what others say of them: `db:5432`.
fn infer_ports(services: &mut [Service], notes: &mut Notes) {
    let unknown: BTreeMap<String, usize> = services
        .iter()
        .enumerate()
        .filter(|(_, service)| service.ports.is_empty() && !service.host_network)
        .map(|(index, service)| (service.key.clone(), index))
        .collect();
    let mut found = Vec::new();
    for (own, service) in services.iter().enumerate() {
        for (path, text) in &service.mentions {
            for (host, port) in hosts_with_ports(text) {
                match unknown.get(host) {
                    Some(index) if *index != own => found.push((*index, port, path.clone())),
                    _ => {}
                }
            }
        }
    }
    for (index, port, path) in found {
        let Some(service) = services.get_mut(index) else {
            continue;
        };
        let known = service.ports.iter().any(|other| other.target == port);
        if known || service.ports.len() >= MOST_PORTS {
            continue;
        }
        let place = format!("{}.ports", service.path);
        service.ports.push(Port::plain(port, "TCP", &place));
        notes.add(
            place,
            format!("port {port} is assumed, because {path} names it"),
        );
    }
}

/// Returns every `host:port` in a text.
fn hosts_with_ports(text: &str) -> Vec<(&str, u16)> {
    let inside =
        |character: char| character.is_alphanumeric() || matches!(character, '-' | '_' | '.');
    text.match_indices(':')
        .filter_map(|(at, _)| {
            let (before, after) = (text.get(..at)?, text.get(at + 1..)?);
            let host = before.trim_end_matches(inside);
            let host = before.get(host.len()..).filter(|host| !host.is_empty())?;
            let end = after
                .find(|character: char| !character.is_ascii_digit())
                .unwrap_or(after.len());
            let (digits, rest) = after.split_at(end);
            if rest.starts_with(|next: char| next.is_alphanumeric() || next == '.') {
                return None;
            }
            Some((host, digits.parse().ok().filter(|port| *port > 0)?))
        })
        .collect()
}

/// Objects in their order, no two of one name.
#[derive(Default)]
struct Objects {
    all: Vec<Value>,
    taken: BTreeMap<(&'static str, String), String>,
}

impl Objects {
    fn add(&mut self, kind: &'static str, path: &str, object: Value) -> Result<(), Error> {
        let name = object["metadata"]["name"].as_str().unwrap_or_default();
        let key = (kind, name.to_owned());
        if let Some(first) = self.taken.insert(key, path.to_owned()) {
            return Err(Error::Collision {
                kind,
                name: name.to_owned(),
                first,
                second: path.to_owned(),
            });
        }
        self.all.push(object);
        Ok(())
    }
}

/// Puts the manifests together.
fn assemble(
    project: &Project<'_>,
    services: &[Service],
    [volumes, secrets, configs]: &[Vec<String>; 3],
    mut notes: Notes,
) -> Result<Conversion, Error> {
    let mut objects = Objects::default();
    let unused = "no service uses it; left out";
    for (kind, keys, declared) in [
        ("Secret", secrets, &project.secrets),
        ("ConfigMap", configs, &project.configs),
    ] {
        for (key, entry) in keys
            .iter()
            .filter_map(|key| Some((key, declared.get(key)?)))
        {
            let used = services.iter().any(|service| {
                let mounts = &service.mounts;
                let keys = if kind == "Secret" {
                    &mounts.secrets
                } else {
                    &mounts.configs
                };
                keys.contains(key)
            });
            if !used {
                notes.add(&entry.path, unused);
            } else if let Some(object) = entry.object(key, kind, project, &mut notes)? {
                objects.add(kind, &entry.path, object)?;
            }
        }
    }
    for service in services {
        if let Some(object) = workload::files(service, &project.part_of)? {
            objects.add("ConfigMap", &format!("{}.volumes", service.path), object)?;
        }
    }
    for (key, entry) in volumes
        .iter()
        .filter_map(|key| Some((key, project.volumes.get(key)?)))
    {
        let users: Vec<_> = services
            .iter()
            .filter(|service| service.mounts.claims.contains(key))
            .collect();
        if users.is_empty() {
            notes.add(&entry.path, unused);
            continue;
        }
        if users.len() > 1 || users.iter().any(|service| service.has_many_pods()) {
            notes.add(
                &entry.path,
                "several pods mount it, but a claim with ReadWriteOnce serves pods of one node only",
            );
        }
        if let Some(object) = entry.claim(&project.part_of, &mut notes)? {
            objects.add("PersistentVolumeClaim", &entry.path, object)?;
        }
    }
    for service in services {
        if let Some(object) = workload::service(service, services, &project.part_of, &mut notes) {
            objects.add("Service", &service.path, object)?;
        }
    }
    for service in services {
        let object = workload::workload(service, &project.part_of, &mut notes);
        objects.add(service.kind, &service.path, object)?;
    }
    Ok(Conversion {
        manifests: objects.all,
        notes: notes.list,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_compared_in_one_form() {
        for (path, expected) in [
            ("./a/b", "a/b"),
            ("a//b/", "a/b"),
            ("a/../b", "b"),
            ("../b", "../b"),
            ("../../b", "../../b"),
            ("/etc/../x", "/x"),
            (".", ""),
            ("./", ""),
        ] {
            assert_eq!(normal(path), expected, "{path}");
        }
    }

    #[test]
    fn hosts_are_found_with_their_ports() {
        for (text, expected) in [
            ("db:5432", vec![("db", 5432)]),
            (
                "postgres://u:p@db:5432/x?a=db:1",
                vec![("db", 5432), ("db", 1)],
            ),
            ("a:1,b:2;é-c:3", vec![("a", 1), ("b", 2), ("é-c", 3)]),
            ("db.example:5432", vec![("db.example", 5432)]),
            ("db:70000", vec![]),
            ("db:0", vec![]),
            ("db:16.2", vec![]),
            ("db:9x", vec![]),
            (":80", vec![]),
            ("db:", vec![]),
            ("db", vec![]),
        ] {
            assert_eq!(hosts_with_ports(text), expected, "{text}");
        }
    }
}
