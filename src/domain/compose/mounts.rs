//! What a container finds in its file system: volumes, bound files, memory, secrets and configs.
//! Declares the objects behind them too; only those that a service uses are written.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{Error, LARGEST_FILE, Notes, project::Project, read, units, words};

/// The size of a claim where the project says none.
const ASSUMED_SIZE: &str = "1Gi";

/// A secret, a config or a volume of the project.
#[derive(Clone, Debug)]
pub(super) struct Declared {
    /// The name of the object that stands for it.
    pub(super) name: String,
    /// Whether somebody else makes it.
    external: bool,
    /// Its entry in the compose file.
    fields: Map<String, Value>,
    /// Its place in the compose file.
    pub(super) path: String,
}

/// Reads a top-level section of volumes, secrets or configs.
pub(super) fn declared(
    section: &str,
    value: Option<&Value>,
    notes: &mut Notes,
) -> Result<Vec<(String, Declared)>, Error> {
    let Some(value) = value.filter(|value| !value.is_null()) else {
        return Ok(Vec::new());
    };
    let mut found = Vec::new();
    for (key, value) in read::mapping(section, value)? {
        let path = format!("{section}.{key}");
        let fields = match value {
            Value::Null => Map::new(),
            value => read::mapping(&path, value)?.clone(),
        };
        let external = match fields.get("external") {
            None | Some(Value::Null) => false,
            Some(Value::Object(_)) => true,
            Some(value) => read::flag(&format!("{path}.external"), value)?,
        };
        let given = match fields
            .get("name")
            .or_else(|| fields.get("external")?.get("name"))
        {
            None | Some(Value::Null) => key.clone(),
            Some(value) => read::text(&format!("{path}.name"), value)?,
        };
        let name = words::object_name(&given).ok_or_else(|| {
            read::invalid(
                &path,
                "a name with letters or digits",
                &Value::from(given.clone()),
            )
        })?;
        if name != given {
            notes.add(
                &path,
                format!("is named {name}; Kubernetes refuses '{given}'"),
            );
        }
        found.push((
            key.clone(),
            Declared {
                name,
                external,
                fields,
                path,
            },
        ));
    }
    Ok(found)
}

impl Declared {
    /// Builds the claim of a volume; `None` for one that somebody else makes.
    pub(super) fn claim(&self, part_of: &str, notes: &mut Notes) -> Result<Option<Value>, Error> {
        if self.external {
            notes.add(
                &self.path,
                format!("is external: a claim named {} must exist", self.name),
            );
            return Ok(None);
        }
        let mut size = None;
        for (key, value) in &self.fields {
            let path = format!("{}.{key}", self.path);
            match key.as_str() {
                "driver_opts" if !value.is_null() => {
                    for (key, value) in read::mapping(&path, value)? {
                        let path = format!("{path}.{key}");
                        let text = read::text(&path, value)?;
                        let given = match key.as_str() {
                            "size" => Some(text.as_str()),
                            "o" => text.split(',').find_map(|part| part.strip_prefix("size=")),
                            _ => None,
                        };
                        match given.map(|text| units::bytes(text).filter(|bytes| *bytes > 0)) {
                            Some(Some(bytes)) => size = Some(units::quantity(bytes)),
                            Some(None) => {
                                return Err(read::invalid(&path, "a size such as 10g", value));
                            }
                            None => notes.add(path, "left out; the storage class decides"),
                        }
                        if key == "o" && text.contains(',') {
                            notes.add(
                                format!("{}.driver_opts.o", self.path),
                                "only the size was taken",
                            );
                        }
                    }
                }
                "driver"
                    if value.as_str().is_none_or(|driver| driver != "local")
                        && !value.is_null() =>
                {
                    notes.add(path, "left out; the storage class decides");
                }
                "driver" | "driver_opts" | "name" | "external" | "labels" => {}
                key if key.starts_with("x-") => {}
                _ => notes.add(path, "not known here; left out"),
            }
        }
        let size = size.unwrap_or_else(|| {
            notes.add(
                &self.path,
                format!("a size of {ASSUMED_SIZE} is assumed (driver_opts.size sets another)"),
            );
            ASSUMED_SIZE.to_owned()
        });
        Ok(Some(json!({
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": self.metadata(part_of, notes)?,
            "spec": {
                "accessModes": ["ReadWriteOnce"],
                "resources": {"requests": {"storage": size}},
            },
        })))
    }

    /// Builds the Secret or the `ConfigMap`; `None` for one that somebody else makes.
    pub(super) fn object(
        &self,
        key: &str,
        kind: &'static str,
        project: &Project<'_>,
        notes: &mut Notes,
    ) -> Result<Option<Value>, Error> {
        let data_key = words::data_key(key);
        if self.external {
            notes.add(
                &self.path,
                format!(
                    "is external: a {kind} named {} with the key {data_key} must exist",
                    self.name
                ),
            );
            return Ok(None);
        }
        let text = self.content(project, notes)?;
        let mut object = json!({
            "apiVersion": "v1",
            "kind": kind,
            "metadata": self.metadata(&project.part_of, notes)?,
        });
        if kind == "Secret" {
            object["type"] = json!("Opaque");
            object["data"] = json!({data_key: crate::base64::encode(text.as_bytes())});
        } else {
            object["data"] = json!({data_key: text});
        }
        Ok(Some(object))
    }

    fn metadata(&self, part_of: &str, notes: &mut Notes) -> Result<Value, Error> {
        let mut labels = Map::new();
        let mut annotations = Map::new();
        if let Some(value) = self.fields.get("labels").filter(|value| !value.is_null()) {
            let path = format!("{}.labels", self.path);
            sort_labels(&path, value, &mut labels, &mut annotations, notes)?;
        }
        labels.insert("app.kubernetes.io/part-of".to_owned(), json!(part_of));
        let mut metadata = json!({"name": self.name, "labels": labels});
        if !annotations.is_empty() {
            metadata["annotations"] = Value::Object(annotations);
        }
        Ok(metadata)
    }

    fn content(&self, project: &Project<'_>, notes: &mut Notes) -> Result<String, Error> {
        let mut content = None;
        for (key, value) in &self.fields {
            let path = format!("{}.{key}", self.path);
            match key.as_str() {
                "file" => {
                    let file = read::text(&path, value)?;
                    content = Some((project.file(&path, &file)?.to_owned(), file));
                }
                "environment" => {
                    let variable = read::text(&path, value)?;
                    let Some(text) = project.environment.get(&variable) else {
                        return Err(Error::Required {
                            path,
                            variable,
                            message: String::new(),
                        });
                    };
                    content = Some((text.clone(), variable));
                }
                "content" => content = Some((read::text(&path, value)?, key.clone())),
                "name" | "external" | "labels" => {}
                key if key.starts_with("x-") => {}
                _ => notes.add(path, "has no equivalent; left out"),
            }
        }
        let (text, origin) = content.ok_or_else(|| {
            read::invalid(
                &self.path,
                "one of file, environment, content, external",
                &Value::Object(self.fields.clone()),
            )
        })?;
        if text.len() > LARGEST_FILE {
            return Err(Error::TooLarge {
                path: self.path.clone(),
                file: origin,
                limit: LARGEST_FILE,
            });
        }
        Ok(text)
    }
}

/// Sorts pairs into those that can be labels and those that can be annotations only.
pub(super) fn sort_labels(
    path: &str,
    value: &Value,
    labels: &mut Map<String, Value>,
    annotations: &mut Map<String, Value>,
    notes: &mut Notes,
) -> Result<(), Error> {
    for (key, value) in read::pairs(path, value)? {
        let path = format!("{path}.{key}");
        let text = if value.is_null() {
            String::new()
        } else {
            read::text(&path, &value)?
        };
        if !words::is_label_key(&key) {
            notes.add(
                path,
                "the key can be neither a label nor an annotation; left out",
            );
        } else if key == "app.kubernetes.io/name" || key == "app.kubernetes.io/part-of" {
            notes.add(path, "this label is set by the conversion; left out");
        } else if words::is_label_value(&text) {
            labels.insert(key, Value::String(text));
        } else {
            annotations.insert(key, Value::String(text));
        }
    }
    Ok(())
}

/// The volumes of a pod and their places in its container.
#[derive(Debug, Default)]
pub(super) struct Mounts {
    /// The volumes of the pod.
    pub(super) volumes: Vec<Value>,
    /// Their places in the container.
    pub(super) places: Vec<Value>,
    /// The named volumes used, by their key in the compose file.
    pub(super) claims: Vec<String>,
    /// The secrets used.
    pub(super) secrets: Vec<String>,
    /// The configs used.
    pub(super) configs: Vec<String>,
    /// Bound files: the content of the service's own `ConfigMap`.
    pub(super) files: Map<String, Value>,
    /// Which file is behind which key of it.
    keys: BTreeMap<String, String>,
}

/// One entry of `volumes`.
#[derive(Debug, Default)]
struct Volume {
    source: Option<String>,
    target: String,
    kind: Kind,
    read_only: bool,
    sub_path: Option<String>,
    size: Option<u64>,
}

#[derive(Debug, Default, PartialEq, Eq)]
enum Kind {
    #[default]
    Named,
    Bind,
    Memory,
}

impl Mounts {
    /// Returns the name of the pod's volume with this source, which is added when new.
    fn volume(&mut self, base: &str, source: &Value) -> String {
        let same = |volume: &&Value| {
            volume.as_object().is_some_and(|volume| {
                source.as_object().is_some_and(|source| {
                    source
                        .iter()
                        .all(|(key, value)| volume.get(key) == Some(value))
                })
            })
        };
        // An emptyDir is another one for every place.
        if source.get("emptyDir").is_none()
            && let Some(name) = self
                .volumes
                .iter()
                .find(same)
                .and_then(|volume| volume["name"].as_str())
        {
            return name.to_owned();
        }
        let base = words::object_name(base).unwrap_or_else(|| "volume".to_owned());
        let base = base
            .get(..57)
            .unwrap_or(&base)
            .trim_end_matches('-')
            .to_owned();
        let taken = |name: &str| self.volumes.iter().any(|volume| volume["name"] == name);
        let mut name = base.clone();
        let mut number = 2_usize;
        while taken(&name) {
            name = format!("{base}-{number}");
            number += 1;
        }
        let mut volume = Map::new();
        volume.insert("name".to_owned(), json!(name));
        if let Some(source) = source.as_object() {
            volume.extend(source.clone());
        }
        self.volumes.push(Value::Object(volume));
        name
    }

    /// Puts a volume at a place of the container, instead of what was there.
    fn place(
        &mut self,
        path: &str,
        volume: &str,
        at: &str,
        (sub_path, read_only): (Option<&str>, bool),
        notes: &mut Notes,
    ) -> Result<(), Error> {
        let at = if at.len() > 1 {
            at.trim_end_matches('/')
        } else {
            at
        };
        if !at.starts_with('/') || at.contains(':') {
            return Err(read::invalid(
                path,
                "an absolute path in the container",
                &json!(at),
            ));
        }
        let mut place = json!({"name": volume, "mountPath": at});
        if let Some(sub_path) = sub_path {
            place["subPath"] = json!(sub_path);
        }
        if read_only {
            place["readOnly"] = json!(true);
        }
        if let Some(other) = self
            .places
            .iter_mut()
            .find(|other| other["mountPath"] == at)
        {
            notes.add(
                path,
                format!("stands in place of what was mounted at {at} before"),
            );
            *other = place;
        } else {
            self.places.push(place);
        }
        Ok(())
    }

    /// Adds memory at a place.
    pub(super) fn memory(
        &mut self,
        path: &str,
        at: &str,
        size: Option<u64>,
        notes: &mut Notes,
    ) -> Result<(), Error> {
        let mut source = json!({"medium": "Memory"});
        if let Some(size) = size {
            source["sizeLimit"] = json!(units::quantity(size));
        }
        let volume = self.volume(&format!("tmpfs-{at}"), &json!({"emptyDir": source}));
        self.place(path, &volume, at, (None, false), notes)
    }

    /// Reads `tmpfs`.
    pub(super) fn tmpfs(
        &mut self,
        path: &str,
        value: &Value,
        notes: &mut Notes,
    ) -> Result<(), Error> {
        for text in read::texts(path, value)? {
            let (at, options) = text.split_once(':').unwrap_or((&text, ""));
            let mut size = None;
            for option in options.split(',').filter(|option| !option.is_empty()) {
                match option.split_once('=') {
                    Some(("size", text)) => {
                        size = Some(units::bytes(text).ok_or_else(|| {
                            read::invalid(path, "a size such as 64m", &json!(text))
                        })?);
                    }
                    _ => notes.add(
                        path,
                        format!("the option {option} has no equivalent; left out"),
                    ),
                }
            }
            self.memory(path, at, size, notes)?;
        }
        Ok(())
    }

    /// Reads `volumes`.
    pub(super) fn read(
        &mut self,
        path: &str,
        value: &Value,
        project: &Project<'_>,
        service: &str,
        notes: &mut Notes,
    ) -> Result<(), Error> {
        for (index, item) in read::list(path, value)?.iter().enumerate() {
            let path = format!("{path}[{index}]");
            let volume = match item {
                Value::Object(entries) => long(&path, entries, notes)?,
                other => Some(short(&path, &read::text(&path, other)?, notes)?),
            };
            if let Some(volume) = volume {
                self.add(&path, &volume, project, service, notes)?;
            }
        }
        Ok(())
    }

    fn add(
        &mut self,
        path: &str,
        volume: &Volume,
        project: &Project<'_>,
        service: &str,
        notes: &mut Notes,
    ) -> Result<(), Error> {
        let options = (volume.sub_path.as_deref(), volume.read_only);
        match (&volume.kind, &volume.source) {
            (Kind::Memory, _) => self.memory(path, &volume.target, volume.size, notes),
            (Kind::Bind, Some(source)) => self.bind(path, source, volume, project, service, notes),
            (Kind::Bind, None) => Err(read::invalid(
                path,
                "a bind mount with a source",
                &Value::Null,
            )),
            (Kind::Named, None) => {
                let name = self.volume(&volume.target, &json!({"emptyDir": {}}));
                self.place(path, &name, &volume.target, options, notes)
            }
            (Kind::Named, Some(source)) => {
                let declared = project
                    .volumes
                    .get(source)
                    .ok_or_else(|| Error::Undeclared {
                        path: path.to_owned(),
                        kind: "volume",
                        name: source.clone(),
                    })?;
                if !self.claims.contains(source) {
                    self.claims.push(source.clone());
                }
                let claim = json!({"persistentVolumeClaim": {"claimName": declared.name}});
                let name = self.volume(&declared.name, &claim);
                self.place(path, &name, &volume.target, options, notes)
            }
        }
    }

    fn bind(
        &mut self,
        path: &str,
        source: &str,
        volume: &Volume,
        project: &Project<'_>,
        service: &str,
        notes: &mut Notes,
    ) -> Result<(), Error> {
        let config_map = format!("{service}-files");
        let found = project.below(source);
        if found.is_empty() {
            notes.add(
                path,
                format!("the host's '{source}' is not there in a cluster; left out"),
            );
            return Ok(());
        }
        if !volume.read_only {
            notes.add(path, "is read-only now: its content is a ConfigMap");
        }
        let mut items = Vec::new();
        for (relative, name) in &found {
            project.check_size(path, name)?;
            let key = self.key(name);
            self.files
                .insert(key.clone(), json!(project.file(path, name)?));
            items.push((key, relative));
        }
        if let [(key, relative)] = items.as_slice()
            && relative.is_empty()
        {
            let name = self.volume("files", &json!({"configMap": {"name": config_map}}));
            return self.place(path, &name, &volume.target, (Some(key), true), notes);
        }
        let items: Vec<_> = items
            .iter()
            .map(|(key, relative)| json!({"key": key, "path": relative}))
            .collect();
        let source = json!({"configMap": {"name": config_map, "items": items}});
        let name = self.volume(&format!("files-{}", volume.target), &source);
        let options = (volume.sub_path.as_deref(), true);
        self.place(path, &name, &volume.target, options, notes)
    }

    /// Returns the key of a bound file, the same one for the same file.
    fn key(&mut self, file: &str) -> String {
        let base = words::data_key(file);
        let mut key = base.clone();
        let mut number = 2_usize;
        while self.keys.get(&key).is_some_and(|other| other != file) {
            let cut = base.get(..240).unwrap_or(&base);
            key = format!("{cut}-{number}");
            number += 1;
        }
        self.keys.insert(key.clone(), file.to_owned());
        key
    }

    /// Reads the `secrets` or the `configs` of a service.
    pub(super) fn grants(
        &mut self,
        path: &str,
        value: &Value,
        kind: &'static str,
        project: &Project<'_>,
        notes: &mut Notes,
    ) -> Result<(), Error> {
        let declared = if kind == "secret" {
            &project.secrets
        } else {
            &project.configs
        };
        for (index, item) in read::list(path, value)?.iter().enumerate() {
            let path = format!("{path}[{index}]");
            let grant = Grant::read(&path, item, notes)?;
            let entry = declared
                .get(&grant.source)
                .ok_or_else(|| Error::Undeclared {
                    path: path.clone(),
                    kind,
                    name: grant.source.clone(),
                })?;
            let target = grant.target.as_deref().unwrap_or(&grant.source);
            let mut source = if kind == "secret" {
                self.secrets.push(grant.source.clone());
                json!({"secretName": entry.name})
            } else {
                self.configs.push(grant.source.clone());
                json!({"name": entry.name})
            };
            let at = match (target.starts_with('/'), kind) {
                (true, _) => target.to_owned(),
                (false, "secret") => format!("/run/secrets/{target}"),
                (false, _) => format!("/{target}"),
            };
            if let Some(mode) = grant.mode {
                source["defaultMode"] = json!(mode);
            }
            let source = if kind == "secret" {
                json!({"secret": source})
            } else {
                json!({"configMap": source})
            };
            let volume = self.volume(&format!("{kind}-{}", entry.name), &source);
            let key = words::data_key(&grant.source);
            self.place(&path, &volume, &at, (Some(&key), true), notes)?;
        }
        Ok(())
    }
}

/// A secret or a config given to a service.
struct Grant {
    source: String,
    target: Option<String>,
    mode: Option<u32>,
}

impl Grant {
    fn read(path: &str, value: &Value, notes: &mut Notes) -> Result<Self, Error> {
        let Value::Object(entries) = value else {
            return Ok(Self {
                source: read::text(path, value)?,
                target: None,
                mode: None,
            });
        };
        let mut source = None;
        let mut target = None;
        let mut mode_of = None;
        for (key, value) in entries {
            let path = format!("{path}.{key}");
            match key.as_str() {
                "source" => source = Some(read::text(&path, value)?),
                "target" => target = Some(read::text(&path, value)?),
                "mode" => mode_of = Some(mode(&path, value)?),
                "uid" | "gid" => notes.add(path, "a mounted file belongs to root; left out"),
                key if key.starts_with("x-") => {}
                _ => notes.add(path, "not known here; left out"),
            }
        }
        let source = source.ok_or_else(|| read::invalid(path, "a source", value))?;
        Ok(Self {
            source,
            target,
            mode: mode_of,
        })
    }
}

/// Reads a file mode. YAML 1.2 has `0440` as the number 440 (with a fraction), YAML 1.1 as 288.
fn mode(path: &str, value: &Value) -> Result<u32, Error> {
    let mode = match value {
        Value::Number(number) if !number.is_f64() => {
            number.as_u64().and_then(|mode| u32::try_from(mode).ok())
        }
        other => read::scalar(other).and_then(|text| {
            let digits = text.strip_prefix("0o").unwrap_or(&text);
            u32::from_str_radix(digits, 8).ok()
        }),
    };
    mode.filter(|mode| *mode <= 0o777)
        .ok_or_else(|| read::invalid(path, "a file mode such as 0440", value))
}

/// Says whether the source of a short form is a place on the host.
fn is_host_path(source: &str) -> bool {
    source.starts_with(['.', '/', '~', '\\']) || source.contains(['/', '\\'])
}

fn short(path: &str, text: &str, notes: &mut Notes) -> Result<Volume, Error> {
    let mut parts: Vec<&str> = text.split(':').collect();
    // `C:\data:/data` has a colon of its own.
    let drive = parts.first().is_some_and(|first| {
        first.len() == 1 && first.chars().all(|letter| letter.is_ascii_alphabetic())
    }) && parts
        .get(1)
        .is_some_and(|next| next.starts_with(['\\', '/']))
        && parts.len() > 2;
    let source_of_drive;
    if drive {
        source_of_drive = parts.get(..2).unwrap_or_default().join(":");
        parts.drain(..2);
        parts.insert(0, &source_of_drive);
    }
    let (source, target, options) = match parts.as_slice() {
        [target] => (None, *target, ""),
        [source, target] => (Some(*source), *target, ""),
        [source, target, options] => (Some(*source), *target, *options),
        _ => return Err(read::invalid(path, "source:target:mode", &json!(text))),
    };
    let mut read_only = false;
    for option in options.split(',') {
        match option {
            "ro" => read_only = true,
            // The last five matter to SELinux and to Docker Desktop only.
            "" | "rw" | "nocopy" | "z" | "Z" | "cached" | "delegated" | "consistent" => {}
            other => notes.add(
                path,
                format!("the option {other} has no equivalent; left out"),
            ),
        }
    }
    Ok(Volume {
        kind: if source.is_some_and(is_host_path) || drive {
            Kind::Bind
        } else {
            Kind::Named
        },
        source: source
            .filter(|source| !source.is_empty())
            .map(str::to_owned),
        target: target.to_owned(),
        read_only,
        ..Volume::default()
    })
}

fn long(
    path: &str,
    entries: &Map<String, Value>,
    notes: &mut Notes,
) -> Result<Option<Volume>, Error> {
    let mut volume = Volume::default();
    for (key, value) in entries {
        if value.is_null() {
            continue;
        }
        let path = format!("{path}.{key}");
        match key.as_str() {
            "type" => match read::text(&path, value)?.as_str() {
                "volume" => volume.kind = Kind::Named,
                "bind" => volume.kind = Kind::Bind,
                "tmpfs" => volume.kind = Kind::Memory,
                other => {
                    notes.add(
                        path,
                        format!("a mount of type {other} has no equivalent; left out"),
                    );
                    return Ok(None);
                }
            },
            "source" => {
                volume.source = Some(read::text(&path, value)?).filter(|text| !text.is_empty());
            }
            "target" => volume.target = read::text(&path, value)?,
            "read_only" => volume.read_only = read::flag(&path, value)?,
            "volume" | "bind" | "tmpfs" => {
                for (option, value) in read::mapping(&path, value)? {
                    let path = format!("{path}.{option}");
                    match option.as_str() {
                        "subpath" => volume.sub_path = Some(read::text(&path, value)?),
                        "size" => {
                            let text = read::text(&path, value)?;
                            let size = units::bytes(&text)
                                .ok_or_else(|| read::invalid(&path, "a size such as 64m", value))?;
                            volume.size = Some(size).filter(|size| *size > 0);
                        }
                        // A claim is never filled from the image, and a missing host path never made.
                        "nocopy" | "create_host_path" | "selinux" => {}
                        _ => notes.add(path, "has no equivalent; left out"),
                    }
                }
            }
            "consistency" => {}
            key if key.starts_with("x-") => {}
            _ => notes.add(path, "not known here; left out"),
        }
    }
    if volume.target.is_empty() {
        return Err(read::invalid(
            path,
            "a mount with a target",
            &Value::Object(entries.clone()),
        ));
    }
    Ok(Some(volume))
}
