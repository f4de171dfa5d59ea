//! Where a design comes from, and what came from there.
//!
//! A [`Source`] is a command-line argument parsed once; a [`Bundle`] is what the caller's machine read
//! from it and sends on. What a text is (manifest, design, compose file, …) is recognised here by its
//! content, with a cheap look at the head of its first document; the full parsers come later and have
//! the last word. Nothing here reads anything.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::yaml;

/// Query parameters whose values are shown; the values of all others may be secrets.
const SHOWN_PARAMETERS: [&str; 8] = [
    "ref", "branch", "tag", "version", "path", "raw", "format", "download",
];

/// What stands for a hidden value.
const HIDDEN: &str = "***";

/// A place that a design can be read from, as named on the command line.
///
/// `Display` and `Debug` leave out user names, passwords and tokens in addresses.
#[derive(Clone, PartialEq, Eq)]
pub enum Source {
    /// `-`: standard input.
    Stdin,
    /// A file or a folder; with a chart repository at hand, the name of a chart in it.
    Path(PathBuf),
    /// An `http://` or `https://` address, as typed.
    Url(String),
    /// A chart in an OCI registry.
    Chart {
        /// The parsed `oci://` reference.
        reference: ChartReference,
    },
}

impl Source {
    /// Returns what the user typed, without credentials.
    pub fn origin(&self) -> String {
        match self {
            Self::Stdin => "-".to_owned(),
            Self::Path(path) => path.display().to_string(),
            Self::Url(url) => mask(url.split('#').next().unwrap_or(url)),
            Self::Chart { reference } => reference.to_string(),
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.origin())
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self {
            Self::Stdin => "Stdin",
            Self::Path(_) => "Path",
            Self::Url(_) => "Url",
            Self::Chart { .. } => "Chart",
        };
        write!(f, "{kind}({})", self.origin())
    }
}

impl FromStr for Source {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        if text == "-" {
            return Ok(Self::Stdin);
        }
        if text.is_empty() {
            return Err(ParseError::new(text, 0, "a source is empty"));
        }
        match scheme(text) {
            Some("http" | "https") => {
                check_url(text)?;
                Ok(Self::Url(text.to_owned()))
            }
            Some("oci") => Ok(Self::Chart {
                reference: text.parse()?,
            }),
            Some("file") => Err(ParseError::new(
                text,
                0,
                "\"file\" addresses are not read, give the path itself",
            )),
            Some(_) => Err(ParseError::new(
                text,
                0,
                "an address begins with http://, https:// or oci://",
            )),
            None => match text.char_indices().find(|(_, c)| *c == '\0') {
                Some((at, _)) => Err(ParseError::new(text, at, "a path contains a zero byte")),
                None => Ok(Self::Path(PathBuf::from(text))),
            },
        }
    }
}

/// Whether an argument names a source rather than something stored: it is `-` or an address, has
/// a slash, or the extension of a file that is read.
pub fn looks_like_path(argument: &str) -> bool {
    const EXTENSIONS: &[&str] = &[".yaml", ".yml", ".json", ".tgz", ".tar", ".gz"];
    let lower = argument.to_lowercase();
    argument == "-"
        || argument == "."
        || argument == ".."
        || argument.contains(['/', '\\'])
        || EXTENSIONS
            .iter()
            .any(|extension| lower.ends_with(extension))
}

/// Why an argument is not a source, and where in it. Never repeats the argument, which may hold a password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason} (at character {column})")]
pub struct ParseError {
    /// The position of the offending character, counted from 1.
    pub column: usize,
    /// What is wrong there.
    pub reason: &'static str,
}

impl ParseError {
    fn new(text: &str, at: usize, reason: &'static str) -> Self {
        let before = text.get(..at).unwrap_or(text);
        Self {
            column: before.chars().count() + 1,
            reason,
        }
    }
}

/// A chart in an OCI registry: `oci://host[:port]/repository[:tag][@sha256:digest]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChartReference {
    /// The registry's host, with its port where one was given.
    pub host: String,
    /// The repository's path; its last component is the chart's name.
    pub repository: String,
    /// The tag, which is the chart's version with `_` for `+`.
    pub tag: Option<String>,
    /// The digest, `sha256:` and 64 hexadecimal digits.
    pub digest: Option<String>,
}

impl ChartReference {
    /// Returns the chart's name: the last component of the repository.
    pub fn name(&self) -> &str {
        self.repository
            .rsplit('/')
            .next()
            .unwrap_or(&self.repository)
    }

    /// Returns the chart version that the tag stands for.
    pub fn version(&self) -> Option<String> {
        self.tag.as_ref().map(|tag| tag.replace('_', "+"))
    }
}

impl fmt::Display for ChartReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "oci://{}/{}", self.host, self.repository)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        if let Some(digest) = &self.digest {
            write!(f, "@{digest}")?;
        }
        Ok(())
    }
}

impl FromStr for ChartReference {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let fail = |at: usize, reason| Err(ParseError::new(text, at, reason));
        let Some(begin) = after_scheme(text, "oci") else {
            return fail(0, "a chart reference begins with oci://");
        };
        let rest = &text[begin..];
        let Some(slash) = rest.find('/') else {
            return fail(text.len(), "the repository is missing after the host");
        };
        check_authority(text, begin, &rest[..slash], false)?;
        let path_at = begin + slash + 1;
        let (named, digest) = match text[path_at..].find('@') {
            Some(at) => (
                &text[path_at..path_at + at],
                Some(&text[path_at + at + 1..]),
            ),
            None => (&text[path_at..], None),
        };
        let (repository, tag) = match named.find(':') {
            Some(at) => (&named[..at], Some(&named[at + 1..])),
            None => (named, None),
        };
        check_repository(text, path_at, repository)?;
        if let Some(tag) = tag {
            check_tag(text, path_at + repository.len() + 1, tag)?;
        }
        if let Some(digest) = digest {
            check_digest(text, text.len() - digest.len(), digest)?;
        }
        Ok(Self {
            host: rest[..slash].to_owned(),
            repository: repository.to_owned(),
            tag: tag.map(str::to_owned),
            digest: digest.map(str::to_owned),
        })
    }
}

/// Returns the scheme of an address in lower case; a relative path has none.
fn scheme(text: &str) -> Option<&'static str> {
    let (word, rest) = text.split_once(':')?;
    let known = ["http", "https", "oci", "file"]
        .into_iter()
        .find(|known| word.eq_ignore_ascii_case(known));
    let is_word = word.starts_with(|c: char| c.is_ascii_alphabetic())
        && word
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'));
    match known {
        Some(known) => Some(known),
        None if is_word && rest.starts_with("//") => Some("other"),
        None => None,
    }
}

/// Returns where the part after `scheme://` begins.
fn after_scheme(text: &str, scheme: &str) -> Option<usize> {
    let head = text.get(..scheme.len())?;
    (head.eq_ignore_ascii_case(scheme) && text[scheme.len()..].starts_with("://"))
        .then_some(scheme.len() + 3)
}

fn check_url(text: &str) -> Result<(), ParseError> {
    let Some(begin) = after_scheme(text, "https").or_else(|| after_scheme(text, "http")) else {
        let at = text.find(':').map_or(text.len(), |at| at + 1);
        return Err(ParseError::new(text, at, "\"//\" is missing here"));
    };
    let odd = |c: char| c.is_whitespace() || c.is_control() || c == '\\';
    if let Some(at) = text.find(odd) {
        return Err(ParseError::new(
            text,
            at,
            "an address holds no spaces, control characters or backslashes",
        ));
    }
    let end = text[begin..]
        .find(['/', '?', '#'])
        .map_or(text.len(), |at| begin + at);
    check_authority(text, begin, &text[begin..end], true)
}

/// Checks `[user@]host[:port]`, which begins at byte `at` of `text`.
fn check_authority(
    text: &str,
    at: usize,
    authority: &str,
    user_allowed: bool,
) -> Result<(), ParseError> {
    let fail = |at: usize, reason| Err(ParseError::new(text, at, reason));
    let host_at = match authority.rfind('@') {
        Some(_) if !user_allowed => {
            return fail(
                at,
                "credentials do not belong into a reference, use a login of the registry",
            );
        }
        Some(found) => found + 1,
        None => 0,
    };
    let host_port = &authority[host_at..];
    let at = at + host_at;
    let (host, port_at) = if host_port.starts_with('[') {
        let Some(close) = host_port.find(']') else {
            return fail(at, "the bracket around an IPv6 address is not closed");
        };
        if let Err(_not_an_address) = host_port[1..close].parse::<std::net::Ipv6Addr>() {
            return fail(at + 1, "not an IPv6 address");
        }
        (&host_port[..=close], close + 1)
    } else {
        let end = host_port.find(':').unwrap_or(host_port.len());
        let bad = |c: char| !(c.is_alphanumeric() || matches!(c, '-' | '.' | '_' | '%'));
        if let Some(bad_at) = host_port[..end].find(bad) {
            return fail(at + bad_at, "this character cannot stand in a host name");
        }
        (&host_port[..end], end)
    };
    if host.is_empty() {
        return fail(at, "the host is missing");
    }
    match host_port[port_at..].strip_prefix(':') {
        None if port_at == host_port.len() => Ok(()),
        None => fail(at + port_at, "a port begins with a colon"),
        Some(port) => match port.parse::<u16>() {
            Ok(_) => Ok(()),
            Err(_) => fail(at + port_at + 1, "a port is a number from 0 to 65535"),
        },
    }
}

fn check_repository(text: &str, at: usize, repository: &str) -> Result<(), ParseError> {
    let fail = |at: usize, reason| Err(ParseError::new(text, at, reason));
    let letter = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let mut begin = at;
    for part in repository.split('/') {
        if part.is_empty() {
            return fail(begin, "a part of the repository is empty");
        }
        if let Some(bad) = part.find(|c| !letter(c) && !matches!(c, '.' | '_' | '-')) {
            return fail(
                begin + bad,
                "a repository holds lower-case letters, digits, '.', '_', '-' and '/'",
            );
        }
        if !part.starts_with(letter) {
            return fail(
                begin,
                "a part of a repository begins with a letter or digit",
            );
        }
        if !part.ends_with(letter) {
            return fail(
                begin + part.len() - 1,
                "a part of a repository ends with a letter or digit",
            );
        }
        begin += part.len() + 1;
    }
    Ok(())
}

fn check_tag(text: &str, at: usize, tag: &str) -> Result<(), ParseError> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-' | '+');
    if let Some(bad) = tag.find(|c| !allowed(c)) {
        return Err(ParseError::new(
            text,
            at + bad,
            "this character cannot stand in a tag",
        ));
    }
    if tag.is_empty() || tag.starts_with(['.', '-', '+']) {
        return Err(ParseError::new(
            text,
            at,
            "a tag begins with a letter, a digit or '_'",
        ));
    }
    if tag.len() > 128 {
        return Err(ParseError::new(
            text,
            at + 128,
            "a tag has at most 128 characters",
        ));
    }
    Ok(())
}

fn check_digest(text: &str, at: usize, digest: &str) -> Result<(), ParseError> {
    let Some(hex) = digest.strip_prefix("sha256:") else {
        return Err(ParseError::new(text, at, "a digest begins with sha256:"));
    };
    let hex_at = at + "sha256:".len();
    let is_digit = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
    if let Some(bad) = hex.find(|c| !is_digit(c)) {
        return Err(ParseError::new(
            text,
            hex_at + bad,
            "a digest holds lower-case hexadecimal digits",
        ));
    }
    if hex.len() != 64 {
        return Err(ParseError::new(
            text,
            hex_at + hex.len().min(64),
            "a sha256 digest has 64 digits",
        ));
    }
    Ok(())
}

/// Returns a text in which no address carries a user, a password or a query value that may be secret.
pub fn mask(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(found) = rest.find("://") {
        let (before, after) = rest.split_at(found + 3);
        out.push_str(before);
        let end = after
            .find(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '<' | '>' | '`'))
            .unwrap_or(after.len());
        let (address, behind) = after.split_at(end);
        mask_address(address, &mut out);
        rest = behind;
    }
    out.push_str(rest);
    out
}

/// Appends the part of an address behind `://`, masked.
fn mask_address(address: &str, out: &mut String) {
    let (place, query) = match address.split_once('?') {
        Some((place, query)) => (place, Some(query)),
        None => (address, None),
    };
    let authority_end = place.find(['/', '#']).unwrap_or(place.len());
    let authority = &place[..authority_end];
    // A password with an unescaped '/' puts its '@' behind the authority; what looks like a port is then none.
    let is_odd = !authority.starts_with('[')
        && authority
            .rsplit_once(':')
            .is_some_and(|(_, port)| !port.chars().all(|c| c.is_ascii_digit()));
    let searched = if is_odd { place } else { authority };
    let hidden_until = searched.rfind('@').map_or(0, |at| at + 1);
    out.push_str(&place[hidden_until..]);
    let Some(query) = query else { return };
    for (index, pair) in query.split('&').enumerate() {
        out.push(if index == 0 { '?' } else { '&' });
        match pair.split_once('=') {
            Some((name, _)) if !SHOWN_PARAMETERS.contains(&name) => {
                out.push_str(name);
                out.push('=');
                out.push_str(HIDDEN);
            }
            Some(_) => out.push_str(pair),
            None => out.push_str(if pair.is_empty() { "" } else { HIDDEN }),
        }
    }
}

/// The texts that were read from one source, ready to be sent and turned into a design.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Bundle {
    /// A suggested name: the file's stem, the folder's or the chart's name.
    pub name: String,
    /// What the user typed, without credentials.
    pub origin: String,
    /// What the files are.
    pub form: Form,
    /// The files in a fixed order. Of a compose project the compose file is first, followed by those it refers to.
    pub files: Vec<SourceFile>,
    /// The files of overlays, each `overlays/NAME/…`; those that are called `values.yaml` hold values.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub overlays: Vec<SourceFile>,
    /// The file that declares the values of the design.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub values: Option<SourceFile>,
    /// What was left out and why, one sentence each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// Limits of the texts that the user has changed.
    #[serde(default, skip_serializing_if = "TextLimits::is_usual")]
    pub limits: TextLimits,
}

impl Bundle {
    /// Makes a bundle of files, with nothing beside them.
    pub fn new(name: String, origin: String, form: Form, files: Vec<SourceFile>) -> Self {
        Self {
            name,
            origin,
            form,
            files,
            overlays: Vec::new(),
            values: None,
            notes: Vec::new(),
            limits: TextLimits::default(),
        }
    }
}

/// Limits of texts where they are not the usual ones of [`yaml::Limits`]. Depth has none: no
/// parser of JSON on the way to a cluster takes more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct TextLimits {
    /// Bytes of one document.
    pub document_bytes: Option<usize>,
    /// Nodes of one document, aliases expanded.
    pub nodes: Option<usize>,
    /// Documents of one input.
    pub documents: Option<usize>,
}

/// The folder of overlays in the folder of a design.
const OVERLAYS: &str = "overlays/";

/// Reports whether a file of a folder belongs to overlays, by its path in the folder.
pub fn is_in_overlays(path: &str) -> bool {
    path.starts_with(OVERLAYS)
}

/// Returns the name of the overlay that a file of a folder belongs to, by its path in the folder.
pub fn overlay_of(path: &str) -> Option<&str> {
    let (name, _) = path.strip_prefix(OVERLAYS)?.split_once('/')?;
    Some(name)
}

/// Reports whether a file at the top of a folder declares the values of its design, unless it is an
/// object.
pub fn is_values(path: &str) -> bool {
    matches!(path, "values.yaml" | "values.yml" | "values.json")
}

impl TextLimits {
    fn is_usual(&self) -> bool {
        *self == Self::default()
    }

    /// Returns the usual limits with the changed ones in their place.
    pub fn over(&self, usual: yaml::Limits) -> yaml::Limits {
        yaml::Limits {
            document_bytes: self.document_bytes.unwrap_or(usual.document_bytes),
            nodes: self.nodes.unwrap_or(usual.nodes),
            documents: self.documents.unwrap_or(usual.documents),
            depth: usual.depth,
        }
    }
}

/// One text of a [`Bundle`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SourceFile {
    /// The path as shown in messages, relative to the source, with `/` between its parts.
    pub path: String,
    /// The content.
    pub text: String,
}

/// What a source holds. The names are those that Meshery uses for the type of a design.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
pub enum Form {
    /// Kubernetes objects.
    #[serde(
        rename = "Kubernetes Manifest",
        alias = "k8s-manifest",
        alias = "manifest",
        alias = "K8s Manifest"
    )]
    Manifest,
    /// A design in any of its schema versions.
    #[serde(rename = "Design", alias = "meshery-design", alias = "design")]
    Design,
    /// What a Helm chart renders to.
    #[serde(rename = "Helm Chart", alias = "helm-chart", alias = "chart")]
    Chart,
    /// What a kustomization builds.
    #[serde(
        rename = "Kustomize",
        alias = "k8s-kustomize",
        alias = "kustomize",
        alias = "Kubernetes Kustomize"
    )]
    Kustomization,
    /// A compose project.
    #[serde(rename = "Docker Compose", alias = "docker-compose", alias = "compose")]
    Compose,
}

impl Form {
    /// All forms, in the order in which they are offered.
    pub const ALL: [Self; 5] = [
        Self::Manifest,
        Self::Design,
        Self::Chart,
        Self::Kustomization,
        Self::Compose,
    ];

    /// Returns the name used in files and on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Manifest => "Kubernetes Manifest",
            Self::Design => "Design",
            Self::Chart => "Helm Chart",
            Self::Kustomization => "Kustomize",
            Self::Compose => "Docker Compose",
        }
    }
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Reports whether a folder with these file names at its top is a Helm chart.
pub fn is_chart_folder<'a>(names: impl IntoIterator<Item = &'a str>) -> bool {
    names.into_iter().any(|name| name == "Chart.yaml")
}

/// Reports whether a folder with these file names at its top is a kustomization.
pub fn is_kustomization<'a>(names: impl IntoIterator<Item = &'a str>) -> bool {
    names.into_iter().any(|name| {
        matches!(
            name,
            "kustomization.yaml" | "kustomization.yml" | "Kustomization"
        )
    })
}

/// The names that a compose file has by default, the preferred one first.
pub const COMPOSE_NAMES: [&str; 4] = [
    "compose.yaml",
    "compose.yml",
    "docker-compose.yaml",
    "docker-compose.yml",
];

/// Reports whether a file is a compose file by its name alone.
pub fn is_compose_name(name: &str) -> bool {
    COMPOSE_NAMES.contains(&name)
}

/// Reports whether a file of this name is read when its folder is the source.
pub fn is_read_in_folder(name: &str) -> bool {
    let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
    !is_hidden(name)
        && ["yaml", "yml", "json"]
            .iter()
            .any(|read| extension.eq_ignore_ascii_case(read))
}

/// Reports whether a file or folder of this name is hidden.
pub fn is_hidden(name: &str) -> bool {
    name.starts_with('.')
}

/// Returns a file's name without the extensions of texts and archives.
pub fn stem(name: &str) -> &str {
    let mut stem = name;
    for extension in [".gz", ".tgz", ".tar", ".yaml", ".yml", ".json"] {
        let cut = stem.len().saturating_sub(extension.len());
        if cut > 0 && stem.is_char_boundary(cut) && stem[cut..].eq_ignore_ascii_case(extension) {
            stem = &stem[..cut];
        }
    }
    stem
}

/// Recognises what a text is by the head of its first document. `None` leaves the question to the parser.
///
/// Only [`Form::Manifest`], [`Form::Design`], [`Form::Kustomization`] and [`Form::Compose`] are texts.
pub fn recognise(text: &str) -> Option<Form> {
    let document = first_document(text)?;
    let head = Head::of(document);
    if let (Some(api_version), Some(_)) = (&head.api_version, &head.kind) {
        return Some(if api_version.starts_with("kustomize.config.k8s.io/") {
            Form::Kustomization
        } else {
            Form::Manifest
        });
    }
    if let Some(version) = &head.schema_version {
        let is_design = version.starts_with("designs.meshery.io/") || head.components;
        return is_design.then_some(Form::Design);
    }
    if !head.services {
        return None;
    }
    // The old form of a design and a compose file both have a map of services: only their entries differ.
    let value = parse(document)?;
    let services = value.get("services")?.as_object()?;
    let any = |keys: &[&str]| {
        services
            .values()
            .any(|service| keys.iter().any(|key| service.get(*key).is_some()))
    };
    if any(&["image", "build", "extends"]) {
        Some(Form::Compose)
    } else if any(&["type"]) {
        Some(Form::Design)
    } else {
        None
    }
}

/// Returns the name that a `Chart.yaml` gives to its chart.
pub fn chart_name(text: &str) -> Option<String> {
    Head::of(first_document(text)?).name
}

/// Returns `Kind/name` of a rendered document that is a Helm test, which is not part of what is installed.
pub fn helm_test(document: &str) -> Option<String> {
    if !document.contains("helm.sh/hook") {
        return None;
    }
    let value = parse(document)?;
    let metadata = value.get("metadata")?;
    let hooks = metadata.get("annotations")?.get("helm.sh/hook")?.as_str()?;
    let is_test = |hook: &str| matches!(hook.trim(), "test" | "test-success" | "test-failure");
    hooks.split(',').any(is_test).then(|| {
        let text = |value: Option<&Value>| {
            value
                .and_then(Value::as_str)
                .unwrap_or("unnamed")
                .to_owned()
        };
        format!("{}/{}", text(value.get("kind")), text(metadata.get("name")))
    })
}

/// Why a compose file names another file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ComposeRole {
    /// Variables of a service: `env_file`, `label_file`.
    Variables,
    /// The content of a config or a secret.
    Content,
    /// A path of the host that is mounted.
    Mount,
    /// Another compose file: `extends`, `include`.
    Compose,
}

/// A file that a compose file names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ComposeReference {
    /// What it is for.
    pub role: ComposeRole,
    /// The path as written, relative to the compose file's folder.
    pub path: String,
    /// Where it is named, such as `services.web.env_file`.
    pub field: String,
}

/// Lists the files that a compose file names, in the order of the file, each path once.
pub fn compose_references(text: &str) -> Vec<ComposeReference> {
    let mut found = References::default();
    let Some(value) = first_document(text).and_then(parse) else {
        return found.list;
    };
    for (index, include) in items(value.get("include")).enumerate() {
        let field = format!("include[{index}]");
        match include {
            Value::Object(_) => {
                found.add_all(include.get("path"), ComposeRole::Compose, &field);
                found.add_all(include.get("env_file"), ComposeRole::Variables, &field);
            }
            other => found.add_all(Some(other), ComposeRole::Compose, &field),
        }
    }
    for (name, service) in entries(value.get("services")) {
        let at = |key: &str| format!("services.{name}.{key}");
        for key in ["env_file", "label_file"] {
            found.add_all(service.get(key), ComposeRole::Variables, &at(key));
        }
        let extended = service
            .get("extends")
            .and_then(|extends| extends.get("file"));
        found.add_all(extended, ComposeRole::Compose, &at("extends"));
        for volume in items(service.get("volumes")) {
            found.add_mount(volume, &at("volumes"));
        }
    }
    for section in ["configs", "secrets"] {
        for (name, entry) in entries(value.get(section)) {
            let field = format!("{section}.{name}.file");
            found.add_all(entry.get("file"), ComposeRole::Content, &field);
        }
    }
    found.list
}

#[derive(Default)]
struct References {
    list: Vec<ComposeReference>,
}

impl References {
    /// Adds a path, a list of paths, or a list of objects with a `path`.
    fn add_all(&mut self, value: Option<&Value>, role: ComposeRole, field: &str) {
        for item in items(value) {
            let path = item.get("path").unwrap_or(item);
            if let Some(path) = path.as_str() {
                self.add(path, role, field);
            }
        }
    }

    fn add_mount(&mut self, volume: &Value, field: &str) {
        if let Some(short) = volume.as_str() {
            let source = short.split_once(':').map_or("", |(source, _)| source);
            if source.starts_with(['.', '/', '~', '$']) {
                self.add(source, ComposeRole::Mount, field);
            }
        } else if volume.get("type").and_then(Value::as_str) == Some("bind")
            && let Some(source) = volume.get("source").and_then(Value::as_str)
        {
            self.add(source, ComposeRole::Mount, field);
        }
    }

    fn add(&mut self, path: &str, role: ComposeRole, field: &str) {
        let known = |reference: &ComposeReference| reference.path == path;
        if !path.is_empty() && !self.list.iter().any(known) {
            self.list.push(ComposeReference {
                role,
                path: path.to_owned(),
                field: field.to_owned(),
            });
        }
    }
}

/// Returns the items of a list, or a single value as a list of one.
fn items(value: Option<&Value>) -> impl Iterator<Item = &Value> {
    match value {
        Some(Value::Array(items)) => items.as_slice(),
        Some(Value::Null) | None => &[],
        Some(single) => std::slice::from_ref(single),
    }
    .iter()
}

fn entries(value: Option<&Value>) -> impl Iterator<Item = (&String, &Value)> {
    value.and_then(Value::as_object).into_iter().flatten()
}

/// Returns the first document with content, without its `---` line.
fn first_document(text: &str) -> Option<&str> {
    let mut begin = 0;
    let mut at = 0;
    let mut has_content = false;
    for line in text.split_inclusive('\n') {
        let bare = line.trim_end();
        let marker = (bare == "---" || bare == "..." || bare.starts_with("--- ")).then_some(at);
        if let Some(end) = marker {
            if has_content {
                return Some(&text[begin..end]);
            }
            begin = at + 3;
            has_content = is_content(&bare[3..]);
        } else if !bare.starts_with('%') {
            has_content = has_content || is_content(bare);
        } else if !has_content {
            begin = at + line.len();
        }
        at += line.len();
    }
    has_content.then(|| &text[begin..])
}

fn is_content(line: &str) -> bool {
    let line = line.trim();
    !(line.is_empty() || line.starts_with('#') || line == "null" || line == "~")
}

/// The top-level keys by which a document is recognised.
#[derive(Debug, Default)]
struct Head {
    api_version: Option<String>,
    kind: Option<String>,
    schema_version: Option<String>,
    name: Option<String>,
    services: bool,
    components: bool,
}

impl Head {
    fn of(document: &str) -> Self {
        let mut head = Self::default();
        if document.trim_start().starts_with('{') {
            if let Some(value) = parse(document) {
                for (key, value) in entries(Some(&value)) {
                    head.take(key, value.as_str().unwrap_or_default());
                }
            }
            return head;
        }
        for line in document.lines() {
            if line.starts_with([' ', '\t', '#', '-', '%']) {
                continue;
            }
            let Some((key, value)) = line.split_once(':') else {
                continue;
            };
            if value.is_empty() || value.starts_with([' ', '\t']) {
                head.take(unquoted(key), unquoted(value));
            }
        }
        head
    }

    fn take(&mut self, key: &str, value: &str) {
        let text = || (!value.is_empty()).then(|| value.to_owned());
        match key {
            "apiVersion" => self.api_version = text(),
            "kind" => self.kind = text(),
            "schemaVersion" => self.schema_version = text(),
            "name" => self.name = text(),
            "services" => self.services = true,
            "components" => self.components = true,
            _ => {}
        }
    }
}

/// Returns a scalar without its quotes and without the comment behind it.
fn unquoted(scalar: &str) -> &str {
    let scalar = scalar.trim();
    for quote in ['"', '\''] {
        if let Some(inner) = scalar.strip_prefix(quote) {
            return inner.split(quote).next().unwrap_or(inner);
        }
    }
    scalar.split(" #").next().unwrap_or(scalar).trim_end()
}

/// Parses one document for a look at it; `None` where it is too large or malformed.
fn parse(document: &str) -> Option<Value> {
    yaml::split(document).find_map(|text| yaml::parse(&text, &yaml::Limits::DESIGN).ok().flatten())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse_error(text: &str) -> (usize, &'static str) {
        match text.parse::<Source>() {
            Err(error) => (error.column, error.reason),
            Ok(source) => panic!("{text:?} was taken for {source:?}"),
        }
    }

    #[test]
    fn arguments_become_sources() {
        assert_eq!("-".parse(), Ok(Source::Stdin));
        for path in [
            "shop.yaml",
            "./a://b",
            "/x/y",
            "a b",
            "C:\\x",
            "--",
            "h\u{e9}",
        ] {
            assert_eq!(path.parse(), Ok(Source::Path(PathBuf::from(path))));
        }
        for url in [
            "https://example.com/shop.yaml",
            "HTTP://user:pass@example.com:8080?x=1#y",
            "http://[::1]:80/",
            "https://h\u{e9}.example/x",
        ] {
            assert_eq!(url.parse(), Ok(Source::Url(url.to_owned())));
        }
    }

    #[test]
    fn chart_references_are_taken_apart_and_put_together() {
        let digest = format!("sha256:{}", "a1".repeat(32));
        let text = format!("oci://localhost:5000/charts/my-shop:1.2.0_b1@{digest}");
        let Ok(Source::Chart { reference }) = text.parse() else {
            panic!("not a chart");
        };
        assert_eq!(reference.host, "localhost:5000");
        assert_eq!(reference.repository, "charts/my-shop");
        assert_eq!(reference.name(), "my-shop");
        assert_eq!(reference.version().as_deref(), Some("1.2.0+b1"));
        assert_eq!(reference.digest, Some(digest));
        assert_eq!(reference.to_string(), text);
    }

    #[test]
    fn errors_point_at_the_character() {
        for (text, column, word) in [
            ("", 1, "empty"),
            ("ftp://x/y", 1, "http://"),
            ("file:///x", 1, "path itself"),
            ("http:/x", 6, "missing"),
            ("https://", 9, "host is missing"),
            ("https://user@/x", 14, "host is missing"),
            ("https://h\u{e9} x/y", 11, "spaces"),
            ("https://a/b c", 12, "spaces"),
            ("https://a:99999/", 11, "port"),
            ("https://a:/", 11, "port"),
            ("https://[::1/", 9, "bracket"),
            ("https://[zz]/", 10, "IPv6"),
            ("https://[::1]x/", 14, "colon"),
            ("https://a!b/", 10, "host name"),
            ("oci://host", 11, "repository is missing"),
            ("oci://u:p@host/x", 7, "credentials"),
            ("oci:/host/x", 1, "oci://"),
            ("oci://host/a//b", 14, "empty"),
            ("oci://host/A", 12, "lower-case"),
            ("oci://host/a-", 13, "ends"),
            ("oci://host/-a", 12, "begins"),
            ("oci://host/a:", 14, "tag begins"),
            ("oci://host/a:1/2", 15, "in a tag"),
            ("oci://host/a@md5:1", 14, "sha256:"),
            ("oci://host/a@sha256:1", 22, "64"),
            ("oci://host/a@sha256:G", 21, "hexadecimal"),
            ("a\0b", 2, "zero byte"),
        ] {
            let (at, reason) = parse_error(text);
            assert_eq!(at, column, "{text}: {reason}");
            assert!(reason.contains(word), "{text}: {reason}");
        }
    }

    #[test]
    fn nothing_that_parses_or_not_panics() {
        let pieces = [
            "http",
            "https",
            "oci",
            "://",
            ":",
            "/",
            "@",
            "[",
            "]",
            "?",
            "#",
            "a",
            "\u{e9}",
            " ",
            "sha256:",
            "-",
            "\u{1F600}",
            "..",
            "0",
            "_",
        ];
        let mut seed = 0x2545_F491_4F6C_DD1D_u64;
        for _ in 0..20_000 {
            let mut text = String::new();
            for _ in 0..8 {
                seed ^= seed << 13;
                seed ^= seed >> 7;
                seed ^= seed << 17;
                let index = usize::try_from(seed % pieces.len() as u64).expect("a small number");
                text.push_str(pieces[index]);
            }
            match text.parse::<Source>() {
                Ok(source) => drop(source.origin()),
                Err(error) => assert!(error.column <= text.chars().count() + 1, "{text}"),
            }
            mask(&text);
            recognise(&text);
            compose_references(&text);
        }
    }

    #[test]
    fn deep_and_repetitive_texts_are_given_up() {
        let deep = "[".repeat(200_000);
        let maps = "{a: ".repeat(100_000);
        let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..10 {
            let previous = format!("*a{}, ", level - 1).repeat(9);
            bomb = format!("{bomb}a{level}: &a{level} [{previous}]\n");
        }
        for text in [
            deep.clone(),
            maps.clone(),
            maps.replace("a:", "\"a\":"),
            format!("services: {deep}"),
            format!("services:\n  web: {maps}"),
            format!("{bomb}services:\n  web: {{image: *a9}}\n"),
        ] {
            assert_eq!(recognise(&text), None);
            assert!(compose_references(&text).is_empty());
        }
    }

    #[test]
    fn credentials_are_masked() {
        for (text, masked) in [
            ("https://u:canary@h/x", "https://h/x"),
            ("https://canary@h", "https://h"),
            ("https://u:ca/nary@h/x", "https://h/x"),
            (
                "https://h/x?ref=main&token=canary&canary",
                "https://h/x?ref=main&token=***&***",
            ),
            ("https://h/@scope/x", "https://h/@scope/x"),
            ("https://h:8080/x@1", "https://h:8080/x@1"),
            ("https://u:canary@h:8080/x@1", "https://h:8080/x@1"),
            ("https://[::1]/x@1", "https://[::1]/x@1"),
            ("https://h/x?sig=canary#canary", "https://h/x?sig=***"),
            (
                "get \"http://u:canary@h/i\": 403, see https://h?k=canary.",
                "get \"http://h/i\": 403, see https://h?k=***",
            ),
            ("no address", "no address"),
            ("https://h/x?", "https://h/x?"),
        ] {
            assert_eq!(mask(text), masked);
        }
        let source: Source = "https://u:canary@h/x?t=canary#canary"
            .parse()
            .expect("an address");
        assert_eq!(source.to_string(), "https://h/x?t=***");
        assert_eq!(format!("{source:?}"), "Url(https://h/x?t=***)");
        let error = "https://u:canary@/x"
            .parse::<Source>()
            .expect_err("no host");
        assert!(!format!("{error} {error:?}").contains("canary"));
    }

    #[test]
    fn texts_are_recognised_by_content() {
        use Form::{Compose, Design, Kustomization, Manifest};
        for (text, form) in [
            ("apiVersion: v1\nkind: Pod\n", Some(Manifest)),
            ("\"apiVersion\": 'v1' # x\n'kind': Pod\n", Some(Manifest)),
            (
                "# c\n---\n# d\n---\nkind: Pod\napiVersion: v1\n",
                Some(Manifest),
            ),
            (
                "%YAML 1.2\n---\nkind: Pod\napiVersion: v1\n",
                Some(Manifest),
            ),
            ("--- {kind: Pod, apiVersion: v1}\n", Some(Manifest)),
            (
                "{\"kind\":\"List\",\"apiVersion\":\"v1\",\"items\":[]}",
                Some(Manifest),
            ),
            (
                "{\"kind\":\"A\",\"apiVersion\":\"v1\"}\n{\"kind\":\"B\"}",
                Some(Manifest),
            ),
            ("kind: Pod\r\napiVersion: v1\r\n", Some(Manifest)),
            ("null\n---\nkind: Pod\napiVersion: v1\n", Some(Manifest)),
            ("metadata:\n  kind: Pod\n  apiVersion: v1\n", None),
            ("kind: Pod\n", None),
            (
                "schemaVersion: designs.meshery.io/v1beta3\nname: x\n",
                Some(Design),
            ),
            (
                "{\"schemaVersion\": \"designs.meshery.io/v1beta1\"}",
                Some(Design),
            ),
            ("schemaVersion: v9\ncomponents: []\n", Some(Design)),
            (
                "schemaVersion: components.meshery.io/v1beta2\nname: x\n",
                None,
            ),
            ("name: x\nservices:\n  web:\n    type: Pod\n", Some(Design)),
            ("services:\n  web:\n    image: nginx\n", Some(Compose)),
            ("services:\n  web:\n    build: .\n", Some(Compose)),
            (
                "{\"services\": {\"web\": {\"image\": \"x\"}}}",
                Some(Compose),
            ),
            ("services:\n  web: 1\n", None),
            ("services: [a]\n", None),
            ("services:\n", None),
            ("services:\n  - {", None),
            (
                "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n",
                Some(Kustomization),
            ),
            (
                "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\n",
                Some(Manifest),
            ),
            ("", None),
            ("---\n---\n...\n", None),
            ("just words", None),
            ("[1, 2]", None),
        ] {
            assert_eq!(recognise(text), form, "{text:?}");
        }
    }

    #[test]
    fn names_tell_what_a_folder_is() {
        assert!(is_chart_folder(["values.yaml", "Chart.yaml"]));
        assert!(!is_chart_folder(["chart.yaml"]));
        for name in ["kustomization.yaml", "kustomization.yml", "Kustomization"] {
            assert!(is_kustomization(["x", name]));
        }
        assert!(!is_kustomization(["kustomization.json"]));
        for (name, read) in [
            ("a.yaml", true),
            ("a.YML", true),
            ("a.json", true),
            (".a.yaml", false),
            ("a.yaml.bak", false),
            ("yaml", false),
            ("a.txt", false),
        ] {
            assert_eq!(is_read_in_folder(name), read, "{name}");
        }
        for (name, expected) in [
            ("shop.yaml", "shop"),
            ("shop-1.2.tgz", "shop-1.2"),
            ("shop.tar.gz", "shop"),
            ("shop.yaml.gz", "shop"),
            (".yaml", ".yaml"),
            ("\u{1F600}", "\u{1F600}"),
            ("", ""),
        ] {
            assert_eq!(stem(name), expected);
        }
    }

    #[test]
    fn forms_keep_their_names_and_take_aliases() {
        for form in Form::ALL {
            let name = serde_json::to_value(form).expect("a form is a string");
            assert_eq!(name, form.name());
        }
        for (alias, form) in [
            ("k8s-manifest", Form::Manifest),
            ("meshery-design", Form::Design),
            ("helm-chart", Form::Chart),
            ("k8s-kustomize", Form::Kustomization),
            ("docker-compose", Form::Compose),
        ] {
            let read: Form = serde_json::from_value(alias.into()).expect("an alias");
            assert_eq!(read, form);
        }
        let bundle = Bundle {
            name: "shop".into(),
            origin: "shop.yaml".into(),
            form: Form::Manifest,
            files: vec![SourceFile {
                path: "shop.yaml".into(),
                text: "a: 1\n".into(),
            }],
            overlays: Vec::new(),
            values: None,
            notes: Vec::new(),
            limits: TextLimits::default(),
        };
        let json = serde_json::to_string(&bundle).expect("a bundle is an object");
        assert_eq!(
            json,
            r#"{"name":"shop","origin":"shop.yaml","form":"Kubernetes Manifest","files":[{"path":"shop.yaml","text":"a: 1\n"}]}"#
        );
        assert_eq!(
            serde_json::from_str::<Bundle>(&json).expect("it reads back"),
            bundle
        );
    }

    #[test]
    fn compose_files_name_other_files() {
        let text = "include:\n  - other.yaml\n  - path: [a.yaml, b.yaml]\n    env_file: inc.env\n\
            services:\n  web:\n    env_file:\n      - web.env\n      - {path: opt.env, required: false}\n    \
            label_file: labels\n    volumes:\n      - ./conf:/etc/conf:ro\n      - data:/data\n      \
            - {type: bind, source: ../up, target: /x}\n      - {type: volume, source: v, target: /y}\n  \
            db:\n    extends: {file: base.yaml, service: db}\n    env_file: web.env\n\
            configs:\n  c: {file: c.conf}\n  d: {external: true}\nsecrets:\n  s: {file: ./s.txt}\n";
        let found: Vec<_> = compose_references(text)
            .into_iter()
            .map(|reference| {
                format!(
                    "{} {} {:?}",
                    reference.field, reference.path, reference.role
                )
            })
            .collect();
        assert_eq!(
            found,
            [
                "include[0] other.yaml Compose",
                "include[1] a.yaml Compose",
                "include[1] b.yaml Compose",
                "include[1] inc.env Variables",
                "services.web.env_file web.env Variables",
                "services.web.env_file opt.env Variables",
                "services.web.label_file labels Variables",
                "services.web.volumes ./conf Mount",
                "services.web.volumes ../up Mount",
                "services.db.extends base.yaml Compose",
                "configs.c.file c.conf Content",
                "secrets.s.file ./s.txt Content",
            ]
        );
    }

    #[test]
    fn helm_tests_are_told_from_other_hooks() {
        let pod = |hook: &str| {
            format!(
                "kind: Pod\nmetadata:\n  name: t\n  annotations:\n    \"helm.sh/hook\": {hook}\n"
            )
        };
        assert_eq!(helm_test(&pod("test")).as_deref(), Some("Pod/t"));
        assert_eq!(helm_test(&pod("test-success")).as_deref(), Some("Pod/t"));
        assert_eq!(
            helm_test(&pod("\"pre-install, test\"")).as_deref(),
            Some("Pod/t")
        );
        assert_eq!(helm_test(&pod("pre-install,post-upgrade")), None);
        assert_eq!(helm_test("kind: Pod\n"), None);
    }
}
