//! Settings: flags over environment over project file over user file over system file over
//! built-in defaults, each value with its origin. The keys are a closed table.
//!
//! A project file comes with a repository and isn't trusted: it may set how things look and
//! which namespace is meant, nothing that receives credentials or runs programs.

pub mod edit;
pub mod home;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::Duration,
};

use serde_json::Value;
use weft_domain::{
    duration,
    overlay::Choice,
    path::{Path as FieldPath, Segment},
    yaml,
};

use home::Home;

use crate::error::{Code, Error, Place, Result};

/// Name of a project's configuration file, found upwards from the current folder.
pub const PROJECT_FILE: &str = ".weft.yaml";

/// The file of the whole machine.
const SYSTEM_FILE: &str = "/etc/weft/config.yaml";

/// What a key holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Any text.
    Text,
    /// `true` or `false`.
    Bool,
    /// A duration such as `90s` or `5m`.
    Duration,
    /// One of a list.
    Choice(&'static [&'static str]),
}

/// A configuration key.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// Its name in the files.
    pub name: &'static str,
    /// The environment variable.
    pub variable: &'static str,
    /// What it holds.
    pub shape: Shape,
    /// Whether a project file may set it.
    pub project: bool,
    /// The built-in value.
    pub default: &'static str,
    /// One line.
    pub help: &'static str,
}

/// All keys, by name.
pub const KEYS: &[Key] = &[
    Key {
        name: "color",
        variable: "WEFT_COLOR",
        shape: Shape::Choice(&["auto", "always", "never"]),
        project: true,
        default: "auto",
        help: "when to use colours",
    },
    Key {
        name: "current-context",
        variable: "WEFT_CURRENT_CONTEXT",
        shape: Shape::Text,
        project: false,
        default: "",
        help: "the named context in use",
    },
    Key {
        name: "listen",
        variable: "WEFT_LISTEN",
        shape: Shape::Text,
        project: false,
        default: "127.0.0.1:9081",
        help: "where system start listens",
    },
    Key {
        name: "namespace",
        variable: "WEFT_NAMESPACE",
        shape: Shape::Text,
        project: true,
        default: "",
        help: "the namespace of resources that name none",
    },
    Key {
        name: "no-input",
        variable: "WEFT_NO_INPUT",
        shape: Shape::Bool,
        project: true,
        default: "false",
        help: "never ask",
    },
    Key {
        name: "output",
        variable: "WEFT_OUTPUT",
        shape: Shape::Text,
        project: true,
        default: "table",
        help: "the output format",
    },
    Key {
        name: "request-timeout",
        variable: "WEFT_REQUEST_TIMEOUT",
        shape: Shape::Duration,
        project: true,
        default: "60s",
        help: "how long a call to a remote host may take",
    },
    Key {
        name: "server",
        variable: "WEFT_SERVER",
        shape: Shape::Text,
        project: false,
        default: "",
        help: "the server to use: a context's name, local, or a URL",
    },
    Key {
        name: "token-file",
        variable: "WEFT_TOKEN_FILE",
        shape: Shape::Text,
        project: false,
        default: "",
        help: "file with the server's token",
    },
];

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A flag of this command.
    Flag,
    /// An environment variable.
    Variable(&'static str),
    /// A file.
    File(PathBuf),
    /// The built-in default.
    Default,
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Flag => f.write_str("flag"),
            Self::Variable(name) => write!(f, "environment variable {name}"),
            Self::File(path) => write!(f, "file {}", path.display()),
            Self::Default => f.write_str("default"),
        }
    }
}

/// A named context: a server, and what is meant by default there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NamedContext {
    /// The server's URL; none means the embedded server.
    pub server: Option<String>,
    /// Kubeconfig contexts.
    pub clusters: Vec<String>,
    /// The overlays that designs get there, as `--overlay` takes them; `CONTEXT=NAME` is for one of
    /// the clusters.
    pub overlays: Vec<Choice>,
    /// The namespace.
    pub namespace: Option<String>,
    /// The environment.
    pub environment: Option<String>,
    /// File with the server's token.
    pub token_file: Option<String>,
    /// The file that it stands in.
    pub file: PathBuf,
}

impl NamedContext {
    /// The overlays that it chooses for kubeconfig contexts. They are for its own clusters; one
    /// that names no clusters speaks of all.
    pub fn overlays_for(&self, contexts: &[String]) -> Vec<Choice> {
        let mut found = Vec::new();
        for choice in &self.overlays {
            if self.clusters.is_empty() {
                found.push(choice.clone());
                continue;
            }
            let clusters = self.clusters.iter().filter(|cluster| {
                let context = choice.context.as_ref();
                contexts.contains(cluster) && context.is_none_or(|context| context == *cluster)
            });
            found.extend(clusters.map(|cluster| Choice {
                context: Some(cluster.clone()),
                name: choice.name.clone(),
            }));
        }
        found
    }

    /// Says what is wrong with its overlays.
    ///
    /// # Errors
    /// When one is for a context that is none of the clusters.
    pub fn check_overlays(&self) -> Result<()> {
        for choice in &self.overlays {
            let context = choice.context.as_ref();
            if let Some(context) = context.filter(|context| !self.clusters.contains(context)) {
                let clusters = self.clusters.iter().map(String::as_str);
                return Err(Error::new(
                    Code::Usage,
                    format!("the overlay {choice} is for {context:?}, which is no cluster of the context"),
                )
                .did_you_mean(context, clusters));
            }
        }
        Ok(())
    }
}

/// The settings of a run.
#[derive(Clone, Debug)]
pub struct Config {
    values: BTreeMap<&'static str, (String, Origin)>,
    contexts: BTreeMap<String, NamedContext>,
    file: PathBuf,
    /// Whether the file was asked for by name.
    named: bool,
    /// What the user's file itself says.
    in_file: BTreeMap<&'static str, String>,
}

impl Config {
    /// Reads the files and the environment. `flags` are the values given on the command line.
    ///
    /// # Errors
    /// With file, line and column, for a file with unknown keys or wrong values.
    pub fn load(
        file: PathBuf,
        folder: Option<&Path>,
        variable: impl Fn(&str) -> Option<String>,
        flags: &[(&'static str, String)],
    ) -> Result<Self> {
        let usual = Home::find(&variable).map(|home| home.config_file());
        let named = usual.is_some_and(|usual| usual != file);
        let mut config = Self {
            named,
            ..Self::of_flags(file, &[])
        };
        let mut files = Vec::new();
        if !cfg!(windows) {
            files.push((PathBuf::from(SYSTEM_FILE), true));
        }
        files.push((config.file.clone(), true));
        let home = variable("HOME").map(PathBuf::from);
        if let Some(project) = folder.and_then(|folder| find_project(folder, home.as_deref())) {
            files.push((project, false));
        }
        for (path, trusted) in files {
            config.read(&path, trusted)?;
        }
        for key in KEYS {
            if let Some(value) = variable(key.variable) {
                check(key, &value).map_err(|problem| {
                    Error::new(
                        Code::Usage,
                        format!("the environment variable {} {problem}", key.variable),
                    )
                })?;
                config
                    .values
                    .insert(key.name, (value, Origin::Variable(key.variable)));
            }
        }
        config.take_flags(flags);
        config.apply_context();
        Ok(config)
    }

    /// A context stands between the files and the built-in defaults of the keys it holds. One that
    /// isn't there stands for a server all the same: whoever wants that server hears of it, and
    /// nobody works on the local store instead.
    fn apply_context(&mut self) {
        let Some((name, origin)) = self.values.get("current-context").cloned() else {
            return;
        };
        if name.is_empty() {
            return;
        }
        match self.contexts.get(&name).cloned() {
            None => {
                let server = self.values.get("server");
                if matches!(server, Some((_, Origin::Default | Origin::File(_)))) {
                    self.values.insert("server", (name, origin));
                }
            }
            Some(context) => {
                let origin = Origin::File(context.file);
                let server = context.server.map(|_| name);
                for (key, value) in [("server", server), ("namespace", context.namespace)] {
                    if let (Some(value), Some((_, Origin::Default))) = (value, self.values.get(key))
                    {
                        self.values.insert(key, (value, origin.clone()));
                    }
                }
            }
        }
    }

    /// The built-in values, and those of the command line.
    pub fn of_flags(file: PathBuf, flags: &[(&'static str, String)]) -> Self {
        let values = KEYS
            .iter()
            .map(|key| (key.name, (key.default.to_owned(), Origin::Default)));
        let mut config = Self {
            named: false,
            values: values.collect(),
            contexts: BTreeMap::new(),
            file,
            in_file: BTreeMap::new(),
        };
        config.take_flags(flags);
        config
    }

    fn take_flags(&mut self, flags: &[(&'static str, String)]) {
        for (name, value) in flags {
            self.values.insert(name, (value.clone(), Origin::Flag));
        }
    }

    /// Where a key's value comes from.
    pub fn origin(&self, name: &str) -> &Origin {
        self.values
            .get(name)
            .map_or(&Origin::Default, |(_, origin)| origin)
    }

    fn read(&mut self, path: &Path, trusted: bool) -> Result<()> {
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            Err(error) => {
                return Err(Error::new(Code::ConfigBad, "cannot read the configuration")
                    .at(Place::file(path.display().to_string(), None))
                    .because(error));
            }
        };
        let parsed = Parsed::new(path, &text)?;
        for (name, value) in &parsed.map {
            let at = FieldPath(vec![Segment::Key(name.clone())]);
            if name == "contexts" && trusted {
                self.contexts.extend(parsed.contexts(value)?);
                continue;
            }
            let Some(key) = KEYS.iter().find(|key| key.name == name) else {
                let names = KEYS.iter().map(|key| key.name).chain(["contexts"]);
                return Err(parsed
                    .fail(&at, format!("the key {name:?} is unknown"))
                    .did_you_mean(name, names));
            };
            if !trusted && !key.project {
                return Err(parsed
                    .fail(&at, format!("a project file may not set {name:?}"))
                    .hint(format!(
                        "set it in your own file: weftctl config set {name} VALUE"
                    )));
            }
            let text = match value {
                Value::String(text) => text.clone(),
                Value::Bool(_) | Value::Number(_) => value.to_string(),
                _ => return Err(parsed.fail(&at, format!("the key {name:?} needs a plain value"))),
            };
            check(key, &text)
                .map_err(|problem| parsed.fail(&at, format!("the key {name:?} {problem}")))?;
            if path == self.file {
                self.in_file.insert(key.name, text.clone());
            }
            self.values
                .insert(key.name, (text, Origin::File(path.to_owned())));
        }
        Ok(())
    }

    /// The value of a key; empty when it has none.
    pub fn get(&self, name: &str) -> &str {
        self.values.get(name).map_or("", |(value, _)| value)
    }

    /// The value of a boolean key.
    pub fn is(&self, name: &str) -> bool {
        matches!(self.get(name), "true" | "1")
    }

    /// The value that the user's own file gives a key, whatever is in force.
    pub fn file_value(&self, name: &str) -> Option<String> {
        self.in_file.get(name).cloned()
    }

    /// The value of a key that a flag of this command gives.
    pub fn flag(&self, name: &str) -> Option<&str> {
        match self.values.get(name) {
            Some((value, Origin::Flag)) => Some(value),
            _ => None,
        }
    }

    /// Refuses `--server` for a command that acts on this machine only.
    ///
    /// # Errors
    /// A usage error, when the flag was given.
    pub fn refuse_server(&self) -> Result<()> {
        match self.flag("server") {
            None => Ok(()),
            Some(server) => Err(Error::new(
                Code::Usage,
                format!("this command acts on this machine only: --server {server} has no meaning"),
            )
            .hint("leave --server out, or run the command where the server is")),
        }
    }

    /// Refuses a file that was asked for by name and isn't there, for every command that doesn't
    /// write it.
    ///
    /// # Errors
    /// With the file.
    pub fn require_file(&self) -> Result<()> {
        if !self.named || self.file.exists() {
            return Ok(());
        }
        let file = self.file.display().to_string();
        Err(
            Error::new(Code::SourceNotFound, "there is no such configuration file")
                .hint(format!(
                    "check the path, or make it: weftctl config set KEY VALUE --config {file}"
                ))
                .at(Place::file(file, None)),
        )
    }

    /// The file with the token for a server, named as `--server` names it: the flag and the
    /// variable count before what the server's context says, that before the key of the files.
    pub fn token_file(&self, server: &str) -> Option<&str> {
        let context = self.contexts.get(server);
        match self.values.get("token-file") {
            Some((file, Origin::Flag | Origin::Variable(_))) => Some(file),
            global => context
                .and_then(|context| context.token_file.as_deref())
                .or(global.map(|(file, _)| file.as_str()))
                .filter(|file| !file.is_empty()),
        }
    }

    /// Every key with value and origin, by name.
    pub fn entries(&self) -> impl Iterator<Item = (&'static str, &str, &Origin)> {
        self.values
            .iter()
            .map(|(name, (value, origin))| (*name, value.as_str(), origin))
    }

    /// The named contexts.
    pub fn contexts(&self) -> &BTreeMap<String, NamedContext> {
        &self.contexts
    }

    /// Finds a named context.
    ///
    /// # Errors
    /// When there's none of that name, with a near miss.
    pub fn find_context(&self, name: &str) -> Result<&NamedContext> {
        self.contexts.get(name).ok_or_else(|| {
            let names = self.contexts.keys().map(String::as_str);
            Error::new(Code::ContextNotFound, format!("no context {name:?}"))
                .did_you_mean(name, names)
                .hint("list them: weftctl system context list")
        })
    }

    /// Finds a named context in the user's own file, which is the one that we write.
    ///
    /// # Errors
    /// When there's none of that name, or another file has it.
    pub fn find_own_context(&self, name: &str) -> Result<&NamedContext> {
        let context = self.find_context(name)?;
        if context.file == self.file {
            return Ok(context);
        }
        let own = self.file.display();
        let file = context.file.display().to_string();
        let error = Error::new(
            Code::ContextNotFound,
            format!("{own} has no context {name:?}"),
        );
        Err(error
            .hint(format!("it stands in {file}: change it there"))
            .at(Place::file(file, None)))
    }

    /// The named context in use, as the settings name it.
    ///
    /// # Errors
    /// When there's none of that name, with a near miss.
    pub fn named_context(&self) -> Result<Option<(&str, &NamedContext)>> {
        match self.get("current-context") {
            "" => Ok(None),
            name => Ok(Some((name, self.find_context(name)?))),
        }
    }

    /// The named context in use, if it is there.
    pub fn current_context(&self) -> Option<(&str, &NamedContext)> {
        self.contexts
            .get_key_value(self.get("current-context"))
            .map(|(name, context)| (name.as_str(), context))
    }

    /// The user's file, whether it exists or not.
    pub fn file(&self) -> &Path {
        &self.file
    }
}

/// Reads a time limit; 0 is none, as in kubectl, which here is a year.
///
/// # Errors
/// The rest of a sentence that begins with the key's name.
pub fn timeout(text: &str) -> Result<Duration, String> {
    const NONE: Duration = Duration::from_hours(24 * 365);
    match text {
        "0" | "0s" => Ok(NONE),
        _ => duration::parse(text)
            .map(|limit| limit.min(NONE))
            .ok_or_else(|| format!("must be {}, found {text:?}", duration::EXPECTED)),
    }
}

/// Says what is wrong with a value: "must be …".
///
/// # Errors
/// The rest of a sentence that begins with the key's name.
pub fn check(key: &Key, value: &str) -> Result<(), String> {
    match key.shape {
        Shape::Text => Ok(()),
        Shape::Bool if matches!(value, "true" | "false" | "1" | "0") => Ok(()),
        Shape::Bool => Err(format!("must be true or false, found {value:?}")),
        Shape::Duration => timeout(value).map(|_| ()),
        Shape::Choice(choices) if choices.contains(&value) => Ok(()),
        Shape::Choice(choices) => Err(format!(
            "must be one of {}, found {value:?}",
            choices.join(", ")
        )),
    }
}

/// A project's file: upwards from `folder`, no further than the repository's root or the home.
/// Only the user's own counts, and in a repository that of its owner: anybody may write to `/tmp`.
fn find_project(folder: &Path, home: Option<&Path>) -> Option<PathBuf> {
    let is_root = |folder: &Path| folder.join(".git").exists();
    let here = owner(folder);
    let in_repository = folder
        .ancestors()
        .any(|above| is_root(above) && owner(above) == here);
    let user = home.and_then(owner).or(here);
    let is_trusted = |path: &Path| {
        let owner = owner(path);
        owner == user || in_repository && owner == here
    };
    for above in folder.ancestors() {
        if Some(above) == home || above != folder && !is_trusted(above) {
            return None;
        }
        let file = above.join(PROJECT_FILE);
        if file.is_file() && is_trusted(&file) {
            return Some(file);
        }
        if is_root(above) {
            return None;
        }
    }
    None
}

/// Who owns a file or folder; nobody where files have no owner's number.
fn owner(path: &Path) -> Option<u32> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        std::fs::metadata(path).ok().map(|meta| meta.uid())
    }
    #[cfg(not(unix))]
    {
        let _ = path;
        None
    }
}

struct Parsed<'a> {
    path: &'a Path,
    text: &'a str,
    map: serde_json::Map<String, Value>,
}

impl<'a> Parsed<'a> {
    fn new(path: &'a Path, text: &'a str) -> Result<Self> {
        let file = path.display().to_string();
        let fail = |error: yaml::Error| {
            Error::new(Code::ConfigBad, error.to_string())
                .at(Place::file(file.clone(), Some(error.location)))
        };
        let mut map = serde_json::Map::new();
        for document in yaml::split(text) {
            match yaml::parse(&document, &yaml::Limits::STREAM).map_err(fail)? {
                None => {}
                Some(Value::Object(found)) if map.is_empty() => map = found,
                Some(_) => {
                    return Err(Error::new(
                        Code::ConfigBad,
                        "a configuration is one mapping of keys",
                    )
                    .at(Place::file(path.display().to_string(), None)));
                }
            }
        }
        Ok(Self { path, text, map })
    }

    fn fail(&self, at: &FieldPath, message: String) -> Error {
        let location = yaml::split(self.text)
            .next()
            .map(|document| yaml::Positions::of(&document).key(at));
        Error::new(Code::ConfigBad, message)
            .at(Place::file(self.path.display().to_string(), location))
    }

    fn contexts(&self, value: &Value) -> Result<BTreeMap<String, NamedContext>> {
        let root = Segment::Key("contexts".to_owned());
        let Value::Object(contexts) = value else {
            return Err(self.fail(
                &FieldPath(vec![root]),
                "contexts is a mapping of names".to_owned(),
            ));
        };
        let mut found = BTreeMap::new();
        for (name, fields) in contexts {
            let here = vec![root.clone(), Segment::Key(name.clone())];
            let Value::Object(fields) = fields else {
                return Err(self.fail(
                    &FieldPath(here),
                    format!("the context {name:?} is a mapping of keys"),
                ));
            };
            let mut context = NamedContext {
                file: self.path.to_owned(),
                ..NamedContext::default()
            };
            for (field, value) in fields {
                let mut at = here.clone();
                at.push(Segment::Key(field.clone()));
                let text = || value.as_str().map(str::to_owned);
                let known = match field.as_str() {
                    "server" => {
                        context.server = text();
                        context.server.is_some()
                    }
                    "namespace" => {
                        context.namespace = text();
                        context.namespace.is_some()
                    }
                    "environment" => {
                        context.environment = text();
                        context.environment.is_some()
                    }
                    "token-file" => {
                        context.token_file = text();
                        context.token_file.is_some()
                    }
                    "clusters" => {
                        let list = texts(value);
                        let is_list = list.is_some();
                        context.clusters = list.unwrap_or_default();
                        is_list
                    }
                    "overlays" => {
                        let list = texts(value);
                        let is_list = list.is_some();
                        let choices = list.unwrap_or_default().into_iter();
                        let choices = choices.map(|text| text.parse::<Choice>());
                        let choices = choices.collect::<Result<Vec<_>, _>>();
                        context.overlays = choices.map_err(|problem| {
                            self.fail(&FieldPath(at.clone()), problem.to_owned())
                        })?;
                        is_list
                    }
                    _ => {
                        return Err(self
                            .fail(&FieldPath(at), format!("a context has no key {field:?}"))
                            .hint("a context holds server, token-file, clusters, overlays, namespace and environment"));
                    }
                };
                if !known {
                    return Err(self.fail(
                        &FieldPath(at),
                        format!("the value of {field:?} has the wrong type"),
                    ));
                }
            }
            context.check_overlays().map_err(|error| {
                let mut at = here.clone();
                at.push(Segment::Key("overlays".to_owned()));
                let mut failed = self.fail(&FieldPath(at), error.message().to_owned());
                for hint in error.own_hints() {
                    failed = failed.hint(hint);
                }
                failed
            })?;
            found.insert(name.clone(), context);
        }
        Ok(found)
    }
}

/// A list of texts.
fn texts(value: &Value) -> Option<Vec<String>> {
    let items = value.as_array()?.iter();
    items.map(|item| item.as_str().map(str::to_owned)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_layer_wins_over_those_below() {
        let folder = tempfile::tempdir().unwrap();
        let user = folder.path().join("config.yaml");
        let project = folder.path().join("work/deep");
        std::fs::create_dir_all(&project).unwrap();
        std::fs::write(&user, "output: json\ncolor: never\nnamespace: user\n").unwrap();
        std::fs::write(
            folder.path().join("work").join(PROJECT_FILE),
            "namespace: project\n",
        )
        .unwrap();
        let variable = |name: &str| (name == "WEFT_COLOR").then(|| "always".to_owned());
        let config = Config::load(
            user.clone(),
            Some(&project),
            variable,
            &[("output", "yaml".into())],
        )
        .unwrap();
        let seen: Vec<String> = ["output", "color", "namespace", "request-timeout"]
            .map(|k| {
                let (_, value, origin) = config.entries().find(|e| e.0 == k).unwrap();
                format!("{k}={value} from {origin}")
                    .replace(&folder.path().display().to_string(), "")
            })
            .into();
        assert_eq!(
            seen,
            [
                "output=yaml from flag",
                "color=always from environment variable WEFT_COLOR",
                "namespace=project from file /work/.weft.yaml",
                "request-timeout=60s from default",
            ]
        );
    }

    #[test]
    fn a_project_file_may_not_set_where_credentials_go() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(
            folder.path().join(PROJECT_FILE),
            "color: never\nserver: https://evil.example\n",
        )
        .unwrap();
        let error = Config::load(
            folder.path().join("none.yaml"),
            Some(folder.path()),
            |_| None,
            &[],
        )
        .unwrap_err();
        assert_eq!(
            (error.code(), error.place().line),
            (Code::ConfigBad, Some(2))
        );
    }

    /// The settings of a user's file alone, with flags and variables.
    fn of(text: &str, variables: &[(&str, &str)], flags: &[(&'static str, &str)]) -> Config {
        let folder = tempfile::tempdir().unwrap();
        let user = folder.path().join("config.yaml");
        std::fs::write(&user, text).unwrap();
        let flags: Vec<(&'static str, String)> = flags
            .iter()
            .map(|(name, value)| (*name, (*value).to_owned()))
            .collect();
        let variable = |name: &str| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        Config::load(user, None, variable, &flags).unwrap()
    }

    #[test]
    fn a_current_context_that_is_not_there_stands_for_a_server_that_nobody_finds() {
        let text = "contexts: {prod: {server: 'https://a.example'}}\n";
        let file = of(&format!("{text}current-context: prdo\n"), &[], &[]);
        let variable = of(text, &[("WEFT_CURRENT_CONTEXT", "prdo")], &[]);
        for config in [file, variable] {
            let error = config.find_context(config.get("server")).unwrap_err();
            assert_eq!(error.code(), Code::ContextNotFound);
            assert!(error.render(true).contains("did you mean \"prod\"?"));
            assert!(config.named_context().is_err());
        }
        let flag = of(
            &format!("{text}current-context: prdo\n"),
            &[],
            &[("server", "prod")],
        );
        assert_eq!(flag.get("server"), "prod");
        let right = of(&format!("{text}current-context: prod\n"), &[], &[]);
        assert_eq!(right.get("server"), "prod");
    }

    #[test]
    fn a_contexts_own_token_goes_to_its_server_only() {
        let text = "token-file: all\ncontexts: {a: {server: 'https://a.example', token-file: own}, b: {}}\n";
        let config = of(text, &[], &[]);
        assert_eq!(config.token_file("a"), Some("own"));
        assert_eq!(config.token_file("b"), Some("all"));
        assert_eq!(config.token_file("https://c.example"), Some("all"));
        assert_eq!(of("", &[], &[]).token_file("a"), None);
        let config = of(text, &[], &[("token-file", "mine")]);
        assert_eq!(config.token_file("a"), Some("mine"));
        let config = of(text, &[("WEFT_TOKEN_FILE", "theirs")], &[]);
        assert_eq!(config.token_file("a"), Some("theirs"));
    }

    #[test]
    fn a_context_of_another_file_is_not_ours_to_change() {
        let folder = tempfile::tempdir().unwrap();
        let [machine, user] = ["machine.yaml", "user.yaml"].map(|name| folder.path().join(name));
        std::fs::write(&machine, "contexts: {a: {}, b: {}}").unwrap();
        std::fs::write(&user, "contexts: {b: {}}").unwrap();
        let mut config = Config::load(user.clone(), None, |_| None, &[]).unwrap();
        config.contexts.clear();
        config.read(&machine, true).unwrap();
        config.read(&user, true).unwrap();
        assert_eq!(config.find_own_context("b").unwrap().file, user);
        let error = config.find_own_context("a").unwrap_err();
        assert!(error.render(true).contains(&machine.display().to_string()));
    }

    #[cfg(unix)]
    #[test]
    fn a_project_file_of_another_user_does_not_count() {
        let folder = tempfile::tempdir().unwrap();
        let mine = folder.path().join("shared/mine/deep");
        std::fs::create_dir_all(&mine).unwrap();
        let home = folder.path().join("home");
        std::fs::create_dir(&home).unwrap();
        let file = folder.path().join("shared").join(PROJECT_FILE);
        std::fs::write(&file, "color: never\n").unwrap();
        assert_eq!(find_project(&mine, Some(&home)), Some(file.clone()));
        // Only root can give files away.
        let foreign = |path: &Path| std::os::unix::fs::chown(path, Some(65534), None);
        if foreign(&file).is_err() {
            return;
        }
        assert_eq!(find_project(&mine, Some(&home)), None);
        std::fs::write(mine.join(PROJECT_FILE), "color: never\n").unwrap();
        assert!(find_project(&mine, Some(&home)).is_some());
        std::fs::remove_file(mine.join(PROJECT_FILE)).unwrap();
        // Neither does a repository of theirs around ours make it count.
        let shared = folder.path().join("shared");
        foreign(&shared).unwrap();
        std::fs::create_dir(shared.join(".git")).unwrap();
        assert_eq!(find_project(&mine, Some(&home)), None);
        // In a repository of somebody else, as in a container, its own file counts.
        assert_eq!(find_project(&shared, Some(&home)), Some(file));
    }
}
