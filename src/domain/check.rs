//! Findings: what is wrong, or looks wrong, with a resource set taken by itself.
//!
//! **Errors** are what an API server would refuse, or what cannot be one set. **Warnings** are what
//! it would accept and what most likely doesn't work. What a set refers to may well be in the
//! cluster already, so a missing name is never more than a warning, and none at all
//!
//! * for what a cluster always brings ([`is_always_there`]), and for optional references;
//! * for a namespace in which the set itself puts nothing;
//! * for kinds that somebody else usually brings (storage classes, certificates of an `Ingress`), and
//!   for kinds we don't know, unless something in the set has nearly that name;
//! * when a custom resource of that namespace mentions the name: its controller probably makes it.

use std::collections::{BTreeSet, HashMap, HashSet};

use serde_json::{Map, Value};

use crate::model::UnknownKind;
use crate::near;
use crate::path::{Path, Segment};
use crate::reference::{Port, Reference, Selector, Workloads, collect, pod_template};
use crate::resource::{
    NEAR_MISS_BUDGET, Origin, Resource, ResourceSet, defined_kind, dig, is_built_in_group, keys,
    split_api_version,
};
use crate::schema::{Problem, Violation};
use crate::yaml::Positions;

/// How bad a finding is.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    serde::Serialize,
    serde::Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// It cannot work.
    Error,
    /// It probably doesn't work.
    Warning,
}

macro_rules! rules {
    ($($(#[$doc:meta])* $rule:ident = $name:literal, $severity:ident;)*) => {
        /// What a finding is about; the names are stable.
        #[derive(
            Debug,
            Clone,
            Copy,
            PartialEq,
            Eq,
            PartialOrd,
            Ord,
            Hash,
            serde::Serialize,
            serde::Deserialize,
            schemars::JsonSchema,
        )]
        pub enum Rule {
            $($(#[$doc])* #[serde(rename = $name)] $rule,)*
        }

        impl Rule {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$rule,)*];

            /// Returns its name.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$rule => $name,)*
                }
            }

            /// Returns how bad it is to break it.
            pub const fn severity(self) -> Severity {
                match self {
                    $(Self::$rule => Severity::$severity,)*
                }
            }
        }
    };
}

rules! {
    /// `apiVersion`, `kind` or `metadata.name` is missing.
    MissingIdentity = "missing-identity", Error;
    /// An object, or what names it, has an impossible form.
    InvalidIdentity = "invalid-identity", Error;
    /// `generateName` instead of a name.
    GeneratedName = "generated-name", Error;
    /// A name or namespace that Kubernetes refuses for this kind.
    InvalidName = "invalid-name", Error;
    /// A namespace on an object that lives in none.
    NamespaceIgnored = "namespace-ignored", Warning;
    /// Two objects with one identity.
    DuplicateIdentity = "duplicate-identity", Error;
    /// A label or annotation that Kubernetes refuses.
    InvalidLabel = "invalid-label", Error;
    /// One of our annotations with a value that it cannot have.
    InvalidPolicy = "invalid-policy", Error;
    /// An annotation with nearly the name of one of ours.
    UnknownAnnotation = "unknown-annotation", Warning;
    /// An explicit dependency that isn't in the set.
    UnknownDependency = "unknown-dependency", Error;
    /// Dependencies that go in a circle.
    DependencyCycle = "dependency-cycle", Error;
    /// A wait that a circle of references makes impossible.
    WaitDropped = "wait-dropped", Warning;
    /// A reference to a name that isn't in the set.
    MissingReference = "missing-reference", Warning;
    /// A reference to a key that the named object doesn't have.
    MissingKey = "missing-key", Warning;
    /// A workload that doesn't select its own pods.
    SelectorMismatch = "selector-mismatch", Error;
    /// A selector that finds no workload of the set.
    SelectorMatchesNothing = "selector-matches-nothing", Warning;
    /// A port that the named object, or every pod behind it, doesn't have.
    PortNotThere = "port-not-there", Warning;
    /// A kind that no schema describes.
    UnknownKind = "unknown-kind", Error;
    /// A field that the schema of its kind doesn't know.
    UnknownField = "unknown-field", Error;
    /// A required field that is absent.
    MissingField = "missing-field", Error;
    /// A value of another type than the schema wants.
    WrongType = "wrong-type", Error;
    /// A value of the right type that the schema refuses.
    InvalidValue = "invalid-value", Error;
    /// A placeholder that stays, with nearly the name of a value.
    UnknownPlaceholder = "unknown-placeholder", Warning;
    /// A field that will not be read any more.
    Deprecated = "deprecated", Warning;
    /// A text that is no template.
    InvalidTemplate = "invalid-template", Error;
    /// A template that yields something else each time.
    NotDeterministic = "not-deterministic", Warning;
    /// A field that is known, and that nothing heeds where it stands.
    NotHeeded = "not-heeded", Warning;
    /// A form that names a hub which isn't there.
    UnknownHub = "unknown-hub", Error;
    /// A template that names a variable which no column fills.
    UnknownVariable = "unknown-variable", Error;
    /// A column that is read and that no template uses.
    UnusedMapping = "unused-mapping", Warning;
    /// A column that the table doesn't have.
    MissingColumn = "missing-column", Error;
    /// A column of a type that does not do for what it is mapped to.
    UnfitColumn = "unfit-column", Warning;
    /// A row that can't be used, or that an entry of a form can't be made for.
    InvalidRow = "invalid-row", Error;
    /// A text of the column `activate` that says neither yes nor no.
    UnclearActivation = "unclear-activation", Warning;
    /// A definition of a schema version that nobody knows.
    UnknownSchemaVersion = "unknown-schema-version", Error;
    /// A definition that belongs to no model.
    NoModel = "no-model", Error;
    /// Two models where one is meant.
    SeveralModels = "several-models", Error;
    /// A model without anything in it.
    EmptyModel = "empty-model", Error;
    /// A definition that names another model than the one it is with.
    OtherModel = "other-model", Error;
    /// Two definitions of one thing.
    DuplicateDefinition = "duplicate-definition", Error;
    /// What should be a schema and is none.
    InvalidSchema = "invalid-schema", Error;
    /// A category that is none of the usual ones.
    UnknownCategory = "unknown-category", Warning;
    /// A component that a relationship names and its model doesn't have.
    UnknownComponent = "unknown-component", Warning;
}

impl Rule {
    /// Whether it is about what an object is, rather than how it is configured: no cluster could
    /// take an object that breaks it.
    pub const fn is_identity(self) -> bool {
        matches!(
            self,
            Self::MissingIdentity
                | Self::InvalidIdentity
                | Self::GeneratedName
                | Self::InvalidName
                | Self::DuplicateIdentity
                | Self::InvalidPolicy
                | Self::UnknownDependency
                | Self::DependencyCycle
        )
    }

    /// Whether the key of the field is at fault rather than its value.
    pub const fn is_about_key(self) -> bool {
        matches!(self, Self::UnknownField | Self::UnknownAnnotation)
    }
}

impl std::fmt::Display for Rule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// One thing that is wrong.
#[derive(
    Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// The rule that is broken.
    pub rule: Rule,
    /// How bad that is.
    pub severity: Severity,
    /// What is wrong, in one sentence without a full stop.
    pub message: String,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// The id of the resource, or as much of it as is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<String>,
    /// The place inside the object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// The file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The line of the file, from 1: that of the document until [`Finding::locate`] knows better.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// The column of the line, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<u32>,
    /// The place inside the object, for looking it up in the text.
    #[serde(skip)]
    pub place: Path,
    /// Where the object was read.
    #[serde(skip)]
    pub origin: Option<Origin>,
    /// Where the other object was read, when two are one too many.
    #[serde(skip)]
    pub first: Option<Origin>,
}

impl Finding {
    /// Makes a finding without a place.
    pub fn new(rule: Rule, message: impl Into<String>) -> Self {
        Self {
            rule,
            severity: rule.severity(),
            message: message.into(),
            hint: None,
            resource: None,
            path: None,
            file: None,
            line: None,
            column: None,
            place: Path::default(),
            origin: None,
            first: None,
        }
    }

    /// What a schema found about an object.
    pub fn of_violation(violation: Violation, subject: &str, origin: &Origin) -> Self {
        let rule = match &violation.problem {
            Problem::UnknownField { .. } => Rule::UnknownField,
            Problem::Missing { .. } => Rule::MissingField,
            Problem::WrongType { .. } => Rule::WrongType,
            _ => Rule::InvalidValue,
        };
        Self::new(rule, violation.problem.to_string())
            .subject(subject)
            .from(origin)
            .at_path(violation.path)
    }

    /// An object whose kind nobody knows.
    pub fn of_unknown_kind(unknown: &UnknownKind, subject: &str, origin: &Origin) -> Self {
        let mut finding = Self::new(Rule::UnknownKind, unknown.to_string())
            .subject(subject)
            .from(origin)
            .at(&["kind"]);
        let (group, _) = split_api_version(&unknown.api_version);
        if !is_built_in_group(group) {
            finding = finding.hint("give its CRD with --schema-dir, or put it into the design");
        }
        finding
    }

    /// Says whose it is, and takes over where that was read.
    #[must_use]
    pub fn of(self, resource: &Resource) -> Self {
        let finding = self.subject(resource.id.as_str());
        match &resource.origin {
            Some(origin) => finding.from(origin),
            None => finding,
        }
    }

    /// Says whose it is.
    #[must_use]
    pub fn subject(mut self, subject: &str) -> Self {
        self.resource = (!subject.is_empty()).then(|| subject.to_owned());
        self
    }

    /// Says where the object was read.
    #[must_use]
    pub fn from(mut self, origin: &Origin) -> Self {
        self.file = Some(origin.file.as_ref().to_owned());
        self.line = origin.line;
        self.origin = Some(origin.clone());
        self
    }

    /// Says which other place is at fault than where the object was read: that of an overlay.
    pub fn set_at(&mut self, origin: &Origin) {
        self.file = Some(origin.file.as_ref().to_owned());
        self.line = origin.line;
        self.column = None;
        self.origin = None;
    }

    /// Says where in the object it is, by keys.
    #[must_use]
    pub fn at(self, path: &[&str]) -> Self {
        self.at_path(keys(path))
    }

    /// Says where in the object it is.
    #[must_use]
    pub fn at_path(mut self, path: Path) -> Self {
        self.path = (!path.segments().is_empty()).then(|| path.to_string());
        self.place = path;
        self
    }

    /// Says what to do about it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Replaces the line of the document by line and column of the field that it is about, and says
    /// where the other object is. `positions` are those of the document that an object was read from.
    pub fn locate<'p>(&mut self, mut positions: impl FnMut(&Origin) -> Option<&'p Positions>) {
        if let Some(origin) = &self.origin
            && let Some(positions) = positions(origin)
        {
            let path = self.within(origin);
            let at = if self.rule.is_about_key() {
                positions.key(&path)
            } else {
                positions.value(&path)
            };
            (self.line, self.column) = (Some(at.line), Some(at.column));
        }
        if let Some(first) = self.first.take() {
            let at = positions(&first).map(|positions| positions.value(&self.within(&first)));
            let place = match (at, first.line) {
                (Some(at), _) => format!("{}:{}:{}", first.file, at.line, at.column),
                (None, Some(_)) => first.to_string(),
                // Both are parts of one stored thing: nothing more is known of the first.
                (None, None) => return,
            };
            self.message = format!("{}, the first time at {place}", self.message);
        }
    }

    /// The place in the document of an object.
    fn within(&self, object: &Origin) -> Path {
        let inside = object.inside.segments();
        // What identifies a component of a design stands beside its configuration.
        let beside = match (inside.last(), self.place.segments()) {
            (Some(Segment::Key(last)), [Segment::Key(key)]) => {
                last == "configuration" && matches!(key.as_str(), "apiVersion" | "kind")
            }
            _ => false,
        };
        let place = if beside { &[] } else { self.place.segments() };
        inside.iter().chain(place).cloned().collect()
    }

    /// Says which text may be meant, if one is near; it may be of several words, and so is quoted.
    #[must_use]
    pub fn did_you_mean_text(self, near: Option<&str>) -> Self {
        let quoted = near.map(|near| format!("{near:?}"));
        let near: Vec<&str> = quoted.iter().map(String::as_str).collect();
        self.did_you_mean(&near)
    }

    /// Says which of some names may be meant.
    #[must_use]
    pub(crate) fn did_you_mean(self, near: &[&str]) -> Self {
        if near.is_empty() {
            return self;
        }
        let hint = format!("did you mean {}?", near.join(" or "));
        self.hint(hint)
    }
}

impl std::fmt::Display for Finding {
    /// `file:line:column: message (resource)`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(file) = &self.file {
            f.write_str(file)?;
            for number in [self.line, self.column].into_iter().flatten() {
                write!(f, ":{number}")?;
            }
            f.write_str(": ")?;
        }
        f.write_str(&self.message)?;
        match (&self.resource, &self.path) {
            (Some(resource), Some(path)) => write!(f, " ({resource}, {path})"),
            (Some(resource), None) => write!(f, " ({resource})"),
            (None, Some(path)) => write!(f, " ({path})"),
            (None, None) => Ok(()),
        }
    }
}

/// Checks how the resources of a set fit together.
///
/// What [`ResourceSet::from_manifests`] reported is not reported again.
pub fn check(set: &ResourceSet) -> Vec<Finding> {
    let mut checker = Checker {
        set,
        workloads: Workloads::of(set),
        names: None,
        namespaces: HashSet::new(),
        mentioned: HashSet::new(),
        budget: NEAR_MISS_BUDGET,
        findings: Vec::new(),
    };
    for resource in set {
        let namespace = resource.namespace.as_deref().unwrap_or_default();
        checker.namespaces.insert(namespace);
        if !is_built_in_group(resource.group()) {
            mention(namespace, &resource.object, &mut checker.mentioned);
        }
    }
    let mut references = Vec::new();
    for resource in set {
        checker.references(resource, &mut references);
        checker.selectors(resource);
        checker.own_selector(resource);
    }
    checker.findings
}

/// Notes all strings of an object; without recursion into more than the reader lets through.
fn mention<'a>(namespace: &'a str, value: &'a Value, into: &mut HashSet<(&'a str, &'a str)>) {
    let mut open = vec![value];
    while let Some(value) = open.pop() {
        match value {
            Value::String(text) => {
                into.insert((namespace, text));
            }
            Value::Array(items) => open.extend(items),
            Value::Object(entries) => open.extend(entries.values()),
            _ => {}
        }
    }
}

/// Tells whether a field that the published schema requires may be left out all the same, because
/// the API server fills it in before it looks.
pub fn is_filled_in(api_version: &str, violation: &Violation) -> bool {
    let (group, _) = split_api_version(api_version);
    let parent = keys(&["roleRef"]);
    group == "rbac.authorization.k8s.io"
        && matches!(&violation.problem, Problem::Missing { field } if field == "apiGroup")
        && (violation.path == parent || violation.path == parent.join("apiGroup"))
}

/// Tells whether every cluster has an object without anybody writing it.
pub fn is_always_there(group: &str, kind: &str, name: &str) -> bool {
    match (group, kind) {
        ("", "ServiceAccount") => name == "default",
        ("", "ConfigMap") => name == "kube-root-ca.crt",
        ("", "Service") => name == "kubernetes",
        ("scheduling.k8s.io", "PriorityClass") => name.starts_with("system-"),
        ("rbac.authorization.k8s.io", "ClusterRole") => {
            matches!(name, "cluster-admin" | "admin" | "edit" | "view")
                || name.starts_with("system:")
        }
        ("rbac.authorization.k8s.io", "Role") => {
            name == "extension-apiserver-authentication-reader" || name.starts_with("system:")
        }
        _ => false,
    }
}

type Names<'a> = HashMap<(&'a str, &'a str, &'a str), Vec<&'a str>>;

struct Checker<'a> {
    set: &'a ResourceSet,
    workloads: Workloads<'a>,
    /// Names by group, kind and namespace; gathered when the first name is missing.
    names: Option<Names<'a>>,
    namespaces: HashSet<&'a str>,
    /// Strings in custom resources, with the namespace of those.
    mentioned: HashSet<(&'a str, &'a str)>,
    budget: usize,
    findings: Vec<Finding>,
}

impl<'a> Checker<'a> {
    fn references(&mut self, resource: &'a Resource, found: &mut Vec<Reference<'a>>) {
        found.clear();
        collect(resource.group(), &resource.kind, &resource.object, found);
        let mut missing: HashMap<_, (usize, usize)> = HashMap::new();
        for reference in found.iter() {
            let own = resource.namespace.as_deref();
            let namespace = reference.namespace(own);
            let (group, kind, name) = (reference.group, reference.kind, reference.name);
            match self.set.find(group, kind, namespace, name) {
                Some(target) => {
                    if let Some(target) = self.set.get(target) {
                        self.keys(resource, reference, target);
                        self.port(resource, reference, target);
                    }
                }
                None if reference.optional => {}
                None => {
                    // Twelve variables from one missing object are one finding.
                    if let Some((_, places)) = missing.get_mut(&(group, kind, namespace, name)) {
                        *places += 1;
                    } else if self.missing(resource, reference, namespace) {
                        let at = self.findings.len() - 1;
                        missing.insert((group, kind, namespace, name), (at, 1));
                    }
                }
            }
        }
        for (at, places) in missing.into_values().filter(|(_, places)| *places > 1) {
            let finding = &mut self.findings[at];
            finding.message = format!("{} (in {places} places)", finding.message);
        }
    }

    /// Reports a name that isn't in the set, or finds a reason not to.
    fn missing(
        &mut self,
        resource: &Resource,
        reference: &Reference<'a>,
        namespace: Option<&str>,
    ) -> bool {
        let (group, kind, name) = (reference.group, reference.kind, reference.name);
        let place = namespace.unwrap_or_default();
        let outside = namespace.is_some() && !self.namespaces.contains(place);
        if outside || is_always_there(group, kind, name) || self.mentioned.contains(&(place, name))
        {
            return false;
        }
        let names = self.names.get_or_insert_with(|| names(self.set));
        let known = names.get(&(group, kind, place));
        let known = known.into_iter().flatten().map(|name| (*name, *name));
        let near = near::several(name, known, &mut self.budget);
        let elsewhere = reference.row.elsewhere || !is_built_in_group(group);
        if elsewhere && near.is_empty() {
            return false;
        }
        let target = match namespace {
            Some(namespace) => format!("{kind}/{namespace}/{name}"),
            None => format!("{kind}/{name}"),
        };
        let message = format!("refers to {target}, which is not defined here");
        let finding = Finding::new(Rule::MissingReference, message).of(resource);
        let finding = finding.at_path(reference.path()).did_you_mean(&near);
        self.findings.push(finding);
        true
    }

    fn keys(&mut self, resource: &Resource, reference: &Reference<'_>, target: &Resource) {
        if reference.optional || reference.keys.is_empty() {
            return;
        }
        let known = ["data", "binaryData", "stringData"];
        let known = known.map(|field| target.object.get(field).and_then(Value::as_object));
        let known = || known.into_iter().flatten();
        // An empty one is filled by somebody else.
        if known().all(Map::is_empty) {
            return;
        }
        for key in &reference.keys {
            if known().any(|data| data.contains_key(key.name)) {
                continue;
            }
            let message = format!("{} has no key {:?}", target.id, key.name);
            let known = known()
                .flat_map(Map::keys)
                .map(|key| (key.as_str(), key.as_str()));
            let near = near::several(key.name, known, &mut self.budget);
            let finding = Finding::new(Rule::MissingKey, message).of(resource);
            let finding = finding.at_path(reference.key_path(key));
            self.findings.push(finding.did_you_mean(&near));
        }
    }

    fn port(&mut self, resource: &Resource, reference: &Reference<'_>, service: &Resource) {
        let Some((port, _)) = reference.port else {
            return;
        };
        if service.kind != "Service" || is_external(service) {
            return;
        }
        let Some(ports) = dig(&service.object, &["spec", "ports"]) else {
            return;
        };
        let ports = ports.as_array().map_or(&[][..], Vec::as_slice);
        let has = |known: &Value| match port {
            Port::Number(number) => known.get("port").and_then(Value::as_i64) == Some(number),
            Port::Name(name) => known.get("name").and_then(Value::as_str) == Some(name),
        };
        if ports.iter().any(has) {
            return;
        }
        let known: Vec<String> = ports
            .iter()
            .filter_map(|known| {
                let number = known.get("port")?.as_i64()?;
                let name = known.get("name").and_then(Value::as_str);
                Some(name.map_or_else(|| number.to_string(), |name| format!("{number} ({name})")))
            })
            .collect();
        let message = format!("{} has no port {port}", service.id);
        let mut finding = Finding::new(Rule::PortNotThere, message).of(resource);
        if !known.is_empty() {
            finding = finding.hint(format!("it has {}", known.join(", ")));
        }
        self.findings.push(finding.at_path(reference.port_path()));
    }

    /// Checks what the selectors of services and disruption budgets find.
    fn selectors(&mut self, resource: &Resource) {
        let selector = match (resource.group(), resource.kind.as_str()) {
            ("", "Service") if !is_external(resource) => {
                let selector = dig(&resource.object, &["spec", "selector"]);
                selector.and_then(Selector::from_labels)
            }
            ("policy", "PodDisruptionBudget") => {
                let selector = dig(&resource.object, &["spec", "selector"]);
                selector.and_then(Selector::from_label_selector)
            }
            ("networking.k8s.io", "NetworkPolicy") => {
                let selector = dig(&resource.object, &["spec", "podSelector"]);
                selector.and_then(Selector::from_label_selector)
            }
            _ => None,
        };
        // An empty one means nothing for a service, and everything for the others.
        let Some(selector) = selector.filter(|selector| !selector.is_empty()) else {
            return;
        };
        let namespace = resource.namespace.as_deref();
        let matches = self.workloads.matching(namespace, &selector);
        if !matches.resources.is_empty() {
            if resource.kind == "Service" && matches.complete {
                self.target_ports(resource, &matches.resources);
            }
            return;
        }
        let place = namespace.unwrap_or_default();
        let brought = selector
            .values()
            .any(|value| self.mentioned.contains(&(place, value)));
        if matches.complete && !brought {
            let field = match resource.kind.as_str() {
                "NetworkPolicy" => "podSelector",
                _ => "selector",
            };
            let message = "selects no pods of any workload that is defined here";
            let finding = Finding::new(Rule::SelectorMatchesNothing, message);
            self.findings
                .push(finding.of(resource).at(&["spec", field]));
        }
    }

    /// Checks that the ports that a service names exist in some pod behind it.
    fn target_ports(&mut self, service: &Resource, workloads: &[usize]) {
        let ports = dig(&service.object, &["spec", "ports"]).and_then(Value::as_array);
        let ports = ports.into_iter().flatten().enumerate();
        let mut named = ports
            .filter_map(|(index, port)| Some((index, port.get("targetPort")?.as_str()?)))
            .peekable();
        if named.peek().is_none() {
            return;
        }
        let workloads = workloads.iter().filter_map(|&index| self.set.get(index));
        let known: BTreeSet<&str> = workloads.flat_map(port_names).collect();
        for (index, name) in named {
            // `"8080"` is a name to the API server too, and one that it refuses.
            if known.contains(name) {
                continue;
            }
            let message = format!("no container behind the service has a port named {name:?}");
            let mut finding = Finding::new(Rule::PortNotThere, message).of(service);
            if !known.is_empty() {
                let known: Vec<&str> = known.iter().copied().collect();
                finding = finding.hint(format!("named ports there: {}", known.join(", ")));
            }
            let path = Path::from(vec![
                Segment::Key("spec".to_owned()),
                Segment::Key("ports".to_owned()),
                Segment::Index(index),
                Segment::Key("targetPort".to_owned()),
            ]);
            self.findings.push(finding.at_path(path));
        }
    }

    /// Checks that a workload selects the pods of its own template, without which it is refused.
    fn own_selector(&mut self, resource: &Resource) {
        if resource.group() != "apps" {
            return;
        }
        let template = pod_template("apps", &resource.kind, &resource.object);
        let selector = dig(&resource.object, &["spec", "selector"]);
        let selector = selector.and_then(Selector::from_label_selector);
        if let (Some(template), Some(selector)) = (template, selector) {
            let labels = dig(template, &["metadata", "labels"]).and_then(Value::as_object);
            if !selector.matches(labels) {
                let message = "the selector doesn't match the labels of the pod template";
                let finding = Finding::new(Rule::SelectorMismatch, message);
                self.findings
                    .push(finding.of(resource).at(&["spec", "selector"]));
            }
        }
    }
}

fn names(set: &ResourceSet) -> Names<'_> {
    let mut names = Names::new();
    for resource in set {
        let namespace = resource.namespace.as_deref().unwrap_or_default();
        let kind = (resource.group(), resource.kind.as_str(), namespace);
        names.entry(kind).or_default().push(&resource.name);
    }
    names
}

fn is_external(service: &Resource) -> bool {
    let kind = dig(&service.object, &["spec", "type"]);
    kind.and_then(Value::as_str) == Some("ExternalName")
}

fn port_names(workload: &Resource) -> impl Iterator<Item = &str> {
    let template = pod_template(workload.group(), &workload.kind, &workload.object);
    let spec = template.and_then(|template| template.get("spec"));
    ["containers", "initContainers"]
        .into_iter()
        .filter_map(move |field| spec?.get(field)?.as_array())
        .flatten()
        .filter_map(|container| container.get("ports")?.as_array())
        .flatten()
        .filter_map(|port| port.get("name")?.as_str())
}

/// Returns the groups and kinds that the definitions in a set bring, with the place of each.
pub(crate) fn definitions(set: &ResourceSet) -> HashMap<(&str, &str), usize> {
    let definitions = set.iter().enumerate();
    definitions
        .filter_map(|(index, resource)| Some((defined_kind(&resource.object)?, index)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::{read, shown};

    fn findings(text: &str) -> Vec<String> {
        let (set, mut findings) = read(text, Some("shop"));
        findings.extend(check(&set));
        shown(&findings)
    }

    /// Objects, one a line in flow style without braces.
    fn objects(lines: &[&str]) -> String {
        let documents = lines.iter().map(|line| format!("---\n{{{line}}}\n"));
        documents.collect::<Vec<_>>().concat()
    }

    fn pod(spec: &str) -> String {
        format!(
            "apiVersion: v1, kind: Pod, metadata: {{name: a, labels: {{app: a}}}}, spec: {{{spec}}}"
        )
    }

    const MAP: &str = "apiVersion: v1, kind: ConfigMap, metadata: {name: web-config}, \
                       data: {level: x}, binaryData: {logo: AAAA}";
    const SERVICE: &str = "apiVersion: v1, kind: Service, metadata: {name: a}, spec: {selector: \
                           {app: a}, ports: [{name: http, port: 80, targetPort: web}]}";
    const CONTAINER: &str = "containers: [{name: a, ports: [{name: web, containerPort: 8080}]}]";
    const CUSTOM: &str = "apiVersion: example.com/v1, kind: Thing, metadata: {name: t}, \
                          spec: {makes: [{secret: made}], labels: {app: b}}";

    #[test]
    fn rules_have_stable_names() {
        for rule in Rule::ALL {
            let json = serde_json::to_string(rule).expect("a name has a JSON form");
            assert_eq!(json, format!("\"{rule}\""));
            assert!(
                rule.name()
                    .bytes()
                    .all(|b| b.is_ascii_lowercase() || b == b'-')
            );
        }
    }

    #[test]
    fn a_missing_name_is_a_warning_with_near_misses() {
        let pod = pod("volumes: [{configMap: {name: web-confg}}]");
        assert_eq!(
            findings(&objects(&[MAP, &pod])),
            [
                "missing-reference Pod/shop/a spec.volumes[0].configMap.name: refers to \
              ConfigMap/shop/web-confg, which is not defined here (did you mean web-config?)"
            ]
        );
        let (set, _) = read(&objects(&[MAP, &pod]), Some("shop"));
        let finding = &check(&set)[0];
        assert_eq!(
            (finding.severity, finding.line),
            (Severity::Warning, Some(3))
        );
        let text = "{kind: Pod, spec: {volumes: [{configMap: {\n  name: x}}]}}";
        let mut located = finding.clone();
        let text = crate::yaml::split(text).next().expect("it is a document");
        let positions = Positions::of(&text);
        located.locate(|_| Some(&positions));
        assert_eq!((located.line, located.column), (Some(2), Some(9)));
    }

    #[test]
    fn one_missing_object_is_one_finding_per_resource() {
        let pod = pod(
            "serviceAccountName: s, volumes: [{secret: {secretName: x}}, \
                       {projected: {sources: [{secret: {name: x}}]}}]",
        );
        let mut found = findings(&objects(&[&pod]));
        found.sort();
        assert_eq!(
            found,
            [
                "missing-reference Pod/shop/a spec.serviceAccountName: refers to \
                 ServiceAccount/shop/s, which is not defined here",
                "missing-reference Pod/shop/a spec.volumes[0].secret.secretName: refers to \
                 Secret/shop/x, which is not defined here (in 2 places)",
            ]
        );
    }

    #[test]
    fn what_somebody_else_brings_is_not_missing() {
        let silent = [
            "serviceAccountName: default",
            "volumes: [{configMap: {name: kube-root-ca.crt}}]",
            "priorityClassName: system-node-critical",
            "volumes: [{configMap: {name: x, optional: true}}]",
            "runtimeClassName: gvisor",
            // A custom resource speaks of it.
            "volumes: [{secret: {secretName: made}}]",
            "imagePullSecrets: [{name: t}]",
        ];
        for spec in silent {
            assert_eq!(findings(&objects(&[&pod(spec), CUSTOM])), [""; 0], "{spec}");
        }
        let silent = [
            "apiVersion: rbac.authorization.k8s.io/v1, kind: RoleBinding, metadata: {name: b}, \
             roleRef: {kind: ClusterRole, name: view}, \
             subjects: [{kind: ServiceAccount, name: p, namespace: monitoring}]",
            "apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRoleBinding, \
             metadata: {name: b}, roleRef: {kind: ClusterRole, name: 'system:auth-delegator'}, \
             subjects: [{kind: ServiceAccount, name: default, namespace: shop}]",
            "apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: b}, \
             spec: {storageClassName: fast, volumeName: v}",
            "apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {name: b}, \
             spec: {ingressClassName: nginx, tls: [{secretName: tls}]}",
            "apiVersion: autoscaling/v2, kind: HorizontalPodAutoscaler, metadata: {name: b}, \
             spec: {scaleTargetRef: {apiVersion: example.com/v1, kind: Rollout, name: r}}",
            "apiVersion: v1, kind: Pod, metadata: {name: b, namespace: other}",
        ];
        for object in silent {
            assert_eq!(findings(&objects(&[object])), [""; 0], "{object}");
        }
    }

    #[test]
    fn what_is_usually_brought_is_missing_when_something_has_nearly_its_name() {
        let class = "apiVersion: storage.k8s.io/v1, kind: StorageClass, metadata: {name: fast-ssd}";
        let claim = "apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: c}, \
                     spec: {storageClassName: fast-sdd}";
        assert_eq!(
            findings(&objects(&[class, claim])),
            [
                "missing-reference PersistentVolumeClaim/shop/c spec.storageClassName: refers to \
              StorageClass/fast-sdd, which is not defined here (did you mean fast-ssd?)"
            ]
        );
    }

    #[test]
    fn other_references_are_missed_by_the_kind_of_their_target() {
        let cases = [
            (
                "apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRoleBinding, \
                 metadata: {name: b}, roleRef: {kind: ClusterRole, name: reader}",
                "ClusterRole/reader",
            ),
            (
                "apiVersion: autoscaling/v2, kind: HorizontalPodAutoscaler, metadata: {name: b}, \
                 spec: {scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: d}}",
                "Deployment/shop/d",
            ),
            (
                "apiVersion: apps/v1, kind: StatefulSet, metadata: {name: b}, spec: {serviceName: s}",
                "Service/shop/s",
            ),
            (
                "apiVersion: v1, kind: Pod, metadata: {name: b}, spec: {priorityClassName: high}",
                "PriorityClass/high",
            ),
        ];
        for (object, target) in cases {
            let found = findings(&objects(&[object]));
            let expected = format!("refers to {target}, which is not defined here");
            assert!(
                found.len() == 1 && found[0].ends_with(&expected),
                "{found:?}"
            );
        }
    }

    #[test]
    fn keys_are_looked_up_in_the_named_object() {
        let cases: &[(&str, Option<&str>)] = &[
            (
                "configMap: {name: web-config, items: [{key: level}, {key: logo}]}",
                None,
            ),
            (
                "configMap: {name: web-config, items: [{key: x}], optional: true}",
                None,
            ),
            ("configMap: {name: empty, items: [{key: x}]}", None),
            (
                "configMap: {name: web-config, items: [{key: level}, {key: levl}]}",
                Some(
                    "configMap.items[1].key: ConfigMap/shop/web-config has no key \"levl\" (did you \
                      mean level?)",
                ),
            ),
            (
                "secret: {secretName: s, items: [{key: password}]}",
                Some(
                    "secret.items[0].key: Secret/shop/s has no key \"password\" (did you mean \
                      passwort?)",
                ),
            ),
        ];
        let empty = "apiVersion: v1, kind: ConfigMap, metadata: {name: empty}";
        let secret = "apiVersion: v1, kind: Secret, metadata: {name: s}, stringData: {passwort: x}";
        for (volume, expected) in cases {
            let pod = pod(&format!("volumes: [{{{volume}}}]"));
            let found = findings(&objects(&[MAP, empty, secret, &pod]));
            let expected =
                expected.map(|rest| format!("missing-key Pod/shop/a spec.volumes[0].{rest}"));
            assert_eq!(found, Vec::from_iter(expected));
        }
    }

    #[test]
    fn selectors_find_workloads() {
        let found = [SERVICE];
        let pod = pod(CONTAINER);
        for object in found {
            assert_eq!(findings(&objects(&[object, &pod])), [""; 0]);
        }
        let silent = [
            "apiVersion: v1, kind: Service, metadata: {name: s}, spec: {ports: [{port: 80}]}",
            "apiVersion: v1, kind: Service, metadata: {name: s}, spec: {selector: {}}",
            "apiVersion: v1, kind: Service, metadata: {name: s}, \
             spec: {type: ExternalName, selector: {app: x}}",
            "apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: s}, \
             spec: {podSelector: {}}",
            // A custom resource speaks of the label.
            "apiVersion: v1, kind: Service, metadata: {name: s}, spec: {selector: {app: b}}",
        ];
        for object in silent {
            assert_eq!(findings(&objects(&[object, CUSTOM])), [""; 0], "{object}");
        }
        let cases = [
            (
                "apiVersion: v1, kind: Service, metadata: {name: s}, spec: {selector: {app: x}}",
                "Service/shop/s spec.selector",
            ),
            (
                "apiVersion: v1, kind: Service, metadata: {name: s, namespace: other}, \
                 spec: {selector: {app: a}}",
                "Service/other/s spec.selector",
            ),
            (
                "apiVersion: policy/v1, kind: PodDisruptionBudget, metadata: {name: s}, \
                 spec: {selector: {matchExpressions: [{key: app, operator: NotIn, values: [a]}]}}",
                "policy/PodDisruptionBudget/shop/s spec.selector",
            ),
            (
                "apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: s}, \
                 spec: {podSelector: {matchLabels: {app: x}}}",
                "networking.k8s.io/NetworkPolicy/shop/s spec.podSelector",
            ),
        ];
        for (object, place) in cases {
            let expected = format!(
                "selector-matches-nothing {place}: selects no pods of any workload that is defined \
                 here"
            );
            assert_eq!(findings(&objects(&[object, &pod])), [expected]);
        }
    }

    #[test]
    fn a_workload_selects_its_own_pods() {
        let workload = |kind: &str, selector: &str| {
            format!(
                "apiVersion: apps/v1, kind: {kind}, metadata: {{name: w}}, spec: {{selector: \
                 {selector}, template: {{metadata: {{labels: {{app: w}}}}}}}}"
            )
        };
        for kind in ["Deployment", "ReplicaSet", "StatefulSet", "DaemonSet"] {
            let fits = workload(kind, "{matchLabels: {app: w}}");
            assert_eq!(findings(&objects(&[&fits])), [""; 0]);
            let other = workload(kind, "{matchLabels: {app: v}}");
            assert_eq!(
                findings(&objects(&[&other])),
                [format!(
                    "selector-mismatch apps/{kind}/shop/w spec.selector: the selector doesn't match \
                     the labels of the pod template"
                )]
            );
        }
    }

    #[test]
    fn ports_are_looked_up_in_the_service() {
        let ingress = |port: &str| {
            format!(
                "apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {{name: i}}, spec: \
                 {{defaultBackend: {{service: {{name: a, port: {{{port}}}}}}}}}"
            )
        };
        let pod = pod(CONTAINER);
        for port in ["number: 80", "name: http"] {
            assert_eq!(
                findings(&objects(&[SERVICE, &pod, &ingress(port)])),
                [""; 0]
            );
        }
        for (port, field, shown) in [
            ("number: 8080", "number", "8080"),
            ("name: web", "name", "\"web\""),
        ] {
            assert_eq!(
                findings(&objects(&[SERVICE, &pod, &ingress(port)])),
                [format!(
                    "port-not-there networking.k8s.io/Ingress/shop/i \
                     spec.defaultBackend.service.port.{field}: Service/shop/a has no port {shown} \
                     (it has 80 (http))"
                )]
            );
        }
    }

    #[test]
    fn target_ports_are_looked_up_in_the_containers() {
        let named = pod("containers: [{name: a, ports: [{name: other, containerPort: 1}]}]");
        assert_eq!(
            findings(&objects(&[SERVICE, &named])),
            [
                "port-not-there Service/shop/a spec.ports[0].targetPort: no container behind the \
              service has a port named \"web\" (named ports there: other)"
            ]
        );
        // One pod of several is enough.
        let second = pod(CONTAINER).replace("name: a, labels", "name: b, labels");
        assert_eq!(findings(&objects(&[SERVICE, &named, &second])), [""; 0]);
    }

    #[test]
    fn a_sound_application_is_not_talked_about() {
        let text = objects(&[
            "apiVersion: v1, kind: Namespace, metadata: {name: shop}",
            "apiVersion: v1, kind: ServiceAccount, metadata: {name: web}",
            MAP,
            "apiVersion: apps/v1, kind: Deployment, metadata: {name: web}, spec: {selector: \
             {matchLabels: {app: a}}, template: {metadata: {labels: {app: a}}, spec: \
             {serviceAccountName: web, containers: [{name: a, ports: [{name: web, containerPort: \
             80}], envFrom: [{configMapRef: {name: web-config}}]}]}}}",
            SERVICE,
        ]);
        assert_eq!(findings(&text), [""; 0]);
    }

    #[test]
    fn hostile_sets_take_no_quadratic_time() {
        // Names that almost fit, and selectors that many pods fulfil in part.
        let mut text = String::new();
        for index in 0..2000 {
            text += &objects(&[
                &format!(
                    "apiVersion: v1, kind: ConfigMap, metadata: {{name: some-config-{index}}}"
                ),
                &format!(
                    "apiVersion: v1, kind: Pod, metadata: {{name: p{index}, labels: {{a: b, c: d}}}}, \
                     spec: {{volumes: [{{configMap: {{name: som-config-{index}}}}}]}}"
                ),
                &format!(
                    "apiVersion: policy/v1, kind: PodDisruptionBudget, metadata: {{name: d{index}}}, \
                     spec: {{selector: {{matchLabels: {{a: b}}, matchExpressions: [{{key: c, \
                     operator: DoesNotExist}}]}}}}"
                ),
            ]);
        }
        let (set, _) = read(&text, None);
        let found = check(&set);
        assert_eq!(found.len(), 2000);
        assert!(
            found
                .iter()
                .all(|finding| finding.rule == Rule::MissingReference)
        );
        assert!(found[0].hint.is_some() && found[1999].hint.is_none());
    }
}
